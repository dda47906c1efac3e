"""How a blob comes: at once, in little memory, and what came is kept."""

import time

import pytest

from lab.content import content
from lab.waiting import wait_until

MIB = 1 << 20
REPOSITORY = "library/app"


@pytest.fixture
def registry(start_registry, upstream):
    return start_registry({"docker.io": upstream.url},
                          arguments=["--drain=0s"])


@pytest.fixture
def announce(registry, upstream):
    """announce(seed, size): a blob whose manifest is known here."""
    def announce(seed, size):
        blob = content(seed, size)
        upstream.add_image(REPOSITORY, str(seed), blob)
        answer = registry.ask("HEAD", f"/v2/{REPOSITORY}/manifests/{seed}")
        assert answer.status == 200
        return blob
    return announce


def path(blob, repository=REPOSITORY):
    return f"/v2/{repository}/blobs/{blob.digest}"


def begin(registry, blob):
    """A connection whose answer with the blob has begun."""
    wire = registry.connect()
    wire.send(f"GET {path(blob)} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert wire.head().status == 200
    return wire


@pytest.mark.parametrize("came", [1, 100, MIB + 1])
def test_what_has_come_is_had_at_once(registry, upstream, announce, came):
    blob = announce("first", 4 * MIB)
    upstream.once(stall_at=came)
    with begin(registry, blob) as wire:
        assert wire.read(came) == blob.bytes()[:came]
        assert upstream.count("blob", "GET") == 1
        upstream.release()
        assert wire.read(blob.size - came) == blob.bytes()[came:]


def test_a_head_moves_no_body(registry, upstream, announce):
    blob = announce("head", 4 * MIB)
    for repository in REPOSITORY, "docker.io/library/other":
        answer = registry.ask("HEAD", path(blob, repository))
        assert answer.status == 200
        assert answer["Content-Length"] == str(blob.size)
    assert [(each.method, each.sent) for each in upstream.seen("blob")] == \
        [("HEAD", 0)]     # only where no manifest says its size
    assert list((registry.data / "incoming").iterdir()) == []


def test_a_head_is_answered_while_it_comes(registry, upstream, announce):
    blob = announce("while", 4 * MIB)
    upstream.once(stall_at=MIB)
    with begin(registry, blob):
        answer = registry.ask("HEAD", path(blob))
        assert answer["Content-Length"] == str(blob.size)
        assert upstream.count("blob") == 1


@pytest.mark.heavy
def test_a_transfer_takes_less_than_a_mebibyte(registry, upstream, announce):
    count, came = 32, 6 * MIB
    blobs = [announce(f"memory-{number}", 8 * MIB)
             for number in range(count + 1)]
    upstream.always.stall_at = came
    wires = [begin(registry, blobs[0])]
    wires[0].read(came)
    before = registry.anonymous_memory()
    for blob in blobs[1:]:
        wires.append(begin(registry, blob))
        wires[-1].read(came)
    each = (registry.anonymous_memory() - before) / count
    print(f"{each / 1024:.0f} KiB for each of {count} transfers")
    assert each < MIB
    upstream.release()
    for wire, blob in zip(wires, blobs):
        assert wire.read(blob.size - came) == blob.bytes()[came:]
        wire.close()


@pytest.mark.parametrize("gone", ["silent", "down"])
def test_without_progress_clients_are_cut_and_what_came_is_kept(
        registry, upstream, announce, gone):
    blob, came = announce("cut", 8 * MIB), 4 * MIB
    upstream.always.stall_at = came
    with begin(registry, blob) as wire:
        wire.read(came)
        began = time.monotonic()
        if gone == "down":
            upstream.stop()
        assert ended_by_fin(wire.socket, 30)
        took = time.monotonic() - began
    print(f"cut after {took:.1f} s")
    assert took < 15 + 10       # for a busy machine
    upstream.stop()
    upstream.always.stall_at = None
    upstream.start()
    upstream.forget()
    with begin(registry, blob) as wire:
        assert wire.read(blob.size) == blob.bytes()
    again, = upstream.seen("blob", "GET")
    assert again.headers["Range"] == f"bytes={came}-"


def ended_by_fin(sock, seconds):
    """Not one byte more, and no reset."""
    sock.settimeout(seconds)
    return sock.recv(1) == b""


def test_an_upstream_that_is_back_in_time_is_not_missed(registry, upstream,
                                                        announce):
    blob = announce("back", 8 * MIB)
    upstream.once(stall_at=4 * MIB)
    with begin(registry, blob) as wire:
        wire.read(4 * MIB)
        upstream.stop()
        refused = wait_until(lambda: [
            line for line in registry.log_lines("upstream")
            if line.get("status") == "0"], "it to be missed")
        assert refused
        upstream.start()
        assert wire.read(4 * MIB) == blob.bytes()[4 * MIB:]
