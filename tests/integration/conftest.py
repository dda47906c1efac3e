"""Fixtures: one laboratory for all tests, fresh parts for each."""

import resource
from dataclasses import replace

import pytest

from lab import Lab
from lab.certificates import make_certificate
from lab.etcd import Etcd
from lab.fakehub import FakeHub
from lab.host import Host
from lab.hub import Hub
from lab.images import make_images, make_oci, make_zstd
from lab.pusher import push_image
from lab.registry import Registry, sanitized


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "heavy: only for the program as it is released")


def pytest_collection_modifyitems(items):
    """A sanitizer finds nothing in more of the same bytes."""
    if not sanitized():
        return
    skip = pytest.mark.skip(reason="heavy: not with a sanitizer")
    for item in items:
        if item.get_closest_marker("heavy"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def lab():
    """Ends everything, and fails if anything is left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Lab() as lab:
        yield lab
    assert lab.leftovers() == []


@pytest.fixture(scope="session")
def images(lab):
    """busybox, an index of two platforms, four layers of over 300 MB."""
    return make_images(lab.directory("images"))


@pytest.fixture(scope="session")
def filled_hub(lab, images):
    hub = Hub(lab)
    for image in images:
        push_image(hub.address, image)
    return hub


@pytest.fixture
def hub(filled_hub):
    """Debian's docker-registry with the three images, running."""
    filled_hub.start()
    return filled_hub


@pytest.fixture
def scene(lab):
    """A laboratory within the laboratory, torn down after the test."""
    with Lab() as scene:
        yield scene
    assert scene.leftovers() == []


@pytest.fixture(scope="module")
def module_scene(lab):
    """The same, for all tests of a file."""
    with Lab() as scene:
        yield scene
    assert scene.leftovers() == []


@pytest.fixture
def upstream(scene):
    """An obedient upstream that counts."""
    return FakeHub(scene)


@pytest.fixture
def credentials(scene):
    """Who we are to an upstream, as its options have it: ali."""
    secret = scene.directory("secret") / "password"
    secret.write_text("open sesame\n")
    return [{"username": "ali", "password_file": secret}]


@pytest.fixture
def start_registry(scene):
    """start_registry(upstreams, …) is a Registry that is ready."""
    return lambda *args, **keys: Registry(scene, *args, **keys).start()


@pytest.fixture(scope="module")
def registry(module_scene):
    """One registry without upstreams; tests use repositories of their own."""
    return Registry(module_scene).start()


@pytest.fixture
def wire(registry):
    with registry.connect() as wire:
        yield wire


@pytest.fixture
def name(request):
    """A repository for this test alone."""
    return "team/" + request.node.originalname.replace("_", "-")[5:]


@pytest.fixture(scope="module")
def two_doors(module_scene):
    """A registry with a plain endpoint and a secure one."""
    certificate = make_certificate(
        module_scene, module_scene.directory("certificate"), 1)
    return Registry(module_scene, tls=certificate).start()


@pytest.fixture(params=["plain", "secure"])
def endpoint(request, two_doors):
    return getattr(two_doors, request.param)


@pytest.fixture(scope="session")
def samples(lab, images):
    """busybox in the four shapes that clients tell apart."""
    directory = lab.directory("samples")
    return {"docker": images[0], "index": images[1],
            "oci": make_oci(directory), "zstd": make_zstd(directory)}


@pytest.fixture(scope="module")
def filled_doors(two_doors, samples):
    """Two doors to sample/docker:1, sample/index:1, …"""
    for kind, image in samples.items():
        image = replace(image, tag="1")
        push_image(two_doors.address, image, f"sample/{kind}")
    return two_doors


@pytest.fixture
def etcd(scene):
    """Debian's etcd, running."""
    return Etcd(scene)


@pytest.fixture
def host(scene):
    """A host that is a directory, for an agent."""
    return Host(scene)
