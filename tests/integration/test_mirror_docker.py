"""Docker from version 24.0.8 on, which takes a path in a mirror's URL."""

import pytest

from lab.hub import Hub
from lab.pusher import push_image
from lab.tree import TreeDocker, tree
from test_mirror_upstreams import assert_each_once

STORES = {
    "its own store": {},
    "containerd's store": {"features": {"containerd-snapshotter": True},
                           "storage-driver": "native"},
}
KINDS = ["docker", "index", "zstd"]
pytestmark = pytest.mark.skipif(not tree(), reason="DEBIAN_TREE is not set")


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


@pytest.mark.parametrize("store", STORES)
def test_its_mirror_is_one_upstream_of_many(scene, start_registry, hub, other,
                                            samples, store):
    mirror = start_registry({"ghcr.io": other.url, "docker.io": hub.url})
    docker = TreeDocker(scene, [mirror.url + "/mirror/docker.io"],
                        STORES[store])
    images = [samples[kind] for kind in KINDS]
    for image in images:
        docker.forget()
        docker.run("pull", "--quiet", image.name)
        assert image.digest in [digest.split("@")[1] for digest in
                                docker.inspect(image.name)["RepoDigests"]]
    assert_each_once(hub, images)
    assert other.requests() == []

    hub.stop()
    for image in images:
        docker.forget()
        docker.run("pull", "--quiet", image.name)
    docker.forget()
    build(scene, docker, images[0])


def build(scene, docker, base):
    """On what only the mirror has; by BuildKit, which dockerd contains."""
    context = scene.directory("context")
    (context / "Dockerfile").write_text(
        f"FROM {base.name}\nCOPY Dockerfile /built\n")
    docker.run("build", "--quiet", "--tag", "built", context,
               DOCKER_BUILDKIT="1")
