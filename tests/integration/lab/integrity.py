"""Whether database and files agree, read from outside and by its own verbs."""

import sqlite3
import subprocess
from contextlib import closing

from .content import digest_of
from .registry import BINARY
from .waiting import wait_until


def is_whole(registry):
    """Every blob that is known is whole; a collection leaves no orphan.

    What an upload under way has left is none: it may be gone on with. Nor is
    what somebody is at: fetches that nobody waits for begin and end meanwhile.
    """
    verb(registry, "gc", "--grace", "0s")
    orphans = left_over(registry)
    wait_until(lambda: not orphans & left_over(registry),
               f"{orphans} to be known, or to go")
    for path, size in known(registry)[0].items():
        try:
            data = path.read_bytes()
        except FileNotFoundError:       # it was evicted, its row first
            assert path not in known(registry)[0], path
            continue
        assert len(data) == size, path
        assert digest_of(data) == "sha256:" + path.stem, path
    verb(registry, "verify")


def left_over(registry):
    """Files that no row knows.

    A row is there before its file, and goes before it. So files are looked at
    first: what has no row then has lost it, and is about to go as well.
    """
    blobs, arrivals = files(registry, "blobs"), files(registry, "incoming")
    kept, coming = known(registry)
    return {path for path in blobs - set(kept)
            if path.suffix[1:] not in coming} | \
        {path for path in arrivals if path.name not in coming}


def keeps(registry, *images):
    """Waits until all blobs of these images are here to stay.

    Whoever pulls has the last byte before that, and what a manifest names may
    come later than what was asked for.
    """
    wanted = {layer.digest for image in images for layer in image.layers}
    wait_until(lambda: wanted <= kept(registry), "all blobs to be kept")


def kept(registry):
    """The digests of all blobs that are here to stay."""
    return {"sha256:" + path.stem for path in known(registry)[0]}


def known(registry):
    """{path: size} of all blobs, and the numbers of all arrivals."""
    blobs, sessions = rows(registry, "SELECT digest, id, size FROM blob",
                           "SELECT id FROM session")
    return ({path_of(registry, digest, number): size
             for digest, number, size in blobs},
            {str(number) for (number,) in sessions})


def rows(registry, *queries):
    """What each of them finds, all at one moment."""
    url = f"file:{registry.data}/registry.db?mode=ro"
    with closing(sqlite3.connect(url, uri=True,
                                 isolation_level=None)) as database:
        database.execute("BEGIN")
        return [list(database.execute(query)) for query in queries]


def path_of(registry, digest, number):
    assert digest[0] == 0, "only sha256 is pushed by these tests"
    name = digest[1:].hex()
    return registry.data / "blobs/sha256" / name[:2] / f"{name}.{number}"


def files(registry, directory):
    return {path for path in (registry.data / directory).rglob("*")
            if path.is_file()}


def verb(registry, *words, status=0):
    """Runs one on the data directory; its standard output."""
    done = subprocess.run(
        [str(BINARY), *words, "--data", str(registry.data)], text=True,
        capture_output=True, timeout=60)
    assert done.returncode == status, (words, done)
    return done.stdout
