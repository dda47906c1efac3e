"""Bad manners: what is wrong is not the bytes, but when, how often, by whom.

After each act the registry still answers, holds no socket of those who
misbehaved, and is not large: `unharmed`.
"""

import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass

import pytest

from lab.certificates import make_certificate, trusting
from lab.content import content, digest_of
from lab.disk import fill, make_room, small_disk
from lab.hostile import APP, CONFIG_BYTES, GOOD, LAYER_BYTES, NOWHERE, \
    begin_upload, furnish, get, head, held, image, put, say, unharmed
from lab.images import OCI
from lab.pusher import push_blob, with_digest
from lab.registry import Registry, sanitized
from lab.waiting import wait_until
from lab.wire import Wire

MIB = 1 << 20
LARGE = content("large", 32 * MIB)


@pytest.fixture(scope="module")
def certificate(module_scene):
    return make_certificate(module_scene,
                            module_scene.directory("certificate"), 1)


@pytest.fixture(scope="module")
def registry(module_scene, certificate):
    registry = Registry(module_scene, tls=certificate).start()
    furnish(registry)
    with registry.connect() as wire:
        push_blob(wire, "team/app", LARGE.digest, LARGE.bytes())
    return registry


@pytest.fixture(autouse=True)
def harm(registry):
    yield
    unharmed(registry)


# ------------------------------------------------- methods, and errors of HEAD

ROUTES = {
    "/v2/": "GET, HEAD",
    "/v2/_catalog": "GET, HEAD",
    f"{APP}/manifests/good": "GET, HEAD, PUT, DELETE",
    f"{APP}/manifests/{NOWHERE}": "GET, HEAD, PUT, DELETE",
    f"{APP}/blobs/{GOOD}": "GET, HEAD, DELETE",
    f"{APP}/blobs/uploads/": "POST",
    f"{APP}/blobs/uploads/some": "GET, HEAD, PUT, PATCH, DELETE",
    f"{APP}/tags/list": "GET, HEAD",
    f"{APP}/referrers/{GOOD}": "GET, HEAD",
    "/healthz": "GET, HEAD",
    "/readyz": "GET, HEAD",
    "/metrics": "GET, HEAD",
}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS",
           "TRACE", "CONNECT", "BREW", "get", "M-SEARCH"]


@pytest.mark.parametrize("path", ROUTES)
def test_a_route_says_which_methods_it_takes(registry, path):
    allowed = set(ROUTES[path].split(", "))
    with registry.connect() as wire:
        for method in sorted(set(METHODS) - allowed):
            answer = wire.ask(method, path)
            assert answer.status == 405, (method, answer)
            assert set(answer["Allow"].split(", ")) == allowed, method
            assert method == "HEAD" or answer.code == "UNSUPPORTED"


HEADS = [
    f"{APP}/manifests/none", f"{APP}/manifests/{NOWHERE}",
    f"{APP}/manifests/sha256:0", f"{APP}/blobs/{NOWHERE}",
    f"{APP}/blobs/sha256:0", "/v2/App/tags/list", "/v2/never/tags/list",
    f"{APP}/tags/list?n=x", "/v2/evil.example/app/manifests/1", "/nowhere",
    f"{APP}/blobs/uploads/", "/v2/a/../b/manifests/1",
]


@pytest.mark.parametrize("target", HEADS)
def test_the_head_of_an_error_is_its_get_without_the_body(registry, target):
    own = "Date", "X-Request-Id"
    with registry.connect() as wire:
        got, asked = wire.ask("GET", target), wire.ask("HEAD", target)
        again = wire.ask("GET", target)
    assert got.status == asked.status == again.status >= 400
    assert [each for each in got.headers if each[0] not in own] == \
        [each for each in asked.headers if each[0] not in own]
    assert asked["Content-Length"] == str(len(got.body))


# --------------------------------------------------------------- the two ports

