"""Power loss: every worst state that a file system may leave is started from.

The program's changes below its data directory are recorded, and the client
notes at which of them each answer came. The replay then throws away what was
not fsynced. It must have what was acknowledged, byte for byte, and a deletion
that was acknowledged stays; what was under way may be there or not.
"""

import os
import random
import shutil

import pytest

from lab.content import content
from lab.disk_shim import DiskShim
from lab.integrity import is_whole
from lab.journal import Journal
from lab.powercut import (Bytes, Chance, Disk, Everything, Names, Nothing,
                          Sizes, read_log)
from lab.registry import Registry
from lab.workload import work

pytestmark = pytest.mark.heavy

CUTS = int(os.environ.get("POWER_CUTS", 40))
KILLS = int(os.environ.get("KILLS", 25))


def losses(seed):
    return [Everything(), Bytes(), Sizes(), Names(), Nothing(), Chance(seed)]


def survives(registry, journal, cut):
    registry.start()
    journal.check(registry, cut)
    is_whole(registry)
    assert registry.stop() == 0


@pytest.fixture
def recorded(scene, upstream):
    """The log of a workload, what it was told, and where to start again."""
    home = scene.directory("recorded")
    shim = DiskShim(scene, home / "data", record=True)
    registry = Registry(scene, {"docker.io": upstream.url},
                        data=shim.root, before=shim.before).start()
    journal = Journal(lambda: shim.count)
    marks = work(registry, upstream, journal, lambda: shim.count)
    registry.kill9()
    return list(read_log(shim.log)), journal, marks, shim.root, upstream


def test_whatever_a_power_cut_leaves_has_what_was_acknowledged(scene,
                                                               recorded):
    log, journal, marks, data, upstream = recorded
    chance, last = random.Random(6), log[-1].count
    cuts = set(chance.sample(range(1, last), min(CUTS // 2, last - 1)))
    cuts |= set(chance.sample(marks, min(CUTS - len(cuts), len(marks))))
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


def test_it_may_die_at_any_operation_on_its_files(scene, upstream):
    """Like a kill between any two of its system calls that change the disk."""
    total = None
    chance = random.Random(7)
    first = DiskShim(scene, scene.directory("count") / "data")
    registry = Registry(scene, {"docker.io": upstream.url},
                        data=first.root, before=first.before).start()
    work(registry, upstream, Journal(), lambda: first.count)
    total = first.count
    assert registry.stop() == 0

    for at in sorted(chance.sample(range(1, total), min(KILLS, total - 1))):
        shim = DiskShim(scene, scene.directory("killed") / "data")
        shim.kill_at(at)
        dying = Registry(scene, {"docker.io": upstream.url},
                         data=shim.root, before=shim.before)
        journal = Journal()
        print(f"killed at operation {at} of {total}")
        try:
            dying.start()
            work(dying, upstream, journal, lambda: 0)
        except (OSError, AssertionError):
            assert dying.wait(5) == -9, dying.log()
        dying.kill9()
        survives(Registry(scene, {"docker.io": upstream.url},
                          data=shim.root), journal, 1)
        shutil.rmtree(shim.root)
