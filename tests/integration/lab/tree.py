"""A newer Debian in a directory, whose programs run among ours.

    debootstrap --variant=minbase --include=docker.io trixie DIRECTORY

makes one (600 MB, five minutes), which DEBIAN_TREE=DIRECTORY names. Nothing
is installed in it or written to it by a test.
"""

import os
from pathlib import Path

from .docker import Docker

# Docker wants / to be a mount point. All mounts are seen by its processes
# alone, and end with them.
ENTER = """
tree=$1 lab=$2
shift 2
mount --rbind "$tree" "$tree"
cd "$tree"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
for each in run tmp var/tmp
do mount -t tmpfs tmpfs "$each"
done
mkdir -p "./$lab"
mount --rbind "$lab" "./$lab"
exec chroot . "$@"
"""


def tree():
    """Where it is, or None."""
    path = os.environ.get("DEBIAN_TREE")
    return Path(path) if path else None


class TreeDocker(Docker):
    """Its dockerd; it sees all of `lab`."""

    def __init__(self, lab, mirrors, settings):
        self.BEFORE = ("unshare", "--mount", "sh", "-euc", ENTER, "sh",
                       tree(), lab.root)
        super().__init__(lab, mirrors, settings)
