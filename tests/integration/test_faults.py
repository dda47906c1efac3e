"""A disk, a database that fail: each has an outcome, and it ends.

While the fault lasts the request that meets it hears of it, and what needs
nothing of what fails is answered. Afterwards all is as if it had not been.
"""

import errno
import os
import sqlite3
import subprocess

import pytest

from lab.content import content
from lab.disk import small_disk
from lab.disk_shim import DiskShim
from lab.fakehub import FakeHub
from lab.integrity import is_whole, keeps, verb
from lab.journal import Journal, image_of
from lab.pusher import with_digest
from lab.registry import BINARY, Registry
from lab.waiting import wait_until
from lab.workload import delete, push

FAILED, USAGE = 1, 2

# Which call fails, on what, and why; then what is said: of the upload's POST,
# its PUT, a manifest's PUT, and of a miss (0: it is cut, and not finished): if
# the transfer fails before its answer has begun, that says so.
FAULTS = [
    ("create", "/incoming/", errno.ENOSPC, 507, None, 201, {200}),
    ("create", "/incoming/", errno.EIO, 500, None, 201, {500}),
    ("create", "/incoming/", errno.EMFILE, 503, None, 201, {503}),
    ("create", "/incoming/", errno.EROFS, 500, None, 201, {500}),
    ("write", "/incoming/", errno.ENOSPC, 202, 507, 201, {0, 200}),
    ("write", "/incoming/", errno.EIO, 202, 500, 201, {0, 500}),
    ("read", "/incoming/", errno.EIO, 202, 500, 201, {0, 500}),
    ("fsync", "/incoming/", errno.EIO, 202, 500, 201, {200, 500}),
    ("fsync", "/incoming/", errno.ENOSPC, 202, 507, 201, {200}),
    ("mkdir", "/blobs/", errno.EIO, 202, 500, 201, {200, 500}),
    ("mkdir", "/blobs/", errno.ENOSPC, 202, 507, 201, {200}),
    ("link", "/blobs/", errno.EIO, 202, 500, 201, {200, 500}),
    ("link", "/blobs/", errno.ENOSPC, 202, 507, 201, {200}),
    ("link", "/blobs/", errno.EMLINK, 202, 500, 201, {200, 500}),
    ("fsync", "/blobs/", errno.EIO, 202, 500, 201, {200, 500}),
    ("fsync", "/blobs/", errno.ENOSPC, 202, 507, 201, {200}),
    ("reserve", "/incoming/", errno.ENOSPC, 202, 201, 201, {200}),
    ("reserve", "/incoming/", errno.EIO, 202, 201, 201, {200}),
    ("unlink", "/incoming/", errno.EIO, 202, 201, 201, {200}),
    ("write", "registry.db-wal", errno.EIO, 500, None, 500, {500}),
    ("write", "registry.db-wal", errno.ENOSPC, 507, None, 507, {200}),
    ("fsync", "registry.db-wal", errno.EIO, 202, 500, 500, {500}),
]


def name_of(fault):
    call, part, error, *_ = fault
    return f"{call}-{part.strip('/')}-{errno.errorcode[error]}"


