"""BuildKit builds on what is here, and keeps its images and cache here."""

import pytest

from lab.buildkit import BuildKit
from lab.images import OCI_INDEX
from lab.podman import Podman

DOCKERFILE = """\
FROM {base}
COPY Dockerfile /built
RUN ["/bin/busybox", "cp", "/proc/sys/kernel/random/uuid", "/run-id"]
"""


@pytest.fixture(scope="module")
def buildkit(module_scene, two_doors):
    return BuildKit(module_scene, [two_doors.plain, two_doors.secure])


@pytest.fixture
def podman(scene, endpoint):
    return Podman(scene, endpoint)


@pytest.fixture
def context(scene, endpoint, filled_doors):
    directory = scene.directory("context")
    (directory / "Dockerfile").write_text(
        DOCKERFILE.format(base=f"{endpoint.host}/sample/index:1"))
    return directory


def image(name, *more):
    return "--output", ",".join(["type=image", f"name={name}", "push=true",
                                 *more])


def run_id(podman, name):
    """Each time that `RUN` runs it writes another."""
    podman.pull(name)
    return podman.run("run", "--rm", podman.name(name), "/bin/busybox",
                      "cat", "/run-id")


def test_it_pushes_images_in_every_shape(buildkit, podman, context):
    shapes = {"plain": (), "zstd": ("compression=zstd", "oci-mediatypes=true",
                                    "force-compression=true")}
    for shape, more in shapes.items():
        buildkit.build(context, *image(podman.name(f"bk/{shape}:1"), *more))

    assert run_id(podman, "bk/plain:1") == run_id(podman, "bk/zstd:1")


def test_it_pushes_an_index_with_provenance(buildkit, podman, context,
                                            two_doors):
    buildkit.build(context, *image(podman.name("bk/proven:1")),
                   "--opt", "attest:provenance=mode=max")

    pushed = two_doors.ask("GET", "/v2/bk/proven/manifests/1",
                           Accept=OCI_INDEX)
    assert [each["platform"]["os"] for each in pushed.json["manifests"]] == \
        ["linux", "unknown"]
    assert run_id(podman, "bk/proven:1")


@pytest.mark.parametrize("form", ["image", "index"])
def test_its_cache_is_here(buildkit, podman, context, two_doors, form):
    """As an image, or as an index whose entries are layers."""
    cache = f"type=registry,ref={podman.name(f'bk/cache-{form}:1')}"
    whole = "mode=max,image-manifest=" + \
        ("true" if form == "image" else "false")
    buildkit.build(context, *image(podman.name(f"bk/{form}:first")),
                   "--export-cache", f"{cache},{whole}")
    buildkit.forget()
    buildkit.build(context, *image(podman.name(f"bk/{form}:second")),
                   "--import-cache", cache)

    assert run_id(podman, f"bk/{form}:first") == \
        run_id(podman, f"bk/{form}:second")
