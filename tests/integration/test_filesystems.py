"""The file systems that people have, small, and full at each stage."""

import os
import shutil
import subprocess

import pytest

from lab.content import content
from lab.disk import fill, make_room
from lab.integrity import files, is_whole, verb
from lab.journal import Journal, image_of
from lab.process import run
from lab.pusher import with_digest
from lab.registry import Registry
from lab.waiting import wait_until
from lab.workload import delete, push

pytestmark = pytest.mark.heavy

KIB, MIB = 1 << 10, 1 << 20
# How large it is (xfs wants 300 MB), and how it is made.
FILE_SYSTEMS = {
    "ext4": (64, ["mkfs.ext4", "-q", "-m", "0"]),
    "xfs": (300, ["mkfs.xfs", "-q"]),
    "btrfs": (256, ["mkfs.btrfs", "-q"]),
    "tmpfs": (64, None),
}
# What is left when a push or a fetch begins: it ends at another stage each.
ROOM = [0, 4 * KIB, 40 * KIB, 300 * KIB, 1200 * KIB, 4 * MIB]


@pytest.fixture(params=FILE_SYSTEMS)
def disk(request, scene):
    """An empty one, mounted."""
    kind = request.param
    size, make = FILE_SYSTEMS[kind]
    point = scene.directory("disk")
    if make and not shutil.which(make[0]):
        pytest.skip(f"{make[0]} is not installed")
    if make:
        image = scene.directory("image") / "file"
        with open(image, "wb") as file:
            file.truncate(size * MIB)
        run(scene, *make, image)
        command = ["mount", "-o", "loop", "-t", kind, image, point]
    else:
        command = ["mount", "-o", f"size={size}m", "-t", kind, "disk", point]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"{kind} cannot be mounted here: {done.stderr.strip()}")
    yield point
    if make and os.path.ismount(point):
        run(scene, "umount", "-l", point)


@pytest.fixture
def registry(scene, upstream, disk):
    return Registry(scene, {"docker.io": upstream.url}, data=disk / "data",
                    mirror={"cache": {"keep_free": "none"}}).start()


def image_number(number, size=600 * KIB):
    return image_of(content(f"config {number}", 2000),
                    content(f"layer {number}", size))


def pull_through(registry, image):
    """Whether it came whole; what came must be right."""
    got = registry.ask("GET", f"/v2/{image.repository}/manifests/1")
    whole = got.status == 200
    for layer in image.layers if whole else []:
        got = registry.ask("GET",
                           f"/v2/{image.repository}/blobs/{layer.digest}")
        if got.status == 200 and got.complete:
            assert got.body == layer.bytes()
        else:
            whole = False
    return whole


def test_push_pull_collect_restart(registry, upstream, disk):
    journal, images = Journal(), [image_number(n) for n in range(4)]
    cached = upstream.add_small_image("library/app")
    with registry.connect() as wire:
        for number, image in enumerate(images):
            push(wire, journal, "team/app", image, f"t{number}")
        delete(wire, journal, "team/app", images[0])
    assert pull_through(registry, cached)
    is_whole(registry)
    journal.check(registry)
    registry.kill9()
    registry.start()
    journal.check(registry)
    upstream.stop()
    for layer in cached.layers:
        got = registry.ask("GET", f"/v2/library/app/blobs/{layer.digest}")
        assert got.body == layer.bytes()
    registry.restart()
    journal.check(registry)
    with registry.connect() as wire:
        for image in images[1:]:
            delete(wire, journal, "team/app", image)
    is_whole(registry)
    assert len(files(registry, "blobs")) == len(cached.layers)


def try_push(registry, journal, image, tag):
    """The status that ended it: 201, or of what was refused."""
    with registry.connect() as wire:
        for blob in image.blobs:
            start = wire.ask("POST", "/v2/team/app/blobs/uploads/", b"")
            if start.status != 202:
                return start.status
            got = wire.ask("PUT", with_digest(start["Location"], blob.digest),
                           blob.bytes())
            if got.status != 201:
                return got.status
        return put(wire, journal, image, tag)


def put(wire, journal, image, tag):
    """A refusal changes nothing: it is not told as a change."""
    target = f"/v2/team/app/manifests/{tag}"
    got = wire.ask("PUT", target, image.body, Content_Type=image.media_type)
    if got.status == 201:
        with journal.change("team/app", tag, image.digest, to=image):
            pass
    return got.status


def test_full_at_each_stage(registry, upstream, disk):
    journal = Journal()
    with registry.connect() as wire:
        push(wire, journal, "team/app", image_number("first"), "first")
    seen = []
    for number, room in enumerate(ROOM):
        fill(disk, but=room)
        seen.append(try_push(registry, journal, image_number(number),
                             f"pushed{number}"))
        make_room(disk)
        fill(disk, but=room)
        upstream_image = upstream.add_small_image(f"library/app{number}",
                                                  size=600 * KIB)
        whole = pull_through(registry, upstream_image)
        journal.check(registry)
        assert registry.ask("GET", "/healthz").status == 200
        make_room(disk)

        print(f"{room} bytes: push {seen[-1]}, pull {whole}")
        wait_until(lambda: registry.ask("GET", "/readyz").status == 200,
                   "it to be ready again")
        assert try_push(registry, journal, image_number(number),
                        f"again{number}") == 201
        assert pull_through(registry, upstream_image)
        journal.check(registry)
    assert 507 in seen and set(seen) <= {201, 507}
    is_whole(registry)


def test_full_at_a_start_and_for_a_delete(registry, disk):
    journal, image = Journal(), image_number("first", 6 * MIB)
    with registry.connect() as wire:
        push(wire, journal, "team/app", image, "first")
    fill(disk)
    registry.kill9()
    fill(disk)
    registry.start(wait=False)
    wait_until(lambda: answers(registry), "it to answer")
    journal.check(registry)
    with registry.connect() as wire:
        delete(wire, journal, "team/app", image)
    verb(registry, "gc", "--grace", "0s")
    journal.check(registry)
    assert try_push(registry, journal, image_number("second"), "second") == 201
    journal.check(registry)


def answers(registry):
    assert registry.running(), registry.log()
    try:
        return registry.ask("GET", "/v2/").status == 200
    except OSError:
        return False