class Scene:
    """A registry on a disk of ours, with a pushed image and an upstream."""

    def __init__(self, lab, upstream):
        self.shim = DiskShim(lab, lab.directory("faulty") / "data")
        self.registry = Registry(lab, {"docker.io": upstream.url},
                                 data=self.shim.root, before=self.shim.before)
        self.journal, self.upstream, self._number = Journal(), upstream, 0
        self.image = image_of(content("config", 100), content("layer", 99999))
        self.registry.start()
        self.push(self.image, "1")

    def push(self, image, tag):
        with self.registry.connect() as wire:
            push(wire, self.journal, "team/app", image, tag)

    def new_image(self):
        self._number += 1
        return image_of(content(f"c{self._number}", 300),
                        content(f"l{self._number}", 20_000))

    def new_blob(self):
        """The first one in its directory."""
        for number in range(10_000):
            blob = content(number, 20_000)
            directory = blob.digest.split(":")[1][:2]
            if not (self.shim.root / "blobs/sha256" / directory).exists():
                return blob

    def ask(self, *request, **headers):
        answer = self.registry.ask(*request, **headers)
        if answer.status >= 400:
            said = answer.json["errors"][0]
            assert said["code"] and len(said["message"]) > 10, answer
        return answer

    def upload(self, blob):
        """The statuses of POST and PUT; None: it did not come to that."""
        start = self.ask("POST", "/v2/team/app/blobs/uploads/", b"")
        if start.status != 202:
            return start.status, None
        return 202, self.ask("PUT", with_digest(
            start["Location"], blob.digest), blob.bytes()).status

    def put_manifest(self):
        return self.ask("PUT", "/v2/team/app/manifests/again",
                        self.image.body,
                        Content_Type=self.image.media_type).status

    def miss(self, image):
        """The status of its layer, or of its manifest."""
        got = self.ask("GET", f"/v2/{image.repository}/manifests/1")
        if got.status != 200:
            return got.status
        layer = image.layers[1]
        got = self.ask("GET", f"/v2/{image.repository}/blobs/{layer.digest}")
        if got.status == 200 and not got.complete:
            return 0
        assert got.status != 200 or got.body == layer.bytes()
        return got.status

    def serves(self):
        with self.registry.connect() as wire:
            for blob in self.image.blobs:
                got = wire.ask("GET", f"/v2/team/app/blobs/{blob.digest}")
                assert got.body == blob.bytes(), got
            assert wire.ask("GET", "/healthz").status == 200

    def is_well(self):
        """All that was acknowledged is here, and all goes on."""
        self.journal.check(self.registry)
        self.push(self.new_image(), f"well{self._number}")
        with self.registry.connect() as wire:
            image = self.new_image()
            push(wire, self.journal, "team/gone", image)
            delete(wire, self.journal, "team/gone", image)
        is_whole(self.registry)


@pytest.fixture(scope="module")
def hub_of_faults(module_scene):
    return FakeHub(module_scene)


@pytest.fixture(scope="module")
def shared(module_scene, hub_of_faults):
    """One registry outlives all faults in turn, and is never restarted."""
    return Scene(module_scene, hub_of_faults)


@pytest.fixture
def faulty(scene, upstream):
    return Scene(scene, upstream)


# ------------------------------------------------------------------- the disk

@pytest.mark.parametrize("fault", FAULTS, ids=name_of)
def test_a_fault_of_the_disk(shared, fault):
    call, part, error, post, put, manifest, missed = fault
    blob = shared.new_blob()
    image = shared.upstream.add_small_image("library/" + name_of(
        fault).lower(), size=300_000)
    with shared.shim.fault(call, part, error):
        assert shared.upload(blob) == (post, put)
        assert shared.put_manifest() == manifest
        assert shared.miss(image) in missed
        shared.serves()
    assert shared.upload(blob) == (202, 201)
    assert shared.miss(image) == 200
    shared.is_well()


def test_nothing_is_promised_behind_what_a_sync_may_have_lost(shared):
    """What the kernel could not write then, it takes for written."""
    def salt():
        with open(shared.shim.root / "registry.db-wal", "rb") as log:
            return log.read(24)[16:]

    with shared.shim.fault("fsync", "registry.db-wal", errno.EIO):
        assert shared.upload(shared.new_blob()) == (202, 500)
        before = salt()
    assert shared.upload(shared.new_blob()) == (202, 201)
    assert salt() != before
    shared.is_well()


@pytest.mark.parametrize("error, status", [(errno.EMFILE, 503),
                                           (errno.EACCES, 500)])
def test_a_file_that_cannot_be_opened_is_not_taken_for_missing(shared, error,
                                                               status):
    target = f"/v2/team/app/blobs/{shared.image.blobs[1].digest}"
    with shared.shim.fault("open", "/blobs/", error):
        assert shared.ask("GET", target).status == status
    assert shared.ask("GET", target).status == 200
    shared.is_well()


def test_a_file_that_cannot_be_opened_for_long_has_lost_nothing(shared):
    image = shared.new_image()
    shared.push(image, "unopened")
    blob = image.blobs[1]
    target = f"/v2/team/app/blobs/{blob.digest}"
    with shared.shim.fault("open", blob.digest.split(":")[1][:40],
                           errno.EIO):
        assert shared.ask("GET", target).status == 500
        wait_until(lambda: shared.ask("GET", target).status == 404,
                   "it to be looked at")
        shared.serves()
    verb(shared.registry, "verify")
    assert shared.ask("GET", target).body == blob.bytes()
    shared.is_well()


