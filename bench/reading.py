"""Everything is read back from the disk: by `verify`, and by what others use.

The files that nginx holds are read by sha256sum, and those of docker-registry
by dd, past the page cache and without looking at them: that is what the disk
can do.
"""

import functools
import os
import subprocess
import time

from content import Image
from servers import BINARY, Nginx, PrivateRegistry

IMAGES = 8      # of 64 MiB and some small blobs


@functools.cache
def _images():
    return [Image() for _ in range(IMAGES)]


def fill(_bench, server):
    for image in _images():
        server.fill(image)


def warm(_bench, server):
    """Nothing of it is in the page cache."""
    os.sync()
    for path in _files(server):
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read(_bench, server):
    """Megabytes a second, and seconds of CPU for a gigabyte."""
    files = _files(server)
    size = sum(map(os.path.getsize, files))
    cpu, began = _cpu(server), time.monotonic()
    for argv in _commands(server, files):
        subprocess.run(argv, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=True)
    seconds = time.monotonic() - began
    return size / seconds / 1e6, (_cpu(server) - cpu) / size * 1e9


def _commands(server, files):
    if isinstance(server, PrivateRegistry):
        return [[BINARY, "verify", "--rate", "none",
                 "--data", server.home / "data"]]
    if isinstance(server, Nginx):
        return [["sha256sum", *files]]
    return [["dd", f"if={path}", "of=/dev/null", "iflag=direct", "bs=1M"]
            for path in files if os.path.getsize(path) > 1 << 20]


def _cpu(server):
    times = os.times()
    return (server.process.cpu() + times.children_user +
            times.children_system)


def _files(server):
    below = "data/blobs" if isinstance(server, PrivateRegistry) else "data"
    return sorted(path for path in (server.home / below).rglob("*")
                  if path.is_file())
