"""A daemon that would ask the registry by a proxy is told of."""

import pytest

from lab.host import Host
from lab.standin import StandIn

SECRET = "http://user:secret@proxy.lan:3128"
NOTE = "asks the registry by a proxy: its NO_PROXY lacks 10.9.8.7"


@pytest.fixture
def host(scene):
    host = Host(scene)
    (host.root / "etc/docker").mkdir()
    return host


@pytest.mark.parametrize("name,directory,engine", [
    ("dockerd", "etc/docker", "docker"),
    ("containerd", "etc/containerd", "containerd"),
    ("crio", "etc/containers", "crio"),
])
@pytest.mark.parametrize("spared", ["", "10.9.0.0/16"])
def test_a_proxy_between_is_told_of(scene, host, name, directory, engine,
                                    spared):
    """A process that stands in for each; nothing of the proxy is told."""
    StandIn(scene, name, mounts={host.root / directory: f"/{directory}"},
            variables={"HTTP_PROXY": SECRET, "NO_PROXY": spared})
    status, out, err = host.call("--registry", "http://10.9.8.7:5000",
                                 "--dry-run")
    told = [line for line in out.splitlines() if NOTE in line]
    assert status == 0, (out, err)
    assert len(told) == (not spared), out
    assert all(line.startswith(f"{engine}: note process ") for line in told)
    assert "secret" not in out + err
