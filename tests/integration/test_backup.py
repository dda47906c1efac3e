"""A backup is whole whatever happens, and everything comes back from it."""

import fcntl
import os
import pty
import random
import shutil
import signal
import sqlite3
import subprocess
import threading

import pytest

from lab.content import content
from lab.disk import fill, small_disk
from lab.images import OCI, Blob, Manifest, descriptor, encode
from lab.process import run as lab_run
from lab.pusher import push_blob, push_in_time, push_manifest
from lab.registry import BINARY, Registry, sanitized
from lab.waiting import wait_until

OK, FAILED, USAGE, IN_USE = 0, 1, 2, 3


@pytest.fixture
def registry(scene):
    return Registry(scene).start()


@pytest.fixture
def place(scene):
    return scene.directory("backups") / "backup"


def run(verb, *arguments, before=(), **options):
    return subprocess.run([*map(str, before), str(BINARY), verb,
                           *map(str, arguments)],
                          text=True, capture_output=True, timeout=120,
                          **options)


def backup(registry, place, *arguments):
    """What it says, on standard output."""
    done = run("backup", place, "--data", registry.data, *arguments)
    assert (done.returncode, done.stderr) == (OK, ""), done
    return done.stdout


def restore(place, data, *arguments):
    done = run("restore", place, "--data", data, *arguments)
    assert (done.returncode, done.stderr) == (OK, ""), done
    return done.stdout


def refused(verb, *arguments):
    """The sentence, and the exit status."""
    done = run(verb, *arguments)
    assert done.returncode != OK and done.stdout == "", done
    return done.stderr, done.returncode


def is_sound(registry):
    done = run("verify", "--rate", "none", "--data", registry.data)
    assert "Everything is as it should be." in done.stdout, done
    return True


def files(directory):
    return sorted(path.name for path in (directory / "blobs").rglob("*.*"))


def image_of(*blobs):
    config, *layers = [Blob(blob.digest, blob.size) for blob in blobs]
    return Manifest(OCI["manifest"], encode({
        "schemaVersion": 2, "mediaType": OCI["manifest"],
        "config": descriptor(OCI["config"], config),
        "layers": [descriptor(OCI["layer"], layer) for layer in layers]}))


class Image:
    """A tag, and what it means."""

    def __init__(self, repository, tag, *blobs):
        self.repository, self.tag, self.blobs = repository, tag, blobs
        self.manifest = image_of(*blobs)

    def push(self, registry):
        with registry.connect() as wire:
            def send_blobs():
                for blob in self.blobs:
                    push_blob(wire, self.repository, blob.digest,
                              blob.bytes())
            push_in_time(wire, self.repository, self.tag, self.manifest,
                         send_blobs)
        return self

    def delete(self, registry):
        target = f"/v2/{self.repository}/manifests/{self.manifest.digest}"
        assert registry.ask("DELETE", target).status == 202

    def pulls(self, registry):
        base = f"/v2/{self.repository}"
        got = registry.ask("GET", f"{base}/manifests/{self.tag}")
        return got.status == 200 and got.body == self.manifest.body and all(
            registry.ask("GET", f"{base}/blobs/{blob.digest}").body
            == blob.bytes() for blob in self.blobs)


def small(name, size=3000, repository="team/app"):
    return Image(repository, name, content(f"config of {name}", 200),
                 content(f"layer of {name}", size))


def restored(scene, place, *arguments, **settings):
    """A registry of what the backup holds, running and sound."""
    registry = Registry(scene, **settings)
    restore(place, registry.data, *arguments)
    registry.start()
    assert is_sound(registry)
    return registry


# ---------------------------------------------------------------- what it has

def test_everything_pushed_comes_back(scene, registry, place):
    images = [small(name).push(registry) for name in "abc"]
    told = backup(registry, place)
    assert "6 blobs (9.6 kB) in" in told and "6 new" in told
    again = restored(scene, place)
    assert all(image.pulls(again) for image in images)
    later = small("later").push(again)
    assert later.pulls(again) and is_sound(again)


def test_done_again_it_takes_only_what_is_new(registry, place):
    first = small("a").push(registry)
    second = small("b").push(registry)
    backup(registry, place)
    assert "new" not in backup(registry, place)
    first.delete(registry)
    assert run("gc", "--grace", "0s", "--data", registry.data).returncode == 0
    small("c").push(registry)
    told = backup(registry, place)
    assert "4 blobs (6.4 kB)" in told
    assert "2 new" in told and "2 removed (3.2 kB)" in told
    assert files(place) == files(registry.data)
    assert second.pulls(registry)


