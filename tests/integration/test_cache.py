"""What is cached keeps to its limit, and what is in use, or pushed, stays."""

import threading
from pathlib import Path

import pytest

from lab.content import content, digest_of
from lab.disk import free, leave, small_disk
from lab.images import OCI
from lab.pusher import push_blob
from lab.swarm import Swarm
from lab.waiting import wait_until

MIB = 1 << 20
CACHED = "private_registry_cache_bytes"


def start(start_registry, upstream, limit, **keys):
    return start_registry({"docker.io": upstream.url},
                          mirror={"cache": {"limit": limit,
                                            "keep_free": "none"}}, **keys)


def pull(registry, image):
    """As an engine does: tag, config, layers."""
    with registry.connect() as wire:
        answer = wire.ask("GET", f"/v2/{image.repository}/manifests/"
                                 f"{image.tag}")
        assert answer.status == 200, answer
        assert answer.body == image.manifest.body
        assert answer["Content-Type"] == image.manifest.media_type
        for layer in image.layers:
            answer = wire.ask("GET", blob_path(image, layer))
            assert answer.status == 200, answer
            assert answer.body == layer.bytes()


def blob_path(image, layer):
    return f"/v2/{image.repository}/blobs/{layer.digest}"


def on_disk(registry):
    """Bytes of all blobs and arrivals; a file with two names counts once."""
    files = {}
    for part in "blobs", "incoming":
        for path in Path(registry.data, part).rglob("*"):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            if path.is_file():
                files[stat.st_ino] = stat.st_size
    return sum(files.values())


class Watch(threading.Thread):
    """The most that was ever seen, until it is told to stop."""

    def __init__(self, look):
        super().__init__(daemon=True)
        self._look = look
        self._ended = threading.Event()
        self.most = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self.join()

    def run(self):
        while not self._ended.wait(0.005):
            self.most = max(self.most, self._look())


