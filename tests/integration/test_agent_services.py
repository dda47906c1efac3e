"""CRI-O and podman's service read what came and went, and survive it.

podman is Debian's, 4.3.1. CRI-O, and podman 5, are not to be had here: a
process of that name stands in for each, and tells of its signals.
"""

import pytest

from lab.host import DROP_IN, Host
from lab.podman import PodmanService
from lab.standin import StandIn
from lab.waiting import wait_until


@pytest.fixture
def host(scene):
    host = Host(scene)
    (host.root / "run/crio").mkdir()
    return host


def mounts(host):
    return {host.root / "etc/containers": "/etc/containers"}


@pytest.fixture
def crio(scene, host):
    return StandIn(scene, "crio", "/run/crio/crio.sock",
                   mounts=mounts(host) | {host.root / "run": "/run"})


def until_said(text, call, *arguments):
    """A service that is too busy to answer is asked again at the next call."""
    wait_until(lambda: text in call(*arguments)[1], text)


def test_podmans_service_is_told_and_goes_on(scene, host, registry):
    service = PodmanService(scene, mounts(host))
    assert "docker.io" not in service.registries()

    until_said("podman: reloaded", host.once, registry.url)
    wait_until(lambda: f"{registry.host}/docker.io" in
               str(service.registries()), "the mirror")
    assert "reloaded" not in host.once(registry.url)[1]

    until_said("podman: reloaded", host.uninstall)
    wait_until(lambda: "docker.io" not in service.registries(),
               "no mirror")


def test_crio_is_told_once_and_only_when_it_is_up(host, crio, registry):
    """One that stands in for it."""
    status, out, _ = host.once(registry.url)
    assert status == 0 and "crio: pending" in out
    assert crio.hangups() == 0

    crio.rise()
    until_said("crio: reloaded", host.once, registry.url)
    wait_until(lambda: crio.hangups() == 1, "a signal")
    assert "crio:" not in host.once(registry.url)[1]

    (host.root / DROP_IN).unlink()
    assert "crio:" not in host.once(registry.url)[1]
    until_said("crio: reloaded", host.once, registry.url, "--upstream",
               "ghcr.io")
    wait_until(lambda: crio.hangups() == 2, "a signal")
    until_said("crio: reloaded", host.uninstall)
    wait_until(lambda: crio.hangups() == 3, "a signal")
    assert "crio:" not in host.uninstall()[1]
    assert crio.hangups() == 3


def test_a_podman_that_would_die_of_it_is_left_alone(scene, host, registry):
    """One that stands in for it."""
    socket = scene.directory("service") / "socket"
    podman = StandIn(scene, "podman", socket, '{"Version": "5.4.2"}',
                     ["system", "service", f"unix://{socket}"],
                     mounts(host)).rise()
    wait_until(socket.exists, "it to listen")
    for _ in range(2):
        until_said("podman: note process", host.once, registry.url)
    until_said("podman: note process", host.uninstall)
    assert podman.hangups() == 0


def test_what_is_not_of_this_host_is_not_told(scene, host, registry):
    """It has an /etc/containers of its own, as in a container."""
    other = StandIn(scene, "crio", scene.directory("crio") / "socket").rise()
    assert "crio:" not in host.once(registry.url)[1]
    assert other.hangups() == 0
