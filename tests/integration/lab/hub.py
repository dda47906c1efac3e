"""Debian's docker-registry, playing Docker Hub."""

import re
from dataclasses import dataclass

from .ports import free_port
from .process import Process
from .waiting import listens, wait_until
from .wire import ask

CONFIGURATION = """\
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {directory}}}
  delete: {{enabled: true}}
http: {{addr: "{host}:{port}"}}
{proxy}"""
ACCESS_LOG = re.compile(r'"(\w+) (\S+) HTTP/1\.1" (\d+) (\d+)')


@dataclass
class Seen:
    """One request, as docker-registry's own access log tells it."""
    method: str
    path: str
    status: int
    bytes: int

    @property
    def is_blob(self):
        return "/blobs/" in self.path

    @property
    def digest(self):
        return self.path.rsplit("/", 1)[1]


class Hub:
    """Holds images; with `proxy_of` it is a plain pull-through mirror."""

    def __init__(self, lab, proxy_of=None):
        self._lab = lab
        self.address = ("127.0.0.1", free_port())
        self.url = "http://%s:%d" % self.address
        directory = lab.directory("hub")
        self._log = directory / "log"
        self._configuration = directory / "config.yml"
        self._configuration.write_text(CONFIGURATION.format(
            directory=directory / "data", host=self.address[0],
            port=self.address[1],
            proxy=f"proxy: {{remoteurl: {proxy_of}}}\n" if proxy_of else ""))
        self._process = None
        lab.own(self)
        self.start()

    def start(self):
        """Starts it, if it is not running."""
        if self._process and self._process.running():
            return
        self._process = Process(self._lab, ["docker-registry", "serve",
                                            self._configuration], self._log)
        wait_until(lambda: listens(self.address), "docker-registry to listen")

    def stop(self):
        self._process.kill9()

    def requests(self):
        """All that it was ever asked, oldest first."""
        mark = f"/v2/?{len(self._log.read_bytes())}"
        ask(self.address, "GET", mark)
        wait_until(lambda: mark in self._log.read_text(),
                   "the hub's access log")
        return [Seen(method, path, int(status), int(size)) for
                method, path, status, size
                in ACCESS_LOG.findall(self._log.read_text())
                if not path.startswith("/v2/?")]
