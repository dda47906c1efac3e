"""An upstream that does what a test wants, and remembers what it was asked.

It speaks the pull side of the registry API from memory: blobs by sendfile,
faults by request. A Fault describes how the next GET of a blob goes wrong
(`once`), or all of them (`always`).
"""

import os
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from .content import Content, content
from .images import OCI, Blob, Manifest, descriptor, encode
from .ports import free_port

CHUNK = 1 << 20


@dataclass
class Fault:
    """What is strange about one answer with a blob; offsets are the blob's."""
    rate: int = 0               # bytes a second; 0: as fast as it goes
    cut_at: int = None          # the connection ends here …
    cut_after: int = None       # … or when the answer has sent so many bytes
    reset: bool = False         # … by RST instead of FIN
    wrong_byte_at: int = None
    stall_at: int = None        # nothing more comes, but nothing ends
    status: int = None          # an error instead of the blob
    ignore_range: bool = False
    redirect: "FakeHub" = None  # 307 to the same path over there


@dataclass
class Seen:
    """One request that the hub was asked."""
    method: str
    target: str
    headers: dict
    kind: str                   # manifest, blob, token, ping, other
    status: int = None
    sent: int = 0               # body bytes


@dataclass
class Challenge:
    """Bearer tokens are wanted, to be had at `realm`."""
    realm: str
    service: str = "lab"


@dataclass
class FakeImage:
    repository: str
    tag: str
    manifest: Manifest
    layers: list = field(default_factory=list)


