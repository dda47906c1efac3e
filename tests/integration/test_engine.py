"""The HTTP engine: crowds, slow and hostile clients, TLS, and the end."""

import signal
import ssl
import threading
import time

import pytest

from lab.certificates import make_certificate, trusting
from lab.content import content, digest_of
from lab.pusher import push_blob
from lab.registry import Registry, sanitized
from lab.swarm import Swarm
from lab.waiting import listens, wait_until
from lab.wire import Wire

MIB = 1 << 20


@pytest.fixture(scope="module")
def certificate(module_scene):
    return make_certificate(module_scene,
                            module_scene.directory("certificate"), 1)


@pytest.fixture(scope="module")
def registry(module_scene, certificate):
    """One registry with a TLS port and no upstream."""
    return Registry(module_scene, tls=certificate).start()


HEAD = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def wire(registry):
    with registry.connect(timeout=10) as wire:
        yield wire


@pytest.fixture
def mirror(start_registry, upstream):
    return start_registry({"docker.io": upstream.url})


def push(registry, blob):
    """Makes it a blob of team/app here; its path."""
    with registry.connect() as wire:
        push_blob(wire, "team/app", blob.digest, blob.bytes())
    return f"/v2/team/app/blobs/{blob.digest}"


# ------------------------------------------------------------------- crowds

def test_ten_thousand_idle_connections_cost_little(start_registry):
    registry = start_registry()
    crowd = []
    for _ in range(10_000):
        wire = registry.connect()
        assert wire.ask("GET", "/v2/").status == 200
        crowd.append(wire)

    memory = registry.anonymous_memory()
    print(f"{memory / 1e6:.1f} MB anonymous, {registry.threads()} threads")
    assert registry.open_files() > 10_000
    assert sanitized() or memory < 30_000_000
    for wire in crowd[::100]:
        assert wire.ask("GET", "/v2/").status == 200
    for wire in crowd:
        wire.close()
    wait_until(lambda: registry.open_files() < 200, "the files to be closed")


