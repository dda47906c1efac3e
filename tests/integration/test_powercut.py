"""Power loss: every worst state that a file system may leave is started from.

The program's changes below its data directory are recorded, and the client
notes at which of them each answer came. The replay then throws away what was
not fsynced. It must have what was acknowledged, byte for byte, and a deletion
that was acknowledged stays; what was under way may be there or not.
"""

import errno
import os
import random
import shutil
import subprocess

import pytest

from lab.content import content
from lab.disk_shim import ALL, DiskShim
from lab.integrity import is_whole, verb
from lab.journal import Journal, image_of
from lab.powercut import (Bytes, Chance, Disk, Everything, Names, Nothing,
                          Sizes, read_log)
from lab.registry import BINARY, Registry
from lab.waiting import wait_until
from lab.workload import fetch, heal, push, work

pytestmark = pytest.mark.heavy

CUTS = int(os.environ.get("POWER_CUTS", 40))
KILLS = int(os.environ.get("KILLS", 25))
# Of what is fetched, the second makes the first go.
ONE_IMAGE = {"cache": {"limit": "15KB", "keep_free": "none"}}


def losses(seed):
    return [Everything(), Bytes(), Sizes(), Names(), Nothing(), Chance(seed)]


def survives(registry, journal, cut):
    registry.start()
    journal.check(registry, cut)
    heal(registry)
    is_whole(registry)
    assert registry.stop() == 0


@pytest.fixture
def recorded(scene, upstream):
    """The log of a workload, what it was told, and where to start again."""
    home = scene.directory("recorded")
    shim = DiskShim(scene, home / "data", record=True)
    registry = Registry(scene, {"docker.io": upstream.url}, mirror=ONE_IMAGE,
                        data=shim.root, before=shim.before).start()
    journal = Journal(lambda: shim.count)
    marks = work(registry, upstream, journal, lambda: shim.count)
    wait_until(lambda: registry.log_lines("evict"), "an eviction")
    registry.kill9()
    return list(read_log(shim.log)), journal, marks, shim.root, upstream


