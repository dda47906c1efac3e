"""What is pushed: one large blob, and many images of small layers at once."""

import mmap
import os
import subprocess
import time

from content import push_blob

BLOB = 256 << 20
IMAGES, LAYERS, LAYER, AT_ONCE = 64, 10, 4096, 8


def blob_warm(_bench, _server):
    """Memory the host has not yet given to this machine is slow: take it."""
    os.sync()
    with mmap.mmap(-1, 3 * BLOB) as memory:
        for page in range(0, 3 * BLOB, mmap.PAGESIZE):
            memory[page] = 1


def blob(bench, server):
    fresh = bench.new_blob()
    before = server.process.cpu()
    began = time.monotonic()
    push_blob(server.port, fresh)
    return time.monotonic() - began, server.process.cpu() - before


def images_warm(_bench, _server):
    os.sync()


def images(bench, server):
    """Seconds for all of them, and milliseconds of CPU for one."""
    before = server.process.cpu()
    done = subprocess.run(
        [bench.push, *map(str, (server.port, IMAGES, LAYERS, LAYER,
                                AT_ONCE))],
        capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{server.name}: {done.stderr}")
    cpu = server.process.cpu() - before
    return float(done.stdout), cpu / IMAGES * 1e3
