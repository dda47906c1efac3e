"""Anonymous memory: at rest, at work, with many who wait and many slow ones.
"""

import http.client
import resource
import socket
import ssl
import time

from content import MANIFEST_TYPE, Zeros, push_blob
from gets import BLOB, BLOB_TLS, Load, wrk
from process import Peak
from servers import HOST

IDLE = 10_000
SLOW, SLOW_SECONDS = 256, 4


def get(path):
    return (f"GET {path} HTTP/1.1\r\nHost: bench.test\r\n"
            f"Accept: {MANIFEST_TYPE}\r\n\r\n").encode()


def many_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# ---------------------------------------------------------------------- idle

def idle(bench, server):
    """Each connection has had one answer and stays open."""
    many_files()
    request = get(bench.image.manifest_path)
    peers = []
    try:
        for _ in range(IDLE):
            peers.append(socket.create_connection((HOST, server.port)))
            peers[-1].sendall(request)
            _read_answer(peers[-1], len(bench.image.manifest))
        for peer in peers[::100]:   # an answer says that it is still open
            peer.sendall(request)
            _read_answer(peer, len(bench.image.manifest))
        return (server.process.anonymous(),)
    finally:
        for peer in peers:
            peer.close()


def _read_answer(peer, size):
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0 or len(data) < end + 4 + size:
        more = peer.recv(65536)
        if not more:
            raise RuntimeError("an idle connection was closed")
        data += more
    if not data.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"not a 200: {data[:60]}")


# -------------------------------------------------------------- rest and peak

def memory(bench, server):
    """At rest after one answer; then the most during the rows above."""
    connection = http.client.HTTPConnection(HOST, server.port)
    connection.request("GET", bench.image.manifest_path,
                       headers={"Accept": MANIFEST_TYPE})
    connection.getresponse().read()
    connection.close()
    time.sleep(0.5)
    rest = server.process.anonymous()
    if server.pushable:
        bench.new_blob()
    with Peak(server.process) as plain:
        wrk(bench, server, 1)
        Load(bench, server, BLOB, 1)
        if server.pushable:
            push_blob(server.port, bench.new_blob())
    server.stop()
    server.start(tls=True)
    with Peak(server.process) as tls:
        Load(bench, server, BLOB_TLS, 1)
    return rest, max(plain.value, tls.value)


# ---------------------------------------------------------------- slow pulls

def slow_fill(_bench, server):
    server.fill_zeros(Zeros)


def slow(_bench, server):
    """The most while all read a little, and again a little."""
    many_files()
    plain = _slow(server, None)
    server.stop()
    server.start(tls=True)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return plain, _slow(server, context)


def _slow(server, context):
    peers = []
    try:
        with Peak(server.process) as peak:
            for _ in range(SLOW):
                peers.append(_slow_peer(server, context))
            end = time.monotonic() + SLOW_SECONDS
            while time.monotonic() < end:
                for peer in peers:
                    if not peer.recv(16384):
                        raise RuntimeError("a slow pull was cut")
                time.sleep(0.05)
        return peak.value
    finally:
        for peer in peers:
            peer.close()


def _slow_peer(server, context):
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    peer.connect((HOST, server.port))
    if context:
        peer = context.wrap_socket(peer)
    peer.sendall(get(Zeros.path))
    if not peer.recv(16384).startswith(b"HTTP/1.1 200"):
        raise RuntimeError("a slow pull was refused")
    return peer
