"""The laboratory: real parts on free loopback ports, all in one directory.

Every part registers itself with a Lab. Lab.close() ends them all in reverse
order, and Lab.leftovers() tells what a careless part left behind.
"""

import os
import shutil
import tempfile
from pathlib import Path

from lab.waiting import wait_until

MARK = "REGISTRY_LAB"      # in the environment of all that is started


class Lab:
    def __init__(self):
        self.root = Path(tempfile.mkdtemp(prefix="registry-lab-"))
        # PRIVATE_REGISTRY_… would configure the program under test
        outside = {key: value for key, value in os.environ.items()
                   if not key.startswith("PRIVATE_REGISTRY")}
        self.environment = dict(outside, **{MARK: str(self.root)},
                                HOME=str(self.directory("home")))
        self._parts = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def directory(self, name):
        """A new empty directory, its name made unique."""
        return Path(tempfile.mkdtemp(prefix=name + "-", dir=self.root))

    def own(self, part):
        """Stop `part` when the laboratory closes."""
        self._parts.append(part)
        return part

    def close(self):
        while self._parts:
            self._parts.pop().stop()
        wait_until(self._cleared, f"{self.root} to be cleared")

    def _cleared(self):
        """What a part has ended may hold on to its files for a moment."""
        for mount in reversed(mounts_below(self.root)):
            os.system(f"umount -l '{mount}'")
        shutil.rmtree(self.root, ignore_errors=True)
        return not self.root.exists()

    def leftovers(self):
        """Processes, mounts and directories that are still there, as text."""
        left = [f"process {pid}: {command}"
                for pid, command in processes_marked(str(self.root))]
        left += [f"mount {mount}" for mount in mounts_below(self.root)]
        if self.root.exists():
            left.append(f"directory {self.root}")
        return left


def mounts_below(root):
    with open("/proc/self/mountinfo") as table:
        points = [line.split()[4] for line in table]
    return [point for point in points if point.startswith(str(root) + "/")]


def processes_marked(value):
    """(pid, command line) of each process that carries the lab's mark."""
    mark = f"{MARK}={value}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                command = (entry / "cmdline").read_bytes()
                yield int(entry.name), command.replace(b"\0", b" ").decode()
        except OSError:
            pass    # it ended while we looked
