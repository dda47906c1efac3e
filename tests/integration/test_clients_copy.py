"""What copies images byte by byte finds here what it brought."""

import pytest

from lab.copiers import COPIERS
from lab.images import make_oci, make_zstd
from lab.layouts import read_layout, write_layout


@pytest.fixture(scope="module")
def layouts(module_scene, images):
    directory = module_scene.directory("samples")
    samples = {"image": make_oci(directory), "index": images[1],
               "zstd": make_zstd(directory)}
    return {name: write_layout(module_scene.directory("layout") / name, image)
            for name, image in samples.items()}


@pytest.fixture(params=["plain", "secure"])
def endpoint(request, two_doors):
    return getattr(two_doors, request.param)


@pytest.fixture(params=COPIERS)
def copier(request, scene, endpoint):
    return COPIERS[request.param](scene, endpoint)


def test_each_copies_an_image_an_index_and_zstd(request, copier, layouts,
                                                two_doors):
    for kind, layout in layouts.items():
        name = f"{type(copier).__name__.lower()}/{kind}:1"
        copier.push(layout, name)
        digest, blobs = read_layout(copier.pull(name))

        image = layout.image
        assert digest == image.digest
        assert blobs >= {each.digest for each in image.blobs} | \
            {each.digest for each in image.manifests}
