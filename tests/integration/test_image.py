"""The container image: what is in it, and that it runs as the README says."""

import gzip
import io
import json
import os
import re
import subprocess
import tarfile
from types import SimpleNamespace

import pytest

from lab.containerd import Containerd
from lab.docker import BridgedDocker
from lab.endpoint import Endpoint
from lab.podman import Podman
from lab.ports import free_port
from lab.process import run
from lab.registry import BINARY, ROOT, sanitized
from lab.waiting import listens, wait_until

pytestmark = pytest.mark.skipif(
    sanitized(), reason="the image is of the program as it is released")

USER = 65532
LARGEST = 30_000_000
OURS = {"data", "usr/bin/private-registry", "etc/passwd", "etc/group",
        "etc/nsswitch.conf", "etc/ssl/certs/ca-certificates.crt"}
BRIDGE = "busybox ip link add lab0 type bridge && iptables -t nat -L"
MINE = "127.0.0.1:5000/team/app:1"


def make(lab, target):
    run(lab, "/usr/bin/python3", ROOT / "tools" / "image.py", BINARY, target)
    return target


@pytest.fixture(scope="module")
def archive(module_scene):
    return make(module_scene,
                module_scene.directory("archive") / "image.tar")


@pytest.fixture(scope="module")
def docker(module_scene, archive):
    if subprocess.run(["unshare", "--net", "/bin/sh", "-c", BRIDGE],
                      capture_output=True, check=False).returncode != 0:
        pytest.skip("a network of one's own cannot be made here")
    docker = BridgedDocker(module_scene)
    docker.run("load", "--input", archive)
    return docker


@pytest.fixture
def registry(docker, module_scene):
    """registry(NAME, options…) is `docker run`, with the README's options."""
    names = []

    def registry(name, *options, port=5000):
        names.append(name)
        docker.run("run", "--detach", "--name", name, "--health-interval=1s",
                   "-p", f"{port}:5000", *options, "private-registry")
        wait_until_healthy(docker, name)
    yield registry
    for name in names:
        docker.run("rm", "--force", "--volumes", name, check=False)
    docker.run("network", "prune", "--force")


def state(docker, name):
    return json.loads(docker.run("inspect", "--format={{json .State}}", name))


def wait_until_healthy(docker, name):
    def is_healthy():
        now = state(docker, name)
        assert now["Running"], now
        return now["Health"]["Status"] == "healthy"
    wait_until(is_healthy, f"{name} to be healthy", seconds=120)


def stop(docker, name):
    """SIGTERM as it were; 137 would mean that it had to be killed."""
    docker.run("stop", "--time=60", name)
    assert state(docker, name)["ExitCode"] == 0
    docker.run("rm", name)


def user_of(docker, name):
    with open(f"/proc/{state(docker, name)['Pid']}/status") as status:
        return int(re.search(r"Uid:\t\d+\t(\d+)", status.read())[1])


# ------------------------------------------------------------- the archive

def test_two_images_of_a_program_are_the_same_bytes(module_scene, archive):
    again = make(module_scene, module_scene.directory("again") / "image.tar")
    assert again.read_bytes() == archive.read_bytes()


def test_it_is_small_and_nothing_is_in_it_that_is_not_needed(archive):
    with tarfile.open(archive) as outer:
        manifest, = json.load(outer.extractfile("manifest.json"))
        layer, = manifest["Layers"]
        packed = outer.extractfile(layer).read()
    print(f"{archive.stat().st_size / 1e6:.1f} MB, of which {len(packed)} "
          "bytes are the layer")
    assert archive.stat().st_size < LARGEST

    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as inner:
        files = {each.name: each for each in inner}
    needed = {os.path.basename(path) for path in re.findall(
        r"(/\S+) \(0x", subprocess.run(["ldd", BINARY], check=True, text=True,
                                       capture_output=True).stdout)}
    rest = {name for name, each in files.items() if each.isreg()} - OURS
    assert {os.path.basename(name) for name in rest} == needed
    assert (files["data"].uid, files["data"].gid) == (USER, USER)


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_skopeo_takes_it_in_both_forms(scene, archive, form):
    layout = scene.directory("layout")
    run(scene, "skopeo", "--insecure-policy", "copy", f"{form}:{archive}",
        f"oci:{layout}:it")
    shown = json.loads(run(scene, "skopeo", "inspect", "--config",
                           f"oci:{layout}:it"))
    assert shown["config"]["Entrypoint"] == ["/usr/bin/private-registry"]
    assert shown["config"]["Volumes"] == {"/data": {}}


