"""Engines pull from it, run what they pulled, build on it and push it back."""

import pytest

from lab.copiers import SkopeoCopier
from lab.docker import Docker
from lab.podman import Podman
from lab.process import run

ECHO = "/bin/busybox", "echo", "it runs"


@pytest.fixture(scope="module")
def docker(module_scene):
    """It takes 127.0.0.1 with TLS or without, and any certificate there."""
    return Docker(module_scene)


@pytest.fixture
def podman(scene, endpoint):
    return Podman(scene, endpoint)


@pytest.mark.parametrize("kind", ["docker", "index", "oci"])
def test_docker_pulls_runs_pushes_and_pulls_again(docker, filled_doors,
                                                  endpoint, samples, kind):
    theirs = f"{endpoint.host}/sample/{kind}:1"
    mine = f"{endpoint.host}/docker/{kind}:1"
    docker.run("pull", "--quiet", theirs)
    assert docker.inspect(theirs)["Id"] == samples[kind].config
    assert docker.run("run", "--rm", "--network", "none", theirs,
                      *ECHO) == "it runs\n"

    docker.run("tag", theirs, mine)
    pushed = docker.push(mine)
    docker.forget()
    docker.run("pull", "--quiet", mine)

    assert docker.inspect(mine)["Id"] == samples[kind].config
    assert docker.inspect(mine)["RepoDigests"] == \
        [f"{mine.removesuffix(':1')}@{pushed}"]
    docker.forget()


@pytest.mark.parametrize("door,buildkit", [
    ("plain", "0"), ("secure", "0"),
    ("plain", "1"),             # its BuildKit speaks no TLS with 127.0.0.1
])
def test_docker_builds_on_what_is_here(docker, scene, filled_doors, door,
                                       buildkit):
    host = getattr(filled_doors, door).host
    mine = f"{host}/docker/built{buildkit}:1"
    context = scene.directory("context")
    (context / "Dockerfile").write_text(
        f"FROM {host}/sample/oci:1\nCOPY Dockerfile /built\n")
    docker.run("build", "--quiet", "--tag", mine, context,
               DOCKER_BUILDKIT=buildkit)
    docker.push(mine)
    docker.forget()

    assert "COPY" in docker.run("run", "--rm", "--network", "none", mine,
                                "/bin/busybox", "cat", "/built")
    docker.forget()


@pytest.mark.parametrize("kind", ["docker", "index", "oci", "zstd"])
def test_podman_pulls_runs_pushes_and_pulls_again(podman, filled_doors,
                                                  samples, kind):
    theirs = podman.name(f"sample/{kind}:1")
    assert podman.pull(f"sample/{kind}:1") == samples[kind].config
    assert podman.run("run", "--rm", theirs, *ECHO) == "it runs\n"

    podman.push(theirs, f"podman/{kind}:1")
    podman.forget()
    podman.pull(f"podman/{kind}:1")
    assert podman.run("run", "--rm", podman.name(f"podman/{kind}:1"),
                      *ECHO) == "it runs\n"


@pytest.mark.parametrize("form,base", [("oci", "zstd"), ("docker", "index")])
def test_buildah_builds_and_pushes(podman, scene, filled_doors, form, base):
    context = scene.directory("context")
    (context / "Dockerfile").write_text(
        f"FROM {podman.name(f'sample/{base}:1')}\nCOPY Dockerfile /built\n"
        'RUN ["/bin/busybox", "touch", "/ran"]\n')
    podman.buildah("build", podman.trust, "--quiet", "--isolation=chroot",
                   f"--format={form}", "--tag", "built", context)
    podman.buildah("push", podman.trust, "--quiet", f"--format={form}",
                   "built", f"docker://{podman.name('buildah/app:1')}")
    podman.forget()

    podman.pull("buildah/app:1")
    assert "/ran" in podman.run(
        "run", "--rm", podman.name("buildah/app:1"),
        "/bin/busybox", "ls", "/built", "/ran")


def test_umoci_changes_an_image_that_skopeo_carries(podman, scene, endpoint,
                                                    filled_doors):
    skopeo = SkopeoCopier(scene, endpoint)
    layout = skopeo.pull("sample/oci:1")
    bundle = scene.directory("umoci") / "bundle"
    run(scene, "umoci", "unpack", "--image", f"{layout}:pulled", bundle)
    (bundle / "rootfs" / "unpacked").touch()
    run(scene, "umoci", "repack", "--image", f"{layout}:changed", bundle)
    skopeo.run("copy", f"oci:{layout}:changed",
               f"docker://{endpoint.host}/umoci/app:1", side="dest-")

    podman.pull("umoci/app:1")
    assert "/unpacked" in podman.run(
        "run", "--rm", podman.name("umoci/app:1"),
        "/bin/busybox", "ls", "/unpacked")