def hello():
    """The first bytes of a client that speaks TLS."""
    out = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(
        ssl.MemoryBIO(), out, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


PORTS = {
    # what                      which port   what is sent      says
    "a TLS hello":              ("plain", hello,               "http://"),
    "half a TLS hello":         ("plain", lambda: hello()[:9], "http://"),
    "plain HTTP":               ("tls", lambda: get("/v2/"),   "https://"),
    "half a plain head":        ("tls", lambda: b"GET /v",     "https://"),
    "a plain letter":           ("tls", lambda: b"\n",         "https://"),
}


@pytest.mark.parametrize("what", PORTS)
def test_on_the_wrong_port_the_answer_is_400_and_the_end(registry, what):
    port, sent, says = PORTS[what]
    address = registry.tls if port == "tls" else registry.address
    begun = time.monotonic()
    with Wire(address) as wire:
        wire.send(sent())
        answer = wire.answer()
        assert answer.status == 400 and says in answer.body.decode()
        assert wire.ends()
    assert time.monotonic() - begun < 5


GARBAGE = {
    "a hello of version 9": b"\x16\x09\x09\x00\x05\x01\x00\x00\x01\x00",
    "a hello without end": b"\x16\x03\x01\x40\x00" + b"\x01\x00\x3f\xfc" * 9,
    "a record too large": b"\x16\x03\x01\xff\xff" + b"\0" * 70_000,
    "an alert in front": b"\x15\x03\x01\x00\x02\x02\x28" * 100,
    "handshakes of nothing": b"\x16\x03\x01\x00\x00" * 1000,
    "random bytes": b"\x16" + content("garbage", 5000).bytes(),
}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_on_the_tls_port_ends_that_connection(registry, certificate,
                                                      what):
    with Wire(registry.tls) as wire:
        try:
            wire.send(GARBAGE[what])
            wire.socket.shutdown(socket.SHUT_WR)
            wire.read(1 << 20)
        except OSError:
            pass        # it was quicker
    with Wire(registry.tls, tls=trusting(certificate[0])) as wire:
        assert wire.ask("GET", "/v2/").status == 200


# ------------------------------------------------------------------- slowness

@dataclass
class Slow:
    """Sends `first`, then `piece` each second, until `pieces` are sent."""
    first: bytes
    piece: bytes
    pieces: int
    status: int         # of the answer; None: closed without one
    within: tuple       # seconds
    tls: bool = False


FOREVER = 1000
SLOW = {
    "a head, byte by byte":
        Slow(get("/v2/")[:9], b"x", FOREVER, 408, (9, 18)),
    "a head, header by header":
        Slow(get("/v2/")[:-2], b"X: y\r\n", FOREVER, 408, (9, 18)),
    "a head that stops": Slow(b"G", b"", 0, 408, (9, 18)),
    "an empty line that stops": Slow(b"\r\n", b"", 0, 408, (9, 18)),
    "a head of 12 KiB in six seconds":
        Slow(get("/v2/")[:-2], b"X: %s\r\n" % (b"y" * 2000), 6, 200, (5, 10)),
    "a TLS port and silence": Slow(b"", b"", 0, None, (9, 18), True),
    "half a TLS hello": Slow(b"\x16\x03\x01", b"", 0, None, (9, 18), True),
    "a manifest that stops":
        Slow(put(image())[:-1], b"", 0, 408, (29, 40)),
    "a body that stops": Slow(
        say("PATCH @upload@", "Content-Length: 9999") + b"hello",
        b"", 0, 408, (29, 40)),
    "a body of 100 bytes a second": Slow(
        say("PATCH @upload@", "Content-Length: 9999") + b"hello",
        b"x" * 100, FOREVER, 408, (29, 40)),
    "a chunk's size that stops": Slow(
        say("PATCH @upload@", "Transfer-Encoding: chunked") + b"1",
        b"", 0, 408, (29, 40)),
    "an extension without end": Slow(
        say("PATCH @upload@", "Transfer-Encoding: chunked") + b"1;",
        b"x", FOREVER, 408, (29, 40)),
    "100 Continue, and nothing comes": Slow(
        say("PATCH @upload@", "Content-Length: 5", "Expect: 100-continue"),
        b"", 0, 100, (0, 5)),
}


class Dawdler(threading.Thread):
    """Plays one row; `status` and `seconds` are what came of it."""

    def __init__(self, registry, row):
        super().__init__()
        self._row = row
        self._wire = Wire(registry.tls if row.tls else registry.address)
        self._first = row.first.replace(b"@upload@",
                                        begin_upload(registry).encode())
        self.status = self.seconds = None
        self.start()

    def run(self):
        begun = time.monotonic()
        with self._wire as wire:
            wire.send(self._first)
            for _ in range(self._row.pieces):
                if self._hears_within(1):
                    break
                wire.send(self._row.piece)
            if self._row.status == 200:
                wire.send(b"\r\n")
            wire.socket.settimeout(60)
            try:
                self.status = wire.head().status
            except ConnectionError:
                pass
        self.seconds = time.monotonic() - begun

    def _hears_within(self, seconds):
        """Whether an answer, or the end, has begun to come."""
        self._wire.socket.settimeout(seconds)
        try:
            return self._wire.socket.recv(1, socket.MSG_PEEK) is not None
        except TimeoutError:
            return False


def test_who_is_slow_is_cut_in_time(registry):
    """All of them at once, since they take half a minute."""
    crowd = {what: Dawdler(registry, row) for what, row in SLOW.items()}
    with registry.connect() as deaf:
        deaf.send(get(f"{APP}/blobs/{LARGE.digest}"))   # and reads nothing
        assert registry.ask("GET", "/v2/").status == 200
        for dawdler in crowd.values():
            dawdler.join()
        wait_until(lambda: not held(registry), "who does not read to be cut")
    for what, row in SLOW.items():
        earliest, latest = row.within
        print(f"{what}: {crowd[what].status}, {crowd[what].seconds:.1f} s")
        assert crowd[what].status == row.status, what
        assert earliest < crowd[what].seconds < latest, what


# ---------------------------------------------------------------- half uploads

HALF = content("half", 100_000)
CUTS = {
    "within the head": lambda where, data:
        say(f"PATCH {where}", "Content-Length: 100000")[:-10],
    "behind the head": lambda where, data:
        say(f"PATCH {where}", "Content-Length: 100000"),
    "within the body": lambda where, data:
        say(f"PATCH {where}", "Content-Length: 100000") + data[:50_000],
    "a byte before the end": lambda where, data:
        say(f"PATCH {where}", "Content-Length: 100000") + data[:-1],
    "within a chunk's size": lambda where, data:
        say(f"PATCH {where}", "Transfer-Encoding: chunked") + b"186",
    "within a chunk": lambda where, data:
        say(f"PATCH {where}", "Transfer-Encoding: chunked") +
        b"186a0\r\n" + data[:70_000],
    "before the last chunk": lambda where, data:
        say(f"PATCH {where}", "Transfer-Encoding: chunked") +
        b"186a0\r\n" + data + b"\r\n",
    "within the last request": lambda where, data:
        say(f"PUT {with_digest(where, HALF.digest)}",
            "Content-Length: 100000") + data[:50_000],
}


@pytest.mark.parametrize("end", ["FIN", "RST"])
@pytest.mark.parametrize("cut", CUTS)
def test_half_an_upload_can_be_gone_on_with(registry, cut, end):
    data = HALF.bytes()
    where = begin_upload(registry, "team/half")
    with registry.connect() as wire:
        wire.send(CUTS[cut](where, data))
        if end == "RST":
            reset(wire)
        else:
            wire.socket.shutdown(socket.SHUT_WR)
            assert wire.read(1 << 20)[:12] in (b"", b"HTTP/1.1 400")

    wait_until(lambda: not held(registry), "its end")
    taken = progress(registry, where)
    with registry.connect() as wire:
        last = wire.ask("PUT", with_digest(where, HALF.digest), data[taken:])
        got = wire.ask("GET", f"/v2/team/half/blobs/{HALF.digest}")
    assert last.status == 201, last
    assert got.body == data


def reset(wire):
    """Goes away without a word."""
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                           struct.pack("ii", 1, 0))
    wire.close()


