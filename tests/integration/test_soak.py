"""Collection, rules and eviction at their most aggressive, under mixed load.

Each client knows what it must be able to pull, and asks for it all the time:
not one pull fails. Memory and descriptors stay what they were. It takes five
minutes, fewer with a sanitizer; `SOAK_SECONDS=3600` is an hour.
"""

import os
import random
import socket
import threading
import time

from lab.content import content, digest_of
from lab.integrity import is_whole, rows, verb
from lab.journal import image_of, pull_blobs
from lab.pusher import push_blob, push_in_time
from lab.registry import sanitized
from lab.wire import request

SECONDS = float(os.environ.get("SOAK_SECONDS", 40 if sanitized() else 300))
MIB = 1 << 20
SHARED = [content(f"shared {number}", 30_000) for number in range(6)]


class Soak:
    """Clients that work until the time is over, or one has found fault."""

    def __init__(self, registry):
        self.registry = registry
        self.over = threading.Event()
        self.mistakes = []
        self.done = {}

    def client(self, work, number=0):
        chance = random.Random(f"{work.__name__} {number}")
        state = {}

        def repeat():
            name = work.__name__
            try:
                while not self.over.is_set():
                    with self.registry.connect() as wire:
                        for _ in range(20):
                            work(wire, chance, number, state)
                            self.done[name] = self.done.get(name, 0) + 1
            except Exception as mistake:    # noqa: the test tells it
                self.mistakes.append((name, number, mistake))
                self.over.set()
        return threading.Thread(target=repeat)

    def run(self, clients, watch):
        for each in clients:
            each.start()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and not self.over.wait(SECONDS / 20):
            watch()
        self.over.set()
        for each in clients:
            each.join()
        assert self.mistakes == []


def push(wire, repository, tag, image):
    """As engines do: what is there is not sent again."""
    def send_blobs():
        for blob in image.blobs:
            head = wire.ask("HEAD", f"/v2/{repository}/blobs/{blob.digest}")
            if head.status != 200:
                push_blob(wire, repository, blob.digest, blob.bytes())
    push_in_time(wire, repository, tag, image, send_blobs)


def pull(wire, repository, reference, image):
    got = wire.ask("GET", f"/v2/{repository}/manifests/{reference}")
    assert got.status == 200 and got.body == image.body, (reference, got)
    pull_blobs(wire, repository, image, set())


def is_here(registry, blob):
    """Or on its way."""
    found = rows(registry, "SELECT digest FROM blob",
                 "SELECT digest FROM session")
    return (b"\0" + bytes.fromhex(blob.digest[7:]),) in sum(found, [])


def has_manifest(wire, image, reference):
    got = wire.ask("GET", f"/v2/{image.repository}/manifests/{reference}")
    assert got.status == 200 and got.body == image.manifest.body, got


def test_nothing_that_must_be_there_is_ever_missing(start_registry, upstream):
    registry = start_registry(
        {"docker.io": upstream.url}, options={"docker.io": {
            "tag_lifetime": "1s"}},
        mirror={"cache": {"limit": "12MiB", "keep_free": "none"}},
        settings={"gc": {"grace": "1s"}, "log": {"level": "warn"},
                  "keep": [{"repositories": "ruled/**", "last": 3}]})
    far = [upstream.add_small_image(f"library/far{number}", size=500_000)
           for number in range(40)]
    long = upstream.add_small_image("library/long", size=8 * MIB)
    soak = Soak(registry)

    def pushes_and_deletes(wire, chance, number, live):
        """Its own repository; the layers are everybody's."""
        repository = f"team/app{number}"
        tag = f"t{chance.randrange(12)}"
        if tag in live and chance.random() < 0.6:
            image = live.pop(tag)
            got = wire.ask("DELETE",
                           f"/v2/{repository}/manifests/{image.digest}")
            assert got.status == 202, got
        else:
            image = image_of(content(chance.random(), 500),
                             *chance.sample(SHARED, 2),
                             content(chance.random(), 20_000))
            push(wire, repository, tag, image)
            live[tag] = image
        for tag in chance.sample(sorted(live), min(3, len(live))):
            pull(wire, repository, tag, live[tag])

    def relies_on_rules(wire, chance, number, last):
        """The last three tags are kept, whatever else goes."""
        repository = f"ruled/app{number}"
        at = last.setdefault("next", 0)
        last["next"] = at + 1
        last[at] = image_of(content(("config", number, at), 400),
                            chance.choice(SHARED))
        push(wire, repository, f"t{at}", last[at])
        last.pop(at - 3, None)
        for each in range(max(0, at - 2), at + 1):
            pull(wire, repository, f"t{each}", last[each])

    def pulls_through(wire, chance, number, _):
        image = chance.choice(far)
        for reference in "1", image.manifest.digest:
            has_manifest(wire, image, reference)
        for layer in image.layers:
            got = wire.ask("GET",
                           f"/v2/{image.repository}/blobs/{layer.digest}")
            assert got.status == 200 and got.complete, (image, got)
            assert digest_of(got.body) == layer.digest

    def reads_slowly(wire, chance, number, _):
        """Nobody takes away what is being read.

        It is longer than the sockets' buffers, and is driven out meanwhile.
        """
        if soak.over.wait(0.5):
            return
        layer = long.layers[1]
        has_manifest(wire, long, "1")
        with registry.connect() as slow:
            slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
            slow.send(request("GET", f"/v2/{long.repository}/blobs/"
                              f"{layer.digest}", None, registry.address))
            head = slow.head()
            assert head.status == 200, head
            data = slow.read(100_000)
            while is_here(registry, layer):
                pulls_through(wire, chance, number, _)
                data += slow.read(1000)
            data += slow.read(layer.size - len(data))
        assert digest_of(data) == layer.digest

    def collects(wire, chance, number, _):
        verb(registry, "gc", "--grace", "0s")
        soak.over.wait(0.3)

    figures = []
    soak.run([soak.client(pushes_and_deletes, number) for number in range(3)] +
             [soak.client(relies_on_rules, number) for number in range(2)] +
             [soak.client(pulls_through, number) for number in range(2)] +
             [soak.client(reads_slowly), soak.client(collects)],
             lambda: figures.append((registry.anonymous_memory() / MIB,
                                     registry.open_files())))

    metrics = registry.metrics()
    for name in "swept_blobs", "evicted_blobs", "ruled_out_tags":
        assert metrics[f"private_registry_{name}_total"] > 10, name
    print(f"{soak.done}\nMiB and descriptors: {figures}")
    print({name: value for name, value in metrics.items()
           if "swept" in name or "evicted" in name or "ruled" in name})
    is_whole(registry)
    assert no_more_than_before(figures)


def no_more_than_before(figures):
    """The last third against the second; the first is for warming up."""
    third = len(figures) // 3
    (memory, files), (later, files_later) = (
        [max(column) for column in zip(*part)]
        for part in (figures[third:2 * third], figures[2 * third:]))
    assert files_later <= files + 20, figures
    assert sanitized() or later <= memory * 1.15 + 4, figures
    return True