def test_a_crowd_leaves_descriptors_for_files_and_makes_room(scene):
    """500 descriptors: 375 for connections, the rest for what they ask."""
    registry = Registry(scene, before=["prlimit", "--nofile=500"]).start()
    blob = content("few descriptors", MIB)
    target = push(registry, blob)
    crowd = []
    for _ in range(600):                # more than are let in
        wire = registry.connect()
        wire.send(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        crowd.append(wire)
    for wire in crowd[0], crowd[360]:
        assert wire.answer().status == 200
    assert crowd[360].ask("GET", target).body == blob.bytes()
    # The idle ones at the front make room for those who wait.
    assert crowd[-1].answer().status == 200
    assert crowd[-1].ask("GET", target).body == blob.bytes()
    wait_until(lambda: registry.log_lines("accept"), "a word of it")
    for wire in crowd:
        wire.close()
    assert registry.ask("GET", target).body == blob.bytes()


def test_a_thousand_clients_on_one_growing_file_need_no_thread_each(
        mirror, upstream):
    blob = content("growing", 4 * MIB)
    upstream.add_image("library/app", "1", blob)
    mirror.ask("HEAD", "/v2/library/app/manifests/1")
    upstream.always.stall_at = 2 * MIB

    with Swarm(mirror.address, f"/v2/library/app/blobs/{blob.digest}", blob,
               1000) as crowd:
        crowd.run(until=lambda: all(reader.offset >= MIB
                                    for reader in crowd.readers))
        threads = mirror.threads()
        upstream.release()
        crowd.run()

    print(f"{threads} threads for 1000 readers")
    assert threads < 160    # the lane for misses has up to 96
    assert all(reader.finished and not reader.wrong
               for reader in crowd.readers)
    assert upstream.count("blob", "GET") == 1


class SlowUploads:
    """Uploads that bring 2 KB a second each and never end."""

    def __init__(self, registry, count):
        self._end = threading.Event()
        self._wires = [self._begin(registry) for _ in range(count)]
        self._thread = threading.Thread(target=self._dribble)
        self._thread.start()

    @staticmethod
    def _begin(registry):
        wire = registry.connect()
        where = wire.ask("POST", "/v2/team/slow/blobs/uploads/",
                         b"")["Location"]
        wire.send(f"PATCH {where} HTTP/1.1\r\nHost: x\r\n"
                  "Content-Length: 1000000000\r\n\r\n".encode() + b"x" * 2048)
        return wire

    def _dribble(self):
        while not self._end.wait(0.5):
            for wire in self._wires:
                try:
                    wire.send(b"x" * 1024)
                except OSError:
                    pass        # over the limit for too long: it was cut

    def end(self):
        self._end.set()
        self._thread.join()
        for wire in self._wires:
            wire.close()


def test_slow_uploads_do_not_disturb_pulls(mirror, upstream):
    known = push(mirror, content("known", 8 * MIB))
    image = upstream.add_small_image("library/app")
    slow = SlowUploads(mirror, 300)
    try:
        begun = time.monotonic()
        for target in ["/v2/", known, "/v2/library/app/manifests/1",
                       f"/v2/library/app/blobs/{image.layers[-1].digest}"]:
            assert mirror.ask("GET", target).status == 200
        print(f"pulls took {time.monotonic() - begun:.2f} s")
        assert time.monotonic() - begun < (20 if sanitized() else 10)
    finally:
        slow.end()
    push(mirror, content("after", MIB))     # there is room again at once


# ------------------------------------------------------- what HTTP/1.1 allows

def test_requests_on_one_connection_are_answered_in_order(wire):
    wire.send(HEAD + b"\r\n" + b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" +
              HEAD + b"\r\n")
    assert [wire.answer().status for _ in range(3)] == [200, 404, 200]


def test_a_head_may_come_byte_by_byte(wire):
    for byte in HEAD + b"\r\n":
        wire.send(bytes([byte]))
    assert wire.answer().status == 200


def test_the_whole_url_may_stand_in_the_line(wire):
    wire.send(b"GET http://x/v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
    assert wire.answer().status == 200


def test_who_waits_for_100_continue_gets_it(wire):
    where = wire.ask("POST", "/v2/team/app/blobs/uploads/", b"")["Location"]
    wire.send(f"PATCH {where} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
              "Expect: 100-continue\r\n\r\n".encode())
    assert wire.head().status == 100
    wire.send(b"hello")
    assert wire.answer().status == 202


def test_who_is_refused_need_not_send_the_body(wire):
    wire.send(b"PUT /v2/library/app/manifests/1 HTTP/1.1\r\nHost: x\r\n"
              b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert wire.answer().status == 403


def test_a_body_that_nobody_wants_does_not_hurt_the_answer(wire):
    wire.send(b"PUT /v2/library/app/manifests/1 HTTP/1.1\r\nHost: x\r\n"
              b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000)
    assert wire.answer().status == 403


def test_http_1_0_is_answered_and_closed(wire):
    wire.send(b"GET /v2/ HTTP/1.0\r\n\r\n")
    assert wire.answer().status == 200
    assert wire.ends()


# ---------------------------------------------------------------------- TLS

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_tls_serves_the_same(registry, certificate, version):
    blob = content("tls", 20 * MIB)
    target = push(registry, blob)
    context = trusting(certificate[0], version)
    with Wire(registry.tls, tls=context) as wire:
        assert wire.ask("GET", "/v2/").status == 200
        assert wire.ask("GET", target).body == blob.bytes()
        part = wire.ask("GET", target, Range="bytes=5000000-")
        assert part.body == blob.bytes()[5_000_000:]


def test_a_push_goes_through_tls(registry, certificate):
    data = content("push over tls", 3 * MIB).bytes()
    with Wire(registry.tls, tls=trusting(certificate[0])) as wire:
        push_blob(wire, "team/tls", digest_of(data), data)
        got = wire.ask("GET", f"/v2/team/tls/blobs/{digest_of(data)}")
    assert got.body == data


def test_a_growing_blob_comes_through_tls(scene, certificate, upstream):
    registry = Registry(scene, {"docker.io": upstream.url},
                        tls=certificate).start()
    blob = content("growing tls", 8 * MIB)
    upstream.add_image("library/app", "1", blob)
    upstream.always.rate = 16 * MIB
    with Wire(registry.tls, tls=trusting(certificate[0])) as wire:
        wire.ask("GET", "/v2/library/app/manifests/1")
        got = wire.ask("GET", f"/v2/library/app/blobs/{blob.digest}")
    assert got.body == blob.bytes()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_1_1_is_refused(registry, certificate):
    context = trusting(certificate[0])
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Wire(registry.tls, tls=context)


def test_a_new_certificate_is_taken_on_sighup(scene):
    directory = scene.directory("certificate")
    first = make_certificate(scene, directory, 1)
    registry = Registry(scene, tls=first).start()
    old = Wire(registry.tls, tls=trusting(first[0]))
    assert serial(old) == 1

    second = make_certificate(scene, directory, 2)
    registry.signal(signal.SIGHUP)

    def new_is_served():
        try:
            with Wire(registry.tls, tls=trusting(second[0])) as wire:
                return serial(wire) == 2
        except ssl.SSLError:
            return False
    wait_until(new_is_served, "the new certificate")
    assert old.ask("GET", "/v2/").status == 200

    second[0].write_text("no certificate at all\n")
    registry.signal(signal.SIGHUP)
    wait_until(lambda: registry.log_lines("reload")[1:], "the second reload")
    with pytest.raises(ssl.SSLError):       # still the second: unknown to us
        Wire(registry.tls, tls=trusting(first_again(scene)))
    old.close()


def serial(wire):
    return int(wire.socket.getpeercert()["serialNumber"], 16)


def first_again(scene):
    """A certificate that nobody serves."""
    return make_certificate(scene, scene.directory("other"), 3)[0]


# ------------------------------------------------------------------ the end

def test_on_sigterm_it_ends_what_it_began(start_registry, upstream):
    registry = start_registry({"docker.io": upstream.url})
    blob = content("drain", 16 * MIB)
    upstream.add_image("library/app", "1", blob)
    upstream.always.rate = 16 * MIB
    registry.ask("GET", "/v2/library/app/manifests/1")
    idle = registry.connect()
    idle.ask("GET", "/v2/")

    with Swarm(registry.address, f"/v2/library/app/blobs/{blob.digest}", blob,
               3) as clients:
        clients.run(until=lambda: clients.readers[0].offset > 4 * MIB)
        registry.signal(signal.SIGTERM)
        wait_until(lambda: not listens(registry.address), "the port to close")
        assert idle.ends()
        clients.run()

    assert all(client.finished and not client.wrong
               for client in clients.readers)
    assert registry.wait(10) == 0


def test_when_the_drain_is_over_it_cuts_before_the_last_byte(start_registry,
                                                             upstream):
    registry = start_registry({"docker.io": upstream.url},
                              arguments=["--drain=200ms"])
    blob = content("overdue", 4 * MIB)
    upstream.add_image("library/app", "1", blob)
    upstream.always.stall_at = 2 * MIB
    registry.ask("GET", "/v2/library/app/manifests/1")

    with Swarm(registry.address, f"/v2/library/app/blobs/{blob.digest}", blob,
               3) as clients:
        clients.run(until=lambda: clients.readers[0].offset > MIB)
        registry.signal(signal.SIGTERM)
        clients.run(seconds=20)

    assert not any(client.finished or client.wrong
                   for client in clients.readers)
    assert registry.wait(10) == 0
