"""Whether database and files agree, read from outside and by its own verbs."""

import sqlite3
import subprocess

from .content import digest_of
from .registry import BINARY

ALGORITHMS = ["sha256", "sha512"]       # by their number in the database


def is_whole(registry):
    """Every blob that is known is whole; a collection leaves no orphan.

    What an upload under way has left is none: it may be gone on with.
    """
    verb(registry, "gc", "--grace", "0s")
    known = rows(registry, "SELECT digest, id, size FROM blob")
    expected = {}
    for digest, number, size in known:
        name = digest[1:].hex()
        assert digest[0] == 0, "only sha256 is pushed by these tests"
        path = registry.data / "blobs/sha256" / name[:2] / f"{name}.{number}"
        data = path.read_bytes()
        assert len(data) == size and digest_of(data) == "sha256:" + name, path
        expected[path] = size
    arrivals = {str(number) for (number,)
                in rows(registry, "SELECT id FROM session")}
    orphans = {path for path in files(registry, "blobs") - set(expected)
               if path.suffix[1:] not in arrivals}
    orphans |= {path for path in files(registry, "incoming")
                if path.name not in arrivals}
    assert not orphans, orphans
    verb(registry, "verify")


def files(registry, directory):
    return {path for path in (registry.data / directory).rglob("*")
            if path.is_file()}


def rows(registry, query):
    with sqlite3.connect(f"file:{registry.data}/registry.db?mode=ro",
                         uri=True) as database:
        return list(database.execute(query))


def verb(registry, *words, status=0):
    """Runs one on the data directory; its standard output."""
    done = subprocess.run(
        [str(BINARY), *words, "--data", str(registry.data)], text=True,
        capture_output=True, timeout=60)
    assert done.returncode == status, (words, done)
    return done.stdout
