"""A full disk: pulls go on, pushes hear why not, and it recovers."""

import pytest

from lab.content import content, digest_of
from lab.disk import fill, make_room, small_disk
from lab.pusher import push_blob, with_digest
from lab.waiting import wait_until

MIB = 1 << 20
PUSHED = content("pushed", 100_000)


@pytest.fixture
def disk(scene):
    return small_disk(scene)


@pytest.fixture
def registry(start_registry, upstream, disk):
    """It has a pushed blob and a cached image, whose tag is soon old."""
    registry = start_registry({"docker.io": upstream.url}, data=disk / "data",
                              options={"docker.io": {"tag_lifetime": "1s"}})
    image = upstream.add_small_image("library/app")
    with registry.connect() as wire:
        push_blob(wire, "team/app", PUSHED.digest, PUSHED.bytes())
    wait_until(lambda: hits(registry, paths(image)) == 4, "all to be kept")
    registry.image = image
    return registry


def hits(registry, targets):
    """How many of them were answered from what is here."""
    name = "private_registry_mirror_hits_total"
    before = registry.metrics()[name]
    for target in targets:
        assert registry.ask("GET", target).status == 200
    return registry.metrics()[name] - before


def paths(image):
    """Where its tag, its manifest, its config and its layer are."""
    references = image.tag, image.manifest.digest
    return [f"/v2/{image.repository}/manifests/{each}"
            for each in references] + \
        [f"/v2/{image.repository}/blobs/{layer.digest}"
         for layer in image.layers]


def serves_what_it_has(registry):
    for target in paths(registry.image):
        got = registry.ask("GET", target)
        assert got.status == 200, got
        assert digest_of(got.body) in target or got.body == \
            registry.image.manifest.body
    got = registry.ask("GET", f"/v2/team/app/blobs/{PUSHED.digest}")
    assert got.body == PUSHED.bytes()
    return True


def push(registry, seed, size=300_000):
    """The answer to the request that failed, or to the last."""
    data = content(seed, size).bytes()
    with registry.connect() as wire:
        start = wire.ask("POST", "/v2/team/app/blobs/uploads/", b"")
        if start.status != 202:
            return start
        return wire.ask("PUT", with_digest(start["Location"],
                                           digest_of(data)), data)


def is_full(answer):
    """An error in the specification's form that a person understands."""
    said = answer.json["errors"][0]["message"]
    return answer.status == 507 and answer.code == "UNAVAILABLE" and \
        ("disk is full" in said or "No space left" in said)


def test_a_full_disk_refuses_pushes_and_nothing_else(registry, disk):
    fill(disk)
    assert registry.ask("GET", "/readyz").status == 503
    assert registry.ask("GET", "/healthz").status == 200
    for number in range(20):
        answer = push(registry, number)
        assert is_full(answer), answer
    requests = "private_registry_upstream_requests_total"
    asked = registry.metrics()[requests]
    wait_until(lambda: serves_what_it_has(registry) and
               registry.metrics()[requests] > asked, "the tag to grow old")
    assert registry.ask("GET", "/readyz").status == 503


@pytest.mark.parametrize("room", [0, 2 * MIB])
def test_where_room_is_made_pushes_and_misses_work_again(registry, upstream,
                                                         disk, room):
    fill(disk, but=room)
    assert is_full(push(registry, "too large", 4 * MIB))
    assert serves_what_it_has(registry)
    make_room(disk)

    assert registry.ask("GET", "/readyz").status == 200
    for number in range(5):
        assert push(registry, number).status == 201
    for target in paths(upstream.add_small_image("library/other")):
        assert registry.ask("GET", target).status == 200


def test_a_full_disk_does_not_keep_it_from_starting(registry, disk):
    fill(disk)
    assert registry.stop() == 0
    fill(disk)
    registry.start(wait=False)
    wait_until(lambda: answers(registry), "it to answer")
    assert serves_what_it_has(registry)


def test_killed_on_a_full_disk_it_starts_again(registry, disk):
    fill(disk)
    assert is_full(push(registry, "full"))
    registry.kill9()
    fill(disk)
    registry.start(wait=False)
    wait_until(lambda: answers(registry), "it to answer")
    assert serves_what_it_has(registry)

    make_room(disk)
    assert push(registry, "room").status == 201


def answers(registry):
    assert registry.running(), registry.log()
    try:
        return registry.ask("GET", "/v2/").status == 200
    except OSError:
        return False
