"""What a manifest names starts to come before anybody asks for it."""

import json

import pytest

from lab.content import content
from lab.images import OCI, OCI_INDEX, Blob, Manifest, descriptor, encode
from lab.waiting import wait_until

MIB = 1 << 20
FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
PREFETCHED = "private_registry_mirror_prefetched_total"
REPOSITORY = "library/app"
PLATFORMS = {"linux/amd64": {"os": "linux", "architecture": "amd64"},
             "linux/arm64": {"os": "linux", "architecture": "arm64",
                             "variant": "v8"},
             "unknown": {"os": "unknown", "architecture": "unknown"}}


@pytest.fixture
def registry(start_registry, upstream):
    return start_registry({"docker.io": upstream.url},
                          arguments=["--drain=0s"])


@pytest.fixture
def choosy(start_registry, upstream):
    """It has everything ready for one platform."""
    return start_registry({"docker.io": upstream.url}, options={
        "docker.io": {"platforms": ["linux/arm64", "windows/amd64"]}})


@pytest.fixture
def image(upstream):
    return upstream.add_image(REPOSITORY, "1", *layers("image", 10))


@pytest.fixture
def index(upstream):
    """{platform: image} behind the tag `all`."""
    images = {name: upstream.add_image(REPOSITORY, name.replace("/", "-"),
                                       *layers(name, 3))
              for name in PLATFORMS}
    body = encode({"schemaVersion": 2, "mediaType": OCI_INDEX,
                   "manifests": [
                       dict(descriptor(OCI["manifest"], Blob(
                           each.manifest.digest, len(each.manifest.body))),
                           platform=PLATFORMS[name])
                       for name, each in images.items()]})
    upstream.add_tagged(REPOSITORY, "all", Manifest(OCI_INDEX, body))
    return images


def layers(seed, count):
    return [content(f"{seed} {number}", MIB) for number in range(count)]


def ask(registry, reference, method="GET"):
    answer = registry.ask(method, f"/v2/{REPOSITORY}/manifests/{reference}")
    assert answer.status == 200, answer
    return answer


def kept(registry):
    """Digests of all blobs that are here."""
    return {"sha256:" + file.name.split(".")[0] for file in
            registry.data.glob("blobs/sha256/*/*")}


def digests(image):
    return {each.digest for each in image.layers}


def come_unasked(registry, upstream, image):
    wait_until(lambda: digests(image) <= kept(registry), "config and layers")
    asked = upstream.count("blob", "GET")
    for layer in image.layers:
        got = registry.ask("GET", f"/v2/{REPOSITORY}/blobs/{layer.digest}")
        assert got.body == layer.bytes()
    assert upstream.count("blob", "GET") == asked


def nothing_more_comes(registry, upstream, image):
    """What would have been begun is ahead of what is asked for now."""
    other = upstream.add_small_image("library/other")
    answer = registry.ask("GET", "/v2/library/other/manifests/1")
    assert answer.status == 200
    if registry.metrics()[PREFETCHED] == 0:
        for layer in other.layers:
            registry.ask("GET", f"/v2/library/other/blobs/{layer.digest}")
    wait_until(lambda: digests(other) <= kept(registry), "another image")
    assert not digests(image) & kept(registry)


def test_config_and_layers_come_before_they_are_asked_for(registry, upstream,
                                                          image):
    ask(registry, "1")
    come_unasked(registry, upstream, image)
    assert upstream.count("blob", "GET") == len(image.layers)
    assert registry.metrics()[PREFETCHED] == len(image.layers)
    wait_until(lambda: [line["reason"] for line in registry.log_lines("fetch")
                        if "blob" in line] == ["prefetch"] * len(image.layers),
               "a line for each")


def test_who_looks_whether_a_tag_moved_fetches_nothing(registry, upstream,
                                                       image):
    for _ in range(3):
        ask(registry, "1", "HEAD")
    nothing_more_comes(registry, upstream, image)


def test_after_a_head_whoever_gets_the_manifest_begins_it(registry, upstream,
                                                          image):
    """As containerd asks: the tag by HEAD, then its digest."""
    digest = ask(registry, "1", "HEAD")["Docker-Content-Digest"]
    ask(registry, digest)
    come_unasked(registry, upstream, image)


