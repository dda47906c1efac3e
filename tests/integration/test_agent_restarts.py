"""What reads its configuration only at its start is restarted, if it may be.

systemctl is played, and so are the daemons that it would restart; what is
written for them is read by the real ones.
"""

import pytest

from lab.buildkit import BuildKit
from lab.host import Host
from lab.process import run
from lab.standin import Resident, Systemctl

FAILED, CONFLICTS = 1, 3
BUILDKIT, CONTAINERD = "--restart-buildkitd", "--enable-containerd-config"
OWN = "debug = true\n[grpc]\n  gid = 7"         # without an end
CONFIG = "etc/containerd/config.toml"
KUBERNETES = 'plugins."io.containerd.grpc.v1.cri".registry'
EMPTY = f"""\
version = 2
[{KUBERNETES}]
  config_path = ""
  [{KUBERNETES}.mirrors]
[debug]
  level = "info"
"""


@pytest.fixture
def host(scene):
    host = Host(scene)
    (host.root / "etc/buildkit").mkdir()
    (host.root / "etc/buildkit/buildkitd.toml").write_text(OWN)
    return host


@pytest.fixture
def systemctl(host):
    return Systemctl(host)


# ---------------------------------------------------------------- buildkit

def test_without_leave_buildkit_is_only_told_of(host, systemctl, registry):
    status, out, _ = host.once(registry.url)
    assert status == 0 and "with --restart-buildkitd it is pointed" in out
    assert host.read("etc/buildkit/buildkitd.toml") == OWN
    assert systemctl.told() == []


def test_buildkit_is_pointed_and_restarted_and_back(scene, host, systemctl,
                                                    registry):
    Resident(scene, host, "buildkitd")
    before = host.snapshot()
    status, out, err = host.once(registry.url, BUILDKIT)
    assert status == 0, (out, err)
    assert host.read("etc/buildkit/buildkitd.toml").startswith(OWN + "\n# ")
    assert "buildkit: restarted buildkit.service" in out
    assert host.once(registry.url, BUILDKIT)[0] == 0
    assert systemctl.told() == ["try-restart buildkit.service"]

    status, out, err = host.uninstall(BUILDKIT)
    assert status == 0 and "buildkit: restarted" in out, (out, err)
    assert systemctl.told() == ["try-restart buildkit.service"] * 2
    assert host.snapshot() == before


def test_a_buildkit_that_does_not_run_is_not_started(host, systemctl, registry):
    assert host.once(registry.url, BUILDKIT)[0] == 0
    assert systemctl.told() == []


def test_what_buildkit_does_not_start_with_is_taken_back(scene, host, systemctl,
                                                         registry):
    Resident(scene, host, "buildkitd")
    systemctl.breaks()
    status, out, _ = host.once(registry.url, BUILDKIT)
    assert status == FAILED
    assert "Job for buildkit.service failed." in out
    assert host.read("etc/buildkit/buildkitd.toml") == OWN


def test_what_the_operator_says_to_buildkit_stays(host, registry):
    own = '[registry."docker.io"]\n  mirrors = ["mine"]\n'
    (host.root / "etc/buildkit/buildkitd.toml").write_text(own)
    status, out, _ = host.once(registry.url, BUILDKIT, "--upstream", "ghcr.io")
    assert status == CONFLICTS and "buildkit: conflict docker.io" in out
    text = host.read("etc/buildkit/buildkitd.toml")
    assert text.startswith(own) and text.count("docker.io") == 1
    assert f'mirrors = ["{registry.host}/ghcr.io"]' in text


def test_a_real_buildkit_builds_through_it(scene, hub, images, host,
                                           start_registry):
    registry = start_registry({"docker.io": hub.url})
    (host.root / "etc/buildkit/buildkitd.toml").write_text("")
    assert host.once(registry.url, BUILDKIT)[0] == 0
    buildkit = BuildKit(scene, [], etc=host.root / "etc/buildkit")
    context = scene.directory("context")
    (context / "Dockerfile").write_text(
        f"FROM {images[0].name}\nCOPY Dockerfile /\n")
    buildkit.build(context)
    asked = [seen.path for seen in registry.requests()]
    assert any(f"docker.io/{images[0].repository}/blobs/" in path
               for path in asked), asked


# -------------------------------------------------------------- containerd

@pytest.mark.parametrize("text", [None, EMPTY, "version = 2", f"""\
version = 2
[{KUBERNETES}]
"""], ids=["none", "empty", "short", "table"])
def test_containerd_is_made_to_read_it_by_one_restart(scene, host, systemctl,
                                                      registry, text):
    if text is not None:
        (host.root / CONFIG).write_text(text)
    Resident(scene, host, "containerd")
    before = host.snapshot()
    assert "has no config_path" in host.once(registry.url)[1]
    assert host.uninstall()[0] == 0 and host.snapshot() == before

    status, out, err = host.once(registry.url, CONTAINERD)
    assert status == 0 and "containerd: note" not in out, (out, err)
    dump = run(scene, "containerd", "--config", host.root / CONFIG, "config",
               "dump")
    assert '    config_path = "/etc/containerd/certs.d"' in dump
    assert host.once(registry.url, CONTAINERD)[0] == 0

    assert host.uninstall(CONTAINERD)[0] == 0
    assert systemctl.told() == ["try-restart containerd.service"]
    assert host.snapshot() == before


@pytest.mark.parametrize("text,why", [
    (f'version = 2\n[{KUBERNETES}.mirrors."docker.io"]\n',
     "it has mirrors or configs"),
    ('disabled_plugins = []\n', "neither version = 2 nor version = 3"),
])
def test_what_containerd_would_not_take_is_a_conflict(host, systemctl, registry,
                                                      text, why):
    (host.root / CONFIG).write_text(text)
    status, out, _ = host.once(registry.url, CONTAINERD)
    assert status == CONFLICTS and why in out
    assert host.read(CONFIG) == text and systemctl.told() == []


def test_a_containerd_with_another_file_is_left_alone(scene, host, systemctl,
                                                      registry):
    Resident(scene, host, "containerd", "--config", "/elsewhere.toml")
    status, out, _ = host.once(registry.url, CONTAINERD)
    assert status == 0 and "containerd was started with another file" in out
    assert not host.read(CONFIG) and systemctl.told() == []
