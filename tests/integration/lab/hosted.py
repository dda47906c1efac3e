"""Engines of a Host: its directories are their own.

Each pulls images of docker.io, and proves what it got; daemons() are the
processes that have to outlive whatever is done to the host.
"""

import json
from pathlib import Path

from . import processes_marked
from .containerd import Containerd
from .docker import Docker
from .images import BUSYBOX, layer
from .mounts import bound
from .podman import Podman
from .process import run
from .tree import CRICTL, program_of_tree

POLICY = {"default": [{"type": "insecureAcceptAnything"}]}
DAEMONS = "dockerd", "containerd", "containerd-shim-runc-v2"


class HostedDocker(Docker):
    """A container runs in it that ends only with it."""

    def __init__(self, scene, host, before, settings=None, driver=None):
        etc = host.root / "etc/docker"
        etc.mkdir()
        (etc / "daemon.json").write_text(
            json.dumps({"debug": True} | (settings or {})))
        super().__init__(scene, etc=etc, driver=driver, before=before)
        (host.root / "run/docker.sock").symlink_to(self.socket)
        (host.root / "run/docker.pid").write_text(str(self.pid))
        root = layer(scene.directory("root") / "root.tar",
                     {"bin/busybox": BUSYBOX, "sleeps": BUSYBOX})
        self.run("import", root.path, "sleeper")
        self._container = self.run(
            "run", "--detach", "--network", "none", "--stop-signal", "KILL",
            "sleeper", "/bin/busybox", "sleep", "1000000").strip()

    def daemons(self):
        state = json.loads(self.run("inspect", self._container))[0]["State"]
        assert state["Running"]
        return daemons(self._lab) | {(state["Pid"], "the container")}


class HostedContainerd(Containerd):
    def __init__(self, scene, host, before):
        (host.root / "etc/containerd/config.toml").write_text(self.CONFIG)
        etc = bound({host.root / "etc/containerd": "/etc/containerd"})
        super().__init__(scene, hosts=Path("/etc/containerd/certs.d"),
                         before=(*before, *etc))

    def daemons(self):
        return daemons(self._lab)


class HostedCri(HostedContainerd):
    """As Kubernetes uses it."""

    CONFIG = """\
version = 2
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/etc/containerd/certs.d"
"""

    def __init__(self, scene, host, before):
        self._program = program_of_tree(CRICTL)
        super().__init__(scene, host, before)

    def pull(self, image):
        name = f"docker.io/{image.repository}:{image.tag}"
        self._crictl("pull", name)
        known = json.loads(self._crictl("inspecti", name))["status"]
        assert known["id"] == image.config

    def _crictl(self, *arguments):
        socket = f"unix://{self._address}"
        return run(self._lab, self._program, "--timeout", "100s",
                   "--image-endpoint", socket, "--runtime-endpoint", socket,
                   *arguments)


class HostedPodman(Podman):
    """Nothing of it runs longer than a command."""

    def __init__(self, scene, host, before):
        etc = host.root / "etc/containers"
        (etc / "policy.json").write_text(json.dumps(POLICY))
        super().__init__(scene, None,
                         (*before, *bound({etc: "/etc/containers"})))

    def pull(self, image):
        config = self.run("pull", "--quiet",
                          f"docker.io/{image.repository}:{image.tag}").strip()
        assert "sha256:" + config == image.config

    def daemons(self):
        return set()


def daemons(lab):
    return {(pid, command) for pid, command in processes_marked(str(lab.root))
            if command and Path(command.split()[0]).name in DAEMONS}