def test_what_is_only_cached_stays_out(scene, start_registry, upstream, place):
    registry = start_registry({"docker.io": upstream.url})
    image = upstream.add_small_image("library/app")
    for layer in image.layers:
        assert registry.ask(
            "GET", f"/v2/{image.repository}/blobs/{layer.digest}").status == 200
    assert registry.ask(
        "GET", f"/v2/{image.repository}/manifests/1").status == 200
    pushed = small("a").push(registry)
    assert "2 blobs" in backup(registry, place)
    again = restored(scene, place, upstreams={"docker.io": upstream.url})
    assert pushed.pulls(again)
    assert again.ask(
        "GET", f"/v2/{image.repository}/manifests/1").status == 200


def test_a_stopped_store_has_one_as_well(scene, registry, place):
    image = small("a").push(registry)
    assert registry.stop() == 0
    assert "2 new" in backup(registry, place)
    assert image.pulls(restored(scene, place))


def test_on_the_same_file_system_it_takes_no_room(registry, place):
    small("a", 1_000_000).push(registry)
    told = backup(registry, place)
    assert "as hard links" in told or "sharing their bytes" in told


def test_on_another_file_system_it_is_copied(scene, registry):
    place = small_disk(scene) / "backup"
    image = small("a", 5_000_000).push(registry)
    assert "2 new, copied" in backup(registry, place)
    assert "copied" not in backup(registry, place)
    assert image.pulls(restored(scene, place))


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_where_bytes_can_be_shared_they_are(scene, kind):
    """By the backup, and by what is restored from it; each file its own."""
    disk = scene.directory("disk")
    image = scene.directory("image") / "file"
    with open(image, "wb") as file:
        file.truncate(400 << 20)
    lab_run(scene, f"mkfs.{kind}", "-q", image)
    lab_run(scene, "mount", "-o", "loop", "-t", kind, image, disk)
    registry = Registry(scene, data=disk / "data").start()
    pushed = small("a", 100_000_000).push(registry)
    room = shutil.disk_usage(disk).free
    assert "2 new, sharing their bytes" in backup(registry, disk / "backup")
    told = restore(disk / "backup", disk / "again")
    assert "2 new, sharing their bytes" in told
    assert shutil.disk_usage(disk).free > room - 20_000_000
    inodes = {path.stat().st_ino for path in disk.rglob("*.*")
              if path.stat().st_size == 100_000_000}
    assert len(inodes) == 3
    again = Registry(scene, data=disk / "again").start()
    assert pushed.pulls(again) and is_sound(again)


def test_a_relative_path_is_whose_who_asks(registry, scene):
    small("a").push(registry)
    here = scene.directory("here")
    done = run("backup", "there", "--data", registry.data, cwd=here)
    assert done.returncode == OK, done
    assert (here / "there" / "registry.db").exists()


def until_its_end(terminal):
    try:
        while True:
            yield os.read(terminal, 4096)
    except OSError:
        pass    # the other side is closed


def test_on_a_terminal_there_is_a_bar(scene, registry):
    place = small_disk(scene, "64m") / "backup"
    for name in "abcd":
        small(name, 10_000_000).push(registry)
    here, there = pty.openpty()
    process = subprocess.Popen([str(BINARY), "backup", str(place), "--data",
                                str(registry.data)], stdout=there)
    os.close(there)
    told = b"".join(until_its_end(here))
    os.close(here)
    assert process.wait(30) == OK
    assert b"% " in told and b"8 blobs (40.0 MB)" in told


# -------------------------------------------------------------------- meanwhile

def test_pushes_deletes_and_collections_go_on(scene, registry, place):
    """What was acknowledged when it began is in it, and it is sound."""
    over, mistakes, kept = threading.Event(), [], {}

    def client(number):
        chance, round = random.Random(number), 0
        while not over.is_set():
            round += 1
            image = small(f"t{number}-{round}", chance.randrange(1, 100_000),
                          f"app{number % 2}").push(registry)
            if round % 3:
                image.delete(registry)
            else:
                kept[number, round] = image

    def collector(_):
        while not over.is_set():
            done = run("gc", "--grace", "0s", "--data", registry.data)
            assert done.returncode == OK, done

    def until_over(work, number):
        try:
            work(number)
        except Exception as mistake:    # noqa: the test tells it
            mistakes.append(mistake)
            over.set()

    threads = [threading.Thread(target=until_over, args=(work, number))
               for number, work in enumerate([client] * 4 + [collector])]
    for thread in threads:
        thread.start()
    try:
        for number in range(4):
            wait_until(lambda: len(kept) > 5 * number or mistakes,
                       "images to be pushed", 60)
            before = dict(kept)
            backup(registry, place)
            again = restored(scene, place)
            assert all(image.pulls(again) for image in before.values())
            assert again.stop() == 0
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert mistakes == []


