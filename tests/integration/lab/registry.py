"""The program under test: `private-registry serve` with a configuration."""

import os
import re
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from .endpoint import Endpoint
from .ports import free_port
from .process import Process
from .waiting import wait_until
from .wire import Wire, ask

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("PRIVATE_REGISTRY",
                             ROOT / "build" / "private-registry"))
HOST = "127.0.0.1"
# What sd_listen_fds(3) wants: descriptor 3, and the number of the process.
PASS = ("/bin/bash", "-c", 'exec 3<&"$0"; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"')


@dataclass
class Seen:
    """One request, as a registry's own log tells it."""
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


class Registry:
    """Upstreams are {name: url}; `bound` names the upstream of a second port.

    `mirror` adds keys to the configuration's mirror, `options` adds keys to
    upstreams by name, `tls` is (certificate, key) of one more port, maybe
    with more of its keys in a dictionary, `settings` are further keys of the
    configuration, and `before` stands in front of the program.
    """

    def __init__(self, lab, upstreams=None, *, bound=None, tls=None,
                 mirror=None, options=None, settings=None, data=None,
                 arguments=(), before=(), host=HOST):
        assert BINARY.exists(), f"{BINARY} is not built"
        self._lab = lab
        home = lab.directory("registry")
        self.data = data or home / "data"
        self.configuration = home / "config.yaml"
        self._log = home / "log"
        self._arguments = arguments
        self._before = before
        self._passed = ()
        self.address = (host, free_port(host))
        self.bound = (host, free_port(host)) if bound else None
        self.tls = (host, free_port(host)) if tls else None
        self.plain = Endpoint(self.host)
        self.secure = Endpoint("%s:%d" % self.tls, trust(home, tls[0])) \
            if tls else None
        self.configuration.write_text(yaml(self._configure(
            upstreams or {}, bound, tls, mirror or {}, options or {})
            | (settings or {})))
        self._process = None
        lab.own(self)

    def _configure(self, upstreams, bound, tls, mirror, options):
        listen = [{"address": "%s:%d" % self.address}]
        if bound:
            listen.append({"address": "%s:%d" % self.bound,
                           "upstream": bound})
        if tls:
            listen.append({"address": "%s:%d" % self.tls,
                           "tls": dict(*tls[2:], certificate=tls[0],
                                       key=tls[1])})
        entries = [dict(name=name, urls=[url], **options.get(name, {}))
                   for name, url in upstreams.items()]
        names = list(upstreams)
        return {"data": self.data, "listen": listen, "mirror": dict(
            {"default": names[0] if names else "", "upstreams": entries},
            **mirror)}

    # ---------------------------------------------------------- life, death

    def start(self, wait=True):
        """Starts it and waits until it is ready; returns itself."""
        self._process = Process(self._lab, [
            *self._before, BINARY, "serve", "--config", self.configuration,
            *self._arguments], self._log, self._passed)
        if wait:
            wait_until(self.ready, "private-registry to be ready")
        return self

    def inherit(self, listening):
        """It starts with this socket, as a service manager passes one."""
        self._passed = [listening.fileno()]
        self._before = (*PASS, str(listening.fileno()))

    def ready(self):
        assert self._process.running(), self.log()
        try:
            return ask(self.address, "GET", "/readyz").status == 200
        except OSError:
            return False

    def stop(self):
        """SIGTERM; the exit status. A sanitizer's complaint is an error."""
        if not self._process:
            return None
        status = self._process.stop()
        assert "Sanitizer" not in self.log(), self.log()
        assert "runtime error:" not in self.log(), self.log()
        return status

    def kill9(self):
        self._process.kill9()

    def restart(self):
        status = self.stop()
        assert status == 0, self.log()
        return self.start()

    def edit(self, old, new):
        """Its configuration, which a start or a SIGHUP takes.

        `old` stands there once: paths and ports are random, "1h" may be one.
        """
        text = self.configuration.read_text()
        assert text.count(old) == 1, text
        self.configuration.write_text(text.replace(old, new))

    def signal(self, number=signal.SIGHUP):
        self._process.signal(number)

    def wait(self, seconds=60):
        return self._process.wait(seconds)

    def running(self):
        return self._process.running()

    # -------------------------------------------------------------- talking

    @property
    def host(self):
        """host:port, as it stands in front of an image's name."""
        return "%s:%d" % self.address

    @property
    def url(self):
        return "http://" + self.host

    @property
    def bound_url(self):
        return "http://%s:%d" % self.bound

    def connect(self, **options):
        return Wire(self.address, **options)

    def ask(self, method, target, body=None, **headers):
        return ask(self.address, method, target, body, **headers)

    # ------------------------------------------------------------- watching

    def log(self):
        return self._log.read_text(errors="replace")

    def log_lines(self, event=None):
        """The logfmt lines of this event, each as a dictionary.

        Of the last one only the beginning may be written yet.
        """
        whole = self.log().rpartition("\n")[0]
        lines = [logfmt(line) for line in whole.splitlines()]
        return [line for line in lines if event in (None, line.get("event"))]

    def requests(self):
        """All that it was asked until now, oldest first."""
        mark = f"/v2/mark/{len(self.log())}"
        self.ask("GET", mark)
        wait_until(lambda: mark in self.log(), "its own log")
        return [Seen(line["method"], line["path"], int(line["status"]),
                     int(line["sent"]))
                for line in self.log_lines("request") if "path" in line
                and not line["path"].startswith("/v2/mark/")]

    def metrics(self):
        """{name{labels}: value}, as Prometheus reads it."""
        text = self.ask("GET", "/metrics").body.decode()
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in text.splitlines()
                 if line and not line.startswith("#"))}

    def anonymous_memory(self):
        """Bytes that are resident and backed by no file."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) * 1024

    def peak_memory(self):
        """Bytes that were ever resident, files that it maps among them."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024

    @property
    def pid(self):
        return self._process.pid

    def user(self):
        """(user, group) that it runs as."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return tuple(int(re.search(rf"{name}:\t\d+\t(\d+)", status)[1])
                     for name in ("Uid", "Gid"))

    def threads(self):
        return len(os.listdir(f"/proc/{self._process.pid}/task"))

    def open_files(self):
        return len(os.listdir(f"/proc/{self._process.pid}/fd"))

    def descriptors(self):
        """What each open descriptor leads to."""
        names = []
        for entry in Path(f"/proc/{self._process.pid}/fd").iterdir():
            try:
                names.append(os.readlink(entry))
            except OSError:
                pass    # it was closed while we looked
        return names

    def connections(self):
        """Its sockets that somebody is, or was, connected to."""
        listening = {f"socket:[{inode}]" for inode in listening_sockets()}
        return [name for name in self.descriptors()
                if name.startswith("socket:") and name not in listening]


def listening_sockets():
    """Inodes of TCP and Unix sockets that accept connections."""
    for table, state, listens, inode in [("tcp", 3, "0A", 9),
                                         ("tcp6", 3, "0A", 9),
                                         ("unix", 3, "00010000", 6)]:
        for line in Path(f"/proc/net/{table}").read_text().splitlines():
            fields = line.split()
            if len(fields) > inode and fields[state] == listens:
                yield fields[inode]


def trust(home, certificate):
    """A directory as clients want it, with what they shall trust."""
    directory = home / "trust"
    directory.mkdir()
    shutil.copy(certificate, directory / "ca.crt")
    return directory


def sanitized():
    """Built with a sanitizer: right for faults, wrong for figures."""
    program = BINARY.read_bytes()
    return b"__asan_init" in program or b"__tsan_init" in program


def logfmt(line):
    """key=value key="a value" …, the quotes resolved."""
    fields = re.findall(r'(\S+?)=("(?:[^"\\]|\\.)*"|\S*)', line)
    return {key: value.strip('"').replace('\\"', '"')
            for key, value in fields}


def yaml(value, indent=""):
    """Configuration as a person writes it: block mappings and lists."""
    if isinstance(value, dict):
        return "".join(f"{indent}{key}:{_inside(each, indent)}"
                       for key, each in value.items())
    return "".join(f"{indent}- " + yaml(each, indent + "  ").lstrip()
                   if isinstance(each, dict) else f"{indent}- {each}\n"
                   for each in value)


def _inside(value, indent):
    if isinstance(value, (dict, list)) and value:
        return "\n" + yaml(value, indent + "  ")
    if isinstance(value, list):
        return " []\n"
    return f' "{value}"\n' if value == "" else f" {value}\n"