def test_whatever_a_power_cut_leaves_has_what_was_acknowledged(scene,
                                                               recorded):
    log, journal, marks, data, upstream = recorded
    chance, last = random.Random(6), log[-1].count
    cuts = set(chance.sample(marks, min(CUTS // 2, len(marks))))
    cuts |= set(chance.sample(range(1, last), min(CUTS - len(cuts), last - 1)))
    registry = Registry(scene, {"docker.io": upstream.url}, data=data)

    for number, (cut, disk) in enumerate(replay(log, sorted(cuts))):
        kinds = losses(cut)
        for loss in kinds if CUTS > 100 else \
                [kinds[0], kinds[1 + number % 5]]:
            disk.build(data, loss)
            print(f"cut at {cut} of {last}, lost: {type(loss).__name__}")
            survives(registry, journal, cut)
    assert journal.certain(last) > 5


def replay(log, cuts):
    """The disk as it is at each of them."""
    disk, waiting = Disk(), iter(log)
    record = next(waiting)
    for cut in cuts:
        while record and record.count <= cut:
            disk.apply(record)
            record = next(waiting, None)
        yield cut, disk


# Whose fsync fails, and how. The last is called for by an end.
FAILING = [("/incoming/", errno.EIO), ("/incoming/", errno.ENOSPC),
           ("/blobs", errno.EIO), ("/blobs", errno.ENOSPC),
           ("registry.db-wal", errno.EIO), ("registry.db$", errno.EIO)]


def work_on_a_failing_disk(registry, shim, upstream, journal):
    """What was refused is asked for again, and then it is acknowledged."""
    marks = []
    for number, (part, error) in enumerate(FAILING):
        far = upstream.add_small_image(f"library/far{number}", size=9000)
        for times in 1, 1, ALL:
            image = image_of(content((number, len(marks)), 300),
                             content((len(marks), number), 9000))
            with shim.fault("fsync", part, error, times):
                never_mind(lambda: push_to(registry, journal, image))
                never_mind(lambda: pull(registry, far))
                registry.stop()
            registry.start()
            push_to(registry, journal, image)
            marks.append(shim.count)
            pull(registry, far)
            verb(registry, "gc", "--grace", "0s")
            marks.append(shim.count)
    return marks


def never_mind(attempt):
    try:
        attempt()
    except AssertionError:
        pass


def push_to(registry, journal, image):
    with registry.connect() as wire:
        push(wire, journal, "team/app", image, "latest")


def pull(registry, image):
    with registry.connect() as wire:
        fetch(wire, image)


def test_what_a_failed_fsync_may_have_lost_is_never_relied_on(scene,
                                                              upstream):
    """No later fsync that succeeds makes up for it."""
    data = scene.directory("failing") / "data"
    shim = DiskShim(scene, data, record=True)
    dying = Registry(scene, {"docker.io": upstream.url}, data=data,
                     before=shim.before).start()
    journal = Journal(lambda: shim.count)
    marks = work_on_a_failing_disk(dying, shim, upstream, journal)
    dying.kill9()

    log, registry = list(read_log(shim.log)), Registry(
        scene, {"docker.io": upstream.url}, data=data)
    assert sum(record.call == "lose" for record in log) >= 3 * len(FAILING)
    for cut, disk in replay(log, marks):
        for loss in losses(cut) if cut == marks[-1] else [Everything()]:
            disk.build(data, loss)
            print(f"cut at {cut} of {marks[-1]}, lost: {type(loss).__name__}")
            survives(registry, journal, cut)


def recording(scene):
    """A registry with four pushed images, the shim that writes down what it
    does, and the journal of what was acknowledged."""
    shim = DiskShim(scene, scene.directory("home") / "root", record=True)
    shim.root.mkdir()
    registry = Registry(scene, data=shim.root / "data",
                        before=shim.before).start()
    journal = Journal(lambda: shim.count)
    for number in range(4):
        push_to(registry, journal, image_of(content(("c", number), 300),
                                            content(("l", number), 9000)))
    return registry, shim, journal


def test_a_backup_that_was_cut_short_is_whole_after_the_next(scene,
                                                             upstream):
    """What the first has left there counts only if it is durable."""
    (registry, shim, journal), chance = recording(scene), random.Random(5)
    before = shim.count
    verb(registry, "backup", str(shim.root / "first"))
    changes = shim.count - before

    marks = {}
    for number in sorted(chance.sample(range(1, changes + 1),
                                       min(CUTS // 4, changes))):
        place = shim.root / f"backup{number}"
        shim.kill_at(shim.count + number)
        subprocess.run([BINARY, "backup", place, "--data", registry.data],
                       capture_output=True)
        shim.kill_at(0)
        registry.kill9()
        registry.start()
        verb(registry, "backup", str(place))
        marks[shim.count] = place.name
    registry.kill9()

    shutil.rmtree(shim.root)
    for cut, disk in replay(list(read_log(shim.log)), list(marks)):
        disk.build(shim.root, Everything())
        print(f"{marks[cut]}, cut at {cut}")
        restored = Registry(scene)
        verb(restored, "restore", str(shim.root / marks[cut]))
        survives(restored, journal, cut)


@pytest.mark.parametrize("data, how", [("other", []), ("data", ["--over"])],
                         ids=["to an empty directory", "over what is there"])
def test_a_restore_that_was_cut_short_is_done_again(scene, data, how):
    """Until it is done there is no database, or still the one before."""
    place = scene.directory("b") / "backup"
    (registry, shim, journal), chance = recording(scene), random.Random(8)
    verb(registry, "backup", str(place))
    registry.kill9()
    before = shim.count
    subprocess.run([*shim.before, BINARY, "restore", place, "--data",
                    shim.root / data, *how], check=True, capture_output=True)
    last = shim.count

    shutil.rmtree(shim.root)
    cuts = chance.sample(range(before, last), min(CUTS // 4, last - before))
    restored = Registry(scene, data=shim.root / data)
    for cut, disk in replay(list(read_log(shim.log)), sorted({*cuts, last})):
        for loss in losses(cut):
            disk.build(shim.root, loss)
            print(f"cut at {cut} of {before} to {last}, "
                  f"lost: {type(loss).__name__}")
            if not (restored.data / "registry.db").exists():
                assert cut < last
                # Of a rename both names may be lost: then it has to be told.
                strays = (restored.data / "blobs").exists() and \
                    not (restored.data / "registry.db.new").exists()
                verb(restored, "restore", str(place),
                     *(["--over"] if strays else how))
            survives(restored, journal, cut)


@pytest.mark.parametrize("unsynced", ["/incoming/", "/blobs/", ".db"])
def test_a_replay_would_notice_a_missing_fsync(scene, recorded, unsynced):
    log, journal, _, data, upstream = recorded
    files = {record.file for record in log if unsynced in record.path and
             record.call in ("create", "mkdir")}
    forgetful = [record for record in log
                 if record.call != "sync" or record.file not in files]
    last = log[-1].count
    (_, disk), = replay(forgetful, [last])
    disk.build(data, Everything())
    registry = Registry(scene, {"docker.io": upstream.url}, data=data)
    with pytest.raises(AssertionError):
        registry.start()
        journal.check(registry, last)


def live(registry, upstream, journal, position):
    """A start, all there is to do, an end, and both upon what is there."""
    registry.start()
    work(registry, upstream, journal, position)
    registry.restart()
    assert registry.stop() == 0


def test_it_may_die_at_any_operation_on_its_files(scene, upstream):
    """Like a kill between any two of its system calls that change the disk."""
    chance = random.Random(7)
    first = DiskShim(scene, scene.directory("count") / "data")
    whole = Registry(scene, {"docker.io": upstream.url}, mirror=ONE_IMAGE,
                     data=first.root, before=first.before)
    live(whole, upstream, Journal(), lambda: first.count)
    assert whole.log_lines("evict")
    total = first.count

    for at in sorted(chance.sample(range(1, total + 1), min(KILLS, total))):
        shim = DiskShim(scene, scene.directory("killed") / "data")
        shim.kill_at(at)
        dying = Registry(scene, {"docker.io": upstream.url}, mirror=ONE_IMAGE,
                         data=shim.root, before=shim.before)
        journal = Journal()
        print(f"killed at operation {at} of {total}")
        try:
            live(dying, upstream, journal, lambda: 0)
        except (OSError, AssertionError):
            assert dying.wait(5) == -9, dying.log()
        dying.kill9()
        survives(Registry(scene, {"docker.io": upstream.url},
                          data=shim.root), journal, 1)
        shutil.rmtree(shim.root)