# ---------------------------------------------------------------- interruptions

def killed_at(call, number):
    """In front of a program: SIGKILL in the middle of that system call."""
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
            "-e", f"inject={call}:signal=KILL:when={number}"]


@pytest.mark.skipif(sanitized(), reason="its threads and strace's fight")
@pytest.mark.parametrize("call, number", [
    ("openat", 40), ("pwrite64", 1), ("pwrite64", 30), ("fsync", 2),
    ("fsync", 5), ("renameat", 1), ("renameat", 2), ("renameat", 3),
    ("unlinkat", 1), ("unlinkat", 3)])
def test_killed_anywhere_the_one_before_or_the_new_one_is_whole(
        scene, registry, call, number):
    place = small_disk(scene) / "backup"        # so that it has to copy
    gone, stays = small("a").push(registry), small("b").push(registry)
    backup(registry, place)
    gone.delete(registry)
    assert run("gc", "--grace", "0s", "--data", registry.data).returncode == 0
    new = small("c", 700_000).push(registry)
    assert registry.stop() == 0
    done = run("backup", place, "--data", registry.data,
               before=killed_at(call, number))
    assert done.returncode == -signal.SIGKILL, done

    first = restored(scene, place)
    assert stays.pulls(first)
    assert gone.pulls(first) != new.pulls(first)
    assert first.stop() == 0
    backup(registry, place)
    second = restored(scene, place)
    assert stays.pulls(second) and new.pulls(second)
    assert files(place) == files(registry.data)


@pytest.mark.skipif(sanitized(), reason="its threads and strace's fight")
@pytest.mark.parametrize("call, number", [
    ("pwrite64", 2), ("fsync", 1), ("fsync", 6), ("renameat", 1),
    ("renameat", 2), ("renameat", 3)])
def test_a_restore_that_was_killed_is_done_again(scene, registry, place, call,
                                                 number):
    image = small("a").push(registry)
    backup(registry, place)
    again = Registry(scene)
    done = run("restore", place, "--data", again.data,
               before=killed_at(call, number))
    assert done.returncode == -signal.SIGKILL, done
    if not (again.data / "registry.db").exists():
        if files(again.data):
            told, _ = refused("serve", "--data", again.data,
                              "--listen", "127.0.0.1:0")
            assert "has blobs, but no database" in told
        restore(place, again.data)
    again.start()
    assert is_sound(again) and image.pulls(again)


def test_a_registry_that_dies_meanwhile_harms_none(scene, registry):
    place = small_disk(scene, "200m") / "backup"
    first = small("a").push(registry)
    backup(registry, place)
    second = small("b", 60_000_000).push(registry)
    asker = subprocess.Popen([str(BINARY), "backup", str(place), "--data",
                              str(registry.data)], stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True)
    wait_until(lambda: (place / "registry.db.new").exists()
               or asker.poll() is not None, "it to begin")
    registry.kill9()
    told = asker.communicate(timeout=30)[1]
    if asker.returncode != OK:
        assert "before it was done" in told
    assert first.pulls(restored(scene, place))
    registry.start()
    backup(registry, place)
    assert second.pulls(restored(scene, place))