@pytest.mark.parametrize("error, status", [(errno.EIO, 500),
                                           (errno.ENOSPC, 507)])
def test_a_directory_that_was_there_and_cannot_be_synced(shared, error,
                                                         status):
    """The name is there, but may be lost: nothing refers to it."""
    first = shared.new_image()
    shared.push(first, "neighbour")
    directory = first.blobs[1].digest.split(":")[1][:2]
    blob = next(blob for blob in (content(("near", number), 3000)
                                  for number in range(10_000))
                if blob.digest.split(":")[1].startswith(directory))
    with shared.shim.fault("fsync", f"/sha256/{directory}$", error):
        assert shared.upload(blob) == (202, status)
        assert shared.ask("GET", f"/v2/team/app/blobs/{blob.digest}"
                          ).status == 404
    assert shared.upload(blob) == (202, 201)
    shared.is_well()


@pytest.mark.parametrize("error, status", [(errno.EIO, 500),
                                           (errno.ENOSPC, 507)])
def test_a_file_whose_sync_failed_is_thrown_away(shared, error, status):
    """Once is enough, and nobody can go on with it."""
    blob = shared.new_blob()
    far = shared.upstream.add_small_image(f"library/room{status}")
    assert shared.miss(far) == 200          # something that could make room
    keeps(shared.registry, far)
    before = set((shared.shim.root / "incoming").iterdir())
    start = shared.ask("POST", "/v2/team/app/blobs/uploads/", b"")
    target = with_digest(start["Location"], blob.digest)
    with shared.shim.fault("fsync", "/incoming/", error, times=1):
        assert shared.ask("PUT", target, blob.bytes()).status == status
    assert shared.ask("PUT", target, b"").status == 404
    assert shared.ask("GET", f"/v2/team/app/blobs/{blob.digest}"
                      ).status == 404
    assert not list(shared.shim.root.rglob(blob.digest.split(":")[1] + "*"))
    assert set((shared.shim.root / "incoming").iterdir()) <= before
    assert shared.upload(blob) == (202, 201)
    shared.is_well()


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_a_damaged_file_that_cannot_be_set_aside_is_served_to_nobody(shared,
                                                                     error):
    image = shared.new_image()
    shared.push(image, "damaged")
    blob = image.blobs[1]
    target = f"/v2/team/app/blobs/{blob.digest}"
    path, = shared.shim.root.rglob(f"blobs/**/{blob.digest[7:]}.*")
    path.write_bytes(bytes(blob.size))
    with shared.shim.fault("rename", "/blobs/", error):
        verb(shared.registry, "verify", status=1)
        assert shared.ask("GET", target).status == 404
        shared.serves()
    assert shared.upload(blob) == (202, 201)
    assert shared.ask("GET", target).body == blob.bytes()
    shared.is_well()


def test_a_delete_that_the_disk_refuses_can_be_repeated(shared):
    with shared.registry.connect() as wire:
        image = shared.new_image()
        push(wire, shared.journal, "team/gone", image, "1")
        target = f"/v2/team/gone/manifests/{image.digest}"
        with shared.shim.fault("fsync", "registry.db-wal", errno.EIO):
            assert wire.ask("DELETE", target).status == 500
        shared.journal.check(shared.registry)
        delete(wire, shared.journal, "team/gone", image)
        with shared.shim.fault("unlink", "/blobs/", errno.EIO):
            verb(shared.registry, "gc", "--grace", "0s", status=1)
    shared.is_well()


def test_a_file_that_cannot_be_read_is_unknown_until_it_is_pushed(shared):
    """The connection ends before the length that was promised."""
    image = shared.new_image()
    shared.push(image, "unreadable")
    blob = image.blobs[1]
    target = f"/v2/team/app/blobs/{blob.digest}"
    with shared.shim.fault("read", blob.digest.split(":")[1][:40],
                           errno.EIO):
        assert not shared.registry.ask("GET", target).complete
        wait_until(lambda: shared.registry.ask("GET", target).status == 404,
                   "it to be looked at")
        shared.serves()
    assert shared.upload(blob) == (202, 201)
    assert shared.registry.ask("GET", target).body == blob.bytes()
    shared.is_well()


