"""Of an index each client takes its own platform, and no other comes."""

import pytest

from lab.hub import Hub
from lab.pusher import push_image
from lab.waiting import wait_until
from test_ahead import kept
from test_mirror_upstreams import CLIENTS, gets_of_blobs

ENGINES = ["docker", "containerd", "podman"]


@pytest.fixture(scope="module")
def data(module_scene, samples):
    hub = Hub(module_scene)
    push_image(hub.address, samples["index"])
    hub.stop()
    return hub.data


@pytest.fixture
def hub(scene, data):
    return Hub(scene, data=data)


@pytest.fixture
def index(samples):
    """linux/amd64 and linux/arm64."""
    return samples["index"]


def mirror_of(start_registry, hub, **options):
    return start_registry({"docker.io": hub.url}, bound="docker.io",
                          options={"docker.io": options})


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
@pytest.mark.parametrize("kind", ENGINES)
def test_each_takes_its_own(scene, start_registry, hub, index, kind,
                            architecture):
    client = CLIENTS[kind](scene, mirror_of(start_registry, hub))
    client.pull(index, architecture)
    needed = index.needed(architecture)
    wait_until(lambda: needed <= set(gets_of_blobs(hub)), "the hub's log")
    assert sorted(gets_of_blobs(hub)) == sorted(needed)


@pytest.mark.parametrize("kind", ENGINES)
def test_what_is_configured_comes_whatever_is_pulled(scene, start_registry,
                                                     hub, index, kind):
    mirror = mirror_of(start_registry, hub, platforms=["linux/arm64"])
    client = CLIENTS[kind](scene, mirror)
    client.pull(index, "amd64")
    wait_until(lambda: index.needed("arm64") <= kept(mirror), "the other one")
    hub.stop()
    for architecture in "arm64", "amd64":
        client.forget()
        client.pull(index, architecture)
