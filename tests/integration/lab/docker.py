"""Debian's dockerd with its own roots, and its client."""

import json
import re
import signal

from .mounts import beside, bound, on_overlay
from .process import Process, run
from .waiting import wait_until


RELOADED = "Reloaded configuration"


class Docker:
    """A dockerd whose docker.io is mirrored at each URL of `mirrors`.

    `settings` are more of its configuration. Or the directory `etc` is its
    /etc/docker. `before` stands in front of dockerd, whose client is the one
    that is found beside it. Its containers have this machine's network, or
    none.
    """

    NETWORK = ("--iptables=false", "--ip-forward=false", "--bridge=none")

    def __init__(self, lab, mirrors=(), settings=None, etc=None, driver=None,
                 before=()):
        self._lab = lab
        home = lab.directory("docker")
        self.socket = home / "socket"
        driver = driver or ("vfs" if on_overlay(home) else "overlay2")
        (home / "daemon.json").write_text(json.dumps({
            "registry-mirrors": list(mirrors),
            "storage-driver": driver} | (settings or {})))
        start = ["/usr/sbin/dockerd", "--config-file", home / "daemon.json"]
        if etc:
            start = bound({etc: "/etc/docker"}, "/usr/sbin/dockerd",
                          "--storage-driver", driver)
        self._process = Process(lab, [
            *before, *start,
            "--host", f"unix://{self.socket}", "--pidfile", home / "pid",
            "--data-root", home / "data", "--exec-root", home / "exec",
            *self.NETWORK], home / "log")
        lab.own(self)
        self._beside = beside(self.pid) if before else ()
        wait_until(lambda: self._answers(), "dockerd to answer", seconds=60)

    def _answers(self):
        assert self._process.running(), self._process.output()
        return self.socket.exists() and \
            self.run("version", check=False).count("Server:")

    @property
    def pid(self):
        return self._process.pid

    def reload(self):
        """Reads its configuration again."""
        since = self._process.output().count(RELOADED)
        self._process.signal(signal.SIGHUP)
        wait_until(lambda: self._process.output().count(RELOADED) > since,
                   "dockerd to reload")

    def stop(self):
        self._process.stop()

    def run(self, *arguments, **how):
        return run(self._lab, *self._beside, "/usr/bin/docker", "--host",
                   f"unix://{self.socket}", *arguments, **how)

    def version(self):
        """The first number of it."""
        said = self.run("version", "--format", "{{.Server.Version}}")
        return int(said.split(".")[0])

    def pull(self, image, architecture="amd64"):
        """Pulls and proves it: the config's digest pins every layer, or that
        of its manifest, by which containerd's store knows it."""
        self.run("pull", "--quiet", "--platform", f"linux/{architecture}",
                 image.name)
        known = self.inspect(image.name)
        assert known["Id"] in (image.config_for(architecture), image.digest)
        assert image.digest in [digest.split("@")[1]
                                for digest in known["RepoDigests"]]

    def push(self, name):
        """The digest that the registry gave it."""
        return re.search(r"digest: (sha256:[0-9a-f]+)",
                         self.run("push", name))[1]

    def inspect(self, name):
        return json.loads(self.run("image", "inspect", name))[0]

    def forget(self):
        """Removes every image and layer."""
        self.run("image", "prune", "--all", "--force")
        assert self.run("images", "--all", "--quiet") == ""


class HostDocker(Docker):
    """The dockerd of a lab.host.Host."""

    def __init__(self, lab, host):
        etc = host.root / "etc/docker"
        etc.mkdir()
        super().__init__(lab, etc=etc)
        (host.root / "run/docker.sock").symlink_to(self.socket)
        (host.root / "run/docker.pid").write_text(str(self.pid))

    def mirrors(self):
        """As it prints them: "[http://mirror/]"."""
        return self.run("info", "--format",
                        "{{.RegistryConfig.Mirrors}}").strip()


class BridgedDocker(Docker):
    """In a network of its own: ports are published there, and nowhere else."""

    NETWORK = ()

    def __init__(self, lab):
        super().__init__(lab, before=(
            "unshare", "--net", "/bin/sh", "-c",
            'busybox ip link set lo up && exec "$@"', "sh"))
