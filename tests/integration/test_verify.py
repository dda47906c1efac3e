"""What is damaged is found, is not served, and is mended when it comes again."""

import os
import pty
import shutil
import sqlite3
import subprocess
import threading

import pytest

from lab.certificates import make_certificate, trusting
from lab.content import content
from lab.fakehub import FakeHub
from lab.images import OCI, Blob, Manifest, descriptor, encode
from lab.pusher import push_blob, push_manifest
from lab.registry import BINARY, Registry
from lab.waiting import wait_until
from lab.wire import Wire

SOUND, WRONG = 0, 1
CONFIG, LAYER = content("config", 1000), content("layer", 3_000_000)
REMOTE = "hub.example"
DAMAGED = 'private_registry_damaged{kind="blob"}'
FOUND = 'private_registry_damage_found_total{origin="%s"}'


@pytest.fixture
def hub(scene):
    hub = FakeHub(scene)
    hub.add_image("library/app", "1", LAYER)
    return hub


@pytest.fixture
def registry(scene, hub):
    registry = Registry(scene, {REMOTE: hub.url}).start()
    push(registry, "team/app", "1", CONFIG, LAYER)
    return registry


def push_blobs(registry, repository, *blobs):
    with registry.connect() as wire:
        for blob in blobs:
            push_blob(wire, repository, blob.digest, blob.bytes())


def image_of(config, *layers):
    blobs = [Blob(blob.digest, blob.size) for blob in (config, *layers)]
    return Manifest(OCI["manifest"], encode({
        "schemaVersion": 2, "mediaType": OCI["manifest"],
        "config": descriptor(OCI["config"], blobs[0]),
        "layers": [descriptor(OCI["layer"], blob) for blob in blobs[1:]]}))


def push(registry, repository, tag, *blobs):
    push_blobs(registry, repository, *blobs)
    with registry.connect() as wire:
        push_manifest(wire, repository, tag, image_of(*blobs))


def pull_cached(registry):
    """A manifest and its layer, through the mirror, until it is kept."""
    assert registry.ask("HEAD", f"/v2/{REMOTE}/library/app/manifests/1"
                        ).status == 200
    answer = registry.ask(
        "GET", f"/v2/{REMOTE}/library/app/blobs/{LAYER.digest}")
    wait_until(lambda: not list((registry.data / "incoming").iterdir()),
               "the layer to be kept")
    return answer


def blob(registry, method="GET", repository="team/app", what=LAYER):
    return registry.ask(method, f"/v2/{repository}/blobs/{what.digest}")


def path_of(registry, what=LAYER):
    """Where its one file lies."""
    name = what.digest.removeprefix("sha256:")
    file, = (registry.data / "blobs" / "sha256" / name[:2]).glob(f"{name}.*")
    return file


