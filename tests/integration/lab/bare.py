"""A server that does nothing but sendfile: what serving bytes can cost."""

import sys
from pathlib import Path

from .ports import free_port
from .process import Process
from .waiting import listens, wait_until

PROGRAM = Path(__file__).with_name("bare_server.py")


class BareServer:
    """Answers every request with the content."""

    def __init__(self, lab, content):
        home = lab.directory("bare")
        file = home / "content"
        file.write_bytes(content.view)
        self.address = ("127.0.0.1", free_port())
        lab.own(self)
        self._process = Process(lab, [
            sys.executable, PROGRAM, self.address[1], file], home / "log")
        wait_until(lambda: listens(self.address), "the bare server")

    def stop(self):
        self._process.stop()