def test_of_an_index_the_platforms_come_that_are_wanted(choosy, upstream,
                                                        index):
    ask(choosy, "all")
    come_unasked(choosy, upstream, index["linux/arm64"])
    for other in "linux/amd64", "unknown":
        ask(choosy, index[other].manifest.digest)
        nothing_more_comes(choosy, upstream, index[other])


def test_without_a_wish_what_a_client_fetches_is_wanted(registry, upstream,
                                                        index):
    ask(registry, "all")
    assert registry.metrics()[PREFETCHED] == 0
    ask(registry, index["linux/amd64"].manifest.digest)
    come_unasked(registry, upstream, index["linux/amd64"])
    assert not digests(index["linux/arm64"]) & kept(registry)


def test_a_tag_without_an_index_is_wanted(choosy, upstream, image):
    ask(choosy, "1")
    come_unasked(choosy, upstream, image)


def test_layers_that_lie_elsewhere_are_left_alone(registry, upstream):
    here, there = layers("foreign", 2)
    image = upstream.add_image(REPOSITORY, "1", here, there)
    body = json.loads(image.manifest.body)
    body["layers"][1]["mediaType"] = FOREIGN
    upstream.add_tagged(REPOSITORY, "2", Manifest(OCI["manifest"],
                                                  encode(body)))
    ask(registry, "2")
    wait_until(lambda: here.digest in kept(registry), "the other layer")
    assert registry.metrics()[PREFETCHED] == 2


def test_who_asks_goes_before_what_nobody_asked_for(registry, upstream,
                                                    image):
    """Config and eight layers come; others are behind them until then."""
    upstream.always.stall_at = MIB // 2
    ask(registry, "1")
    wait_until(lambda: upstream.count("blob", "GET") == 9, "the first ones")
    begun = {each.target.split("/")[-1] for each in
             upstream.seen("blob", "GET")}
    late = next(layer for layer in reversed(image.layers)
                if layer.digest not in begun)
    with registry.connect() as wire:
        wire.send(f"GET /v2/{REPOSITORY}/blobs/{late.digest} HTTP/1.1\r\n"
                  "Host: a\r\n\r\n".encode())
        assert wire.head().status == 200
        assert upstream.count("blob", "GET") == 10
        upstream.release()
        assert wire.read(late.size) == late.bytes()
    come_unasked(registry, upstream, image)
    assert upstream.count("blob", "GET") == len(image.layers)


def test_a_queue_that_is_full_takes_no_more(registry, upstream):
    """What found no place comes when it is asked for."""
    upstream.always.stall_at = 0
    image = upstream.add_image(REPOSITORY, "1", *(
        content(f"small {number}", 1000) for number in range(300)))
    ask(registry, "1")
    wait_until(lambda: registry.metrics()[PREFETCHED] >= 256, "many in line")
    wait_until(lambda: upstream.count("blob", "GET") == 8, "the first ones")
    assert registry.metrics()[PREFETCHED] <= 256 + 8
    upstream.release()
    upstream.always.stall_at = None
    for layer in image.layers:
        got = registry.ask("GET", f"/v2/{REPOSITORY}/blobs/{layer.digest}")
        assert got.body == layer.bytes()
    assert upstream.count("blob", "GET") == len(image.layers)


def test_an_image_larger_than_the_cache_is_not_begun(start_registry, upstream,
                                                     image):
    registry = start_registry({"docker.io": upstream.url}, mirror={
        "cache": {"limit": "4MiB", "keep_free": "none"}})
    ask(registry, "1")
    nothing_more_comes(registry, upstream, image)


def test_a_stop_leaves_what_nobody_waits_for(registry, upstream, image):
    upstream.always.stall_at = MIB // 2
    ask(registry, "1")
    wait_until(lambda: upstream.count("blob", "GET") == 9, "the first ones")
    assert registry.stop() == 0
    upstream.release()
    upstream.always.stall_at = None
    registry.start()
    for layer in image.layers:
        got = registry.ask("GET", f"/v2/{REPOSITORY}/blobs/{layer.digest}")
        assert got.body == layer.bytes()
