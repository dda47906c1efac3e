"""The rows: what is done to each server, and what is to be reached.

A row's `measure` takes a server that runs and is warm, and returns one value
for each of its figures. A figure's ratio says how many times better ours is:
more is better for a rate, less for a cost, and 1.00 is always even.
"""

from dataclasses import dataclass, field

import cold
import collect
import crowd
import evict
import gets
import memory
import pushes
import reading
from content import FreshBlob


@dataclass(frozen=True)
class Figure:
    unit: str
    rate: bool = False          # more is better
    # What is to be reached:
    times: dict = field(default_factory=dict)   # as good as .. x that server
    most: float | None = None                   # ours is at most this


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    figures: tuple
    measure: object             # (bench, server) -> a value for each figure
    warm: object = None         # (bench, server), before each measure
    fill: object = None         # (bench, server): in directories of their own
    tls: bool = False
    fresh: bool = False         # the server is started anew for each round
    pushes: bool = False        # nginx takes no pushes and has no lists
    ours: bool = False          # no other does it
    rounds: int = 5


@dataclass
class Bench:
    """What the rows work with."""
    image: object
    load: object                # the program made from load.c
    push: object                # and from push.c
    _blob: FreshBlob | None = None

    def new_blob(self):
        """256 MiB that no server has, made outside the time measured."""
        if self._blob:
            self._blob.renew()
        else:
            self._blob = FreshBlob(pushes.BLOB)
        return self._blob


EVEN = {"nginx": 1}


def answers(**times):
    return (Figure("requests/s", rate=True, times={
        **EVEN, **{name.replace("_", "-"): n for name, n in times.items()}}),
            Figure("server CPU, us/request", times=EVEN))


BYTES = (Figure("GB/s", rate=True, times=EVEN),
         Figure("server CPU, s/GB", times=EVEN))

MEANWHILE = (Figure("seconds"),
             Figure("p99 of a pull, times that before", most=1.3),
             Figure("p99 of a push, times that before", most=1.3),
             Figure("anonymous MB more", most=16))

ALL = [
    Row("manifest", "GET of a manifest by tag, 64 connections",
        answers(docker_registry=35), gets.manifest, gets.manifest_warm),
    Row("manifest-tls", "the same over TLS 1.3, AES-128-GCM", answers(),
        gets.MANIFEST_TLS.answers, gets.MANIFEST_TLS.warm, tls=True),
    Row("head", "HEAD of a blob, 64 connections", answers(docker_registry=50),
        gets.HEAD.answers, gets.HEAD.warm),
    Row("blob", "GET of a blob of 64 MiB, 8 connections", BYTES,
        gets.BLOB.bytes, gets.BLOB.warm),
    Row("blob-tls", "the same over TLS 1.3, AES-128-GCM", BYTES,
        gets.BLOB_TLS.bytes, gets.BLOB_TLS.warm, tls=True),
    Row("push", "push of a blob of 256 MiB",
        (Figure("seconds", times={"docker-registry": 3}),
         Figure("server CPU, s")),
        pushes.blob, pushes.blob_warm, pushes=True),
    Row("push-images", "push of 64 images of 10 small layers, 8 at once",
        (Figure("seconds", times={"docker-registry": 10}),
         Figure("server CPU, ms/image")),
        pushes.images, pushes.images_warm, pushes=True),
    Row("idle", "10,000 idle connections",
        (Figure("anonymous MB", times=EVEN, most=30),),
        memory.idle, fresh=True, rounds=3),
    Row("memory", "memory at rest, and the most during loads as above",
        (Figure("at rest, anonymous MB", most=6),
         Figure("at peak, anonymous MB", most=48)),
        memory.memory, fresh=True, rounds=3),
    Row("slow", "256 slow pulls of 1 GiB at once",
        (Figure("plain, anonymous MB", most=24),
         Figure("TLS, anonymous MB", most=24)),
        memory.slow, fill=memory.slow_fill, fresh=True, rounds=3),
    Row("start", "start to first answer, with a million manifests in ours",
        (Figure("ms", most=50),),
        crowd.start, fill=crowd.start_fill),
    Row("tags", "first page of 100,000 tags",
        (Figure("ms", most=2),),
        crowd.tags, fill=crowd.names_fill, pushes=True),
    Row("catalog", "first page of a catalog of 100,000",
        (Figure("ms", most=2),),
        crowd.catalog, fill=crowd.names_fill, pushes=True),
    Row("cold", "32 MiB that nobody has yet, through a mirror, 50 at once, "
        "upstream at 100 MB/s",
        (Figure("seconds until the last has it", times=EVEN),
         Figure("bytes from upstream, times the blob", most=1),
         Figure("anonymous MB", most=64)),
        cold.cold, rounds=3),
    Row("evict", "eviction of 10,000 cached blobs, one client meanwhile",
        MEANWHILE, evict.evict, ours=True, rounds=3),
    Row("collect", "gc of 100,000 dead blobs among 1,000,000 live ones",
        MEANWHILE, collect.collect, fill=collect.fill, ours=True, rounds=1),
    Row("collect-quiet", "the same, as the registry does it by itself",
        MEANWHILE, collect.quietly, fill=collect.fill, ours=True, rounds=1),
    Row("verify", "8 images of 64 MiB read back, beside sha256sum of nginx's "
        "files and dd of docker-registry's",
        (Figure("MB/s", rate=True, times={"nginx": 1,
                                          "docker-registry": 0.9}),
         Figure("CPU, s/GB")),
        reading.read, reading.warm, fill=reading.fill),
]
