"""What nobody needs any more goes; what somebody relies on stays."""

import select
import subprocess
import threading
import time

import pytest

from lab.content import content
from lab.images import OCI, Blob, Manifest, descriptor, encode
from lab.pusher import (PROMISE, push_blob, push_in_time, push_manifest,
                        with_digest)
from lab.registry import BINARY, Registry
from lab.waiting import wait_until

FAILED, USAGE, IN_USE = 1, 2, 3


@pytest.fixture
def registry(scene):
    return Registry(scene).start()


def gc(registry, *arguments):
    """What it says, on standard output."""
    done = run(registry.data, *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def run(data, *arguments):
    return subprocess.run([str(BINARY), "gc", "--data", str(data), *arguments],
                          text=True, capture_output=True, timeout=60)


def files(registry, directory):
    return sorted(path for path in (registry.data / directory).rglob("*")
                  if path.is_file())


def push_blobs(registry, repository, *blobs):
    with registry.connect() as wire:
        for blob in blobs:
            push_blob(wire, repository, blob.digest, blob.bytes())


def image_of(config, *layers, **more):
    blobs = [Blob(blob.digest, blob.size) for blob in (config, *layers)]
    return Manifest(OCI["manifest"], encode({
        "schemaVersion": 2, "mediaType": OCI["manifest"],
        "config": descriptor(OCI["config"], blobs[0]),
        "layers": [descriptor(OCI["layer"], blob) for blob in blobs[1:]]}
        | more))


def push_manifest_of(registry, repository, tag, *blobs):
    manifest = image_of(*blobs)
    with registry.connect() as wire:
        push_manifest(wire, repository, tag, manifest)
    return manifest


def push_with_blobs(registry, repository, reference, manifest, *blobs):
    """Where what no manifest names goes soon."""
    with registry.connect() as wire:
        push_in_time(wire, repository, reference, manifest,
                     lambda: push_blobs(registry, repository, *blobs))


def delete(registry, repository, manifest):
    target = f"/v2/{repository}/manifests/{manifest.digest}"
    assert registry.ask("DELETE", target).status == 202


def pulls(registry, repository, tag, *blobs):
    answer = registry.ask("GET", f"/v2/{repository}/manifests/{tag}")
    return answer.status == 200 and all(
        registry.ask("GET", f"/v2/{repository}/blobs/{blob.digest}").body
        == blob.bytes() for blob in blobs)


# -------------------------------------------------------------- by itself

def test_an_abandoned_upload_expires(scene):
    registry = Registry(scene, settings={"gc": {"grace": "1s"}}).start()
    with registry.connect() as wire:
        start = wire.ask("POST", "/v2/app/blobs/uploads/", b"")
        assert wire.ask("PATCH", start["Location"], b"some").status == 202
        assert len(files(registry, "incoming")) == 1
    wait_until(lambda: not files(registry, "incoming"), "the upload to expire")
    answer = registry.ask("GET", start["Location"])
    assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")
    wait_until(lambda: registry.metrics()
               ["private_registry_swept_arrivals_total"] == 1, "the count")


def test_a_slow_upload_outlives_many_epochs(scene):
    registry = Registry(scene, settings={"gc": {"grace": "1s"}}).start()
    layer, doomed = content("slow", 7), content("doomed", 9)
    push_blobs(registry, "other", doomed)
    with registry.connect() as wire:
        start = wire.ask("POST", "/v2/app/blobs/uploads/", b"")
        target = with_digest(start["Location"], layer.digest)
        wire.send(f"PUT {target} HTTP/1.1\r\nHost: x\r\n"
                  f"Content-Length: {layer.size}\r\n\r\n".encode()
                  + layer.bytes()[:3])
        # Two epochs and more go by, as another blob's end shows.
        wait_until(lambda: len(files(registry, "blobs")) == 0,
                   "a blob to expire")
        wire.send(layer.bytes()[3:])
        assert wire.answer("PUT").status == 201
        assert registry.ask(
            "GET", f"/v2/app/blobs/{layer.digest}").body == layer.bytes()


def test_what_is_named_outlives_many_epochs(scene):
    registry = Registry(scene, settings={"gc": {"grace": "1s"}}).start()
    config, layer, doomed = (content(seed, 1000) for seed in "cld")
    push_with_blobs(registry, "app", "1", image_of(config, layer),
                    config, layer)
    push_blobs(registry, "app", doomed)
    push_manifest_of(registry, "app", "1", config)      # the tag moves
    wait_until(lambda: len(files(registry, "blobs")) == 2, "one to expire")
    assert pulls(registry, "app", "1", config, layer)


def test_a_referrer_of_what_was_deleted_outlives_many_epochs(scene):
    """It goes neither by itself nor when asked, and is pulled whole."""
    registry = Registry(scene, settings={"gc": {"grace": "1s"}}).start()
    config, sbom, doomed = (content(seed, 1000) for seed in "csd")
    subject = image_of(config)
    referrer = image_of(sbom, subject=descriptor(
        subject.media_type, Blob(subject.digest, len(subject.body))))
    push_with_blobs(registry, "app", "1", subject, config)
    push_with_blobs(registry, "app", referrer.digest, referrer, sbom)
    delete(registry, "app", subject)
    push_blobs(registry, "app", doomed)
    wait_until(lambda: len(files(registry, "blobs")) == 1, "others to expire")
    gc(registry, "--grace", "0s")
    assert pulls(registry, "app", referrer.digest, sbom)
    listed = registry.ask("GET", f"/v2/app/referrers/{subject.digest}").json
    assert [each["digest"] for each in listed["manifests"]] == [
        referrer.digest]


# ----------------------------------------------------------------- when asked

def test_what_a_deleted_manifest_named_goes_at_once_if_asked_so(registry):
    config, layer = content("config", 100), content("layer", 1_200_000)
    push_blobs(registry, "app", config, layer)
    manifest = push_manifest_of(registry, "app", "1", config, layer)
    delete(registry, "app", manifest)

    assert "2 blobs (1.2 MB) that no manifest names" in gc(registry)
    assert len(files(registry, "blobs")) == 2
    told = gc(registry, "--dry-run", "--grace=0s")
    assert f"1.2 MB  {layer.digest}: no manifest of any" in told
    assert f"app@{config.digest}: no manifest of this" in told
    assert ("Would remove 2 blobs (1.2 MB), "
            "2 links of repositories to blobs.") in told
    assert len(files(registry, "blobs")) == 2
    assert "Removed 2 blobs (1.2 MB), 2 links" in gc(registry, "--grace=0s")
    assert files(registry, "blobs") == []
    assert gc(registry) == "Nothing to remove.\n"
    metrics = registry.metrics()
    assert metrics["private_registry_swept_blobs_total"] == 2
    assert metrics["private_registry_swept_bytes_total"] == 1_200_100


def amid_collections(registry, begin):
    """What begin() returns; collections could take what it has begun.

    The first may not, however long it takes. If another one ends too late,
    what was promised may have ended as well: then all of it once more.
    """
    def begun():
        done, began, rounds = begin(), time.monotonic(), 0
        while rounds < 3 and time.monotonic() - began < PROMISE / 2:
            gc(registry, "--grace", "0s")
            rounds += 1
        in_time = rounds == 1 or time.monotonic() - began < PROMISE
        return [done] if in_time else None
    return wait_until(begun, "collections that are quick")[0]


def test_a_push_is_not_broken_between_its_blobs_and_its_manifest(registry):
    config, layer = content("config", 100), content("layer", 1000)
    amid_collections(registry, lambda: push_blobs(registry, "app", config,
                                                  layer))
    push_manifest_of(registry, "app", "1", config, layer)
    assert pulls(registry, "app", "1", config, layer)


def test_nor_is_one_that_relies_on_what_is_just_being_deleted(registry):
    config, layer = content("config", 100), content("layer", 1000)

    def delete_what_was_seen():
        push_blobs(registry, "app", config, layer)
        manifest = push_manifest_of(registry, "app", "1", config, layer)
        with registry.connect() as wire:
            for blob in config, layer:
                head = wire.ask("HEAD", f"/v2/app/blobs/{blob.digest}")
                assert head.status == 200
                assert head["Content-Length"] == str(blob.size)
        delete(registry, "app", manifest)

    amid_collections(registry, delete_what_was_seen)
    push_manifest_of(registry, "app", "2", config, layer)
    assert pulls(registry, "app", "2", config, layer)


def test_nor_is_one_whose_layer_another_push_named_and_let_go(registry):
    shared, own, other = (content(seed, 1000) for seed in ("s", "o", "p"))
    push_blobs(registry, "app", shared, own)
    head = registry.ask("HEAD", f"/v2/app/blobs/{shared.digest}")
    assert head.status == 200                           # to the other push
    delete(registry, "app",
           push_manifest_of(registry, "app", "1", own, shared))
    gc(registry, "--grace", "0s")
    push_blobs(registry, "app", other)
    push_manifest_of(registry, "app", "2", other, shared)
    assert pulls(registry, "app", "2", other, shared)


def test_docker_asks_for_what_it_has_pushed_and_is_no_second_client(registry):
    config, agent = content("config", 100), "docker/20.10.24 go/go1.19.8"
    path = "/v2/app/blobs/uploads/?digest=" + config.digest
    push = registry.ask("POST", path, config.bytes(), User_Agent=agent)
    assert push.status == 201
    head = registry.ask("HEAD", push["Location"], User_Agent=agent)
    assert (head.status, head["Content-Length"]) == (200, "100")
    delete(registry, "app", push_manifest_of(registry, "app", "1", config))
    assert "Removed 1 blob" in gc(registry, "--grace", "0s")


def test_nor_an_upload_between_two_chunks(registry):
    layer = content("layer", 1000)

    def first_chunk():
        start = registry.ask("POST", "/v2/app/blobs/uploads/", b"")
        return registry.ask("PATCH", start["Location"], layer.bytes()[:400])

    patched = amid_collections(registry, first_chunk)
    done = registry.ask("PUT", with_digest(patched["Location"], layer.digest),
                        layer.bytes()[400:])
    assert done.status == 201


def test_what_a_crash_left_behind_goes(registry):
    layer = content("layer", 1000)
    push_blobs(registry, "app", layer)
    name = files(registry, "blobs")[0]
    name.with_name(name.stem + ".999").write_bytes(b"left")
    (registry.data / "incoming" / "999").write_bytes(b"left")
    (registry.data / "incoming" / "notes").write_bytes(b"not ours")
    told = gc(registry, "--dry-run")
    assert f"file         4 B  {layer.digest}: left over, by a crash" in told
    assert "file         4 B  incoming/999: left over, by a crash" in told
    assert "Removed 2 left-over files (8 B)." in gc(registry)
    assert files(registry, "blobs") == [name]
    assert [path.name for path in files(registry, "incoming")] == ["notes"]


def test_a_stopped_store_is_swept_as_well(registry):
    config = content("config", 100)
    push_blobs(registry, "app", config)
    delete(registry, "app", push_manifest_of(registry, "app", "1", config))
    assert registry.stop() == 0
    assert "Would remove 1 blob (100 B), 1 link of a repository" in gc(
        registry, "--dry-run", "--grace", "0s")
    assert "Removed 1 blob (100 B)" in gc(registry, "--grace", "0s")
    assert files(registry, "blobs") == []


def test_pushes_and_pulls_go_on_meanwhile(registry):
    """Six clients push, pull, and delete the same few images all the time."""
    over, mistakes = threading.Event(), []
    shared = content("shared", 5000)

    def client(number):
        own = content(f"own {number}", 3000)
        repository = f"app{number % 2}"
        manifest = image_of(own, shared)

        def send_blobs():
            with registry.connect() as wire:
                for blob in shared, own:
                    path = f"/v2/{repository}/blobs/{blob.digest}"
                    if wire.ask("HEAD", path).status != 200:
                        push_blob(wire, repository, blob.digest, blob.bytes())

        while not over.is_set():
            with registry.connect() as wire:
                push_in_time(wire, repository, f"t{number}", manifest,
                             send_blobs)
            assert pulls(registry, repository, f"t{number}", own, shared)
            delete(registry, repository, manifest)

    def until_over(number):
        try:
            client(number)
        except Exception as mistake:    # noqa: the test tells it
            mistakes.append(mistake)
            over.set()

    threads = [threading.Thread(target=until_over, args=(number,))
               for number in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        if not over.is_set():
            gc(registry, "--grace", "0s")
    over.set()
    for thread in threads:
        thread.join()
    assert mistakes == []
    gc(registry, "--grace", "0s")
    assert registry.metrics()["private_registry_swept_blobs_total"] > 0


# ------------------------------------------------------------- what is wrong

def test_a_wrong_grace_is_refused(registry):
    done = run(registry.data, "--grace", "soon")
    assert done.returncode == USAGE and '"soon"' in done.stderr


def test_a_directory_that_is_not_there_is_not_made(registry):
    nowhere = registry.data / "nowhere"
    done = run(nowhere)
    assert done.returncode == FAILED and str(nowhere) in done.stderr
    assert not nowhere.exists()


# ----------------------------------------------------- listings nobody reads

@pytest.fixture
def listing(registry):
    """listing(): a dry run that tells of 2,000 files, and is not read on."""
    layer = content("layer", 10)
    push_blobs(registry, "app", layer)
    name, = files(registry, "blobs")
    for number in range(1000, 3000):
        (name.parent / f"{name.stem}.{number}").touch()
    askers = []

    def listing():
        asker = subprocess.Popen(
            [str(BINARY), "gc", "--data", str(registry.data), "--dry-run"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        askers.append(asker)
        assert select.select([asker.stdout], [], [], 60)[0], "it waits"
    yield listing
    for asker in askers:
        asker.kill()
        asker.communicate()


def test_a_stop_does_not_wait_for_whoever_asked(registry, listing):
    listing()
    assert registry.stop() == 0


def test_listings_in_pagers_keep_nobody_from_asking(registry, listing):
    for _ in range(10):
        listing()
    assert "left-over files" in gc(registry)
