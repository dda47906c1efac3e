"""A newer Debian in a directory, whose programs run among ours.

make_tree.py makes it, DEBIAN_TREE=DIRECTORY names it. Tests write nothing to
it, and mount things only where they alone see them.
"""

import os
from pathlib import Path

import pytest

OVER = "opt/newest"             # programs that take the place of Debian's
CRICTL = "usr/local/bin/crictl"

# Docker wants / to be a mount point. All mounts are seen by its processes
# alone, and end with them.
ENTER = """
tree=$1 lab=$2 over=$3
shift 3
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
[ -z "$over" ] || find "$over" -type f | while read -r each
do mount --bind "$each" "${each#"$over"/}"
done
exec chroot . "$@"
"""


class Machine:
    """Engines of the Debian that the tests run on."""

    def enter(self, *_):
        return ()


class Tree:
    """Engines of the tree, those of its directory `over` first."""

    def __init__(self, over=""):
        self._over = over

    def enter(self, lab, program="usr/sbin/dockerd"):
        """In front of a command; it sees all of `lab`. Skips the test if the
        tree has no such program."""
        program_of_tree(f"{self._over}/{program}")
        return enter(tree(), lab.root, self._over)


HERE, NEWER, NEWEST = Machine(), Tree(), Tree(OVER)


def tree():
    """Where it is, or None."""
    path = os.environ.get("DEBIAN_TREE")
    return Path(path) if path else None


def program_of_tree(name):
    """Where it is. Skips the test if there is none."""
    if not tree():
        pytest.skip("DEBIAN_TREE is not set")
    program = tree() / name.lstrip("/")
    if not program.exists():
        pytest.skip(f"there is no {program}")
    return program


def enter(root, seen, over=""):
    return ("unshare", "--mount", "sh", "-euc", ENTER, "sh", root, seen, over)