def test_a_disk_that_can_be_read_again_has_lost_nothing(shared):
    image = shared.new_image()
    shared.push(image, "readable")
    target = f"/v2/team/app/blobs/{image.blobs[1].digest}"
    with shared.shim.fault("read", image.blobs[1].digest.split(":")[1][:40],
                           errno.EIO):
        verb(shared.registry, "verify", status=1)
    assert shared.registry.ask("GET", target).status == 404
    verb(shared.registry, "verify")
    assert shared.registry.ask("GET", target).body == image.blobs[1].bytes()
    shared.is_well()


def test_descriptors_run_out(scene, upstream):
    """Requests hear so, or wait; afterwards none is missing."""
    registry = Registry(scene, {"docker.io": upstream.url},
                        before=("prlimit", "--nofile=64:64")).start()
    journal, image = Journal(), image_of(content("c", 99), content("l", 9999))
    with registry.connect() as wire:
        push(wire, journal, "team/app", image, "1")
    crowd = []
    try:
        for _ in range(100):
            crowd.append(registry.connect(timeout=5))
            crowd[-1].send(b"GET /v2/ HTTP/1.1\r\n")    # and no more
    except OSError:
        pass
    for wire in crowd:
        wire.close()
    journal.check(registry)
    is_whole(registry)


# ------------------------------------------------------------------- a backup

@pytest.mark.parametrize("call, part, error", [
    ("create", "/backup/blobs/copy$", errno.ENOSPC),
    ("write", "/backup/blobs/copy$", errno.ENOSPC),
    ("fsync", "/backup/blobs/copy$", errno.EIO),
    ("rename", "/backup/blobs/copy$", errno.EIO),
    ("mkdir", "/backup/blobs/sha256/", errno.ENOSPC),
    ("fsync", "/backup/blobs/sha256/", errno.EIO),
    ("write", "/backup/registry.db.new$", errno.ENOSPC),
    ("fsync", "/backup/registry.db.new$", errno.EIO),
    ("rename", "/backup/registry.db.new$", errno.ENOSPC),
    ("fsync", "/backup$", errno.EIO),
], ids=lambda value: str(value).strip("/$").replace("/", "-"))
def test_a_backup_that_fails_leaves_the_one_before(scene, call, part, error):
    """On a disk of its own, so that bytes are copied."""
    place = small_disk(scene, "64m") / "backup"
    shim = DiskShim(scene, scene.root)
    registry = Registry(scene, before=shim.before).start()
    journals = Journal(), Journal()
    with registry.connect() as wire:
        push(wire, journals[0], "team/old", image_of(
            content("config", 99), content("layer", 9999)), "1")
        verb(registry, "backup", place)
        for number in range(3):
            push(wire, journals[1], "team/new", image_of(
                content(("c", number), 99), content(("l", number), 9999)))
    with shim.fault(call, part, error):
        verb(registry, "backup", place, status=1)
        journals[1].check(registry)
    are_in_the_backup(scene, place, journals[:1])
    verb(registry, "backup", place)
    are_in_the_backup(scene, place, journals)


def are_in_the_backup(scene, place, journals):
    restored = Registry(scene)
    verb(restored, "restore", place)
    restored.start()
    for journal in journals:
        journal.check(restored)
    is_whole(restored)
    restored.stop()