class FakeHub:
    def __init__(self, lab, address="127.0.0.1"):
        self.address = (address, free_port(address))
        self.url = "http://%s:%d" % self.address
        self.always = Fault()
        self._refusal = None            # a status instead of each manifest
        self.manifest_headers = {}      # with each answer about one
        self.challenge = None
        self.requests = []
        self.connections = 0
        self._blobs = {}
        self._manifests = {}
        self._next = deque()
        self._released = threading.Event()
        self._server = None
        lab.own(self)
        self.start()

    # ------------------------------------------------------------- content

    def add_blob(self, data):
        """Holds `data`, a Content or bytes, for every repository."""
        data = data if isinstance(data, Content) else Content(data)
        self._blobs[data.digest] = data
        return data

    def add_manifest(self, repository, manifest):
        """Holds it under its digest."""
        self._manifests[repository, manifest.digest] = manifest

    def add_tagged(self, repository, tag, manifest):
        for reference in (tag, manifest.digest):
            self._manifests[repository, reference] = manifest

    def add_image(self, repository, tag, *layers):
        """An image of these layers (Content), its tag moved to it."""
        config = self.add_blob(encode({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers",
                       "diff_ids": [layer.digest for layer in layers]}}))
        manifest = Manifest(OCI["manifest"], encode({
            "schemaVersion": 2, "mediaType": OCI["manifest"],
            "config": descriptor(OCI["config"],
                                 Blob(config.digest, config.size)),
            "layers": [descriptor(OCI["layer"],
                                  Blob(layer.digest, layer.size))
                       for layer in map(self.add_blob, layers)]}))
        self.add_tagged(repository, tag, manifest)
        return FakeImage(repository, tag, manifest, [config, *layers])

    def add_small_image(self, repository, tag="1", size=100_000):
        """An image of one layer, whose bytes follow from its name."""
        return self.add_image(repository, tag,
                              content(f"{repository}:{tag}", size))

    # -------------------------------------------------------------- faults

    def once(self, **fault):
        """The next GET of a blob that no earlier once() waits for."""
        self._next.append(Fault(**fault))

    def refuse_manifests(self, status):
        self._refusal = status

    def release(self):
        """Lets every stalled answer go on to its end."""
        self._released.set()

    def stop(self):
        """Closes the port and every connection: upstream is down."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut_all()
            self._released.set()
            self._server = None

    def start(self):
        self._released.clear()
        self._server = _Server(self.address, self)
        threading.Thread(target=self._server.serve_forever, args=(0.01,),
                         daemon=True).start()

    # ------------------------------------------------------ what was asked

    def seen(self, kind=None, method=None):
        return [each for each in list(self.requests)
                if kind in (None, each.kind) and
                method in (None, each.method)]

    def count(self, kind=None, method=None):
        return len(self.seen(kind, method))

    def blob_bytes(self):
        """Bytes of blobs that went out; a moment later than they did."""
        return sum(each.sent for each in self.seen("blob", "GET"))

    def forget(self):
        self.requests.clear()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, address, hub):
        self.hub = hub
        self._open = set()
        super().__init__(address, _Handler)

    def process_request(self, sock, address):
        self._open.add(sock)
        self.hub.connections += 1
        super().process_request(sock, address)

    def shutdown_request(self, sock):
        self._open.discard(sock)
        super().shutdown_request(sock)

    def cut_all(self):
        for sock in list(self._open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def handle_error(self, *_):
        pass    # the peer went away: the request's record says how far it got


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        hub, url = self.server.hub, urlsplit(self.path)
        name, kind, reference = self._split(url.path)
        self.seen = Seen(self.command, self.path, dict(self.headers), kind)
        hub.requests.append(self.seen)
        if kind == "token":
            return self._token(parse_qs(url.query))
        if hub.challenge and not self._authorized():
            return self._unauthorized(name)
        if kind == "ping":
            return self._answer(200, b"{}")
        if kind == "manifest":
            return self._manifest(hub._manifests.get((name, reference)))
        if kind == "blob":
            return self._blob(hub._blobs.get(reference))
        return self._error(404)

    do_HEAD = do_GET

    @staticmethod
    def _split(path):
        for kind in ("manifest", "blob"):
            if f"/{kind}s/" in path:
                name, reference = path.rsplit(f"/{kind}s/", 1)
                return name.removeprefix("/v2/"), kind, reference
        return None, {"/v2/": "ping", "/token": "token"}.get(path,
                                                             "other"), None

    # --------------------------------------------------------- credentials

    def _token(self, query):
        scope = query.get("scope", [""])[0]
        self._answer(200, encode({"token": f"lab-token:{scope}",
                                  "expires_in": 300}))

    def _authorized(self):
        given = self.headers["Authorization"] or ""
        return given.startswith("Bearer lab-token")

    def _unauthorized(self, name):
        challenge = self.server.hub.challenge
        scope = f',scope="repository:{name}:pull"' if name else ""
        self._error(401, {"WWW-Authenticate":
                          f'Bearer realm="{challenge.realm}",'
                          f'service="{challenge.service}"{scope}'})

    # ------------------------------------------------------------- content

    def _manifest(self, manifest):
        refusal = self.server.hub._refusal
        more = self.server.hub.manifest_headers
        if refusal or not manifest:
            return self._error(refusal or 404, more)
        if manifest.media_type not in ",".join(
                self.headers.get_all("Accept", [])):
            return self._error(404)     # as Debian's docker-registry does
        self._answer(200, manifest.body, more | {
            "Content-Type": manifest.media_type,
            "Docker-Content-Digest": manifest.digest})

    def _blob(self, blob):
        hub = self.server.hub
        fault = hub._next.popleft() if hub._next and \
            self.command == "GET" else hub.always
        if fault.status or not blob:
            return self._error(fault.status or 404)
        if fault.redirect:
            return self._answer(307, b"", {
                "Location": fault.redirect.url + self.path})
        first, last = self._range(blob, fault)
        if first >= blob.size > 0:
            return self._error(416, {"Content-Range": f"bytes */{blob.size}"})
        headers = {"Content-Type": "application/octet-stream",
                   "Content-Length": str(last + 1 - first),
                   "Docker-Content-Digest": blob.digest,
                   "Accept-Ranges": "bytes"}
        if first > 0 or last < blob.size - 1:
            headers["Content-Range"] = f"bytes {first}-{last}/{blob.size}"
        self._head(206 if "Content-Range" in headers else 200, headers)
        if self.command == "GET":
            self._send(blob, first, last + 1, fault)

    def _range(self, blob, fault):
        asked = self.headers["Range"]
        if not asked or fault.ignore_range:
            return 0, blob.size - 1
        first, last = asked.removeprefix("bytes=").split("-")
        return int(first), min(int(last or blob.size - 1), blob.size - 1)

    def _send(self, blob, offset, end, fault):
        if fault.rate:      # what was sent is then about what was received
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF,
                                       131072)
        began, first = time.monotonic(), offset
        cuts = (fault.cut_at, first + fault.cut_after
                if fault.cut_after else None)
        while offset < end:
            stop = min(end, *(mark for mark in (
                *cuts, fault.stall_at, fault.wrong_byte_at)
                if mark is not None and mark > offset), end)
            if offset in cuts:
                return self._cut(fault.reset)
            if offset == fault.stall_at:
                self.server.hub._released.wait()
            if offset == fault.wrong_byte_at:
                self.connection.sendall(bytes([blob.view[offset] ^ 1]))
                offset += 1
                self.seen.sent += 1
                continue
            step = max(fault.rate // 50, 1) if fault.rate else CHUNK
            sent = os.sendfile(self.connection.fileno(), blob.fd, offset,
                               min(step, stop - offset))
            offset += sent
            self.seen.sent += sent
            if fault.rate:
                ahead = (offset - first) / fault.rate
                time.sleep(max(0, began + ahead - time.monotonic()))

    def _cut(self, reset):
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
        self.close_connection = True

    # -------------------------------------------------------------- answers

    def _error(self, status, headers=None):
        body = encode({"errors": [{"code": "UNKNOWN", "message": "lab"}]})
        self._answer(status, body, dict(headers or {}, **{
            "Content-Type": "application/json"}))

    def _answer(self, status, body, headers=None):
        self._head(status, dict(headers or {}, **{
            "Content-Length": str(len(body))}))
        if self.command == "GET":
            self.wfile.write(body)
            self.seen.sent = len(body)

    def _head(self, status, headers):
        self.seen.status = status
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