def verify(registry, *arguments):
    """Its exit status, and all that it says."""
    done = subprocess.run(
        [str(BINARY), "verify", "--data", str(registry.data), *arguments],
        text=True, capture_output=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def flip(path):
    with open(path, "r+b") as file:
        file.seek(1_000_000)
        byte = file.read(1)
        file.seek(1_000_000)
        file.write(bytes([byte[0] ^ 1]))


def truncate(path):
    os.truncate(path, 1_000_000)


def grow(path):
    with open(path, "ab") as file:
        file.write(b"more")


DAMAGES = [flip, truncate, grow, os.unlink]


# ------------------------------------------------------------- what is found

def test_what_is_sound_stays_as_it_is(registry):
    assert pull_cached(registry).status == 200
    status, told = verify(registry)
    assert (status, told) == (SOUND, "Read back: 2 blobs (3.0 MB), 2 manifests."
                                     " Everything is as it should be.\n"), told
    metrics = registry.metrics()
    assert metrics["private_registry_verified_blobs_total"] == 2
    assert metrics["private_registry_verified_bytes_total"] > LAYER.size


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_was_pushed_waits_for_a_push(registry, damage):
    damage(path_of(registry))
    status, told = verify(registry)
    assert status == WRONG
    assert f"blob {LAYER.digest}: " in told
    assert "push it again to team/app" in told
    assert "1 thing is not as it should be" in told
    assert registry.metrics()[FOUND % "pushed"] == 1
    assert registry.metrics()[DAMAGED] == 1
    line, = wait_until(lambda: registry.log_lines("verify"), "the log")
    assert (line["level"], line["repository"], line["digest"]) == (
        "error", "team/app", LAYER.digest)

    assert blob(registry, "HEAD").status == 404
    answer = blob(registry)
    assert (answer.status, answer.code) == (404, "BLOB_UNKNOWN")
    answer = registry.ask("PUT", "/v2/team/app/manifests/2",
                          image_of(LAYER, CONFIG).body,
                          Content_Type=OCI["manifest"])
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert verify(registry)[0] == WRONG

    push_blobs(registry, "team/app", LAYER)
    assert blob(registry).body == LAYER.bytes()
    assert registry.metrics()[DAMAGED] == 0
    line, = wait_until(lambda: registry.log_lines("healed"), "the log")
    assert line["digest"] == LAYER.digest
    assert verify(registry)[0] == SOUND


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_only_cached_is_fetched_again(scene, hub, damage):
    registry = Registry(scene, {REMOTE: hub.url}).start()
    assert pull_cached(registry).body == LAYER.bytes()
    damage(path_of(registry))
    status, told = verify(registry)
    assert status == WRONG
    assert "dropped, the next pull fetches it" in told
    assert registry.metrics()[FOUND % "cached"] == 1
    assert verify(registry)[0] == SOUND
    hub.forget()
    assert pull_cached(registry).body == LAYER.bytes()
    assert hub.count("blob", "GET") == 1
    assert verify(registry)[0] == SOUND


def test_all_who_had_it_have_it_again_when_one_gets_it(registry, hub):
    push(registry, "team/other", "1", CONFIG, LAYER)
    flip(path_of(registry))
    assert "(1 more has it)" in verify(registry)[1]
    hub.forget()
    assert pull_cached(registry).body == LAYER.bytes()     # from upstream
    assert hub.count("blob", "GET") == 1
    for repository in "team/app", "team/other":
        assert blob(registry, repository=repository).body == LAYER.bytes()
    assert verify(registry)[0] == SOUND


def test_the_damaged_file_is_kept_and_may_come_back(registry):
    here = path_of(registry)
    flip(here)
    verify(registry)
    kept, = (registry.data / "quarantine").iterdir()
    assert kept.name == here.name
    flip(kept)                              # somebody has mended it
    shutil.move(kept, here)
    assert blob(registry).status == 404
    status, told = verify(registry)
    assert (status, "is sound again" in told) == (SOUND, True)
    assert blob(registry).body == LAYER.bytes()


def test_a_manifest_of_other_bytes_waits_for_a_push(registry):
    pull_cached(registry)
    registry.stop()
    with sqlite3.connect(registry.data / "registry.db") as database:
        database.execute("UPDATE manifest SET bytes = CAST('{}' AS BLOB)")
    database.close()
    status, told = verify(registry)
    assert status == WRONG
    assert f"manifest team/app@{image_of(CONFIG, LAYER).digest}: " in told
    assert f"manifest {REMOTE}/library/app@" in told
    registry.start()
    answer = registry.ask("GET", "/v2/team/app/manifests/1")
    assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")
    assert registry.metrics()['private_registry_damaged{kind="manifest"}'] == 1
    assert pull_cached(registry).status == 200              # fetched again
    push(registry, "team/app", "1", CONFIG, LAYER)
    assert registry.ask("GET", "/v2/team/app/manifests/1").status == 200
    assert registry.metrics()['private_registry_damaged{kind="manifest"}'] == 0
    assert verify(registry)[0] == SOUND


def test_what_an_image_names_and_nobody_has_is_told(registry):
    registry.stop()
    with sqlite3.connect(registry.data / "registry.db") as database:
        database.execute("DELETE FROM link WHERE digest = ?",
                         (b"\0" + bytes.fromhex(CONFIG.digest[7:]),))
    database.close()
    status, told = verify(registry)
    assert status == WRONG
    assert (f"blob {CONFIG.digest}: is named there, and missing; push it again"
            f" to team/app, whose manifest {image_of(CONFIG, LAYER).digest}"
            " names it") in told


def test_what_lies_around_is_told_and_stays(registry):
    strange = [registry.data / "blobs" / "note",
               registry.data / "blobs" / "sha256" / ".hidden",
               path_of(registry).with_suffix(".4711"),
               registry.data / "incoming" / "4711",
               registry.data / "incoming" / "note"]
    for path in strange:
        path.write_bytes(b"what")
    (registry.data / "notes").write_bytes(b"beside our directories")
    status, told = verify(registry)
    assert status == WRONG
    assert "5 things are not as they should be" in told
    for path in strange[:2] + strange[3:]:
        assert f"file {path.relative_to(registry.data)} (4 B): " in told
    assert f"file of {LAYER.digest} (4 B): nothing knows it" in told
    assert all(path.exists() for path in strange)


def test_a_dry_run_only_tells(registry):
    flip(path_of(registry))
    for _ in range(2):
        assert verify(registry, "--dry-run")[0] == WRONG
    assert blob(registry).status == 200
    assert DAMAGED not in registry.metrics() or \
        registry.metrics()[DAMAGED] == 0


def test_it_is_the_same_without_a_registry(registry):
    flip(path_of(registry))
    registry.stop()
    assert "do not match its digest; push it again" in verify(registry)[1]
    assert "did not come again since" in verify(registry)[1]
    registry.start()
    assert registry.metrics()[DAMAGED] == 1
    assert blob(registry).status == 404


# ---------------------------------------------------------- while it is sent

BIG = content("big", 64 << 20)


@pytest.mark.parametrize("sealed", [False, True])
def test_a_file_that_ends_too_early_is_cut_and_marked(
        scene, sealed):
    certificate = make_certificate(scene, scene.directory("certificate"), 1)
    registry = Registry(scene, tls=certificate).start()
    push_blobs(registry, "app", BIG)
    tls = trusting(certificate[0]) if sealed else None
    with Wire(registry.tls if sealed else registry.address, tls=tls) as wire:
        wire.send(f"GET /v2/app/blobs/{BIG.digest} HTTP/1.1\r\n"
                  "Host: x\r\n\r\n".encode())
        head = wire.head()
        assert head.status == 200
        os.truncate(path_of(registry, BIG), 1000)
        assert len(wire.read(BIG.size)) < BIG.size
    wait_until(lambda: registry.metrics()[DAMAGED] == 1, "the check")
    line, = wait_until(lambda: registry.log_lines("verify"), "the log")
    assert line["found"] == "size"
    wait_until(lambda: any(line.get("cut") for line in
                           registry.log_lines("request")), "its line")
    assert blob(registry, "HEAD", "app", BIG).status == 404


def test_who_stumbles_over_a_missing_file_marks_it(registry):
    path_of(registry).unlink()
    assert blob(registry).status == 404
    wait_until(lambda: registry.metrics()[DAMAGED] == 1, "the check")


# ------------------------------------------------------------------- quietly

def test_it_happens_by_itself(scene):
    registry = Registry(scene, settings={"verify": {"every": "1s"}}).start()
    push(registry, "team/app", "1", CONFIG, LAYER)
    flip(path_of(registry))
    wait_until(lambda: registry.metrics()[DAMAGED] == 1, "the damage")
    wait_until(lambda: any(line["blobs"] == "2" for line in
                           registry.log_lines("verified")), "a whole round")
    push_blobs(registry, "team/app", LAYER)
    assert blob(registry).body == LAYER.bytes()


def test_a_round_that_a_restart_stopped_goes_on(scene):
    registry = Registry(scene, settings={
        "verify": {"every": "0s", "rate": "50KB"}}).start()
    blobs = [content(seed, 100_000) for seed in range(4)]
    push_blobs(registry, "app", *blobs)
    registry.edit("every: 0s", "every: 1s")
    registry.signal()
    first, *_, last = sorted(blobs, key=lambda blob: blob.digest)
    wait_until(lambda: registry.metrics()
               ["private_registry_verified_blobs_total"] >= 1, "the first")
    assert registry.stop() == 0
    registry.edit("every: 1s", "every: 30d")
    registry.edit("rate: 50KB", "rate: none")
    before = sum(1 for _ in registry.log_lines("verified"))
    flip_at(path_of(registry, first), 0)
    flip_at(path_of(registry, last), 0)
    registry.start()
    wait_until(lambda: registry.log_lines("verified")[before:],
               "the end of the round")
    lines = wait_until(lambda: registry.log_lines("verify"), "the log")
    assert [line["digest"] for line in lines] == [last.digest]


def flip_at(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


def test_a_reload_says_how_often(scene):
    registry = Registry(scene, settings={"verify": {"every": "0s"}}).start()
    push(registry, "team/app", "1", CONFIG, LAYER)
    flip(path_of(registry))
    registry.edit("every: 0s", "every: 1s")
    registry.signal()
    wait_until(lambda: registry.metrics()[DAMAGED] == 1, "the damage")


# --------------------------------------------------------------- when asked

@pytest.fixture
def slow(registry):
    """A verify of the running registry that takes a minute."""
    argv = [str(BINARY), "verify", "--data", str(registry.data),
            "--rate", "50KB"]
    before = registry.metrics()["private_registry_verified_bytes_total"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: registry.metrics()
                   ["private_registry_verified_bytes_total"] > before,
                   "the first bytes")
        yield process
        process.kill()


def test_others_may_ask_meanwhile(registry, slow):
    done = subprocess.run([str(BINARY), "gc", "--data", str(registry.data)],
                          capture_output=True, timeout=30)
    assert done.returncode == 0
    assert verify(registry, "--rate", "none")[0] == SOUND
    assert slow.poll() is None


def test_a_stop_does_not_wait_for_it(registry, slow):
    assert registry.stop() == 0
    out, err = slow.communicate(timeout=30)
    assert slow.returncode == WRONG
    assert "closing" in err or "ended before" in err, err


def test_it_ends_when_nobody_hears_it(registry, slow):
    wait_until(lambda: reads_blobs(registry), "a blob to be read")
    slow.kill()
    wait_until(lambda: not reads_blobs(registry), "it to end")


def reads_blobs(registry):
    return any("/blobs/sha256/" in name for name in registry.descriptors())


def test_a_terminal_shows_a_bar(registry):
    leader, follower = pty.openpty()
    seen = []
    with subprocess.Popen(
            [str(BINARY), "verify", "--data", str(registry.data),
             "--rate", "5MB"], stdout=follower) as process:
        os.close(follower)
        reader = threading.Thread(target=read_all, args=(leader, seen))
        reader.start()
        assert process.wait(60) == SOUND
        reader.join()
    os.close(leader)
    text = b"".join(seen).decode()
    assert "\r[" in text and "of 3.0 MB" in text
    assert text.endswith("Everything is as it should be.\r\n")


def read_all(leader, seen):
    try:
        while data := os.read(leader, 4096):
            seen.append(data)
    except OSError:
        pass        # the other side is closed


def test_what_is_typed_wrong_is_told(registry):
    status, told = verify(registry, "--rate", "fast")
    assert status == 2
    assert "or none" in told
