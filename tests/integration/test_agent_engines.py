"""Real engines are pointed at a registry and put back, and none of them ends.

The registry has an address that is not loopback, which engines treat in ways
of its own. For Docker Hub stands a registry of the laboratory's, so that it is
seen who asks it.
"""

import shutil
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from lab.address import Address
from lab.certificates import make_certificate
from lab.host import do
from lab.hosted import (HostedContainerd, HostedCri, HostedDocker,
                        HostedPodman)
from lab.hub import Hub
from lab.images import OCI, Image, add_platform, content_layer
from lab.mounts import bound
from lab.podman import PodmanService
from lab.pusher import push_image
from lab.registry import Registry
from lab.tree import HERE, NEWER, NEWEST
from lab.waiting import wait_until

HUB = "registry-1.docker.io"
BEFORE, POINTED, ALONE, AFTER = MOMENTS = "before", "pointed", "alone", "after"
CONTAINERDS = {"features": {"containerd-snapshotter": True}}
serial = count(1)


def docker(scene, host, before):
    return HostedDocker(scene, host, before)


def docker_containerds(scene, host, before):
    return HostedDocker(scene, host, before, CONTAINERDS, "native")


@dataclass
class Engine:
    """Who makes it, of whose programs, and which shows that it is there."""
    make: callable
    origin: object
    program: str


ENGINES = {
    "docker": Engine(docker, HERE, "usr/sbin/dockerd"),
    "containerd": Engine(HostedContainerd, HERE, "usr/bin/containerd"),
    "containerd, CRI": Engine(HostedCri, HERE, "usr/bin/containerd"),
    "podman": Engine(HostedPodman, HERE, "usr/bin/podman"),
    "newer docker, its store": Engine(docker, NEWER, "usr/sbin/dockerd"),
    "newer docker, containerd's store":
        Engine(docker_containerds, NEWER, "usr/sbin/dockerd"),
    "newer containerd": Engine(HostedContainerd, NEWER, "usr/bin/containerd"),
    "newer containerd, CRI": Engine(HostedCri, NEWER, "usr/bin/containerd"),
    "newer podman": Engine(HostedPodman, NEWER, "usr/bin/podman"),
    "newest docker, its store": Engine(docker, NEWEST, "usr/sbin/dockerd"),
    "newest docker, containerd's store":
        Engine(docker_containerds, NEWEST, "usr/sbin/dockerd"),
    "newest containerd":
        Engine(HostedContainerd, NEWEST, "usr/bin/containerd"),
    "newest containerd, CRI":
        Engine(HostedCri, NEWEST, "usr/bin/containerd"),
}


@dataclass
class World:
    """What is around the hosts of this file."""
    upstream: Hub           # of the registry
    docker_hub: Hub         # for who asks docker.io itself; has the same
    certificate: Path       # its, for everybody to trust
    names: str              # an /etc/hosts that leads there
    address: str            # for registries


@pytest.fixture(scope="module")
def world(module_scene):
    scene = module_scene
    upstream, address = Hub(scene), Address(scene).text
    theirs = make_certificate(scene, scene.directory("hub"), 1, HUB,
                              "DNS:localhost")      # for who reads its log
    names = f"127.0.0.1 localhost\n{address} {HUB}\n"
    docker_hub = Hub(scene, data=upstream.data, tls=theirs,
                     address=(address, 443))
    return World(upstream, docker_hub, theirs[0], names, address)


@pytest.fixture
def registry(scene, world):
    """With a plain port and a secure one."""
    certificate = make_certificate(scene, scene.directory("registry"), 2,
                                   also=f"IP:{world.address}")
    return Registry(scene, {"docker.io": world.upstream.url}, tls=certificate,
                    host=world.address).start()


@pytest.fixture
def images(scene, world):
    """One for each moment; no other test has them, or any part of them."""
    images = {}
    for moment in MOMENTS:
        name = f"{moment}-{next(serial)}"
        noise = content_layer(scene.directory("noise") / name, 100_000)
        image = images[moment] = Image(f"library/lab-{name}", "1")
        add_platform(image, "amd64", [noise], OCI)
        push_image(world.upstream.address, image)
    return images


@pytest.fixture(params=ENGINES)
def engine(request, scene, host, world):
    """It finds Docker Hub where this world has it."""
    which, etc = ENGINES[request.param], scene.directory("etc")
    before = which.origin.enter(scene, which.program)
    (etc / "hosts").write_text(world.names)
    scene.environment["SSL_CERT_FILE"] = shutil.copy(world.certificate, etc)
    return which.make(scene, host,
                      (*before, *bound({etc / "hosts": "/etc/hosts"})))


@pytest.fixture(params=["plain", "secure"])
def door(request, registry):
    return getattr(registry, request.param)


def asked(server, image):
    return [seen for seen in server.requests()
            if f"/{image.repository}/" in seen.path]


def has_given(server, image):
    """All blobs of it."""
    given = {seen.digest.split("?")[0] for seen in asked(server, image)
             if seen.is_blob and seen.status == 200}
    return given >= image.needed()


def test_it_pulls_through_the_registry_until_it_is_put_back(
        world, images, registry, host, engine, door):
    engine.pull(images[BEFORE])
    files, daemons = host.snapshot(), engine.daemons()

    do(host.once, door.url, *(["--ca", door.ca] if door.trust else []))
    engine.pull(images[POINTED])
    registry.stop()
    engine.pull(images[ALONE])
    registry.start()
    assert engine.daemons() == daemons

    do(host.uninstall)
    assert host.snapshot() == files
    engine.pull(images[AFTER])
    assert engine.daemons() == daemons

    for moment in BEFORE, ALONE, AFTER:
        assert asked(world.docker_hub, images[moment])
        assert not asked(registry, images[moment])
    assert not asked(world.docker_hub, images[POINTED])
    wait_until(lambda: has_given(registry, images[POINTED]),
               "the registry's log")


def test_podmans_service_from_5_on_is_left_alone(scene, host, registry):
    """A signal ends it, so it keeps what it has read, and that is said."""
    service = PodmanService(
        scene, {host.root / "etc/containers": "/etc/containers"},
        NEWER.enter(scene, "usr/bin/podman"))
    known = service.registries()
    for call, *words in (host.once, registry.plain.url), (host.uninstall,):
        wait_until(lambda: "podman: note process" in call(*words)[1],
                   "it to answer")
        assert service.registries() == known
