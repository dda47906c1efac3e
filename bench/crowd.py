"""What is slow only where there is much: a start, and the first of many pages.

The crowd is not pushed: it is written where the server will look for it.
"""

import contextlib
import http.client
import os
import socket
import sqlite3
import time
from statistics import median

from content import MANIFEST_TYPE, OCI, REPOSITORY, ask
from servers import HOST, DockerRegistry, PrivateRegistry

MANIFESTS, EACH = 1_000_000, 1000   # in all; in a repository
TAGS = REPOSITORIES = 100_000
PAGE, ASKED = 100, 30               # names on it; how often it is asked for


# --------------------------------------------------------------------- start

def start_fill(bench, server):
    """A million manifests, where there is a database to write them to."""
    server.fill(bench.image)
    if isinstance(server, PrivateRegistry):
        server.stop()
        with database(server) as db:
            _many_manifests(db)


def start(bench, server):
    """Milliseconds from the program's start to the end of its answer.

    Its files are not in the page cache, as after a boot.
    """
    server.stop()
    _forget(server.home)
    began = time.monotonic()
    server.launch()
    path = bench.image.manifest_path
    while not _answers(server, path):
        time.sleep(0.0005)
    return ((time.monotonic() - began) * 1e3,)


def _answers(server, path):
    connection = http.client.HTTPConnection(HOST, server.port)
    try:
        ask(connection, "GET", path, Accept=MANIFEST_TYPE)
    except ConnectionRefusedError:
        server.process.check()
        return False
    finally:
        connection.close()
    return True


def _forget(home):
    for file in home.rglob("*"):
        if file.is_file():
            fd = os.open(file, os.O_RDONLY)
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


@contextlib.contextmanager
def database(server):
    """Ours, while the server is stopped."""
    db = sqlite3.connect(server.home / "data/registry.db")
    db.executescript("PRAGMA cache_size = -2000000;"
                     "PRAGMA synchronous = OFF;"
                     "PRAGMA foreign_keys = OFF;")
    with db:
        yield db
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


NUMBERS = """
    WITH RECURSIVE numbers(i) AS
      (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < :count)"""
DIGEST = "CAST(x'00' || randomblob(32) AS BLOB)"


MANY_MANIFESTS = f"""
    INSERT INTO repository (id, upstream, name, taken)
      SELECT :first + i, '', 'crowd/app' || i, 1 FROM layer;
    INSERT INTO blob (id, digest, size)
      SELECT :first + i, digest, 4096 FROM layer ORDER BY digest;
    INSERT INTO blob (id, digest, size)
      SELECT 2 * :first + i, digest, 1024 FROM config ORDER BY digest;
    INSERT INTO link (digest, repository, touched)
      SELECT digest, :first + i, 1 FROM layer ORDER BY digest;
    INSERT INTO link (digest, repository, touched)
      SELECT digest, :first + 1 + (i - 1) / :each, 1 FROM config
      ORDER BY digest;
    INSERT INTO manifest
      (id, repository, digest, media_type, artifact_type, bytes)
      SELECT :first + i, :first + 1 + (i - 1) / :each, {DIGEST},
        :type, '', :bytes FROM config;
    INSERT INTO tag (repository, name, manifest, checked, pushed)
      SELECT repository, 'v' || id, id, 1, 1 FROM manifest
      WHERE id > :first;
    INSERT INTO stamp (manifest, pushed, used, cached)
      SELECT id, 1, 1, 0 FROM manifest WHERE id > :first;
    INSERT INTO named (digest, repository, manifest, kind, size)
      SELECT digest, :first + 1 + (i - 1) / :each, :first + i, 1, 1024
      FROM config ORDER BY digest;
    INSERT INTO named (digest, repository, manifest, kind, size)
      SELECT layer.digest, repository, manifest.id, 1, 4096
      FROM layer JOIN manifest ON repository = :first + layer.i
      ORDER BY layer.digest, repository, manifest.id
"""


def _many_manifests(db):
    """Each with a tag, a config of its own, and its repository's layer."""
    db.execute("CREATE TEMP TABLE config AS" + NUMBERS +
               f"SELECT i, {DIGEST} AS digest FROM numbers",
               {"count": MANIFESTS})
    db.execute("CREATE TEMP TABLE layer AS" + NUMBERS +
               f"SELECT i, {DIGEST} AS digest FROM numbers",
               {"count": MANIFESTS // EACH})
    facts = {"first": 10_000_000, "each": EACH, "bytes": b"{}".ljust(700),
             "type": MANIFEST_TYPE}
    for statement in MANY_MANIFESTS.split(";"):
        db.execute(statement, {name: value for name, value in facts.items()
                               if ":" + name in statement})


# --------------------------------------------------------------------- names

def names_fill(bench, server):
    server.fill(bench.image)
    server.stop()
    if isinstance(server, DockerRegistry):
        root = server.home / "data/docker/registry/v2/repositories/bench"
        for number in range(TAGS):
            (root / f"app/_manifests/tags/t{number:06}").mkdir()
        for number in range(REPOSITORIES):
            (root / f"c{number:06}/_layers").mkdir(parents=True)
    if isinstance(server, PrivateRegistry):
        with database(server) as db:
            _many_names(db)


def _many_names(db):
    app, manifest = db.execute(
        "SELECT repository, manifest FROM tag").fetchone()
    db.execute("INSERT INTO tag"
               " (repository, name, manifest, checked, pushed)" +
               NUMBERS + "SELECT :app, printf('t%06d', i), :manifest, 1, 1"
               " FROM numbers",
               {"count": TAGS, "app": app, "manifest": manifest})
    for table, columns, values in (
            ("repository", "id, upstream, name, taken",
             "10000000 + i, '', printf('bench/c%06d', i), 1"),
            ("manifest",
             "id, repository, digest, media_type, artifact_type, bytes",
             f"10000000 + i, 10000000 + i, {DIGEST}, '{MANIFEST_TYPE}', '',"
             " x'7b7d'"),
            ("tag", "repository, name, manifest, checked, pushed",
             "10000000 + i, 'latest', 10000000 + i, 1, 1")):
        db.execute(f"INSERT INTO {table} ({columns})" + NUMBERS +
                   f"SELECT {values} FROM numbers", {"count": REPOSITORIES})


def tags(_bench, server):
    """Milliseconds for the first page."""
    return (_page(server, REPOSITORY + "/tags/list"),)


def catalog(_bench, server):
    return (_page(server, "/v2/_catalog"),)


def _page(server, path):
    connection = http.client.HTTPConnection(HOST, server.port)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    times = []
    for _ in range(ASKED):
        began = time.monotonic()
        ask(connection, "GET", f"{path}?n={PAGE}")
        times.append((time.monotonic() - began) * 1e3)
    connection.close()
    return median(times)
