"""Real registries as upstreams, real clients in front, the mirror between.

Of the pairs some: each client has two upstreams or more, and each upstream has
two clients. In test_main_job.py docker, containerd and skopeo have the plain one.
"""

from dataclasses import dataclass

import pytest

from lab.certificates import make_certificate
from lab.containerd import Containerd
from lab.copiers import MirroredCrane
from lab.docker import Docker
from lab.gate import Gate
from lab.hub import Hub
from lab.images import make_shared
from lab.podman import MirroredPodman
from lab.pusher import push_image
from lab.registry import Registry
from lab.skopeo import Skopeo
from lab.tokens import TokenServer
from lab.waiting import wait_until
from lab.wire import request

MIB = 1 << 20
LIFETIME = 6                    # seconds, of tokens that end soon


@dataclass
class Upstream:
    """What plays docker.io, and what is written of it for its mirror."""
    url: str
    options: dict
    hub: Hub                # which answers in the end
    nearest: object         # whom the mirror asks


def plain(scene, data):
    hub = Hub(scene, data=data)
    return Upstream(hub.url, {}, hub, hub)


def with_tls(scene, data):
    """Its certificate is nobody's but its own."""
    pair = make_certificate(scene, scene.directory("certificate"), 1)
    hub = Hub(scene, data=data, tls=pair)
    return Upstream(hub.url, {"ca": pair[0]}, hub, hub)


def with_tokens(scene, data):
    tokens = TokenServer(scene)
    hub = Hub(scene, data=data, tokens=tokens)
    return Upstream(hub.url, tokens.options, hub, hub)


def through_another(scene, data):
    """private-registry, which mirrors the plain one."""
    hub = Hub(scene, data=data)
    between = Registry(scene, {"docker.io": hub.url}).start()
    return Upstream(between.url, {}, hub, between)


CLIENTS = {
    "docker": lambda scene, mirror: Docker(scene, [mirror.bound_url]),
    "containerd": lambda scene, mirror: Containerd(scene, mirror.url),
    "podman": lambda scene, mirror: MirroredPodman(scene, mirror.plain),
    "skopeo": lambda scene, mirror: Skopeo(scene, mirror.host + "/docker.io"),
    "crane": lambda scene, mirror: MirroredCrane(scene, mirror.plain),
}
COVERING = [
    ("podman", plain), ("crane", plain),
    ("docker", with_tls), ("containerd", with_tls), ("crane", with_tls),
    ("containerd", with_tokens), ("podman", with_tokens),
    ("skopeo", with_tokens),
    ("docker", through_another), ("podman", through_another),
    ("skopeo", through_another),
]
TAKES_NO_ZSTD = {"docker"}      # before version 23


@pytest.fixture(scope="module")
def shared(module_scene):
    """Two images with common layers."""
    return list(make_shared(module_scene.directory("shared")))


@pytest.fixture(scope="module")
def data(module_scene, samples, shared):
    """A directory of docker-registry with all images of this file."""
    hub = Hub(module_scene)
    for image in [*samples.values(), *shared]:
        push_image(hub.address, image)
    hub.stop()
    return hub.data


@pytest.fixture
def upstream(request, scene, data):
    return request.param(scene, data)


@pytest.fixture
def mirror(upstream, start_registry):
    return start_registry({"docker.io": upstream.url}, bound="docker.io",
                          options={"docker.io": upstream.options})


@pytest.fixture
def client(kind, scene, mirror):
    return CLIENTS[kind](scene, mirror)


@pytest.fixture
def pulled(kind, samples, shared):
    """All that this kind of client takes."""
    return [image for name, image in samples.items() if name != "zstd"
            or kind not in TAKES_NO_ZSTD] + shared


def gets_of_blobs(hub):
    """Digests, one for each answer that had bytes."""
    return [seen.digest for seen in hub.requests() if seen.is_blob
            and seen.method == "GET" and seen.status in (200, 206)]


def assert_each_once(hub, images):
    """It gave each blob that they need, and no blob twice."""
    needed = set().union(*(image.needed() for image in images))
    wait_until(lambda: needed <= set(gets_of_blobs(hub)), "the hub's log")
    fetched = gets_of_blobs(hub)
    assert sorted(fetched) == sorted(set(fetched))


@pytest.mark.parametrize("kind,upstream", COVERING, indirect=["upstream"],
                         ids=lambda value: getattr(value, "__name__", value))
def test_each_blob_comes_once_and_stays(client, upstream, pulled):
    """Also one that is in two images, of which the client has none."""
    for image in pulled:
        client.forget()
        client.pull(image)
    for asked in upstream.nearest, upstream.hub:
        assert_each_once(asked, pulled)

    upstream.nearest.stop()
    for image in pulled:
        client.forget()
        client.pull(image)


# ------------------------------------------------------------------- tokens

def test_a_token_serves_its_repository(scene, data, start_registry, samples):
    tokens = TokenServer(scene)
    hub = Hub(scene, data=data, tokens=tokens)
    mirror = start_registry({"docker.io": hub.url},
                            options={"docker.io": tokens.options})
    skopeo = Skopeo(scene, mirror.host + "/docker.io")
    for image in samples.values():
        skopeo.pull(image)
        skopeo.forget()
    assert [token.scope for token in tokens.granted] == \
        [f"repository:{image.repository}:pull" for image in samples.values()]
    assert tokens.refused == 0


@pytest.mark.parametrize("said", [LIFETIME, 300])
def test_a_token_that_ends_is_renewed_within_a_blob(
        scene, data, start_registry, shared, said):
    """Whether the service says how long it lasts, or promises too much."""
    tokens = TokenServer(scene, LIFETIME, said)
    hub = Hub(scene, data=data, tokens=tokens)
    gate = Gate(scene, hub.address, hold_at=MIB)
    mirror = start_registry({"docker.io": gate.url},
                            options={"docker.io": tokens.options})
    image = shared[0]
    blob = max(image.blobs, key=lambda blob: blob.size)
    path = f"/v2/{image.repository}/blobs/{blob.digest}"
    with mirror.connect() as wire:
        wire.send(request("GET", path, None, mirror.address))
        wait_until(gate.holds, "the blob to be under way")
        before = len(tokens.granted)
        wait_until(tokens.granted[-1].has_ended, "its token to end")
        gate.cut()
        answer = wire.answer()

    assert answer.complete and answer.body == blob.bytes()
    assert len(tokens.granted) > before
    wait_until(lambda: len(gets_of_blobs(hub)) == 2, "the hub's log")
    rest, = [seen for seen in hub.requests() if seen.status == 206]
    assert rest.bytes < blob.size - MIB // 2
    refused = [seen for seen in hub.requests() if seen.status == 401]
    assert said == LIFETIME or len(refused) == 2    # without, and outworn
