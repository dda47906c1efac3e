"""The wire of the fake upstream: each request, and how its answer goes wrong.

What is to go wrong stands in the FakeHub; here it is done, and each request
remembers what was done to it.
"""

import os
import select
import socket
import struct
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from .images import encode

CHUNK = 1 << 20
PAGE = b"<!DOCTYPE html>\n<title>Welcome</title>\n<p>Log in to go on.\n"


@dataclass
class Seen:
    """One request that the hub was asked."""
    method: str
    target: str
    headers: dict
    kind: str                   # manifest, blob, token, ping, other
    status: int = None
    sent: int = 0               # body bytes
    did: list = field(default_factory=list)     # what was wrong with it


class Server(ThreadingHTTPServer):
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
        self._told = False
        hub.requests.append(self.seen)
        try:
            if self._begin():
                self._serve(name, kind, reference, parse_qs(url.query))
        finally:
            self._tell()

    do_HEAD = do_GET

    @staticmethod
    def _split(path):
        for kind in ("manifest", "blob"):
            if f"/{kind}s/" in path:
                name, reference = path.rsplit(f"/{kind}s/", 1)
                return name.removeprefix("/v2/"), kind, reference
        return None, {"/v2/": "ping", "/token": "token"}.get(path,
                                                             "other"), None

    def _begin(self):
        """Whether the request is to be answered, once this returns."""
        hub = self.server.hub
        if hub.silent and not self._hang("never answered"):
            return False
        if hub.delay:
            self._did(f"waited {hub.delay:g} s")
            time.sleep(hub.delay)
        if hub.html:
            self._did("a page of HTML")
            self._answer(200, PAGE, {"Content-Type": "text/html"})
        return not hub.html

    def _serve(self, name, kind, reference, query):
        hub = self.server.hub
        if kind == "token":
            return self._token(query)
        if hub.challenge and not self._authorized():
            return self._unauthorized(name)
        if kind == "ping":
            return self._answer(200, b"{}")
        if kind == "manifest":
            return self._manifest(name, reference)
        if kind == "blob":
            return self._blob(hub.find_blob(reference))
        return self._error(404)

    # -------------------------------------------------------- its own record

    def _did(self, what):
        self.seen.did.append(what)

    def _tell(self):
        if not self._told:
            self._told = True
            self.server.hub.on_request(self.server.hub, self.seen)

    def _hang(self, what):
        """True once it is released, False if the client left before."""
        released = self.server.hub.released
        gone = select.poll()
        gone.register(self.connection, select.POLLRDHUP)
        self._did(what)
        self._tell()
        while not released.wait(0.05):
            if gone.poll(0):
                self.close_connection = True
                return False
        return True

    # --------------------------------------------------------- credentials

    def _token(self, query):
        scope = query.get("scope", [""])[0]
        self._answer(200, encode({"token": f"lab-token:{time.time()}:{scope}",
                                  "expires_in": 300}))

    def _authorized(self):
        given = self.headers["Authorization"] or ""
        if not given.startswith("Bearer lab-token:"):
            return False
        age = time.time() - float(given.split(":")[1])
        if age > self.server.hub.token_lifetime:
            self._did("token expired")
            return False
        return True

    def _unauthorized(self, name):
        challenge = self.server.hub.challenge
        scope = f',scope="repository:{name}:pull"' if name else ""
        self._error(401, {"WWW-Authenticate":
                          f'Bearer realm="{challenge.realm}",'
                          f'service="{challenge.service}"{scope}'})

    # ----------------------------------------------------------- manifests

    def _manifest(self, name, reference):
        hub = self.server.hub
        manifest = hub.find_manifest(name, reference)
        refusal, more = hub.judge_manifest()
        if hub.budget is not None:
            left = more["ratelimit-remaining"].partition(";")[0]
            self._did(f"{left} left")
        if refusal:
            self._did(f"refused: {refusal}")
        if refusal or not manifest:
            return self._error(refusal or 404, more)
        if manifest.media_type not in ",".join(
                self.headers.get_all("Accept", [])):
            return self._error(404)     # as Debian's docker-registry does
        if hub.moving and reference != manifest.digest:
            self._did(f"the tag is {manifest.digest} now")
        self._answer(200, manifest.body, more | {
            "Content-Type": manifest.media_type,
            "Docker-Content-Digest": manifest.digest})

    # --------------------------------------------------------------- blobs

    def _blob(self, blob):
        fault = self.server.hub.next_fault(self.command)
        if fault.status or not blob:
            return self._error(fault.status or 404)
        if fault.redirect:
            self._did("redirected")
            return self._answer(307, b"", {
                "Location": fault.redirect.url + self.path})
        first, last = self._range(blob, fault)
        if first >= blob.size > 0:
            return self._error(416, {"Content-Range": f"bytes */{blob.size}"})
        self._blob_head(blob, first, last, fault)
        if self.command == "GET":
            self._send(blob, first, last + 1, fault)

    def _range(self, blob, fault):
        asked = self.headers["Range"]
        if asked and fault.ignore_range:
            self._did("Range ignored")
        if not asked or fault.ignore_range:
            return 0, blob.size - 1
        first, last = asked.removeprefix("bytes=").split("-")
        return int(first), min(int(last or blob.size - 1), blob.size - 1)

    def _blob_head(self, blob, first, last, fault):
        headers = {"Content-Type": "application/octet-stream",
                   "Docker-Content-Digest": blob.digest,
                   "Accept-Ranges": "bytes"}
        if fault.no_length:
            self._did("no Content-Length")
        else:
            headers["Content-Length"] = str(last + 1 - first + fault.longer)
        if fault.longer:
            self._did(f"Content-Length wrong by {fault.longer}")
        if fault.no_length or fault.longer:
            self.close_connection = True
            headers["Connection"] = "close"
        if first > 0 or last < blob.size - 1:
            headers["Content-Range"] = f"bytes {first}-{last}/{blob.size}"
        self._head(206 if "Content-Range" in headers else 200, headers)

    def _send(self, blob, offset, end, fault):
        if fault.rate:      # what was sent is then about what was received
            self._did(f"at {fault.rate} bytes a second")
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF,
                                       131072)
        began, first = time.monotonic(), offset
        cuts, stalls, wrong = fault.marks(blob, first)
        while offset < end:
            stop = min([end, *(mark for mark in (*cuts, *stalls, *wrong)
                               if mark > offset)])
            if offset in cuts:
                return self._cut(fault)
            if offset in stalls and not self._hang("stalled"):
                return
            if offset in wrong:
                self._did(f"byte {offset} is wrong")
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

    def _cut(self, fault):
        self._did("cut by RST" if fault.reset else "cut")
        if fault.reset:
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