@pytest.mark.parametrize("call, part, error", [
    ("create", "/registry.db.new$", errno.ENOSPC),
    ("write", "/registry.db.new$", errno.ENOSPC),
    ("mkdir", "/blobs/sha256/", errno.ENOSPC),
    ("create", "/blobs/copy$", errno.EMFILE),
    ("write", "/blobs/copy$", errno.ENOSPC),
    ("fsync", "/blobs/copy$", errno.EIO),
    ("rename", "/blobs/copy$", errno.EIO),
    ("fsync", "/blobs/sha256/", errno.EIO),
    ("fsync", "/registry.db.new$", errno.EIO),
    ("rename", "/registry.db.new$", errno.EIO),
    ("fsync", "/data$", errno.EIO),
], ids=lambda value: str(value).strip("/$").replace("/", "-"))
def test_a_restore_that_fails_is_done_again(scene, call, part, error):
    """Onto a disk of its own, so that bytes are copied."""
    place, journal = scene.directory("b") / "backup", Journal()
    registry = Registry(scene).start()
    with registry.connect() as wire:
        for number in range(3):
            push(wire, journal, "team/app", image_of(
                content(("c", number), 99), content(("l", number), 9999)))
    verb(registry, "backup", place)
    shim = DiskShim(scene, small_disk(scene, "64m") / "data")
    with shim.fault(call, part, error):
        failed = subprocess.run([*shim.before, BINARY, "restore", place,
                                 "--data", shim.root], text=True,
                                capture_output=True)
    assert failed.returncode == FAILED, failed
    assert os.strerror(error) in failed.stderr or \
        "disk is full" in failed.stderr, failed
    assert not (shim.root / "registry.db").exists()
    restored = Registry(scene, data=shim.root)
    verb(restored, "restore", place)
    restored.start()
    journal.check(restored)
    is_whole(restored)


# -------------------------------------------------------------------- a start

# What fails at a start, the first on a directory or a later one.
STARTS = [
    ("first", "create", "/lock$", errno.ENOSPC),
    ("first", "create", "/registry.db$", errno.EIO),
    ("first", "create", "/registry.db$", errno.ENOSPC),
    ("first", "write", "/registry.db", errno.EIO),
    ("first", "write", "/registry.db", errno.ENOSPC),
    ("first", "fsync", "/registry.db", errno.EIO),
    ("first", "fsync", "/data$", errno.EIO),
    ("first", "mkdir", "/blobs$", errno.ENOSPC),
    ("first", "mkdir", "/incoming$", errno.EIO),
    ("later", "open", "/registry.db$", errno.EIO),
    ("later", "open", "/registry.db$", errno.EMFILE),
    ("later", "open", "/data$", errno.EMFILE),
    ("later", "read", "/registry.db$", errno.EIO),
    ("later", "fsync", "/data$", errno.EIO),
]


@pytest.mark.parametrize("start", STARTS, ids=lambda start:
                         f"{start[0]}-{name_of(start[1:])}")
def test_a_start_that_fails_says_why_and_the_next_succeeds(scene, start):
    which, call, part, error = start
    shim = DiskShim(scene, scene.directory("faulty") / "data")
    registry = Registry(scene, data=shim.root, before=shim.before)
    journal, image = Journal(), image_of(content("c", 99), content("l", 9999))
    if which == "later":
        registry.start()
        with registry.connect() as wire:
            push(wire, journal, "team/app", image, "1")
        registry.kill9()
    with shim.fault(call, part, error):
        registry.start(wait=False)
        assert registry.wait() in (FAILED, USAGE)
    said = registry.log().splitlines()[-1]
    assert str(shim.root) in said
    assert any(reason in said for reason in
               [os.strerror(error), "unable to open", "disk I/O error",
                "disk is full"])
    registry.start()
    journal.check(registry)
    with registry.connect() as wire:
        push(wire, journal, "team/app", image, "2")
    is_whole(registry)


# --------------------------------------------------------------- the database

@pytest.mark.parametrize("error, status", [(errno.EMFILE, 503),
                                           (errno.EIO, 500)])
def test_a_database_that_cannot_be_opened_once_more(faulty, error, status):
    """Each reader opens it when it is first needed."""
    faulty.registry.restart()
    target = "/v2/team/app/manifests/1"
    with faulty.shim.fault("open", "/registry.db$", error):
        assert faulty.ask("GET", target).status == status
        assert faulty.registry.ask("GET", "/healthz").status == 200
    assert faulty.ask("GET", target).status == 200
    faulty.is_well()


def test_a_database_that_cannot_be_read(faulty):
    faulty.registry.restart()
    target = "/v2/team/app/manifests/1"
    with faulty.shim.fault("read", "/registry.db", errno.EIO):
        assert faulty.ask("GET", target).status == 500
        assert faulty.put_manifest() == 500
        assert faulty.registry.ask("GET", "/healthz").status == 200
    assert faulty.ask("GET", target).status == 200
    faulty.is_well()


