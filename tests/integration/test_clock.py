"""A clock that jumps, years either way: nothing goes because of it."""

import pytest

from lab.content import content
from lab.disk_shim import DiskShim
from lab.integrity import is_whole, keeps, verb
from lab.journal import Journal, image_of
from lab.pusher import push_blob, push_manifest, with_digest
from lab.registry import Registry
from lab.workload import push

MIB = 1 << 20
YEAR = 365 * 24 * 3600
YEARS = pytest.mark.parametrize("years", [20, -20])


@pytest.fixture
def shim(scene):
    return DiskShim(scene, scene.directory("late") / "data")


@pytest.fixture
def start(scene, upstream, shim):
    """A registry whose clock is the shim's."""
    def start(**keys):
        return Registry(scene, {"docker.io": upstream.url}, data=shim.root,
                        before=shim.before, **keys).start()
    return start


@pytest.mark.parametrize("years", [20, -20])
def test_a_clock_that_jumps(scene, upstream, years):
    """Nothing goes because of it; what is fresh, or late, is asked for."""
    shim = DiskShim(scene, scene.directory("late") / "data")
    registry = Registry(scene, {"docker.io": upstream.url}, data=shim.root,
                        before=shim.before).start()
    journal, image = Journal(), image_of(content("c", 99), content("l", 9999))
    cached = upstream.add_small_image("library/cached")

    def look():
        journal.check(registry)
        for layer in cached.layers:
            assert registry.ask("GET", f"/v2/library/cached/blobs/"
                                f"{layer.digest}").body == layer.bytes()
        assert registry.ask("GET", "/v2/library/cached/manifests/1"
                            ).status == 200
        is_whole(registry)

    with registry.connect() as wire:
        push(wire, journal, "team/app", image, "1")
        look()
        start = wire.ask("POST", "/v2/team/app/blobs/uploads/", b"")
        shim.set_clock(years * YEAR)
        look()
        late = content("late", 5000)
        got = wire.ask("PUT", with_digest(start["Location"], late.digest),
                       late.bytes())
        assert got.status == 201        # the upload has not expired
        push(wire, journal, "team/app",
             image_of(late, content("more", 99)), "2")
    look()
    registry.restart()
    look()
    shim.set_clock(0)
    look()


@YEARS
def test_nothing_is_collected_or_ruled_out_for_it(shim, start, years):
    """Ages are counted while it runs: all this is a moment old."""
    registry = start(settings={"keep": [
        {"repositories": "aged", "pushed_within": "30d"},
        {"repositories": "pulled", "pulled_within": "30d"},
        {"repositories": "untagged", "untagged_after": "30d"}]})
    journal, image = Journal(), image_of(content("c", 99), content("l", 9999))
    waiting = image_of(content("config", 99), content("waits", 9999))
    with registry.connect() as wire:
        for repository in "aged", "pulled", "untagged":
            push(wire, journal, repository, image, "1")
        push(wire, journal, "untagged", waiting, "1")
        for blob in waiting.blobs:
            push_blob(wire, "team/app", blob.digest, blob.bytes())

    for ahead in years, 0, -years:
        shim.set_clock(ahead * YEAR)
        assert verb(registry, "keep", "--config", registry.configuration
                    ) == "Nothing to remove.\n"
        verb(registry, "gc")
        journal.check(registry)
        registry.restart()
    with registry.connect() as wire:        # its blobs have waited for it
        push_manifest(wire, "team/app", "1", waiting)
    assert registry.metrics().get("private_registry_swept_blobs_total", 0) == 0


@YEARS
def test_a_tag_is_asked_for_once_and_then_believed_again(shim, start,
                                                         upstream, years):
    registry = start(options={"docker.io": {"tag_lifetime": "1h"}})
    upstream.add_small_image("library/app")
    target = "/v2/library/app/manifests/1"

    def asked():
        """How often upstream is, for two pulls that see what it has."""
        upstream.forget()
        for _ in range(2):
            got = registry.ask("GET", target)
            assert got.status == 200
            assert got.body == upstream.latest.manifest.body
        keeps(registry, upstream.latest)
        return upstream.count("manifest")

    upstream.latest = upstream.add_small_image("library/app", size=200_000)
    assert asked() > 0 and asked() == 0
    for ahead in years, 0, -years, 0:
        shim.set_clock(ahead * YEAR)
        upstream.latest = upstream.add_small_image("library/app",
                                                   size=300_000 + ahead)
        assert 0 < asked() <= 2 and asked() == 0, ahead

    shim.set_clock(years * YEAR)
    upstream.stop()
    got = registry.ask("GET", target)
    assert got.status == 200 and got["Warning"].startswith(
        f'299 - "last confirmed {max(years, 0) * YEAR}'[:-2]), got


@YEARS
def test_what_is_evicted_is_what_nobody_pulled(shim, start, upstream, years):
    registry = start(mirror={"cache": {"limit": "10MiB",
                                       "keep_free": "none"}})
    favourite = upstream.add_small_image("library/favourite", size=MIB)

    def pull(image):
        registry.ask("GET", f"/v2/{image.repository}/manifests/1")
        for layer in image.layers:
            got = registry.ask("GET", f"/v2/{image.repository}/blobs/"
                               f"{layer.digest}")
            assert got.status == 200 and got.body == layer.bytes()

    pull(favourite)
    for number in range(20):
        shim.set_clock(number % 3 * years * YEAR)
        pull(upstream.add_small_image(f"library/app{number}", size=MIB))
        upstream.forget()
        pull(favourite)
        assert upstream.count("blob", "GET") == 0, number
    assert registry.metrics()["private_registry_evicted_blobs_total"] > 0