def all_of(work, items, threads):
    """work(item) for each; the first that fails is raised."""
    queue, failures = iter(list(items)), []

    def go_on():
        for item in queue:
            if failures:
                return
            try:
                work(item)
            except (AssertionError, OSError) as failure:
                failures.append(failure)

    crowd = [threading.Thread(target=go_on) for _ in range(threads)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    if failures:
        raise failures[0]


def push_image(registry, name):
    layer = content(f"pushed {name}", 3 * MIB)
    config = b'{"architecture":"amd64","os":"linux"}'
    manifest = (
        '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"%s",'
        '"digest":"%s","size":%d},"layers":[{"mediaType":"%s","digest":"%s",'
        '"size":%d}]}' % (
            OCI["manifest"], OCI["config"], digest_of(config), len(config),
            OCI["layer"], layer.digest, layer.size)).encode()
    with registry.connect() as wire:
        push_blob(wire, name, digest_of(config), config)
        push_blob(wire, name, layer.digest, layer.bytes())
        answer = wire.ask("PUT", f"/v2/{name}/manifests/1", manifest,
                          Content_Type=OCI["manifest"])
        assert answer.status == 201, answer
    return name, layer, manifest


def is_whole(registry, pushed):
    name, layer, manifest = pushed
    with registry.connect() as wire:
        assert wire.ask("GET", f"/v2/{name}/manifests/1").body == manifest
        answer = wire.ask("GET", f"/v2/{name}/blobs/{layer.digest}")
        assert answer.body == layer.bytes()


@pytest.mark.parametrize("limit,count,rounds", [
    (64, 36, 1), pytest.param(1024, 12, 3, marks=pytest.mark.heavy)],
    ids=["64 MiB", "1 GiB"])
def test_pulls_of_five_times_the_limit_never_exceed_it(
        start_registry, upstream, limit, count, rounds):
    limit, crowd, ahead = limit * MIB, 8, 8
    layer_size = limit // 16
    registry = start(start_registry, upstream, f"{limit}B")
    images = [upstream.add_image(
        f"library/app{number}", "1",
        content(f"one {number}", layer_size),
        content(f"two {number}", layer_size),
        content(f"shared {number % 7}", layer_size // 4))
        for number in range(count)]
    pulls = images * rounds + images[:8]
    pushed = [push_image(registry, f"team/app{number}")
              for number in range(4)]
    local = sum(layer.size for _, layer, _ in pushed) + 1000

    with Watch(lambda: registry.metrics()[CACHED]) as known, \
            Watch(lambda: on_disk(registry)) as disk:
        all_of(lambda image: pull(registry, image), pulls, crowd)
        pushed += [push_image(registry, f"team/late{number}")
                   for number in range(2)]

    print(f"{len(pulls) * layer_size * 9 / 4 / limit:.1f} x the limit pulled; "
          f"cached: at most {known.most / limit:.3f} of it; "
          f"on the disk: {(disk.most - local) / limit:.3f} of it")
    assert limit // 2 < known.most <= limit
    local += 2 * 3 * MIB
    assert disk.most <= limit + local + (crowd + ahead) * layer_size
    for each in pushed:
        is_whole(registry, each)
    assert registry.metrics()["private_registry_evicted_blobs_total"] > 0


def test_an_image_that_is_pulled_again_and_again_stays(start_registry,
                                                       upstream):
    registry = start(start_registry, upstream, "10MiB")
    favourite = upstream.add_small_image("library/favourite", size=MIB)
    pull(registry, favourite)
    for number in range(30):
        pull(registry, upstream.add_small_image(f"library/app{number}",
                                                size=MIB))
        upstream.forget()
        pull(registry, favourite)
        assert upstream.count("blob", "GET") == 0, number


def test_what_a_reader_has_open_is_read_to_its_end(start_registry, upstream):
    registry = start(start_registry, upstream, "20MiB")
    image = upstream.add_small_image("library/slow", size=16 * MIB)
    layer = image.layers[1]
    pull(registry, image)

    with Swarm(registry.address, blob_path(image, layer), layer, 1) as slow:
        reader, = slow.readers
        slow.run(until=lambda: reader.offset > MIB)
        for number in range(3):
            pull(registry, upstream.add_small_image(f"library/app{number}",
                                                    size=16 * MIB))
        wait_until(lambda: not list(Path(registry.data, "blobs").rglob(
            layer.digest.split(":")[1] + ".*")), "its file to go")
        slow.run()
        assert reader.finished and not reader.wrong


def test_a_lower_limit_is_kept_after_a_restart(start_registry, upstream):
    registry = start(start_registry, upstream, "64MiB")
    images = [upstream.add_small_image(f"library/app{number}", size=MIB)
              for number in range(20)]
    for image in images:
        pull(registry, image)
    wait_until(lambda: registry.metrics()[CACHED] > 20 * MIB, "all of it")
    text = registry.configuration.read_text()
    registry.configuration.write_text(text.replace("64MiB", "5MiB"))
    registry.restart()
    wait_until(lambda: on_disk(registry) <= 5 * MIB, "it to evict")
    wait_until(lambda: registry.metrics()[CACHED] <= 5 * MIB, "it to say so")
    assert registry.metrics()["private_registry_cache_limit_bytes"] == 5 * MIB
    upstream.stop()
    pull(registry, images[-1])


def test_a_lower_limit_is_kept_after_a_reload(start_registry, upstream):
    registry = start(start_registry, upstream, "64MiB")
    for number in range(20):
        pull(registry, upstream.add_small_image(f"library/app{number}",
                                                size=MIB))
    wait_until(lambda: registry.metrics()[CACHED] > 20 * MIB, "all of it")
    text = registry.configuration.read_text()
    registry.configuration.write_text(text.replace("64MiB", "5MiB"))
    registry.signal()
    wait_until(lambda: registry.metrics()[CACHED] <= 5 * MIB, "it to evict")


def test_the_floor_alone_makes_what_is_cached_give_way(start_registry,
                                                       upstream, scene):
    """Without a limit, when others fill the disk: the oldest first."""
    disk = small_disk(scene, "100m")
    floor, spare = 8 * MIB, 3 * MIB
    registry = start_registry(
        {"docker.io": upstream.url}, data=disk / "data",
        mirror={"cache": {"limit": "none", "keep_free": "8MiB"}},
        settings={"gc": {"grace": "1s"}})
    pushed = push_image(registry, "team/app")
    images = [upstream.add_small_image(f"library/app{number}", size=2 * MIB)
              for number in range(20)]
    for image in images:
        pull(registry, image)
    assert evicted(registry) == 0 and free(disk) > floor

    leave(disk, spare)
    wait_until(lambda: free(disk) >= floor, "it to make room")
    assert 0 < evicted(registry) <= 8
    is_whole(registry, pushed)
    upstream.forget()
    for image in images[-10:]:
        pull(registry, image)
    assert upstream.count("blob", "GET") == 0

    while registry.metrics()[CACHED] > 0:
        leave(disk, spare)
        wait_until(lambda: free(disk) >= floor or
                   registry.metrics()[CACHED] == 0, "it to give what it has")
    is_whole(registry, pushed)
    pull(registry, images[0])


def evicted(registry):
    return registry.metrics()["private_registry_evicted_blobs_total"]


def test_a_blob_above_the_limit_is_read_and_not_kept(start_registry,
                                                     upstream):
    registry = start(start_registry, upstream, "4MiB")
    small = upstream.add_small_image("library/small", size=MIB)
    large = upstream.add_small_image("library/large", size=16 * MIB)
    pull(registry, small)
    upstream.always.rate = 40 * MIB
    path = blob_path(large, large.layers[1])
    registry.ask("GET", f"/v2/{large.repository}/manifests/1")
    with Swarm(registry.address, path, large.layers[1], 5) as clients:
        assert all(reader.finished and not reader.wrong
                   for reader in clients.run())
    assert upstream.count("blob", "GET") == 3
    wait_until(lambda: on_disk(registry) <= 2 * MIB, "it to be gone")
    upstream.forget()
    pull(registry, small)
    assert upstream.count("blob", "GET") == 0


@pytest.mark.heavy
def test_five_gigabytes_through_a_cache_of_one(start_registry, upstream):
    limit, crowd, layer_size = 1 << 30, 16, 32 * MIB
    registry = start(start_registry, upstream, "1GiB")
    images = [upstream.add_image(f"library/app{number}", "1",
                                 content(f"layer {number}", layer_size))
              for number in range(40)]
    pushed = [push_image(registry, f"team/app{number}")
              for number in range(3)]
    with Watch(lambda: registry.metrics()[CACHED]) as known, \
            Watch(lambda: on_disk(registry)) as disk:
        all_of(lambda image: pull(registry, image), images * 4, crowd)
    print(f"cached: at most {known.most / limit:.3f} of the limit; "
          f"on the disk: {disk.most / limit:.3f} of it")
    assert known.most <= limit
    assert disk.most <= limit + 10 * MIB + crowd * layer_size
    for each in pushed:
        is_whole(registry, each)