def progress(registry, where):
    """How many bytes are here, as the registry says."""
    answer = registry.ask("GET", where)
    assert answer.status == 204, answer
    last = int(answer["Range"].split("-")[1])
    return last + 1 if last else 0


# ------------------------------------------------------------------ full disks

def test_an_upload_goes_on_once_there_is_room(scene):
    disk = small_disk(scene)
    registry = Registry(scene, data=disk / "data").start()
    data = content("room", 3 * MIB).bytes()
    where = begin_upload(registry)
    assert registry.ask("PATCH", where, data[:MIB]).status == 202

    fill(disk, but=MIB // 2)
    for answer in (registry.ask("PATCH", where, data[MIB:]),
                   registry.ask("PUT", with_digest(where, digest_of(data)),
                                data[MIB:]),
                   registry.ask("PUT", f"{APP}/manifests/1", b"{}")):
        assert answer.status >= 400, answer
        assert answer.json["errors"][0]["message"]
    full = registry.ask("PATCH", where, data[MIB:])
    assert full.status == 507 and full.code == "UNAVAILABLE"
    assert int(full["Range"].split("-")[1]) >= MIB - 1

    make_room(disk)
    taken = progress(registry, where)
    assert MIB <= taken < 3 * MIB
    assert registry.ask("PATCH", where, data[taken:]).status == 202
    last = registry.ask("PUT", with_digest(where, digest_of(data)), b"")
    assert last.status == 201, last
    assert registry.ask("GET", f"{APP}/blobs/{digest_of(data)}").body == data


# ------------------------------------------------------------------- too many

class Crowd:
    """Many connections, each of which has sent the same."""

    def __init__(self, registry, count, sent=b""):
        self.wires = []
        for _ in range(count):
            wire = registry.connect()
            wire.send(sent)
            self.wires.append(wire)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for wire in self.wires:
            wire.close()


CROWDS = {
    # what they have sent             bytes          megabytes it may cost
    "nothing":                        (b"",               12),
    "half a head":                    (get("/v2/")[:-2], 200),
    "a request, and read no answer":  (get("/v2/"),       12),
}


@pytest.mark.parametrize("what", CROWDS)
def test_ten_thousand_connections_cost_little(registry, what):
    sent, limit = CROWDS[what]
    before = registry.anonymous_memory()
    with Crowd(registry, 10_000, sent):
        cost = registry.anonymous_memory() - before
        assert registry.ask("GET", "/v2/").status == 200
        print(f"{what}: {cost / 1e6:.1f} MB")
        assert sanitized() or cost < limit * 1e6


def test_a_flood_of_requests_is_answered_in_order(registry):
    paths = ["/v2/", "/nowhere", f"{APP}/blobs/{GOOD}", f"{APP}/tags/list"]
    count = 20_000
    flood = b"".join(map(get, paths)) * (count // len(paths))
    with registry.connect() as wire:
        sender = threading.Thread(target=wire.send, args=(flood,))
        sender.start()
        answers = [wire.answer().status for _ in range(count)]
        sender.join()
    assert answers == [200, 404, 200, 200] * (count // len(paths))


def test_a_flood_whose_answers_nobody_reads_is_dropped(registry):
    flood = get(f"{APP}/blobs/{LARGE.digest}") * 1000
    with registry.connect() as wire:
        wire.send(flood)
        assert registry.ask("GET", "/v2/").status == 200
        reset(wire)


RANGES = {
    "a thousand single bytes": ",".join(f"{n}-{n}" for n in range(0, 2000, 2)),
    "a thousand times the whole": ",".join(["0-"] * 1000),
    "a thousand that overlap": ",".join(f"{n}-" for n in range(1000)),
    "a thousand ends": ",".join(f"-{n}" for n in range(1, 1001)),
    "a thousand beyond the end": ",".join(["99999999999-"] * 1000),
    "thousands of commas": "0-0" + "," * 10_000,
}


@pytest.mark.parametrize("what", RANGES)
def test_ranges_by_the_thousand_cost_no_more_than_the_blob(registry, what):
    with registry.connect() as wire:
        wire.send(get(f"{APP}/blobs/{LARGE.digest}",
                      f"Range: bytes={RANGES[what]}"))
        answer = wire.head()
        assert answer.status in (200, 206, 416)
        assert int(answer["Content-Length"]) <= LARGE.size + (1 << 20)
        reset(wire)


def test_uploads_by_the_thousand_cost_no_memory_and_few_files(registry):
    before = registry.anonymous_memory()
    with registry.connect() as wire:
        for _ in range(3000):
            answer = wire.ask("POST", "/v2/team/many/blobs/uploads/", b"")
            assert answer.status == 202
    cost = registry.anonymous_memory() - before
    print(f"{cost / 1e6:.1f} MB")
    assert sanitized() or cost < 8e6
    assert registry.open_files() < 400


def test_of_many_writers_none_comes_between_anothers_bytes(registry):
    where = begin_upload(registry, "team/race")
    pieces = [bytes([letter]) * 100_000 for letter in range(65, 65 + 24)]
    taken = {}      # by where each piece ends

    def write(piece):
        with registry.connect() as wire:
            answer = wire.ask("PATCH", where, piece)
            assert answer.status in (202, 409), answer
            if answer.status == 202:
                taken[int(answer["Range"].split("-")[1])] = piece

    writers = [threading.Thread(target=write, args=(piece,))
               for piece in pieces]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    data = b"".join(taken[end] for end in sorted(taken))
    assert progress(registry, where) == len(data) == 100_000 * len(taken) > 0
    last = registry.ask("PUT", with_digest(where, digest_of(data)), b"")
    assert last.status == 201, last


# ----------------------------------------------------- large manifests at once

def large_manifest(number, tokens=99_000):
    """Near 4 MiB and near the limit of tokens."""
    notes = {f"{number}.{key}": "x" * 60 for key in range(tokens // 2)}
    return image(annotations=notes)


def test_large_manifests_at_once_cost_little_more_than_their_bytes(registry):
    count = 8 if sanitized() else 32
    bodies = [large_manifest(number) for number in range(4)]
    answers, peak = [], [0]

    def push(number):
        with registry.connect(timeout=120) as wire:
            answers.append(wire.ask(
                "PUT", f"{APP}/manifests/large-{number}", bodies[number % 4],
                Content_Type=OCI["manifest"]))

    crowd = [threading.Thread(target=push, args=(number,))
             for number in range(count)]
    before = registry.anonymous_memory()
    for pusher in crowd:
        pusher.start()
    while any(pusher.is_alive() for pusher in crowd):
        peak[0] = max(peak[0], registry.anonymous_memory() - before)
    print(f"{len(bodies[0]) / MIB:.1f} MiB each, {peak[0] / MIB:.0f} MiB")
    assert all(answer.status in (201, 503) for answer in answers)
    assert sanitized() or peak[0] < (4 * count + 80) * MIB


# --------------------------------------------------------------- who goes away

GONE = {
    "before the answer": get("/v2/"),
    "before a blob": get(f"{APP}/blobs/{LARGE.digest}"),
    "before an upload": say(f"POST {APP}/blobs/uploads/", body=b""),
    "within a manifest": put(image())[:-5],
    "behind a manifest": put(image(), to="gone"),
    "behind a blob": say(
        f"POST {APP}/blobs/uploads/?digest={digest_of(CONFIG_BYTES)}",
        body=CONFIG_BYTES),
    "before what is deleted": say(f"DELETE {APP}/manifests/gone"),
    "before a mount": say(f"POST /v2/team/other/blobs/uploads/?mount={GOOD}"
                          "&from=team/app", body=b""),
}


@pytest.mark.parametrize("what", GONE)
def test_whoever_goes_away_leaves_nothing_behind(registry, what):
    for _ in range(200):
        wire = registry.connect()
        wire.send(GONE[what])
        reset(wire)
    got = registry.ask("GET", f"{APP}/blobs/{digest_of(LAYER_BYTES)}")
    assert got.body == LAYER_BYTES


def test_whoever_goes_away_keeps_nobody_waiting(registry):
    """A push, while two threads begin uploads and hang up at once."""
    end = threading.Event()

    def hang_up():
        while not end.is_set():
            with registry.connect() as wire:
                wire.send(say(f"POST {APP}/blobs/uploads/", body=b""))
                reset(wire)

    flood = [threading.Thread(target=hang_up) for _ in range(2)]
    for thread in flood:
        thread.start()
    begun = time.monotonic()
    for _ in range(20):
        begin_upload(registry)
    seconds = time.monotonic() - begun
    end.set()
    for thread in flood:
        thread.join()
    print(f"{seconds:.2f} s")
    assert sanitized() or seconds < 5
