"""Many who pull at once what nobody has yet, through a mirror.

Each server is started once more, as a mirror of an upstream whose transfers
share one line of 100 MB/s.
"""

import http.client
import os
import selectors
import shutil
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from content import REPOSITORY, ask, digest
from process import Peak, Process
from servers import HOST, free_port

CLIENTS, SIZE = 50, 32 << 20
LINE, PIECE = 100_000_000, 128 << 10    # bytes a second; and at once


def cold(_, server):
    """Seconds until the last of 50 has it, upstream's bytes, peak MB."""
    data = os.urandom(SIZE)
    path = f"{REPOSITORY}/blobs/{digest(data)}"
    with _upstream(path, data) as line, _mirror(server, line) as \
            (process, port):
        with Peak(process) as peak:
            began = time.monotonic()
            _read_all(port, path)
            took = time.monotonic() - began
        connection = http.client.HTTPConnection(HOST, port)
        assert ask(connection, "GET", path)[1] == data
        connection.close()
        return took, line.sent / SIZE, peak.value


# ---------------------------------------------------------------- upstream

class _Line(ThreadingHTTPServer):
    """Has one blob, and counts what leaves."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, path, data):
        super().__init__((HOST, 0), _Handler)
        self.path, self.data = path, data
        self.sent = 0
        self._lock = threading.Lock()
        self._free = 0.0

    @property
    def url(self):
        return "http://%s:%d" % self.server_address

    def wait(self, size):
        """For its turn on the line."""
        with self._lock:
            self.sent += size
            self._free = max(self._free, time.monotonic()) + size / LINE
            turn = self._free
        time.sleep(max(0, turn - time.monotonic()))

    def handle_error(self, *_):
        pass                # who has enough goes away


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        found = {"/v2/": b"{}", self.server.path: self.server.data}
        body = found.get(self.path)
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.send_header("Content-Type", "application/octet-stream")
        self.end_headers()
        if self.command == "HEAD" or not body:
            return
        for offset in range(0, len(body), PIECE):
            piece = memoryview(body)[offset:offset + PIECE]
            self.server.wait(len(piece))
            self.wfile.write(piece)

    do_HEAD = do_GET


@contextmanager
def _upstream(path, data):
    with _Line(path, data) as line:
        threading.Thread(target=line.serve_forever, args=(0.01,),
                         daemon=True).start()
        yield line
        line.shutdown()


# ------------------------------------------------------------------ mirrors

def _ours(home, port, url):
    return (f"data: {home}/data\n"
            f"listen: [{{address: {HOST}:{port}}}]\n"
            f"mirror: {{upstreams: [{{name: docker.io, urls: [{url}]}}]}}\n")


def _nginx(home, port, url):
    return f"""\
daemon off;
user {home.owner()} {home.group()};
pid {home}/pid;
error_log {home}/error.log;
worker_processes auto;
events {{ worker_connections 1024; }}
http {{
  sendfile on;
  access_log {home}/access.log;
  proxy_cache_path {home}/cache keys_zone=blobs:1m;
  proxy_temp_path {home}/t;
  client_body_temp_path {home}/t;
  fastcgi_temp_path {home}/t;
  uwsgi_temp_path {home}/t;
  scgi_temp_path {home}/t;
  server {{
    listen {HOST}:{port};
    location / {{
      proxy_pass {url};
      proxy_cache blobs;
      proxy_cache_valid 200 1h;
      proxy_cache_lock on;
      proxy_cache_lock_timeout 5m;
      proxy_cache_lock_age 5m;
    }}
  }}
}}
"""


def _docker_registry(home, port, url):
    return f"""\
version: 0.1
storage:
  cache: {{blobdescriptor: inmemory}}
  filesystem: {{rootdirectory: {home}/data}}
http: {{addr: {HOST}:{port}}}
proxy: {{remoteurl: {url}}}
"""


_CONFIGURE = {"private-registry": _ours, "nginx": _nginx,
              "docker-registry": _docker_registry}


@contextmanager
def _mirror(server, line):
    """(process, port) of that server as a mirror that has nothing yet."""
    home, port = server.home / "mirror", free_port()
    home.mkdir()
    configuration = home / "configuration"
    configuration.write_text(_CONFIGURE[server.name](home, port, line.url))
    process = Process(server.command(configuration), home / "log")
    try:
        _wait(process, port)
        yield process, port
    finally:
        process.stop()
        shutil.rmtree(home)


def _wait(process, port):
    for _ in range(1000):
        process.check()
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.01)
    raise RuntimeError("it does not listen after 10 s")


# ------------------------------------------------------------------ clients

def _read_all(port, path):
    """As many at once; the kernel drops what they get."""
    request = f"GET {path} HTTP/1.1\r\nHost: bench.test\r\n\r\n".encode()
    left, room = {}, bytearray(1 << 18)
    with selectors.DefaultSelector() as selector:
        for _ in range(CLIENTS):
            peer = socket.create_connection((HOST, port))
            peer.sendall(request)
            selector.register(peer, selectors.EVENT_READ)
            left[peer] = None
        while left:
            for key, _ in selector.select():
                peer = key.fileobj
                left[peer] = _read(peer, left[peer], room)
                if left[peer] == 0:
                    selector.unregister(peer)
                    peer.close()
                    del left[peer]


def _read(peer, left, room):
    """Bytes that are missing then; None of `left`: the head, too."""
    if left is not None:
        count = peer.recv_into(room, 0, socket.MSG_TRUNC)
        if count == 0:
            raise RuntimeError(f"an answer ended {left} bytes too soon")
        return left - count
    data = peer.recv(1 << 16)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"not a 200: {head[:60]}")
    return SIZE - len(body)
