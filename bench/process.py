"""A server that runs, and what it costs: CPU seconds and memory."""

import os
import re
import subprocess
import threading
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


class Process:
    """A program with all its children, its output in the file `log`."""

    def __init__(self, argv, log):
        with open(log, "ab") as output:
            self._popen = subprocess.Popen(
                [str(word) for word in argv], stdin=subprocess.DEVNULL,
                stdout=output, stderr=output)
        self._log = log

    def check(self):
        """Raises, with the end of its log, if it has ended by itself."""
        if self._popen.poll() is not None:
            raise RuntimeError(f"{self._popen.args[0]} ended:\n" + "\n".join(
                self._log.read_text("utf-8", "replace").splitlines()[-5:]))

    def signal(self, number):
        self._popen.send_signal(number)

    def stop(self):
        self._popen.terminate()
        try:
            self._popen.wait(10)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def pids(self):
        found = [self._popen.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        return found

    def cpu(self):
        """Seconds of CPU, user and system, that all of it took so far."""
        return sum(map(_ticks, self.pids())) / TICK

    def anonymous(self):
        """MB (1000 x 1000 bytes) resident that no file backs."""
        return sum(map(_anonymous, self.pids())) * 1024 / 1e6


def _ticks(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def _anonymous(pid):
    return int(re.search(r"RssAnon:\s+(\d+)",
                         Path(f"/proc/{pid}/status").read_text())[1])


class Peak:
    """The most anonymous memory of a process while the block runs."""

    def __init__(self, process):
        self._process = process
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._run)
        self.value = 0

    def _run(self):
        while not self._over.is_set():
            self.value = max(self.value, self._process.anonymous())
            time.sleep(0.02)

    def __enter__(self):
        self._watch.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._watch.join()
