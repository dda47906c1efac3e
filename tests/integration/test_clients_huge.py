"""A layer of over 1 GiB, pushed and pulled in every way there is."""

import pytest

from lab.copiers import COPIERS
from lab.docker import Docker
from lab.images import make_huge
from lab.layouts import read_layout, write_layout

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def layout(module_scene):
    return write_layout(module_scene.directory("layout") / "huge",
                        make_huge(module_scene.directory("huge")))


@pytest.mark.parametrize("copier,door", [
    ("crane", "secure"), ("oras", "plain"), ("regctl", "secure"),
    ("skopeo", "plain")])
def test_it_comes_back_as_it_went(scene, two_doors, layout, copier, door):
    client = COPIERS[copier](scene, getattr(two_doors, door))
    client.push(layout, f"huge/{copier}:1")
    digest, blobs = read_layout(client.pull(f"huge/{copier}:1"))

    assert digest == layout.image.digest
    assert {blob.digest for blob in layout.image.blobs} <= blobs


def test_docker_pulls_it(scene, two_doors, layout):
    COPIERS["crane"](scene, two_doors.plain).push(layout, "huge/docker:1")
    docker = Docker(scene)
    name = f"{two_doors.plain.host}/huge/docker:1"
    docker.run("pull", "--quiet", name)

    assert docker.inspect(name)["Id"] == layout.image.config
