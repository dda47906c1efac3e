"""prefetch: images are cached before somebody asks for them."""

import os
import pty
import subprocess

import pytest

from lab.content import content
from lab.images import OCI_INDEX, Manifest, encode
from lab.integrity import keeps
from lab.registry import BINARY, Registry
from lab.waiting import wait_until

MIB = 1 << 20


@pytest.fixture
def registry(start_registry, upstream):
    return start_registry({"docker.io": upstream.url})


@pytest.fixture
def prefetch(lab, registry):
    """prefetch(words…): (exit status, standard output, standard error)."""
    def prefetch(*words, **how):
        done = subprocess.run(
            [str(BINARY), "prefetch", *map(str, words), "--config",
             str(registry.configuration)], text=True, timeout=60,
            env=lab.environment, capture_output=True, **how)
        return done.returncode, done.stdout, done.stderr
    return prefetch


def pull(registry, image):
    """All of it, as a client would."""
    def get(kind, reference):
        answer = registry.ask("GET", f"/v2/{image.repository}/{kind}/"
                                     f"{reference}")
        assert answer.status == 200, answer
    get("manifests", image.tag)
    for layer in image.layers:
        get("blobs", layer.digest)


def test_what_was_prefetched_needs_no_upstream(registry, upstream, prefetch):
    image = upstream.add_image("library/app", "1", content("a", 3 * MIB),
                               content("b", MIB))
    status, out, err = prefetch("app:1")
    assert (status, err) == (0, "")
    assert out == "app:1: 1 manifest, 3 blobs, 4.2 MB\n"
    keeps(registry, image)
    upstream.stop()
    pull(registry, image)


def test_prefetching_again_asks_for_nothing(upstream, prefetch):
    upstream.add_small_image("library/app")
    prefetch("app:1")
    upstream.forget()
    assert prefetch("docker.io/library/app:1")[0] == 0
    assert upstream.requests == []


def add_index(upstream, *platforms):
    """An index of small images, by its digest."""
    made = {each: upstream.add_image("team/app", each.replace("/", "-"),
                                     content(each, 1000))
            for each in dict.fromkeys(platforms)}
    images = [made[each] for each in platforms]
    index = Manifest(OCI_INDEX, encode({
        "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
            {"mediaType": image.manifest.media_type, "size":
             len(image.manifest.body), "digest": image.manifest.digest,
             "platform": dict(zip(("os", "architecture"), each.split("/")))}
            for image, each in zip(images, platforms)]}))
    index.images = images
    upstream.add_manifest("team/app", index)
    return index


def test_an_index_comes_with_all_its_images(registry, upstream, prefetch):
    index = add_index(upstream, "linux/amd64", "linux/arm64")
    status, out, _ = prefetch(f"team/app@{index.digest}")
    assert status == 0 and ": 3 manifests, 4 blobs, " in out
    keeps(registry, *index.images)
    upstream.stop()
    for image in index.images:
        image.tag = image.manifest.digest
        pull(registry, image)


def test_of_an_index_only_the_platforms_that_are_wanted(upstream, prefetch):
    """ARM in its other spelling; what an index says of itself counts."""
    index = add_index(upstream, "linux/amd64", "linux/arm64")
    status, out, _ = prefetch(f"team/app@{index.digest}",
                              "--platform", "linux/aarch64")
    assert status == 0 and ": 2 manifests, 2 blobs, " in out
    status, _, err = prefetch(f"team/app@{index.digest}",
                              "--platform=linux/s390x")
    assert status == 1 and "nothing for that platform" in err
    assert prefetch(f"team/app@{index.digest}", "--platform",
                    "linux/amd64,linux/arm64")[1].count(": 3 manifests") == 1
    assert "is no platform" in prefetch("app", "--platform=linux")[2]


def test_an_index_has_an_end(upstream, prefetch):
    index = add_index(upstream, *["linux/amd64"] * 1001)
    status, _, err = prefetch(f"team/app@{index.digest}")
    assert status == 1 and "more than 1000 manifests" in err


def test_what_does_not_come_is_told_and_the_rest_comes(registry, upstream,
                                                       prefetch, scene):
    images = [upstream.add_small_image(f"library/app{i}") for i in range(2)]
    names = scene.directory("names") / "images.txt"
    names.write_text("# what we need\n\n  app0:1 # this\r\nmissing:1\napp1:1")
    status, out, err = prefetch("--from-file", names)
    assert status == 1
    assert err == "private-registry: 1 of 3 images did not come\n"
    assert [line.split(": ")[0] for line in out.splitlines()] == \
        ["app0:1", "missing:1", "app1:1"]
    keeps(registry, *images)
    upstream.stop()
    for image in images:
        pull(registry, image)


def test_a_blob_that_breaks_off_is_no_success(registry, upstream, prefetch):
    image = upstream.add_image("library/app", "1", content("a", MIB))
    upstream.always.wrong_byte_at = 1000
    status, out, err = prefetch("app:1")
    assert (status, out) == (1, "")
    assert err.startswith("private-registry: app:1: blob sha256:")
    assert image.layers[1].digest in err or image.layers[0].digest in err


