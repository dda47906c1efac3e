"""A small disk, and what fills it."""

import os

from .process import run


def small_disk(scene, size="16m"):
    """An empty file system of its own; disk / "filler" is `fill`'s."""
    disk = scene.directory("disk")
    run(scene, "mount", "-t", "tmpfs", "-o", f"size={size}", "disk", disk)
    return disk


def fill(disk, but=0):
    """Until not one more byte has room; `but` bytes are given back."""
    spare = disk / "spare"
    if but:
        with open(spare, "wb", buffering=0) as file:
            grow(file, but)
    with open(disk / "filler", "ab", buffering=0) as filler:
        for size in 1 << 20, 1 << 12, 1:
            while grow(filler, size):
                pass
    spare.unlink(missing_ok=True)


def grow(file, size):
    """Whether there was room for any of it."""
    try:
        return file.write(bytes(size))
    except OSError:
        return 0


def free(disk):
    """Bytes."""
    room = os.statvfs(disk)
    return room.f_bavail * room.f_frsize


def leave(disk, room):
    """Others take all but so many bytes, in one step."""
    with open(disk / "filler", "ab") as filler:
        os.posix_fallocate(filler.fileno(), filler.tell(), free(disk) - room)


def make_room(disk):
    (disk / "filler").unlink()
