"""What it costs those who pull when much of what is cached has to go."""

import hashlib
import http.client
import os
import signal
import socket
import time

from content import MANIFEST_TYPE, ask
from crowd import database
from memory import get
from process import Peak
from servers import HOST

BLOBS, EACH, SIZE = 10_000, 10, 16_384      # in all, in an image, bytes
FIRST = 10_000_000                          # number of rows
QUIET, MOST = 3, 120                        # seconds


def evict(bench, server):
    """Seconds that 10,000 blobs take, p99 of pulls then over p99 before, MB.

    One connection asks for a manifest, again and again.
    """
    server.stop()
    with database(server) as db:
        _cache(db, server.home / "data/blobs/sha256")
    os.sync()
    server.start()
    request = get(bench.image.manifest_path)
    _pulls(server, request, 1)
    before = _p99(_pulls(server, request, QUIET))
    memory = server.process.anonymous()
    _limit(server, "1B")
    began = time.monotonic()
    with Peak(server.process) as peak:
        meanwhile = _pulls(server, request, MOST, lambda: not _cached(server))
    took = time.monotonic() - began
    return took, _p99(meanwhile) / before, peak.value - memory


def _limit(server, size):
    """Of what is cached, by a reload."""
    configuration = server.home / "configuration"
    text = configuration.read_text().replace(
        'mirror: {', f'mirror: {{cache: {{limit: {size}}}, ', 1)
    configuration.write_text(text)
    server.process.signal(signal.SIGHUP)


def _cached(server):
    connection = http.client.HTTPConnection(HOST, server.port)
    _, text = ask(connection, "GET", "/metrics")
    connection.close()
    return b"private_registry_cache_bytes 0\n" not in text


def _pulls(server, request, seconds, is_over=lambda: False):
    """How long each took, until it is over; that is asked now and then."""
    times, began = [], time.monotonic()
    asked = began
    with socket.create_connection((HOST, server.port)) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (now := time.monotonic()) < began + seconds:
            if now > asked + 0.25:
                if is_over():
                    return times
                asked = now
            sent = time.perf_counter()
            peer.sendall(request)
            peer.recv(1 << 16)
            times.append(time.perf_counter() - sent)
    return times


def _p99(times):
    return sorted(times)[len(times) * 99 // 100]


def _cache(db, blobs):
    """Images that nobody has pulled for long, with their files."""
    data = os.urandom(SIZE)
    for number in range(FIRST, FIRST + BLOBS // EACH):
        db.execute("INSERT OR IGNORE INTO repository"
                   " (id, upstream, name, taken) VALUES"
                   " (?, 'docker.io', 'cached/app' || ?, 1)",
                   (number, number))
        db.execute("INSERT INTO manifest (id, repository, digest, media_type,"
                   " artifact_type, bytes) VALUES (?, ?, ?, ?, '', ?)",
                   (number, number, b"\0" + os.urandom(32), MANIFEST_TYPE,
                    b"{}".ljust(1400)))
        db.execute("INSERT INTO tag (repository, name, manifest, checked,"
                   " pushed) VALUES (?, 'latest', ?, 1, 1)", (number, number))
        db.execute("INSERT INTO stamp (manifest, pushed, used, cached)"
                   " VALUES (?, 1, 1, 1)", (number,))
        for layer in range(EACH):
            _layer(db, blobs, number, FIRST + number * EACH + layer, data)


def _layer(db, blobs, manifest, number, data):
    digest = hashlib.sha256(str(number).encode() + data).digest()
    key = b"\0" + digest
    db.execute("INSERT INTO blob (id, digest, size) VALUES (?, ?, ?)",
               (number, key, SIZE))
    db.execute("INSERT INTO named (digest, repository, manifest, kind, size)"
               " VALUES (?, ?, ?, 1, ?)", (key, manifest, manifest, SIZE))
    db.execute("INSERT INTO link (digest, repository, touched)"
               " VALUES (?, ?, 1)", (key, manifest))
    directory = blobs / digest.hex()[:2]
    directory.mkdir(exist_ok=True)
    (directory / f"{digest.hex()}.{number}").write_bytes(data)
