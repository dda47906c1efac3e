"""What an answer waits for, and when there is none."""

import select
import socket
import time

import pytest

from lab.content import digest_of
from lab.integrity import keeps
from lab.ports import free_port
from lab.pusher import CONFIG, push_small
from lab.waiting import wait_until


def manifest(registry, reference="1", method="GET"):
    return registry.ask(method, f"/v2/library/app/manifests/{reference}")


def pull(registry, image):
    """As an engine does: tag, config, layers."""
    got = registry.ask(
        "GET", f"/v2/{image.repository}/manifests/{image.tag}")
    assert got.status == 200 and got.body == image.manifest.body
    for layer in image.layers:
        answer = registry.ask(
            "GET", f"/v2/{image.repository}/blobs/{layer.digest}")
        assert answer.body == layer.bytes()


def timed(registry, reference="1"):
    began = time.monotonic()
    answer = manifest(registry, reference)
    return answer, time.monotonic() - began


def point_at(registry, upstream, url):
    """Its configuration, with another address of docker.io; a restart."""
    text = registry.configuration.read_text()
    assert upstream.url in text
    registry.configuration.write_text(text.replace(upstream.url, url))
    registry.restart()


@pytest.fixture
def black_hole(scene):
    """The URL of somebody who lets connect, and never says a word."""
    address = ("127.0.0.1", free_port())
    with socket.socket() as listening:
        listening.bind(address)
        listening.listen(1024)
        yield "http://%s:%d" % address


# ------------------------------------------------------- who waits, and who not

def crowd(registry, repository, count):
    """Clients that ask for a manifest there, each for another."""
    wires = [registry.connect() for _ in range(count)]
    for number, wire in enumerate(wires):
        wire.send(b"GET /v2/%s/manifests/no%d HTTP/1.1\r\nHost: a\r\n\r\n"
                  % (repository.encode(), number))
    return wires


def misses(registry, upstream):
    return registry.metrics()[
        f'private_registry_mirror_misses_total{{upstream="{upstream}"}}']


def is_answered(wires):
    return select.select([wire.socket for wire in wires], [], [], 0)[0]


def all_are_late(wires):
    for wire in wires:
        assert wire.answer().status == 504
        wire.close()


def test_who_waits_for_a_black_hole_is_in_nobodys_way(start_registry, upstream,
                                                      black_hole):
    image = upstream.add_small_image("library/app")
    registry = start_registry({"docker.io": upstream.url}, options={
        "docker.io": {"tag_lifetime": "0s"}}, arguments=["--drain=0s"])
    pull(registry, image)
    push_small(registry, "team/app")
    mine = f"/v2/team/app/blobs/{digest_of(CONFIG)}"
    unknown = f"/v2/team/new/blobs/{digest_of(b'new')}"
    point_at(registry, upstream, black_hole)

    waiting = crowd(registry, "library/app", 100)
    # So many threads wait for misses, and four are in the queue behind them.
    wait_until(lambda: misses(registry, "docker.io") == 96, "misses to wait")
    answer = manifest(registry)
    assert answer.body == image.manifest.body and answer["Warning"]
    assert registry.ask("HEAD", mine).status == 200
    assert registry.ask("HEAD", unknown).status == 404
    assert not is_answered(waiting)
    # Nor does it take longer for whoever was in the queue.
    began = time.monotonic()
    all_are_late(waiting)
    assert time.monotonic() - began < 10 + 5


def test_nor_does_he_delay_what_comes_from_elsewhere(start_registry, upstream,
                                                     black_hole):
    images = [upstream.add_small_image(f"team/app{n}") for n in range(10)]
    registry = start_registry({"docker.io": upstream.url,
                               "silent.example": black_hole},
                              arguments=["--drain=0s"])
    asked = time.monotonic()
    waiting = crowd(registry, "silent.example/app", 300)
    wait_until(lambda: misses(registry, "silent.example") == 96,
               "misses to wait")
    began = time.monotonic()
    for image in images:
        pull(registry, image)
    done = time.monotonic()
    print(f"10 pulls in {done - began:.2f} s while 300 clients wait for another")
    assert done - asked > 9 or not is_answered(waiting)  # who are after 10 s
    all_are_late(waiting)


# ----------------------------------------------------- blobs that are not here

def test_no_manifest_is_given_whose_blobs_nobody_has(start_registry, upstream):
    image = upstream.add_small_image("library/app")
    registry = start_registry({"docker.io": upstream.url})
    assert manifest(registry, method="HEAD").status == 200
    upstream.stop()

    def withheld():
        got = manifest(registry)
        assert got.status in (200, 404)     # it was there a moment ago
        return got.status == 404 and got.code == "MANIFEST_UNKNOWN"

    wait_until(withheld, "the manifest to be withheld")
    assert manifest(registry, image.manifest.digest).status == 404
    assert manifest(registry, method="HEAD").status == 200

    upstream.start()
    pull(registry, image)
    keeps(registry, image)
    upstream.stop()
    for reference in image.tag, image.manifest.digest:
        assert manifest(registry, reference).body == image.manifest.body


def test_a_silent_upstream_is_no_better(start_registry, upstream, black_hole):
    upstream.add_small_image("library/app")
    registry = start_registry({"docker.io": upstream.url})
    assert manifest(registry, method="HEAD").status == 200
    point_at(registry, upstream, black_hole)
    answer, took = timed(registry)
    assert answer.status == 404 and answer.code == "MANIFEST_UNKNOWN"
    assert took < 5
