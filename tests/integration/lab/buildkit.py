"""A buildkitd of its own, and buildctl."""

from .go_tools import go_tool
from .mounts import on_overlay
from .process import Process, run
from .waiting import wait_until

CONFIGURATION = """\
root = "{home}/root"
[grpc]
  address = ["{address}"]
[worker.oci]
  snapshotter = "{snapshotter}"
  binary = "runc"
[worker.containerd]
  enabled = false
"""


class BuildKit:
    """With these endpoints; or on the directory `etc`, its /etc/buildkit."""

    def __init__(self, lab, endpoints, etc=None):
        self._lab = lab
        home = lab.directory("buildkit")
        self._address = f"unix://{home}/socket"
        configuration = (etc or home) / "buildkitd.toml"
        others = configuration.read_text() if etc else \
            "".join(map(registry, endpoints))
        (home / "buildkitd.toml").write_text(CONFIGURATION.format(
            home=home, address=self._address,
            snapshotter="native" if on_overlay(home) else "overlayfs")
            + others)
        self._process = Process(lab, [
            go_tool("buildkitd"), "--config", home / "buildkitd.toml",
            "--oci-worker-net=host"], home / "log")
        lab.own(self)
        wait_until(self._answers, "buildkitd to answer")

    def _answers(self):
        assert self._process.running(), self._process.output()
        return self.run("debug", "workers", check=False)

    def stop(self):
        self._process.stop()

    def run(self, *arguments, **how):
        return run(self._lab, go_tool("buildctl"), "--addr", self._address,
                   *arguments, **how)

    def build(self, context, *options):
        """Builds the Dockerfile in `context` and pushes what it is told."""
        self.run("build", "--progress", "plain", "--frontend",
                 "dockerfile.v0", "--local", f"context={context}", "--local",
                 f"dockerfile={context}", *options)

    def forget(self):
        self.run("prune", "--all")


def registry(endpoint):
    """Its section; 127.0.0.1 would be plain HTTP if it were not told."""
    trust = f'ca = ["{endpoint.ca}"]' if endpoint.trust else ""
    plain = "false" if endpoint.trust else "true"
    return f'[registry."{endpoint.host}"]\n  http = {plain}\n  {trust}\n'
