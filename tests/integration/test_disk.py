"""A full disk: pulls go on, pushes hear why not, and it recovers."""

from contextlib import ExitStack

import pytest

from lab.content import content, digest_of
from lab.disk import fill, make_room, small_disk
from lab.integrity import keeps
from lab.pusher import push_blob, with_digest
from lab.swarm import Swarm, download
from lab.waiting import wait_until
from lab.wire import request

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
    name = 'private_registry_mirror_hits_total{upstream="docker.io"}'
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
    requests = ("private_registry_upstream_requests_total"
                '{upstream="docker.io"}')
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


def test_a_push_has_the_room_of_what_is_cached(registry, upstream, disk):
    large = upstream.add_small_image("library/large", size=8 * MIB)
    pull(registry, large)
    keeps(registry, large)
    fill(disk)
    assert push(registry, "large", 6 * MIB).status == 201
    assert registry.metrics()["private_registry_evicted_blobs_total"] > 0
    assert is_full(push(registry, "too large", 9 * MIB))
    assert serves_what_it_has(registry)


def test_a_full_disk_permits_deleting(registry, disk):
    fill(disk)
    digest = push_until_full(registry)
    got = registry.ask("DELETE", f"/v2/team/app/blobs/{digest}")
    assert got.status == 202, got


def push_until_full(registry):
    """Nothing cached is left, and the digest of something that was pushed."""
    for number in range(50):
        if is_full(push(registry, number)):
            return PUSHED.digest
    raise AssertionError("it never becomes full")


# ------------------------------------------------- misses on a full disk

def pull(registry, image):
    for target in paths(image):
        assert registry.ask("GET", target).status == 200


@pytest.fixture
def miss(registry, upstream, disk):
    """miss(size): an image that is not here, on a disk that is full."""
    def miss(size):
        image = upstream.add_small_image("library/miss", size=size)
        fill(disk)
        answer = registry.ask("GET", f"/v2/{image.repository}/manifests/1")
        assert answer.body == image.manifest.body, answer
        assert answer["Content-Type"] == image.manifest.media_type
        return image.layers[1], paths(image)[-1]
    return miss


def nothing_is_kept(registry, blob):
    name = blob.digest.split(":")[1]
    return not list((registry.data / "blobs").rglob(name + ".*")) and \
        not list((registry.data / "incoming").iterdir())


def test_a_miss_larger_than_the_disk_passes_through(registry, upstream, disk,
                                                    miss):
    blob, path = miss(40 * MIB)
    with Swarm(registry.address, path, blob, 5) as clients:
        assert all(each.finished and not each.wrong
                   for each in clients.run())
    wait_until(lambda: nothing_is_kept(registry, blob), "nothing to be left")
    assert registry.metrics()["private_registry_mirror_passed_total"] >= 5
    make_room(disk)
    assert registry.ask("GET", "/readyz").status == 200


def test_what_passes_through_is_verified(registry, upstream, miss):
    blob, path = miss(4 * MIB)
    for wrong in 0, blob.size - 1:
        upstream.once(wrong_byte_at=wrong)
        with Swarm(registry.address, path, blob, 1) as clients:
            reader, = clients.run()
        assert reader.status == 200 and not reader.finished
    assert download(registry.address, path, blob) == blob.size
    wait_until(lambda: nothing_is_kept(registry, blob), "nothing to be left")


def test_a_part_of_what_passes_through(registry, upstream, miss):
    blob, path = miss(4 * MIB)
    size, data = blob.size, blob.bytes()
    for first, last in (0, 9), (1000, 2 * MIB), (3 * MIB, size - 1), \
            (0, size - 1):
        got = registry.ask("GET", path, Range=f"bytes={first}-{last}")
        assert got.status == 206, got
        assert got["Content-Range"] == f"bytes {first}-{last}/{size}"
        assert got.body == data[first:last + 1]
    upstream.once(ignore_range=True)
    got = registry.ask("GET", path, Range="bytes=1000-1999")
    assert got.body == data[1000:2000]


def test_a_break_of_what_passes_through_is_not_seen(registry, upstream, miss):
    blob, path = miss(4 * MIB)
    upstream.once(cut_at=MIB)
    upstream.once(cut_at=2 * MIB)
    upstream.once(ignore_range=True)
    with Swarm(registry.address, path, blob, 1) as clients:
        reader, = clients.run()
    assert reader.finished and not reader.wrong


def test_slow_readers_of_what_passes_leave_threads_to_others(
        registry, upstream, miss):
    _, path = miss(64 * MIB)
    other = upstream.add_small_image("library/other")
    with ExitStack() as stack:
        heads = [slow(stack, registry, path) for _ in range(70)]
        busy = [head for head in heads if head.status != 200]
        assert len(busy) == 70 - 48
        assert all(head.status == 503 and head["Retry-After"] == "5"
                   for head in busy)
        for target in paths(other)[:2]:
            assert registry.ask("GET", target).status == 200
        small = registry.ask("GET", paths(other)[-1])
        assert (small.status, small.code) == (503, "UNAVAILABLE")
    wait_until(lambda: registry.ask("GET", paths(other)[-1]).status == 200,
               "the places to be free again")


def slow(stack, registry, path):
    """The head of an answer whose body nobody reads."""
    wire = stack.enter_context(registry.connect())
    wire.send(request("GET", path, None, registry.address))
    return wire.head()


def test_who_reads_slowly_slows_his_own_transfer(registry, upstream, miss):
    blob, path = miss(64 * MIB)
    with Swarm(registry.address, path, blob, 1) as clients:
        slow, = clients.readers
        clients.run(until=lambda: slow.offset > MIB)
        assert download(registry.address, path, blob) == blob.size
        assert sum(each.sent for each in upstream.seen("blob", "GET")) < \
            blob.size + 40 * MIB
        clients.run()
        assert slow.finished and not slow.wrong


def test_a_miss_that_upstream_refuses_is_an_error_with_a_status(
        registry, upstream, miss):
    _, path = miss(MIB)
    upstream.stop()
    assert registry.ask("GET", path).status == 503
    upstream.start()
    upstream.always.status = 404
    assert registry.ask("GET", path).status == 404


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
