"""Newer engines than Debian 12 has, those of a tree: through the mirror, each
in the way that it knows, and to the registry and back."""

import json
from dataclasses import replace

import pytest

from lab.containerd import HOSTS, Containerd
from lab.docker import Docker
from lab.hub import Hub
from lab.podman import MirroredPodman
from lab.pusher import push_image
from lab.skopeo import Skopeo
from lab.tree import NEWER, NEWEST, tree
from test_mirror_upstreams import assert_each_once

pytestmark = pytest.mark.skipif(not tree(), reason="DEBIAN_TREE is not set")
KINDS = ["docker", "index", "zstd"]
READS_HOSTS = 28                # Docker, from this version on
OWN, CONTAINERDS = {}, {"features": {"containerd-snapshotter": True}}


def by_daemon_json(origin, settings):
    """The mirror is one upstream of many at this URL; 24.0.8 was the first
    to take a path in it."""
    def make(scene, mirror):
        return Docker(scene, [mirror.url + "/mirror/docker.io"], settings,
                      driver="native" if settings else None,
                      before=origin.enter(scene))
    return make


def by_hosts_toml(origin):
    """It sends ?ns=docker.io, as containerd does."""
    def make(scene, mirror):
        etc = scene.directory("etc")
        (etc / "daemon.json").write_text(json.dumps(CONTAINERDS))
        (etc / "certs.d" / "docker.io").mkdir(parents=True)
        (etc / "certs.d" / "docker.io" / "hosts.toml").write_text(
            HOSTS.format(url=mirror.url))
        docker = Docker(scene, etc=etc, driver="native",
                        before=origin.enter(scene))
        if docker.version() < READS_HOSTS:
            pytest.skip(f"Docker reads hosts.toml from {READS_HOSTS} on")
        return docker
    return make


def containerd(origin):
    return lambda scene, mirror: Containerd(
        scene, mirror.url, before=origin.enter(scene, "usr/bin/containerd"))


CLIENTS = {
    "docker, its store": by_daemon_json(NEWER, OWN),
    "docker, containerd's store": by_daemon_json(NEWER, CONTAINERDS),
    "docker, hosts.toml": by_hosts_toml(NEWER),
    "containerd": containerd(NEWER),
    "podman": lambda scene, mirror: MirroredPodman(
        scene, mirror.plain, before=NEWER.enter(scene, "usr/bin/podman")),
    "skopeo": lambda scene, mirror: Skopeo(
        scene, mirror.host + "/docker.io",
        before=NEWER.enter(scene, "usr/bin/skopeo")),
    "newest docker, its store": by_daemon_json(NEWEST, OWN),
    "newest docker, containerd's store": by_daemon_json(NEWEST, CONTAINERDS),
    "newest docker, hosts.toml": by_hosts_toml(NEWEST),
    "newest containerd": containerd(NEWEST),
}


@pytest.fixture
def hub(scene, samples):
    hub = Hub(scene)
    for kind in KINDS:
        push_image(hub.address, samples[kind])
    return hub


@pytest.fixture
def other(scene):
    """The default upstream, which has nothing."""
    return Hub(scene)


@pytest.fixture
def mirror(start_registry, hub, other):
    return start_registry({"ghcr.io": other.url, "docker.io": hub.url},
                          options={"docker.io": {"tag_lifetime": "1h"}})


@pytest.fixture(params=CLIENTS)
def client(request, scene, mirror):
    return CLIENTS[request.param](scene, mirror)


def pull_all(client, images):
    for image in images:
        client.forget()
        client.pull(image)


def test_what_it_pulled_once_is_here(client, mirror, hub, other, samples):
    images = [samples[kind] for kind in KINDS]
    pull_all(client, images)
    assert_each_once(hub, images)
    asked = hub.requests()
    pull_all(client, images)
    assert hub.requests() == asked

    hub.stop()
    pull_all(client, images)
    mirror.restart()
    pull_all(client, images)
    assert other.requests() == []


# ------------------------------------------------------------- to and fro

def docker_to_and_fro(docker, mirror, image):
    mine = f"{mirror.host}/team/app"
    docker.run("tag", image.name, f"{mine}:1")
    pushed = docker.push(f"{mine}:1")
    docker.forget()
    docker.run("pull", "--quiet", f"{mine}:1")
    assert docker.inspect(f"{mine}:1")["RepoDigests"] == [f"{mine}@{pushed}"]


def containerd_to_and_fro(containerd, mirror, image):
    mine = f"{mirror.host}/team/app:1"
    containerd.trust(mirror.plain)
    containerd.copy_out(f"docker.io/{image.repository}:{image.tag}", mine)
    containerd.forget()
    containerd.copy_in(mine)
    assert image.digest in containerd.run("images", "ls", f"name=={mine}")


def podman_to_and_fro(podman, mirror, image):
    podman.push(f"docker.io/{image.repository}:{image.tag}", "team/app:1")
    podman.forget()
    pulled = podman.run("pull", "--quiet", podman.trust,
                        podman.name("team/app:1"))
    assert "sha256:" + pulled.strip() == image.config


def skopeo_to_and_fro(skopeo, mirror, image):
    skopeo.push(f"{mirror.host}/team/app:1")
    skopeo.forget()
    skopeo.pull(replace(image, repository="team/app", tag="1"), mirror.host)


TO_AND_FRO = {Docker: docker_to_and_fro, Containerd: containerd_to_and_fro,
              MirroredPodman: podman_to_and_fro, Skopeo: skopeo_to_and_fro}


def test_it_pushes_and_gets_it_back(client, mirror, samples):
    image = samples["docker"]
    client.pull(image)
    TO_AND_FRO[type(client)](client, mirror, image)


@pytest.mark.parametrize("kind", [
    kind for kind in CLIENTS if kind.endswith("store")])
def test_its_builds_go_through_the_mirror(scene, mirror, hub, samples, kind):
    """By BuildKit, which dockerd contains, on what only the mirror has."""
    docker = CLIENTS[kind](scene, mirror)
    base = samples["docker"]
    docker.pull(base)
    docker.forget()
    hub.stop()
    context = scene.directory("context")
    (context / "Dockerfile").write_text(
        f"FROM {base.name}\nCOPY Dockerfile /built\n")
    docker.run("build", "--quiet", "--tag", "built", context,
               DOCKER_BUILDKIT="1")
