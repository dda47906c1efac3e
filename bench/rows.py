"""The rows: what is done to each server, and what is to be reached.

A row's `measure` takes a server that runs and is warm, and returns one value
for each of its figures. A figure's ratio says how many times better ours is:
more is better for a rate, less for a cost, and 1.00 is always even.
"""

import http.client
import mmap
import os
import re
import resource
import socket
import subprocess
import time
from dataclasses import dataclass, field

from content import MANIFEST_TYPE, FreshBlob, push_blob
from process import Peak
from servers import HOST

SECONDS = 2         # wrk takes whole seconds
IDLE = 10_000
PUSH = 256 << 20


@dataclass(frozen=True)
class Figure:
    unit: str
    rate: bool = False          # more is better
    # What is to be reached:
    times: dict = field(default_factory=dict)   # as good as .. x that server
    most: float | None = None                   # ours is at most this


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    figures: tuple
    measure: object             # (bench, server) -> a value for each figure
    warm: object = None         # (bench, server), before each measure
    tls: bool = False
    fresh: bool = False         # the server is started anew for each round
    pushes: bool = False        # nginx takes no pushes
    rounds: int = 5


@dataclass
class Bench:
    """What the rows work with."""
    image: object
    load: object                # the program made from load.c
    _blob: FreshBlob | None = None

    def new_blob(self):
        """256 MiB that no server has, made outside the time measured."""
        if self._blob:
            self._blob.renew()
        else:
            self._blob = FreshBlob(PUSH)
        return self._blob


# ---------------------------------------------------------------- small GETs

def wrk(bench, server, seconds):
    """64 connections; requests, and the seconds they took."""
    output = subprocess.run(
        ["wrk", "-t2", "-c64", f"-d{seconds}s", "-H",
         "Accept: " + MANIFEST_TYPE,
         f"http://{HOST}:{server.port}{bench.image.manifest_path}"],
        capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"{server.name} failed requests:\n{output}")
    requests, took = re.search(r"(\d+) requests in ([\d.]+)s", output).groups()
    return int(requests), float(took)


def manifest_warm(bench, server):
    wrk(bench, server, 1)


def manifest(bench, server):
    before = server.process.cpu()
    requests, took = wrk(bench, server, SECONDS)
    return (requests / took,
            (server.process.cpu() - before) / requests * 1e6)


# --------------------------------------------------------------- large blobs

def load(bench, server, seconds, tls):
    """8 connections; bytes in time, the seconds, all bytes."""
    done = subprocess.run(
        [bench.load, str(server.port), bench.image.blob_path, "8",
         str(seconds)] + (["tls"] if tls else []),
        capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{server.name}: {done.stderr}")
    return tuple(map(float, done.stdout.split()))


def blob_warm(bench, server, tls=False):
    load(bench, server, 0.5, tls)


def blob(bench, server, tls=False):
    before = server.process.cpu()
    in_time, took, total = load(bench, server, SECONDS, tls)
    return (in_time / took / 1e9,
            (server.process.cpu() - before) / (total / 1e9))


def blob_tls_warm(bench, server):
    blob_warm(bench, server, tls=True)


def blob_tls(bench, server):
    return blob(bench, server, tls=True)


# -------------------------------------------------------------------- pushes

def push_warm(_bench, _server):
    """Memory the host has not yet given to this machine is slow: take it."""
    os.sync()
    with mmap.mmap(-1, 3 * PUSH) as memory:
        for page in range(0, 3 * PUSH, mmap.PAGESIZE):
            memory[page] = 1


def push(bench, server):
    fresh = bench.new_blob()
    before = server.process.cpu()
    began = time.monotonic()
    push_blob(server.port, fresh)
    return time.monotonic() - began, server.process.cpu() - before


# -------------------------------------------------------------------- memory

def idle(bench, server):
    """Each connection has had one answer and stays open."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    request = (f"GET {bench.image.manifest_path} HTTP/1.1\r\nHost: bench\r\n"
               f"Accept: {MANIFEST_TYPE}\r\n\r\n").encode()
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
        load(bench, server, 1, False)
        if server.pushable:
            push_blob(server.port, bench.new_blob())
    server.stop()
    server.start(tls=True)
    with Peak(server.process) as tls:
        load(bench, server, 1, True)
    return rest, max(plain.value, tls.value)


EVEN = {"nginx": 1}
ALL = [
    Row("manifest", "GET of a manifest by tag, 64 connections",
        (Figure("requests/s", rate=True,
                times={"nginx": 1, "docker-registry": 35}),
         Figure("server CPU, us/request", times=EVEN)),
        manifest, manifest_warm),
    Row("blob", "GET of a blob of 64 MiB, 8 connections",
        (Figure("GB/s", rate=True, times=EVEN),
         Figure("server CPU, s/GB", times=EVEN)),
        blob, blob_warm),
    Row("blob-tls", "the same over TLS 1.3, AES-128-GCM",
        (Figure("GB/s", rate=True, times=EVEN),
         Figure("server CPU, s/GB", times=EVEN)),
        blob_tls, blob_tls_warm, tls=True),
    Row("push", "push of a blob of 256 MiB",
        (Figure("seconds", times={"docker-registry": 3}),
         Figure("server CPU, s")),
        push, push_warm, pushes=True),
    Row("idle", "10,000 idle connections",
        (Figure("anonymous MB", times=EVEN, most=30),),
        idle, fresh=True, rounds=3),
    Row("memory", "memory at rest, and the most during loads as above",
        (Figure("at rest, anonymous MB", most=6),
         Figure("at peak, anonymous MB", most=48)),
        memory, fresh=True, rounds=3),
]
