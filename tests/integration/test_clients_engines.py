"""Engines pull from it, run what they pulled, build on it and push it back."""

import pytest

from lab.content import content
from lab.copiers import SkopeoCopier
from lab.docker import Docker
from lab.images import BUSYBOX, OCI, OCI_INDEX, Image, add_platform, layer
from lab.podman import Podman
from lab.process import run
from lab.pusher import push_image
from lab.registry import Registry

PIECES, CHUNK = 100, 20_000     # files of a layer, and the size of each
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
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


def test_docker_pushes_a_list_of_platforms(docker, filled_doors, samples):
    """Its client speaks no TLS with 127.0.0.1 when it does that."""
    host = filled_doors.plain.host
    experimental = {"DOCKER_CLI_EXPERIMENTAL": "enabled"}
    docker.run("manifest", "create", "--insecure", f"{host}/docker/list:1",
               f"{host}/sample/docker:1", **experimental)
    docker.run("manifest", "push", "--insecure", "--purge",
               f"{host}/docker/list:1", **experimental)

    pushed = filled_doors.ask("GET", "/v2/docker/list/manifests/1",
                              Accept=DOCKER_LIST)
    assert pushed["Content-Type"] == DOCKER_LIST
    assert [each["digest"] for each in pushed.json["manifests"]] == \
        [samples["docker"].digest]
    docker.run("pull", "--quiet", f"{host}/docker/list:1")
    docker.forget()


def test_podman_pushes_a_list_of_platforms(podman, filled_doors, samples):
    podman.run("manifest", "create", "list")
    podman.run("manifest", "add", podman.trust, "--all", "list",
               f"docker://{podman.name('sample/index:1')}")
    podman.run("manifest", "push", podman.trust, "--all", "list",
               f"docker://{podman.name('podman/list:1')}")

    pushed = filled_doors.ask("GET", "/v2/podman/list/manifests/1",
                              Accept=OCI_INDEX)
    assert [each["platform"]["architecture"]
            for each in pushed.json["manifests"]] == ["amd64", "arm64"]
    assert podman.pull("podman/list:1") == samples["index"].config


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


def test_podman_fetches_only_what_it_lacks(podman, scene, endpoint, two_doors):
    """A layer of zstd:chunked, most of which is in another that is here."""
    if podman.driver != "overlay":
        pytest.skip("podman's vfs takes whole layers only")
    hub = Registry(scene).start()
    images = list(chunked_images(scene.directory("chunks")))
    name = f"podman/chunked/{endpoint.scheme}"
    for image in images:
        push_image(hub.address, image)
        theirs = f"{hub.host}/{image.repository}:{image.tag}"
        podman.run("pull", "--quiet", "--tls-verify=false", theirs)
        podman.push(theirs, f"{name}:{image.tag}",
                    "--compression-format=zstd:chunked")
        podman.forget()
    whole = two_doors.ask("GET", f"/v2/{name}/manifests/large",
                          Accept=OCI["manifest"]).json["layers"][0]

    def parts():
        return [int(line["sent"]) for line in two_doors.log_lines("request")
                if whole["digest"] in line["path"]
                and line["method"] == "GET" and line["status"] == "206"]

    # Now and then it only looks at the layer's index, and takes the whole.
    for _ in range(6):
        before = len(parts())
        for image in images:
            assert podman.pull(f"{name}:{image.tag}") == image.config
        taken = parts()[before:]
        if len(taken) > 1:
            break
        podman.forget()
    assert len(taken) > 1 and sum(taken) < 0.7 * whole["size"]
    assert podman.run(
        "run", "--rm", podman.name(f"{name}:large"), "/bin/busybox",
        "sha256sum", "/data/0", "/data/7").split()[::2] == [
            content(number, CHUNK).digest.split(":")[1] for number in (0, 7)]


def chunked_images(directory):
    """`small` has every second file of `large`."""
    files = {"bin/busybox": BUSYBOX}
    for number in range(PIECES):
        path = directory / str(number)
        path.write_bytes(content(number, CHUNK).bytes())
        files[f"data/{number}"] = path
    few = {name: files[name] for name in files if name[-1] not in "13579"}
    for tag, chosen in ("small", few), ("large", files):
        image = Image("lab/chunked", tag)
        add_platform(image, "amd64",
                     [layer(directory / f"{tag}.tar", chosen)], OCI)
        yield image


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