def test_the_files_alone_are_those_of_the_image(scene):
    tree = scene.directory("tree")
    make(scene, tree)
    said = subprocess.run(["chroot", tree, "/usr/bin/private-registry",
                           "--version"], check=True, capture_output=True)
    assert said.stdout.startswith(b"private-registry ")
    assert os.stat(tree / "data").st_uid == USER


# --------------------------------------------------------------- docker run

def test_it_runs_as_the_readme_says_and_again_on_the_same_volume(
        docker, registry, scene):
    scene.root.chmod(0o755)
    volume = scene.root / "cache"       # docker makes it, as root's
    registry("registry", "-v", f"{volume}:/data")
    assert user_of(docker, "registry") == USER
    assert os.stat(volume).st_uid == USER
    docker.run("tag", "private-registry", MINE)
    pushed = docker.push(MINE)
    assert {os.stat(path).st_uid for path in volume.rglob("*")} == {USER}
    stop(docker, "registry")

    registry("registry", "-v", f"{volume}:/data")
    docker.run("rmi", MINE)
    docker.run("pull", "--quiet", MINE)
    assert docker.inspect(MINE)["RepoDigests"] == \
        [f"{MINE.removesuffix(':1')}@{pushed}"]
    stop(docker, "registry")


def test_verbs_run_inside_and_leave_nothing_of_roots(docker, registry):
    registry("registry")        # on a volume that docker makes up
    for verb in ["status"], ["gc"], ["verify"]:
        docker.run("exec", "registry", "private-registry", *verb)
    docker.run("stop", "--time=60", "registry")
    for verb in ["gc"], ["verify"]:
        docker.run("run", "--rm", "--volumes-from", "registry",
                   "private-registry", *verb)
    docker.run("start", "registry")
    wait_until_healthy(docker, "registry")


def test_it_may_have_nothing_but_its_volume(docker, registry, scene):
    scene.root.chmod(0o755)
    volume = scene.directory("mine")
    os.chown(volume, 1234, 1234)
    registry("registry", "--user", "1234:1234", "--read-only",
             "--cap-drop=ALL", "--security-opt=no-new-privileges",
             "-v", f"{volume}:/data")
    assert user_of(docker, "registry") == 1234
    stop(docker, "registry")


def test_it_finds_an_upstream_by_its_name(docker, registry):
    docker.run("network", "create", "lab")
    registry("hub", "--network=lab", port=5001)
    registry("mirror", "--network=lab", "--env",
             "PRIVATE_REGISTRY_MIRROR_UPSTREAMS=hub.example=http://hub:5000")
    docker.run("tag", "private-registry", "127.0.0.1:5001/team/app:1")
    docker.push("127.0.0.1:5001/team/app:1")
    docker.run("rmi", "127.0.0.1:5001/team/app:1")

    docker.run("pull", "--quiet", "127.0.0.1:5000/hub.example/team/app:1")
    docker.run("rmi", "127.0.0.1:5000/hub.example/team/app:1")


def test_what_is_wrong_is_said_in_one_line(docker):
    said = subprocess.run(
        ["/usr/bin/docker", "--host", f"unix://{docker.socket}", "run",
         "--rm", "--env", "PRIVATE_REGISTRY_DRAIN=soon", "private-registry"],
        text=True, capture_output=True, check=False)
    assert said.returncode == 2
    line, = said.stderr.splitlines()
    assert "PRIVATE_REGISTRY_DRAIN" in line


# ------------------------------------------------------------ other engines

def test_containerd_takes_it_under_its_name(scene, archive):
    containerd = Containerd(scene, "http://127.0.0.1")
    containerd.run("images", "import", "--no-unpack", archive)
    assert "docker.io/library/private-registry:latest" in \
        containerd.run("images", "list", "--quiet").splitlines()


def test_podman_runs_it_too(scene, archive):
    address = "127.0.0.1", free_port()
    podman = Podman(scene, Endpoint("%s:%d" % address))
    scene.own(SimpleNamespace(
        stop=lambda: podman.run("rm", "--all", "--force", "--volumes")))
    podman.run("load", "--quiet", "--input", archive)
    podman.run("run", "--detach", "--name=registry", "--env",
               "PRIVATE_REGISTRY_LISTEN=%s:%d" % address, "private-registry")
    wait_until(lambda: listens(address), "it to listen", seconds=60)
    podman.run("healthcheck", "run", "registry")
    podman.run("stop", "--time=60", "registry")
    assert podman.run("inspect", "--format={{.State.ExitCode}}",
                      "registry") == "0\n"