@pytest.mark.parametrize("call, error", [
    ("write", errno.EIO), ("write", errno.ENOSPC),
    ("fsync", errno.EIO), ("truncate", errno.EIO)])
def test_a_log_that_cannot_be_copied_stays(faulty, call, error):
    """At an end, that is: what was acknowledged is in the log."""
    for number in range(3):
        faulty.push(faulty.new_image(), f"t{number}")
    with faulty.shim.fault(call, "/registry.db$", error):
        faulty.registry.stop()
    faulty.registry.start()
    faulty.is_well()



def test_a_database_that_another_process_holds(faulty):
    """Reads go on; a write waits for it, and then says so."""
    path = faulty.registry.data / "registry.db"
    blob = faulty.new_image().blobs[0]
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        faulty.serves()
        assert faulty.put_manifest() == 503
        faulty.serves()
        other.execute("ROLLBACK")
    assert faulty.upload(blob) == (202, 201)
    faulty.is_well()


def test_a_damaged_database_is_said_to_be_that(faulty):
    """Not taken for an empty one, neither at the start nor while it runs."""
    assert faulty.registry.stop() == 0
    path = faulty.registry.data / "registry.db"
    sound = path.read_bytes()
    path.write_bytes(sound[:4096] + os.urandom(len(sound) - 4096))
    faulty.registry.start(wait=False)
    status = outcome(faulty.registry, "/v2/team/app/manifests/1")
    assert status == "ended" or status == 500
    if status == "ended":
        assert "registry.db" in faulty.registry.log()
    faulty.registry.kill9()
    for left in faulty.registry.data.glob("registry.db*"):
        left.unlink()
    path.write_bytes(sound)
    faulty.registry.start()
    faulty.is_well()


def outcome(registry, target):
    """What a request gets; "ended": it does not start."""
    def look():
        if not registry.running():
            return "ended"
        try:
            return registry.ask("GET", target).status
        except OSError:
            return None
    return wait_until(look, "an answer or an end")


def test_what_is_no_database_is_left_alone(faulty):
    assert faulty.registry.stop() == 0
    path = faulty.registry.data / "registry.db"
    path.write_bytes(b"this is somebody's file, and no database\n" * 999)
    faulty.registry.start(wait=False)
    assert faulty.registry.wait() == 1
    said = faulty.registry.log().splitlines()[-1]
    assert "registry.db" in said and "not a database" in said
    assert path.read_bytes().startswith(b"this is somebody's")


# ------------------------------------------------------ where it cannot be kept

@pytest.mark.parametrize("magic, name", [(0x6969, "NFS"), (0xff534d42, "CIFS"),
                                         (0x65735546, "FUSE")])
def test_a_network_file_system_is_refused(scene, magic, name):
    shim = DiskShim(scene, scene.directory("far") / "data")
    shim.set_filesystem(magic)
    registry = Registry(scene, data=shim.root, before=shim.before)
    registry.start(wait=False)
    assert registry.wait() == USAGE
    said, = registry.log().splitlines()
    assert name in said and str(shim.root) in said and "local disk" in said


def test_a_directory_that_cannot_be_written_is_refused(scene):
    """Also one that was a data directory, and is mounted read-only now."""
    disk = scene.directory("disk")
    assert os.system(f"mount -t tmpfs disk '{disk}'") == 0
    registry = Registry(scene, data=disk / "data").start()
    assert registry.stop() == 0
    assert os.system(f"mount -o remount,ro '{disk}'") == 0
    registry.start(wait=False)
    assert registry.wait() == USAGE
    said = registry.log().splitlines()[-1]
    assert str(disk) in said and "Read-only" in said
    assert os.system(f"mount -o remount,rw '{disk}'") == 0
    assert registry.start().ask("GET", "/v2/").status == 200


def test_a_disk_that_becomes_read_only_serves_what_it_has(scene, faulty):
    with faulty.shim.fault("create", "/incoming/", errno.EROFS):
        assert faulty.upload(faulty.image.blobs[0]) == (500, None)
        faulty.serves()
    with faulty.shim.fault("create", "/check", errno.EROFS):
        assert faulty.registry.ask("GET", "/readyz").status == 503
        assert faulty.registry.ask("GET", "/healthz").status == 200
    faulty.is_well()
