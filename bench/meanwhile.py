"""What pulls and pushes take while the server has something else to do."""

import hashlib
import json
import socket
import time

from content import MANIFEST_TYPE, OCI, digest
from memory import get
from process import Peak
from servers import HOST

PULLS = 20                      # for each push
QUIET, MOST, ASK = 8, 300, 0.25 # seconds
LAYER = 4096                    # bytes
PUSHED = "/v2/meanwhile/app"


def measure(bench, server, begin):
    """Seconds until it is over; p99 of pulls and of pushes until then, over
    those before; anonymous megabytes more. `begin` returns what asks whether
    it is over."""
    before, meanwhile = Latencies(), Latencies()
    with Client(bench, server) as client:
        client.run(Latencies(), 1)
        client.run(before, QUIET)
        memory = server.process.anonymous()
        with Peak(server.process) as peak:
            began = time.monotonic()
            is_over = begin()
            over = client.run(meanwhile, MOST, is_over)
            while not over:
                time.sleep(ASK)
                over = is_over()
            took = time.monotonic() - began
    return took, *meanwhile.times(before), peak.value - memory


class Latencies:
    """Of whole pulls of a manifest, and of pushes of a small image; seconds."""

    def __init__(self):
        self.pulls, self.pushes = [], []

    def p99(self):
        return [sorted(times)[len(times) * 99 // 100]
                for times in (self.pulls, self.pushes)]

    def times(self, before):
        """How many times those of `before` the p99 are."""
        return [now / then for now, then in zip(self.p99(), before.p99())]


class Client:
    """Two connections; one request after another: pulls, a push, pulls."""

    def __init__(self, bench, server):
        self._request = get(bench.image.manifest_path)
        self._puller, self._pusher = _connect(server), _connect(server)
        self._pushed = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._puller.close()
        self._pusher.close()

    def run(self, latencies, seconds, is_over=lambda: False):
        """For so long, or until it is over, which is asked now and then."""
        now = time.monotonic()
        end, asked = now + seconds, now
        while now < end:
            for _ in range(PULLS):
                latencies.pulls.append(_took(self._pull))
            latencies.pushes.append(_took(self._push))
            now = time.monotonic()
            if now > asked + ASK:
                if is_over():
                    return True
                asked = now
        return False

    def _pull(self):
        _exchange(self._puller, self._request, 200)

    def _push(self):
        self._pushed += 1
        layer = (b"%d %d" % (time.time_ns(), self._pushed)).ljust(LAYER)
        config = json.dumps({"layer": digest(layer)}).encode()
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
            "config": self._blob("config.v1+json", config),
            "layers": [self._blob("layer.v1.tar", layer)]}).encode()
        self._ask("PUT", PUSHED + "/manifests/latest", 201, manifest,
                  MANIFEST_TYPE)

    def _blob(self, kind, content):
        """Pushes it; its descriptor."""
        answer = self._ask("POST", PUSHED + "/blobs/uploads/", 202)
        answer = self._ask("PATCH", _location(answer), 202, content)
        place = _location(answer)
        self._ask("PUT", f"{place}{'&' if '?' in place else '?'}"
                  f"digest={digest(content)}", 201)
        return {"mediaType": OCI + kind, "size": len(content),
                "digest": digest(content)}

    def _ask(self, method, path, status, body=b"",
             kind="application/octet-stream"):
        return _exchange(
            self._pusher, f"{method} {path} HTTP/1.1\r\nHost: bench.test\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            "\r\n".encode() + body, status)


def _connect(server):
    peer = socket.create_connection((HOST, server.port))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def _took(step):
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def _exchange(peer, request, status):
    """The head of an answer that comes whole."""
    peer.sendall(request)
    answer = peer.recv(1 << 16)
    if not answer.startswith(b"HTTP/1.1 %d " % status):
        raise RuntimeError(f"not {status}: {answer[:500]}")
    return answer


def _location(answer):
    place = answer.split(b"\r\nLocation: ", 1)[1].split(b"\r\n", 1)[0].decode()
    return "/" + place.split("/", 3)[3] if "://" in place else place