def test_who_asks_may_stop_it(scene, registry):
    place = small_disk(scene, "200m") / "backup"
    small("a", 60_000_000).push(registry)
    asker = subprocess.Popen([str(BINARY), "backup", str(place), "--data",
                              str(registry.data)], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    wait_until(lambda: (place / "backup").exists(), "it to begin")
    asker.send_signal(signal.SIGINT)
    asker.wait()
    wait_until(lambda: run("backup", place, "--data",
                           registry.data).returncode == OK, "its end", 60)
    assert files(place) == files(registry.data)


def test_a_stop_ends_it(scene, registry):
    place = small_disk(scene, "200m") / "backup"
    small("a", 60_000_000).push(registry)
    asker = subprocess.Popen([str(BINARY), "backup", str(place), "--data",
                              str(registry.data)], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    wait_until(lambda: (place / "backup").exists(), "it to begin")
    assert registry.stop() == 0
    asker.wait()


# ------------------------------------------------------------- a lost database

@pytest.fixture
def lost(scene, place):
    """A registry whose database is gone: what is in the backup, what is not."""
    registry = Registry(scene, settings={"gc": {"grace": "1s"}}).start()
    registry.saved = small("saved").push(registry)
    registry.deleted = small("deleted").push(registry)
    backup(registry, place)
    registry.deleted.delete(registry)
    wait_until(lambda: len(files(registry.data)) == 2, "it to be swept")
    registry.newer = small("newer").push(registry)
    assert registry.stop() == 0
    for path in registry.data.glob("registry.db*"):
        path.unlink()
    return registry


def test_a_start_without_the_database_is_refused(lost):
    told, _ = refused("serve", "--config", lost.configuration)
    assert "has blobs, but no database" in told
    assert "private-registry restore --over" in told
    (lost.data / "registry.db").touch()
    assert "no database" in refused("serve", "--config", lost.configuration)[0]
    assert len(files(lost.data)) == 4


def test_all_of_the_backup_is_there_and_newer_blobs_stay_a_while(lost, place):
    assert "2 new" in restore(place, lost.data, "--over")
    assert len(files(lost.data)) == 6
    lost.edit("grace: 1s", "grace: 1h")
    lost.start()
    assert lost.saved.pulls(lost) and lost.deleted.pulls(lost)
    assert run("gc", "--grace", "0s", "--data", lost.data).returncode == OK
    assert len(files(lost.data)) == 6
    later = small("later").push(lost)
    lost.edit("grace: 1h", "grace: 1s")
    lost.restart()
    wait_until(lambda: len(files(lost.data)) == 6, "the newer ones to go")
    assert later.pulls(lost) and lost.saved.pulls(lost)
    assert is_sound(lost)


# ---------------------------------------------------------- a damaged database

def damage(path, first, last=None):
    """Pages of the database, as a bad disk would."""
    with open(path, "r+b") as file:
        for page in range(first, (last or first) + 1):
            file.seek(page * 4096)
            file.write(os.urandom(4096))


def with_many(registry):
    """So many manifests that they fill pages of their own."""
    config = content("config", 100)
    with registry.connect() as wire:
        push_blob(wire, "team/many", config.digest, config.bytes())
        for number in range(300):
            push_manifest(wire, "team/many", f"t{number}", Manifest(
                OCI["manifest"], encode({
                    "schemaVersion": 2, "mediaType": OCI["manifest"],
                    "config": descriptor(OCI["config"],
                                         Blob(config.digest, config.size)),
                    "layers": [], "annotations": {"n": f"{number}" * 300}})))


def test_a_damaged_header_is_refused_and_mended(registry, place):
    image = small("a").push(registry)
    backup(registry, place)
    assert registry.stop() == 0
    damage(registry.data / "registry.db", 0)
    told, _ = refused("serve", "--config", registry.configuration)
    assert "is damaged; bring back that of the last backup with " \
        "private-registry restore --over" in told
    restore(place, registry.data, "--over")
    assert (registry.data / "registry.db.lost").exists()
    registry.start()
    assert is_sound(registry) and image.pulls(registry)


def test_a_damaged_page_fails_requests_and_no_more(registry, place):
    with_many(registry)
    image = small("a").push(registry)
    backup(registry, place)
    assert registry.stop() == 0
    database = registry.data / "registry.db"
    pages = database.stat().st_size // 4096
    damage(database, pages // 3, pages * 2 // 3)
    registry.start()
    statuses = {registry.ask("GET", f"/v2/team/many/manifests/t{n}").status
                for n in range(300)}
    assert 500 in statuses and statuses <= {200, 500}
    for _ in range(3):
        assert registry.ask("GET", "/v2/").status == 200
        assert registry.ask("GET", "/healthz").status == 200
    done = run("backup", place, "--data", registry.data)
    assert done.returncode == FAILED and "database" in done.stderr, done
    registry.stop()
    restore(place, registry.data, "--over")
    registry.start()
    assert is_sound(registry) and image.pulls(registry)
    assert all(registry.ask("GET", f"/v2/team/many/manifests/t{n}").status
               == 200 for n in range(300))


# -------------------------------------------------------------- lost files

def test_a_lost_file_comes_back_from_a_backup_that_copied(scene, registry):
    place = small_disk(scene) / "backup"
    image = small("a").push(registry)
    backup(registry, place)
    for path in (registry.data / "blobs").rglob("*.*"):
        path.unlink()
    assert run("verify", "--data", registry.data).returncode == FAILED
    backup(registry, place)             # keeps what it has
    subprocess.run(["cp", "-rn", place / "blobs", registry.data], check=True)
    assert run("verify", "--data", registry.data).returncode == OK
    assert image.pulls(registry) and is_sound(registry)


def test_what_is_lost_is_told_and_the_rest_is_saved(scene, registry, place):
    lost, saved = small("a").push(registry), small("b").push(registry)
    name = lost.blobs[1].digest.split(":")[1]
    path, = (registry.data / "blobs").rglob(name + ".*")
    path.unlink()
    told, status = refused("backup", place, "--data", registry.data)
    assert status == FAILED and "all is there but 1 blob" in told
    again = Registry(scene)
    assert "1 blob" in refused("restore", place, "--data", again.data)[0]
    again.start()
    assert saved.pulls(again) and not lost.pulls(again)


# ------------------------------------------------------------- what is refused

def test_places_that_are_none_are_refused(scene, registry, place):
    small("a").push(registry)
    inside = registry.data / "blobs" / "backup"
    assert "within the data directory" in refused(
        "backup", inside, "--data", registry.data)[0]
    link = scene.directory("links") / "link"
    link.symlink_to(registry.data)
    assert "within the data directory" in refused(
        "backup", link / "backup", "--data", registry.data)[0]
    assert not inside.exists()
    full = scene.directory("full")
    (full / "notes").write_text("mine")
    assert "is no backup" in refused("backup", full, "--data",
                                     registry.data)[0]
    assert "holds no backup" in refused("restore", full, "--data", place)[0]
    backup(registry, place)
    told, status = refused("restore", place, "--data", registry.data)
    assert status == USAGE and "is not empty" in told
    told, status = refused("restore", place, "--data", registry.data,
                           "--over")
    assert status == IN_USE and "in use by another process" in told
    assert refused("restore", place, "--data", full)[1] == USAGE
    assert (full / "notes").read_text() == "mine"
    assert "where?" in refused("backup")[0]


def test_a_disk_of_its_own_is_empty(scene, registry):
    disk = small_disk(scene)
    (disk / "lost+found").mkdir()
    small("a").push(registry)
    assert "2 new" in backup(registry, disk)


def test_two_at_once_are_one(registry, place):
    small("a").push(registry)
    backup(registry, place)
    with open(place / "backup") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "wait until it is done" in refused(
            "backup", place, "--data", registry.data)[0]


def test_one_of_a_newer_program_is_refused(scene, registry, place):
    small("a").push(registry)
    backup(registry, place)
    database = sqlite3.connect(place / "registry.db")
    database.execute("PRAGMA user_version = 999")
    database.commit()
    database.close()
    data = scene.directory("data") / "data"
    told, status = refused("restore", place, "--data", data)
    assert status == USAGE and "newer version" in told
    assert not (data / "registry.db").exists()


def test_a_full_place_fails_and_harms_none(scene, registry):
    disk = small_disk(scene)
    image = small("a").push(registry)
    backup(registry, disk / "backup")
    small("b", 4_000_000).push(registry)
    fill(disk, 2_000_000)
    told, status = refused("backup", disk / "backup", "--data", registry.data)
    assert status == FAILED and "No space left" in told
    assert image.pulls(restored(scene, disk / "backup"))
    assert registry.ask("GET", "/readyz").status == 200


def test_a_full_data_directory_has_a_backup_all_the_same(scene, place):
    disk = small_disk(scene)
    registry = Registry(scene, data=disk / "data").start()
    image = small("a").push(registry)
    fill(disk)
    backup(registry, place)
    assert image.pulls(restored(scene, place))


def test_a_data_directory_that_cannot_be_written_is_refused(scene):
    disk = small_disk(scene)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    told, status = refused("serve", "--data", disk / "data", "--listen",
                           "127.0.0.1:0")
    assert status == USAGE and "cannot be used" in told
    assert "Read-only" in told