def test_it_shows_how_far_it_is(registry, upstream, lab):
    upstream.add_image("library/app", "1", content("a", 3 * MIB))
    upstream.always.rate = 2 * MIB
    ours, theirs = pty.openpty()
    with subprocess.Popen(
            [str(BINARY), "prefetch", "app:1", "--server", registry.url],
            env=lab.environment, stdout=theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 65536)
            except OSError:     # its last end was closed
                break
    os.close(ours)
    assert process.returncode == 0
    assert b"[=" in shown and b" of 3.1 MB" in shown
    assert shown.replace(b"\r", b"").split(b"\x1b[K")[-1] == \
        b"app:1: 1 manifest, 2 blobs, 3.1 MB\n"


@pytest.mark.parametrize("words, says", [
    ([], "which images?"),
    (["App"], '"App" is no image'),
    (["app:"], '"app:" is no image'),
    (["app@1"], '"app@1" is no image'),
    (["app?ns=x"], "is no image"),
    (["app", "--server", "here"], "https://host[:port]"),
    (["app", "--server="], "https://host[:port]"),
    (["app", "--from-file", "/none"], "/none"),
    (["app", "--listen", "127.0.0.1"], "--listen"),
])
def test_what_is_wrong_is_said_in_one_sentence(prefetch, words, says):
    status, out, err = prefetch(*words)
    assert status in (1, 2) and out == ""
    assert err.startswith("private-registry: ") and err.count("\n") == 1
    assert says in err


def test_without_a_registry_it_says_where_it_looked(registry, prefetch):
    address = "%s:%d" % registry.address
    registry.stop()
    status, _, err = prefetch("app:1")
    assert status == 1 and f"http://{address}" in err


# ------------------------------------------------------------ by itself

@pytest.fixture
def start_fresh(start_registry, upstream):
    def start(*images, every="1s", **keys):
        return start_registry(
            {"docker.io": upstream.url}, mirror={"prefetch": [
                {"image": image, "every": every} for image in images]},
            options={"docker.io": {"tag_lifetime": "0s"} | keys})
    return start


def fetched(registry, image):
    """How often all of it came, as the log says."""
    return len([line for line in registry.log_lines("prefetch")
                if line["image"] == image and "error" not in line])


def test_a_list_is_kept_fresh(start_fresh, upstream):
    upstream.add_small_image("library/app")
    registry = start_fresh("app:1")
    wait_until(lambda: fetched(registry, "app:1") > 0, "the first image")
    image = upstream.add_image("library/app", "1", content("new", 2000))
    wait_until(lambda: upstream.seen("blob", "GET") and any(
        image.layers[1].digest in each.target
        for each in upstream.seen("blob", "GET")), "the new layer")
    before = fetched(registry, "app:1")
    wait_until(lambda: fetched(registry, "app:1") > before, "all of it")
    keeps(registry, image)
    upstream.stop()
    pull(registry, image)


def test_what_fails_is_asked_for_the_next_time(start_fresh, upstream):
    registry = start_fresh("none:1", "app:1")
    wait_until(lambda: [line for line in registry.log_lines("prefetch")
                        if line["image"] == "app:1"], "a failure")
    upstream.add_small_image("library/app")
    wait_until(lambda: fetched(registry, "app:1"), "the image")
    assert fetched(registry, "none:1") == 0


def test_it_is_not_asked_for_before_its_time(start_fresh, upstream):
    upstream.add_small_image("library/app")
    upstream.add_small_image("library/other")
    registry = start_fresh("app:1", every="1h")
    wait_until(lambda: fetched(registry, "app:1"), "the image")
    text = registry.configuration.read_text()
    registry.configuration.write_text(text.replace("app:1", "other:1"))
    upstream.forget()
    registry.signal()
    wait_until(lambda: fetched(registry, "other:1"), "the other image")
    assert not [each for each in upstream.requests if "/app/" in each.target]


def test_only_the_platforms_of_the_upstream(start_fresh, upstream):
    index = add_index(upstream, "linux/amd64", "linux/arm64")
    name = f"team/app@{index.digest}"
    registry = start_fresh(name, platforms=["linux/arm64"])
    wait_until(lambda: fetched(registry, name), "the image")
    asked = " ".join(each.target for each in upstream.seen("manifest"))
    assert index.images[1].manifest.digest in asked
    assert index.images[0].manifest.digest not in asked


def test_a_list_with_what_is_no_image_is_refused(start_fresh, scene, upstream):
    registry = Registry(scene, {"docker.io": upstream.url}, mirror={
        "prefetch": [{"image": "No"}]}).start(wait=False)
    assert registry.wait() == 2
    assert '"mirror.prefetch[0].image" is "No", which is no image' in \
        registry.log()


def test_a_stop_does_not_wait_for_it(start_fresh, upstream):
    upstream.add_image("library/app", "1", content("a", 3 * MIB))
    upstream.always.stall_at = MIB
    registry = start_fresh("app:1")
    wait_until(lambda: upstream.count("blob", "GET"), "the layer to begin")
    assert registry.stop() == 0
    upstream.release()
