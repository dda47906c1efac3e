"""The main job: engines pull through it and push to it; upstream is spared."""

import pytest

from lab.containerd import Containerd
from lab.docker import Docker
from lab.skopeo import Skopeo

ENGINES = {
    "docker, mirror bound to docker.io":
        lambda scene, registry: Docker(scene, [registry.bound_url]),
    "docker, mirror on the plain port":
        lambda scene, registry: Docker(scene, [registry.url]),
    "containerd, ?ns=docker.io":
        lambda scene, registry: Containerd(scene, registry.url),
    "skopeo, docker.io in the path":
        lambda scene, registry: Skopeo(scene, registry.host + "/docker.io"),
}


@pytest.fixture
def registry(start_registry, hub):
    return start_registry({"docker.io": hub.url}, bound="docker.io")


@pytest.fixture(params=ENGINES)
def engine(request, scene, registry):
    return ENGINES[request.param](scene, registry)


@pytest.fixture
def docker(scene, registry):
    return Docker(scene, [registry.bound_url])


def pull_all(engine, images):
    """From nothing."""
    engine.forget()
    for image in images:
        engine.pull(image)


def test_what_was_pulled_once_is_here_for_good(engine, registry, hub, images):
    before = len(hub.requests())
    pull_all(engine, images)
    first = [seen for seen in hub.requests()[before:] if seen.is_blob]
    fetched = [seen.digest for seen in first if seen.method == "GET"]
    assert fetched and sorted(fetched) == sorted(set(fetched))

    before = len(hub.requests())
    pull_all(engine, images)
    assert not [seen for seen in hub.requests()[before:] if seen.is_blob]

    hub.stop()
    pull_all(engine, images[:2])
    registry.restart()
    pull_all(engine, images)


def test_docker_pushes_an_image_and_gets_it_back(docker, registry, hub,
                                                 images):
    busybox = images[0]
    mine = f"{registry.host}/team/app:1"
    docker.pull(busybox)
    docker.run("tag", busybox.name, mine)
    pushed = docker.push(mine)

    docker.forget()
    hub.stop()
    registry.restart()
    docker.run("pull", mine)

    assert docker.inspect(mine)["Id"] == busybox.config
    assert docker.inspect(mine)["RepoDigests"] == \
        [f"{registry.host}/team/app@{pushed}"]


def test_docker_pushes_under_the_name_that_it_pulled(docker, registry, hub,
                                                     images):
    """It sends no layer, since it sees them all there."""
    busybox = images[0]
    name = f"{registry.host}/{busybox.repository.removeprefix('library/')}"
    docker.run("pull", "--quiet", f"{name}:{busybox.tag}")
    docker.run("tag", f"{name}:{busybox.tag}", f"{name}:mine")
    docker.push(f"{name}:mine")
    assert not [line for line in registry.log_lines("request")
                if line["method"] == "PATCH"]

    docker.forget()
    hub.stop()
    registry.restart()
    docker.run("pull", "--quiet", f"{name}:mine")
    assert docker.inspect(f"{name}:mine")["Id"] == busybox.config


def test_containerd_and_skopeo_push_what_docker_pulls(scene, registry, docker,
                                                      images):
    busybox, _, large = images
    containerd = Containerd(scene, registry.url)
    containerd.pull(busybox)
    containerd.push(busybox, f"{registry.host}/team/from-containerd:1")
    skopeo = Skopeo(scene, registry.host + "/docker.io")
    skopeo.pull(large)
    skopeo.push(f"{registry.host}/team/from-skopeo:1")

    for image, name in (busybox, "from-containerd"), (large, "from-skopeo"):
        docker.run("pull", f"{registry.host}/team/{name}:1")
        assert docker.inspect(f"{registry.host}/team/{name}:1")["Id"] == \
            image.config
