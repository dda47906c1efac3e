"""Parts of a blob that is not here yet, as lazily pulling snapshotters ask."""

import threading

import pytest

from lab.content import content
from lab.swarm import Reader, Swarm
from lab.waiting import wait_until

MIB = 1 << 20
SIZE = 32 * MIB
REPOSITORY = "library/app"
FAR = "private_registry_mirror_detours_total"
JOINS = 'private_registry_mirror_joins_total{upstream="docker.io"}'


@pytest.fixture
def registry(start_registry, upstream):
    return start_registry({"docker.io": upstream.url},
                          arguments=["--drain=0s"])


@pytest.fixture
def blob(registry, upstream):
    """Upstream has it, its manifest is known here, and none of it came."""
    blob = content("parts", SIZE)
    upstream.add_image(REPOSITORY, "1", blob)
    manifest = f"/v2/{REPOSITORY}/manifests/1"
    assert registry.ask("HEAD", manifest).status == 200
    return blob


@pytest.fixture
def half_way(registry, upstream, blob):
    """4 MiB came, and no more come before upstream.release()."""
    upstream.once(stall_at=4 * MIB)
    wire = registry.connect()
    wire.send(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path(blob).encode())
    wire.head()
    wire.read(4 * MIB)
    yield blob
    wire.close()


def path(blob):
    return f"/v2/{REPOSITORY}/blobs/{blob.digest}"


def part(registry, blob, first, last):
    """Those bytes of it, checked, and how the answer calls them."""
    answer = registry.ask("GET", path(blob), Range=f"bytes={first}-{last}")
    assert answer.status == 206, answer
    assert answer["Content-Range"] == f"bytes {first}-{last}/{blob.size}"
    assert answer.body == blob.bytes()[first:last + 1]


def ranges(upstream):
    """What was asked of upstream's blobs, in that order."""
    return [each.headers.get("Range") for each in
            upstream.seen("blob", "GET")]


def test_a_part_far_ahead_comes_alone_and_at_once(registry, upstream,
                                                  half_way):
    for first, last in ((16 * MIB, 16 * MIB + 99), (8 * MIB, 9 * MIB),
                        (SIZE - 1000, SIZE - 1)):
        part(registry, half_way, first, last)
        assert ranges(upstream)[-1] == f"bytes={first}-{last}"
    assert upstream.blob_bytes() < 8 * MIB
    counted = registry.metrics()
    assert counted[FAR] == counted[JOINS] == 3


def test_what_nobody_asked_for_before_may_begin_with_a_part(registry, upstream,
                                                            blob):
    upstream.always.rate = 8 * MIB
    part(registry, blob, 30 * MIB, 30 * MIB + 9)
    part(registry, blob, SIZE - 10, SIZE - 1)
    assert ranges(upstream)[0] is None
    upstream.always.rate = 0
    wait_until(lambda: kept(registry, blob), "the whole behind it")
    assert kept(registry, blob) == [SIZE]
    asked = upstream.count("blob", "GET")
    part(registry, blob, 30 * MIB, 30 * MIB + 9)
    assert upstream.count("blob", "GET") == asked


def kept(registry, blob):
    """Sizes of the files with that digest."""
    return [file.stat().st_size for file in
            registry.data.glob(f"blobs/**/{blob.digest[7:]}*")]


@pytest.mark.parametrize("first", [0, 4 * MIB - 100, 5 * MIB - 100],
                         ids=["behind", "here", "just ahead"])
def test_a_part_at_hand_is_waited_for(registry, upstream, half_way, first):
    got = []
    asker = threading.Thread(
        target=lambda: got.append(part(registry, half_way, first,
                                       first + 200)))
    asker.start()
    asker.join(0 if first else 10)
    assert len(got) == (1 if first == 0 else 0)
    upstream.release()
    asker.join(20)
    assert got == [None]
    assert ranges(upstream) == [None]


def test_four_go_by_themselves_and_others_wait_for_the_whole(
        registry, upstream, half_way):
    first = 16 * MIB
    upstream.always.rate = 256 * 1024
    with Swarm(registry.address, path(half_way), half_way, 0) as clients:
        for _ in range(6):
            clients.add(Reader(registry.address, path(half_way), half_way,
                               first))
        clients.run(until=lambda: all(each.status == 206
                                      for each in clients.readers))
        clients.run(until=lambda: len(begun(clients, first)) >= 4)
        assert upstream.count("blob", "GET") == 5
        upstream.release()
        clients.run(until=lambda: len(begun(clients, first)) == 6)
        assert not any(each.wrong for each in clients.readers)
    assert upstream.count("blob", "GET") == 5


def begun(clients, first):
    return [each for each in clients.readers if each.offset > first]


def test_wrong_bytes_of_a_part_are_never_kept(registry, upstream, half_way):
    upstream.once(wrong_byte_at=16 * MIB)
    answer = registry.ask("GET", path(half_way),
                          Range=f"bytes={16 * MIB}-{16 * MIB + 9}")
    assert answer.status == 206
    assert answer.body != half_way.bytes()[16 * MIB:16 * MIB + 10]
    upstream.release()
    wait_until(lambda: kept(registry, half_way), "the whole")
    part(registry, half_way, 16 * MIB, 16 * MIB + 9)


def test_a_part_that_is_the_whole_is_not_finished_with_wrong_bytes(
        registry, upstream, blob):
    upstream.once(wrong_byte_at=SIZE // 2)
    answer = registry.ask("GET", path(blob), Range=f"bytes=0-{SIZE - 1}")
    assert answer.status == 206 and not answer.complete
    assert not kept(registry, blob)


def test_several_parts_are_answered_with_the_whole(registry, upstream,
                                                   half_way):
    with registry.connect() as wire:
        wire.send(f"GET {path(half_way)} HTTP/1.1\r\nHost: a\r\n"
                  f"Range: bytes=0-9,{16 * MIB}-{16 * MIB + 9}\r\n\r\n"
                  .encode())
        assert wire.head().status == 200
        upstream.release()
        assert wire.read(SIZE) == half_way.bytes()
    assert ranges(upstream) == [None]


def test_an_upstream_that_knows_no_parts_still_gives_them(registry, upstream,
                                                          half_way):
    upstream.once(ignore_range=True)
    part(registry, half_way, 16 * MIB, 16 * MIB + 9)


def test_upstream_cut_within_a_part_is_not_seen(registry, upstream, half_way):
    upstream.once(cut_at=17 * MIB)
    part(registry, half_way, 16 * MIB, 18 * MIB)
    assert ranges(upstream)[-1] == f"bytes={17 * MIB}-{18 * MIB}"
