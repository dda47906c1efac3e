"""A small disk, and what fills it."""

from .process import run


def small_disk(scene, size="16m"):
    """An empty file system of its own; disk / "filler" is `fill`'s."""
    disk = scene.directory("disk")
    run(scene, "mount", "-t", "tmpfs", "-o", f"size={size}", "disk", disk)
    return disk


def fill(disk, but=0):
    """Until not one more byte has room; `but` bytes are given back."""
    with open(disk / "filler", "ab", buffering=0) as filler:
        for size in 1 << 20, 1 << 12, 1:
            try:
                while filler.write(bytes(size)):
                    pass
            except OSError:
                pass
        filler.truncate(filler.tell() - but)


def make_room(disk):
    (disk / "filler").unlink()
