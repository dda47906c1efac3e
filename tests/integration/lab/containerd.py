"""Debian's containerd with its own roots, pulled through by ctr."""

from .mounts import beside, on_overlay
from .process import Process, run
from .waiting import wait_until

HOSTS = """\
server = "{url}"
[host."{url}"]
  capabilities = ["pull", "resolve", "push"]
"""


class Containerd:
    """A containerd that finds docker.io at `url`; it sends ?ns=docker.io.

    Or as a directory `hosts` says, in which there is one for each registry.
    `before` stands in front of it; ctr is the one that is found beside it.
    """

    CONFIG = 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'

    def __init__(self, lab, url=None, hosts=None, before=()):
        self._lab = lab
        home = lab.directory("containerd")
        self._address = home / "socket"
        self._hosts = hosts or home / "hosts"
        self._snapshots = "native" if on_overlay(home) else "overlayfs"
        if url:
            self._find("docker.io", HOSTS.format(url=url))
        (home / "config.toml").write_text(self.CONFIG)
        self._process = Process(lab, [
            *before, "/usr/bin/containerd", "--config", home / "config.toml",
            "--root", home / "root", "--state", home / "state",
            "--address", self._address], home / "log")
        lab.own(self)
        self._beside = beside(self._process.pid) if before else ()
        wait_until(lambda: self._answers(), "containerd to answer")

    def _find(self, host, text):
        (self._hosts / host).mkdir(parents=True)
        (self._hosts / host / "hosts.toml").write_text(text)

    def trust(self, endpoint):
        """From now on ctr can copy to and from this endpoint."""
        text = HOSTS.format(url=endpoint.url)
        if endpoint.trust:
            text += f'  ca = "{endpoint.ca}"\n'
        self._find(endpoint.host, text)

    def copy_in(self, reference):
        """All platforms."""
        self.run("images", "pull", "--hosts-dir", self._hosts,
                 "--all-platforms", "--snapshotter", self._snapshots,
                 reference)

    def copy_out(self, local, reference):
        self.run("images", "push", "--hosts-dir", self._hosts, reference,
                 local)

    def _answers(self):
        assert self._process.running(), self._process.output()
        return self._address.exists() and \
            self.run("version", check=False).count("Server:")

    def stop(self):
        self._process.stop()

    def run(self, *arguments, check=True):
        return run(self._lab, *self._beside, "/usr/bin/ctr", "--address",
                   self._address, *arguments, check=check)

    def pull(self, image, architecture="amd64"):
        """Pulls and unpacks it, and proves the digests."""
        name = self._name(image)
        self.run("images", "pull", "--hosts-dir", self._hosts,
                 "--platform", f"linux/{architecture}",
                 "--snapshotter", self._snapshots, name)
        listed = self.run("images", "ls", f"name=={name}")
        assert image.digest in listed
        assert image.config_for(architecture) in self.run("content", "ls",
                                                       "--quiet")

    def push(self, image, name):
        self.run("images", "push", "--plain-http", name, self._name(image))

    @staticmethod
    def _name(image):
        return f"docker.io/{image.repository}:{image.tag}"

    def forget(self):
        """Removes every image, and waits until its content is gone."""
        names = self.run("images", "ls", "--quiet").split()
        if names:
            self.run("images", "rm", "--sync", *names)
        assert self.run("content", "ls", "--quiet") == ""
