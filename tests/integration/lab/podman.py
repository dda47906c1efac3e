"""podman and buildah on one store, which is all their own."""

import http.client
import json
import socket

from .mounts import bound, on_overlay
from .process import Process, run
from .waiting import wait_until

# This laboratory's kernel and limits suit neither podman's choice of runtime
# nor of ulimits; nothing is shared with the machine's own containers.
CONTAINERS = """\
[containers]
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
tmp_dir = "{home}/tmp"
volume_path = "{home}/volumes"
"""
STORAGE = """\
[storage]
driver = "{driver}"
graphroot = "{home}/store"
runroot = "{home}/run"
[storage.options]
pull_options = {{enable_partial_images = "true", use_hard_links = "false", \
ostree_repos = ""}}
"""

# Where the mirror fails there is nothing, rather than Docker Hub.
REGISTRIES = """\
[[registry]]
prefix = "docker.io"
location = "127.0.0.1:1"
[[registry.mirror]]
location = "{host}/docker.io"
insecure = true
"""


class Podman:
    """`before` stands in front of each command."""

    def __init__(self, lab, endpoint, before=()):
        self._lab = lab
        self._before = before
        self._endpoint = endpoint
        home = self._home = lab.directory("podman")
        self.driver = "vfs" if on_overlay(home) else "overlay"
        self._variables = {
            "CONTAINERS_CONF": self._write(home / "containers.conf",
                                           CONTAINERS.format(home=home)),
            "CONTAINERS_STORAGE_CONF": self._write(
                home / "storage.conf",
                STORAGE.format(home=home, driver=self.driver))}

    @staticmethod
    def _write(path, text):
        path.write_text(text)
        return str(path)

    @property
    def trust(self):
        return f"--cert-dir={self._endpoint.trust}" if self._endpoint.trust \
            else "--tls-verify=false"

    def run(self, *arguments):
        return run(self._lab, *self._before, "podman", *arguments,
                   **self._variables)

    def buildah(self, *arguments):
        return run(self._lab, *self._before, "buildah", *arguments,
                   **self._variables)

    def name(self, name):
        """The image's, at the endpoint."""
        return f"{self._endpoint.host}/{name}"

    def pull(self, name):
        """The digest of the image's configuration."""
        return "sha256:" + self.run("pull", "--quiet", self.trust,
                                    self.name(name)).strip()

    def push(self, local, name, *options):
        self.run("push", "--quiet", self.trust, *options, local,
                 self.name(name))

    def forget(self):
        self.run("image", "rm", "--all", "--force")


class MirroredPodman(Podman):
    """It finds docker.io at `endpoint`, and nowhere else."""

    def __init__(self, lab, endpoint, before=()):
        super().__init__(lab, endpoint, before)
        self._variables["CONTAINERS_REGISTRIES_CONF"] = self._write(
            self._home / "registries.conf",
            REGISTRIES.format(host=endpoint.host))

    def pull(self, image, architecture="amd64"):
        """Pulls it, and proves it by the config's digest."""
        config = self.run("pull", "--quiet", "--arch", architecture,
                          f"docker.io/{image.repository}:{image.tag}").strip()
        assert "sha256:" + config == image.config_for(architecture)


class SocketConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class PodmanService(Podman):
    """podman system service, which sees `mounts`, {path: place}."""

    def __init__(self, lab, mounts, before=()):
        super().__init__(lab, None, before)
        self._socket = self._home / "socket"
        self._process = lab.own(Process(lab, [*before, *bound(
            mounts, "env",
            *[f"{name}={value}" for name, value in self._variables.items()],
            "podman", "system", "service", "--time=0",
            f"unix://{self._socket}")], self._home / "log"))
        wait_until(self._answers, "podman to answer")

    def _answers(self):
        try:
            return self.registries()
        except OSError:
            return None     # it does not listen yet

    def registries(self):
        """Those that it goes by."""
        assert self._process.running(), self._process.output()
        asked = SocketConnection(self._socket)
        asked.request("GET", "/v4.0.0/libpod/info")
        answer = asked.getresponse()
        assert answer.status == 200, answer.read()
        return json.loads(answer.read())["registries"]
