"""What stands between the program and its disk: faults, a log, an end.

A DiskShim is for one Registry (`before=shim.before`, below `shim.root`). Its
page is shared with the program, so that everything can be set at any time.
"""

import mmap
import os
import struct
import subprocess
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_name("disk_shim.c")
NUMBERS = struct.Struct("<QQqQiiq")       # as struct page begins
TEXTS = struct.Struct("<16s64s256s256sq")
COUNT, KILL_AT, CLOCK, MET, ERROR, RECORDS, LEFT = 0, 8, 16, 24, 32, 36, 40
ALL = 1 << 40


class DiskShim:
    def __init__(self, lab, root, record=False):
        home = lab.directory("shim")
        self.root, self.log = root, home / "log"
        self.log.touch()
        file = home / "page"
        file.write_bytes(bytes(NUMBERS.size + TEXTS.size))
        with open(file, "r+b") as page:
            self._page = mmap.mmap(page.fileno(), 0)
        self._texts("", "", 0)
        self._put("i", RECORDS, record)
        self.before = ("env", f"LD_PRELOAD={library(lab)}",
                       f"DISK_SHIM={file}",
                       "ASAN_OPTIONS=verify_asan_link_order=0:" +
                       os.environ.get("ASAN_OPTIONS", ""))

    def _put(self, kind, offset, value):
        struct.pack_into("<" + kind, self._page, offset, value)

    def _texts(self, call, part, filesystem):
        TEXTS.pack_into(self._page, NUMBERS.size, call.encode(),
                        part.encode(), str(self.root).encode(),
                        str(self.log).encode(), filesystem)

    @property
    def count(self):
        """How many changes the program has made below the root."""
        return struct.unpack_from("<Q", self._page, COUNT)[0]

    @property
    def met(self):
        """How many calls have failed because they were to."""
        return struct.unpack_from("<Q", self._page, MET)[0]

    def kill_at(self, count):
        """The program ends when it is about to make this change."""
        self._put("Q", KILL_AT, count)

    def set_clock(self, ahead):
        """The wall clock goes on from so many seconds ahead of the true."""
        self._put("q", CLOCK, ahead)

    def set_filesystem(self, magic):
        self._texts("", "", magic)

    @contextmanager
    def fault(self, call, part, error, times=ALL):
        """Meanwhile these calls fail, where `part` is in the path + "$"."""
        before = self.met
        self._put("q", LEFT, times)
        self._texts(call, part, 0)
        self._put("i", ERROR, error)
        try:
            yield
        finally:
            self._put("i", ERROR, 0)
        assert self.met > before, f"no {call} of {part} was met"


def library(lab):
    """The shim, built once for each laboratory."""
    path = lab.root / "disk_shim.so"
    if not path.exists():
        subprocess.run(["cc", "-std=gnu17", "-O1", "-Wall", "-Werror",
                        "-fPIC", "-shared", "-fvisibility=hidden", "-o", path,
                        SOURCE], check=True)
    return path
