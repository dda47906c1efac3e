"""Debian's docker-registry, playing Docker Hub."""

import re

from .certificates import trusting
from .ports import free_port
from .process import Process
from .registry import Seen, yaml
from .waiting import listens, wait_until
from .wire import Wire

ACCESS_LOG = re.compile(r'"(\w+) (\S+) HTTP/[\d.]+" (\d+) (\d+)')


class Hub:
    """Holds images; with `proxy_of` it is a plain pull-through mirror.

    `data` is a directory that another has filled, `tls` is (certificate,
    key), and `tokens` is the TokenServer whose tokens it wants.
    """

    def __init__(self, lab, proxy_of=None, data=None, tls=None, tokens=None,
                 address=None):
        self._lab = lab
        directory = lab.directory("hub")
        self.data = data or directory / "data"
        self.address = address or ("127.0.0.1", free_port())
        self.url = "%s://%s:%d" % ("https" if tls else "http", *self.address)
        self._trust = trusting(tls[0]) if tls else None
        self._log = directory / "log"
        self._configuration = directory / "config.yml"
        self._configuration.write_text(yaml(
            self._configure(proxy_of, tls, tokens)))
        self._process = None
        lab.own(self)
        self.start()

    def _configure(self, proxy_of, tls, tokens):
        http = {"addr": "%s:%d" % self.address}
        if tls:
            http["tls"] = {"certificate": tls[0], "key": tls[1]}
        keys = {"version": 0.1, "log": {"level": "error"}, "http": http,
                "storage": {"filesystem": {"rootdirectory": self.data},
                            "delete": {"enabled": "true"}}}
        if proxy_of:
            keys["proxy"] = {"remoteurl": proxy_of}
        if tokens:
            keys["auth"] = {"token": tokens.expected}
        return keys

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
        with Wire(self.address, self._trust) as wire:
            wire.ask("GET", mark, Connection="close")
        wait_until(lambda: mark in self._log.read_text(),
                   "the hub's access log")
        return [Seen(method, path, int(status), int(size)) for
                method, path, status, size
                in ACCESS_LOG.findall(self._log.read_text())
                if not path.startswith("/v2/?")]
