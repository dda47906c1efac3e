"""What copies images byte by byte finds here what it brought."""

import pytest

from lab.copiers import COPIERS
from lab.layouts import read_layout, write_layout


@pytest.fixture(scope="module")
def layouts(module_scene, samples):
    """Not of Docker's types, which no program reads from an OCI layout."""
    directory = module_scene.directory("layouts")
    return {kind: write_layout(directory / kind, samples[kind])
            for kind in ("oci", "index", "zstd")}


@pytest.fixture(params=COPIERS)
def copier(request, scene, endpoint):
    return COPIERS[request.param](scene, endpoint)


def test_each_copies_an_image_an_index_and_zstd(copier, layouts):
    for kind, layout in layouts.items():
        name = f"{type(copier).__name__.lower()}/{kind}:1"
        copier.push(layout, name)
        digest, blobs = read_layout(copier.pull(name))

        image = layout.image
        assert digest == image.digest
        assert blobs >= {each.digest for each in image.blobs} | \
            {each.digest for each in image.manifests}
