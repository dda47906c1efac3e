"""Killed at any moment, it has all that it acknowledged, byte for byte.

Meanwhile clients push, delete and pull, the cache is filled and evicted, and
collections run. `CRASHES=1000` is the long run.
"""

import os
import random
import threading
import time

from lab.content import content, digest_of
from lab.integrity import is_whole, verb
from lab.journal import Journal, image_of
from lab.pusher import PROMISE, push_blob, push_in_time
from lab.wire import Wire
from lab.workload import delete

CRASHES = int(os.environ.get("CRASHES", 30))
PUSHERS, FILLERS = 4, 2
MIB = 1 << 20


class Clients:
    """Those of one life of the registry, and what they were told."""

    def __init__(self, registry, far):
        self.registry, self.far = registry, far
        self.journal, self.mistakes = Journal(), []
        self.pending = {}       # by client: when blobs without a manifest came
        self.died = None
        self.deleted = self.collections = 0

    def start(self, crash):
        works = [self.pusher(number) for number in range(PUSHERS)]
        works += [self.filler() for _ in range(FILLERS)] + [self.collector()]
        return [until_it_dies(work, random.Random(f"{crash} {number}"),
                              self.mistakes)
                for number, work in enumerate(works)]

    def pusher(self, number):
        """Pushes and deletes images, parts of which others have as well."""
        repository, pending = f"team/app{number % 3}", {}
        self.pending[number] = (repository, pending)
        wire = Wire(self.registry.address)

        def send_blobs(image):
            for blob in image.blobs:
                began = time.monotonic()
                push_blob(wire, repository, blob.digest, blob.bytes())
                pending[blob] = began

        def push(chance):
            which = chance.randrange(12)
            image = image_of(content(("config", number, which), 999),
                             content(chance.choice(["shared", which]),
                                     100_000),
                             content(("layer", number, which),
                                     1 + which * 20_000))
            tag = f"t{number}-{chance.randrange(6)}"
            with self.journal.change(repository, tag, image.digest, to=image):
                push_in_time(wire, repository, tag, image,
                             lambda: send_blobs(image))
            pending.clear()
            if chance.random() < 0.4:
                delete(wire, self.journal, repository, image)
                self.deleted += 1
        return push

    def filler(self):
        """Pulls through, and believes no finished answer unseen."""
        wire = Wire(self.registry.address)

        def pull(chance):
            image = chance.choice(self.far)
            layer = chance.choice(image.layers)
            wire.ask("GET", f"/v2/{image.repository}/manifests/{image.tag}")
            got = wire.ask("GET",
                           f"/v2/{image.repository}/blobs/{layer.digest}")
            if not got.complete:
                raise ConnectionError
            assert got.status == 200, got
            assert digest_of(got.body) == layer.digest
        return pull

    def collector(self):
        def collect(_):
            if not self.registry.running():
                raise ConnectionError
            try:
                verb(self.registry, "gc", "--grace", "0s")
            except AssertionError as ended:
                raise ConnectionError from ended
            self.collections += 1
        return collect

    def end(self, threads):
        self.registry.kill9()
        self.died = time.monotonic()
        for thread in threads:
            thread.join()

    def check(self):
        """Also a push that was interrupted can be gone on with."""
        assert self.mistakes == []
        self.journal.settle(self.registry)
        promised = [(repository, blob)
                    for repository, blobs in self.pending.values()
                    for blob, began in blobs.items()
                    if self.died - began < PROMISE]
        with self.registry.connect() as wire:
            for repository, blob in promised:
                got = wire.ask("GET",
                               f"/v2/{repository}/blobs/{blob.digest}")
                assert got.status == 200, (repository, blob.digest, got)
                assert got.body == blob.bytes()


def until_it_dies(work, chance, mistakes):
    """A thread that repeats `work` until the connection breaks."""
    def repeat():
        try:
            while True:
                work(chance)
        except OSError:
            pass
        except AssertionError as mistake:
            mistakes.append(mistake)
    thread = threading.Thread(target=repeat)
    thread.start()
    return thread


def test_killed_at_any_moment_it_keeps_what_it_acknowledged(start_registry,
                                                            upstream):
    upstream.always.rate = 20_000_000
    far = [upstream.add_small_image(f"library/image{number}", "1", MIB)
           for number in range(40)]
    registry = start_registry({"docker.io": upstream.url}, mirror={
        "cache": {"limit": "10MiB", "keep_free": "none"}})
    clients, chance = Clients(registry, far), random.Random(4)
    evictions = 0

    for crash in range(CRASHES):
        threads = clients.start(crash)
        time.sleep(chance.uniform(0.02, 0.5))
        evictions += evicted(registry)
        clients.end(threads)
        registry.start()
        clients.check()
        if crash % 5 == 0:
            is_whole(registry)

    is_whole(registry)
    print(f"{clients.journal.certain()} kept, {clients.deleted} deletions, "
          f"{clients.collections} collections, {evictions} evictions")
    assert clients.journal.certain() > 20
    # Where much else goes on, far less is done in a life than is usual.
    assert min(clients.deleted, clients.collections, evictions) > CRASHES // 9
    for image in far:
        got = registry.ask("GET", f"/v2/{image.repository}/blobs/"
                           f"{image.layers[-1].digest}")
        assert digest_of(got.body) == image.layers[-1].digest


def evicted(registry):
    """Blobs, in this life."""
    return int(registry.metrics()["private_registry_evicted_blobs_total"])
