"""What it costs those who pull and push when much has to be collected."""

import contextlib
import itertools
import os
import signal
import sqlite3
import subprocess

from content import MANIFEST_TYPE
from crowd import DIGEST, NUMBERS, database
from meanwhile import measure
from servers import BINARY, PrivateRegistry

DEAD, SIZE = 100_000, 4096                  # blobs, bytes
LIVE, EACH, IMAGES = 1_000_000, 10, 100     # in all; an image; a repository
FIRST, FIRST_DEAD = 10_000_000, 20_000_000  # number of rows
NAMES = 60_000                              # of one file


LIVING = f"""
    INSERT INTO repository (id, upstream, name, taken)
      SELECT DISTINCT repository, '', 'live/app' || repository, 1 FROM living;
    INSERT INTO manifest
      (id, repository, digest, media_type, artifact_type, bytes)
      SELECT DISTINCT manifest, repository, {DIGEST}, '{MANIFEST_TYPE}', '',
        x'7b7d' FROM living GROUP BY manifest;
    INSERT INTO tag (repository, name, manifest, checked, pushed)
      SELECT repository, 'v' || id, id, 1, 1 FROM manifest
      WHERE id > {FIRST};
    INSERT INTO stamp (manifest, pushed, used, cached)
      SELECT id, 1, 1, 0 FROM manifest WHERE id > {FIRST};
    INSERT INTO blob (id, digest, size)
      SELECT id, digest, {SIZE} FROM living;
    INSERT INTO link (digest, repository, touched)
      SELECT digest, repository, 1 FROM living ORDER BY digest;
    INSERT INTO named (digest, repository, manifest, kind, size)
      SELECT digest, repository, manifest, 1, {SIZE} FROM living
      ORDER BY digest;
"""


def fill(bench, server):
    """A million blobs of images; of a blob's file, only the name is its own."""
    if not isinstance(server, PrivateRegistry):
        return
    server.fill(bench.image)
    server.stop()
    with database(server) as db:
        db.execute(
            "CREATE TEMP TABLE living AS" + NUMBERS + "SELECT"
            f" :first + i AS id, {DIGEST} AS digest,"
            " :first + 1 + (i - 1) / :each AS manifest,"
            " :first + 1 + (i - 1) / :each / :images AS repository"
            " FROM numbers", {"count": LIVE, "first": FIRST, "each": EACH,
                              "images": IMAGES})
        for statement in LIVING.split(";"):
            db.execute(statement)
        _name(server.home / "data/blobs/sha256", db.execute(
            "SELECT id, lower(hex(substr(digest, 2))) FROM living"
            " ORDER BY digest"))


def _name(blobs, living):
    """Makes all directories, and a name for each blob."""
    for number in range(256):
        (blobs / f"{number:02x}").mkdir(exist_ok=True)
    content = blobs.parent.parent / "content"
    for place, (number, digest) in enumerate(living):
        if place % NAMES == 0:
            content.unlink(missing_ok=True)
            content.write_bytes(bytes(SIZE))
        os.link(content, f"{blobs}/{digest[:2]}/{digest}.{number}")
    content.unlink()


def collect(bench, server):
    """By `gc`, as an operator asks for it."""
    _prepare(server)

    def begin():
        running = _gc(server, "--grace", "0s")
        return lambda: running.poll() is not None and _is_done(running)

    return measure(bench, server, begin)


def quietly(bench, server):
    """As the registry does it by itself, when they are old enough."""
    _prepare(server)

    def begin():
        with _running_database(server) as db:
            db.execute("UPDATE state SET epoch = epoch + 2")
        server.process.signal(signal.SIGHUP)    # wakes the collector
        return _told(server.home / "log", b" event=sweep blobs=%d " % DEAD)

    return measure(bench, server, begin)


def _gc(server, *options):
    return subprocess.Popen(
        [BINARY, "gc", "--config", server.home / "configuration", *options],
        stdout=subprocess.PIPE, text=True)


def _is_done(running):
    said = running.stdout.read()
    if running.returncode or f" {DEAD} blobs " not in said:
        raise RuntimeError(f"gc: {running.returncode}: {said}")
    return True


def _told(path, words):
    """Asks whether the log has told so since now."""
    log = open(path, "rb")
    log.seek(0, os.SEEK_END)
    seen = b""

    def is_told():
        nonlocal seen
        seen = seen[-len(words):] + log.read()
        return words in seen
    return is_told


def _prepare(server):
    """While it runs, since each start is followed by a sweep; that is over
    when a `gc`, which leaves what is so young, has had its turn."""
    with open(server.home / "log", "r+b") as log:
        log.truncate()
    digests = [os.urandom(32) for _ in range(DEAD)]
    with _running_database(server) as db:
        _dead_rows(db, digests)
    _dead_files(server.home / "data/blobs/sha256", digests)
    os.sync()
    _gc(server).communicate()


@contextlib.contextmanager
def _running_database(server):
    db = sqlite3.connect(server.home / "data/registry.db", timeout=60)
    with db:
        yield db
    db.close()


def _dead_rows(db, digests):
    """Blobs that their repository has, and no manifest names any more."""
    keys = [b"\0" + digest for digest in digests]
    db.executemany("INSERT INTO blob (id, digest, size) VALUES (?, ?, ?)",
                   zip(itertools.count(FIRST_DEAD), keys,
                       itertools.repeat(SIZE)))
    db.executemany("INSERT INTO link (digest, repository, touched)"
                   " SELECT ?, ?, epoch FROM state",
                   zip(keys, itertools.repeat(FIRST + 1)))


def _dead_files(blobs, digests):
    content = os.urandom(SIZE)
    for number, digest in enumerate(digests, FIRST_DEAD):
        name = digest.hex()
        (blobs / name[:2] / f"{name}.{number}").write_bytes(content)
