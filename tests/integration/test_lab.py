"""The laboratory itself: its parts work, and nothing of it stays behind."""

import pytest

from lab import Lab
from lab.containerd import Containerd
from lab.content import content
from lab.docker import Docker
from lab.fakehub import Challenge, FakeHub
from lab.hub import Hub
from lab.skopeo import Skopeo
from lab.swarm import Swarm, download
from lab.waiting import wait_until
from lab.wire import ask


def test_nothing_is_left_of_a_laboratory(images):
    with Lab() as lab:
        Hub(lab)
        FakeHub(lab)
        Docker(lab)
        Containerd(lab, "http://127.0.0.1:1")
        assert len(lab.leftovers()) >= 4
    assert lab.leftovers() == []


def test_every_engine_pulls_from_a_known_mirror(scene, hub, images):
    mirror = Hub(scene, proxy_of=hub.url)
    engines = [Docker(scene, [mirror.url]), Containerd(scene, mirror.url),
               Skopeo(scene, "%s:%d" % mirror.address)]
    for engine, pulled in zip(engines, [images, images[:2], images[:2]]):
        for image in pulled:
            engine.pull(image)
        engine.forget()
    assert any(request.is_blob for request in hub.requests())


def test_the_large_image_is_large(images):
    assert sum(blob.size for blob in images[-1].blobs) > 300_000_000
    assert len(images[-1].blobs) > 3


@pytest.fixture
def blob(upstream):
    return upstream.add_blob(content("lab", 8 << 20))


def path(blob):
    return f"/v2/library/lab/blobs/{blob.digest}"


def test_the_fake_upstream_serves_blobs_and_ranges(upstream, blob):
    whole = ask(upstream.address, "GET", path(blob))
    part = ask(upstream.address, "GET", path(blob), Range="bytes=5-9")

    assert whole.status == 200 and whole.body == blob.bytes()
    assert part.status == 206 and part.body == blob.bytes()[5:10]
    assert part["Content-Range"] == f"bytes 5-9/{blob.size}"
    wait_until(lambda: upstream.blob_bytes() == blob.size + 5, "its account")


def test_the_fake_upstream_cuts_where_it_is_told(upstream, blob):
    upstream.once(cut_at=1_000_000)
    upstream.once(cut_at=2_000_000, reset=True)

    for size in 1_000_000, 2_000_000:
        with Swarm(upstream.address, path(blob), blob, 1) as swarm:
            reader, = swarm.run()
        assert not reader.finished and reader.offset <= size
    assert download(upstream.address, path(blob), blob) == blob.size
    assert upstream.count("blob", "GET") == 3


def test_the_fake_upstream_lies_in_one_byte(upstream, blob):
    upstream.once(wrong_byte_at=77)
    with Swarm(upstream.address, path(blob), blob, 1) as swarm:
        reader, = swarm.run()
    assert reader.finished and reader.wrong


def test_the_fake_upstream_stalls_until_released(upstream, blob):
    upstream.once(stall_at=1_000_000)
    with Swarm(upstream.address, path(blob), blob, 1) as swarm:
        reader, = swarm.readers
        swarm.run(until=lambda: reader.offset == 1_000_000)
        upstream.release()
        swarm.run()
    assert reader.finished and not reader.wrong


def test_the_fake_upstream_wants_a_token(scene, upstream, blob):
    realm = FakeHub(scene, "127.0.0.2")
    upstream.challenge = Challenge(f"{realm.url}/token")
    refused = ask(upstream.address, "GET", path(blob))
    token = ask(realm.address, "GET", "/token?scope=s").json["token"]
    granted = ask(upstream.address, "GET", path(blob),
                  Authorization=f"Bearer {token}")

    assert refused.status == 401 and realm.url in refused["WWW-Authenticate"]
    assert granted.status == 200
    assert realm.count("token") == 1


def test_the_fake_upstream_is_fast(upstream):
    large = upstream.add_blob(content("large", 128 << 20))
    with Swarm(upstream.address, path(large), large, 8) as swarm:
        assert all(reader.finished and not reader.wrong
                   for reader in swarm.run(seconds=5))


def test_a_stopped_upstream_refuses_and_comes_back(upstream, blob):
    upstream.stop()
    with pytest.raises(ConnectionRefusedError):
        ask(upstream.address, "GET", path(blob))
    upstream.start()
    assert ask(upstream.address, "HEAD", path(blob)).status == 200
