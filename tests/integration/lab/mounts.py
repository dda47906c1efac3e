"""Mounts that one process alone sees, and what engines can be stored on."""

import subprocess

BIND = """
while [ "$1" != -- ]
do mount --bind "$1" "$2"
   shift 2
done
shift
exec "$@"
"""


def bound(mounts, *command):
    """The command, or what stands in front of one: it sees each file or
    directory of {path: place} at that place."""
    pairs = [word for pair in mounts.items() for word in pair]
    return ("unshare", "--mount", "sh", "-euc", BIND, "sh", *pairs, "--",
            *command)


def beside(pid):
    """In front of a command: it sees the files that this process sees."""
    return ("nsenter", f"--target={pid}", "--mount", "--root")


def on_overlay(path):
    """overlay cannot be stacked on overlay, as within most containers."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", path], text=True,
                          capture_output=True, check=True).stdout.strip()
    return kind == "overlayfs"
