"""podman and buildah on one store, which is all their own."""

from .mounts import on_overlay
from .process import run

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
    def __init__(self, lab, endpoint):
        self._lab = lab
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
        return run(self._lab, "podman", *arguments, **self._variables)

    def buildah(self, *arguments):
        return run(self._lab, "buildah", *arguments, **self._variables)

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

    def __init__(self, lab, endpoint):
        super().__init__(lab, endpoint)
        self._variables["CONTAINERS_REGISTRIES_CONF"] = self._write(
            self._home / "registries.conf",
            REGISTRIES.format(host=endpoint.host))

    def pull(self, image, architecture="amd64"):
        """Pulls it, and proves it by the config's digest."""
        config = self.run("pull", "--quiet", "--arch", architecture,
                          f"docker.io/{image.repository}:{image.tag}").strip()
        assert "sha256:" + config == image.config_for(architecture)
