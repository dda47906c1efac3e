"""What it costs those who pull and push when much that is cached has to go."""

import hashlib
import http.client
import os
import signal

from content import MANIFEST_TYPE, ask
from crowd import database
from meanwhile import measure
from servers import HOST

BLOBS, EACH, SIZE = 10_000, 10, 16_384      # in all, in an image, bytes
FIRST = 10_000_000                          # number of rows


def evict(bench, server):
    server.stop()
    with database(server) as db:
        _cache(db, server.home / "data/blobs/sha256")
    os.sync()
    server.start()

    def begin():
        _limit(server, "1B")
        return lambda: not _cached(server)

    return measure(bench, server, begin)


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
