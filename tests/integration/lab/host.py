"""A host that is a directory, and the agent at work on it."""

import os
import stat
import subprocess

from .process import Process
from .registry import BINARY, logfmt
from .waiting import wait_until

ENVIRONMENT = "# by hand\nLANG=C"      # without an end
REGISTRIES = 'unqualified-search-registries = ["docker.io"]\n'
HOSTS = "etc/containerd/certs.d/docker.io/hosts.toml"
DROP_IN = "etc/containers/registries.conf.d/50-private-registry.conf"


class Host:
    """`before` stands in front of the agent."""

    def __init__(self, lab, root=None, before=()):
        self._lab = lab
        self.before = before
        self.root = root or lab.directory("host")
        for name in "etc/containerd", "etc/containers", "run":
            (self.root / name).mkdir(parents=True)
        (self.root / "etc/containers/registries.conf").write_text(REGISTRIES)
        (self.root / "environment").write_text(ENVIRONMENT)
        os.chmod(self.root / "environment", 0o640)
        (self.root / "etc/environment").symlink_to("/environment")

    def snapshot(self):
        """{path: what is there}, but for the agent's own state."""
        while True:
            try:
                return {str(path.relative_to(self.root)): describe(path)
                        for path in sorted(self.root.rglob("*"))
                        if not is_state(path.relative_to(self.root))}
            except FileNotFoundError:
                pass    # the agent is at work

    def read(self, name):
        """The text of a file; "" if there is none."""
        try:
            return (self.root / name).read_text()
        except FileNotFoundError:
            return ""

    def call(self, *arguments):
        """The agent, to its end: (exit status, standard output, error)."""
        done = subprocess.run(self._command(arguments), text=True,
                              env=self._lab.environment, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def once(self, registry, *more):
        """Points it at the registry's URL."""
        return self.call("--registry", registry, "--once", *more)

    def uninstall(self, *more):
        return self.call("--uninstall", *more)

    def start(self, *arguments):
        """An agent that stays."""
        log = self._lab.directory("agent") / "log"
        return self._lab.own(Process(self._lab, self._command(arguments), log))

    def _command(self, arguments):
        words = [*self.before, BINARY, "agent", *arguments,
                 "--root", self.root]
        return [str(word) for word in words]


def do(call, *arguments):
    """Calls the agent again as long as a daemon was too busy to answer."""
    wait_until(lambda: is_done(*call(*arguments)), call)


def is_done(status, out, err):
    print(out, err)
    busy = ": pending" in out or "agent: failed /etc/docker/daemon.json" in out
    assert status == 0 or busy
    return not busy


def is_state(path):
    state = ("var", "lib", "private-registry")
    return path.parts[:3] == state[:len(path.parts)]


def describe(path):
    """Mode, owner, and bytes or what a link leads to."""
    status = path.lstat()
    content = None
    if path.is_symlink():
        content = os.readlink(path)
    elif stat.S_ISREG(status.st_mode):
        content = path.read_bytes()
    return oct(status.st_mode), status.st_uid, status.st_gid, content


def events(process, event):
    return [line for line in map(logfmt, process.output().splitlines())
            if line.get("event") == event]
