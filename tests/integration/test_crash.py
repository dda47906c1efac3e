"""Killed at any moment, it has all that it acknowledged, byte for byte."""

import random
import threading
import time

from lab.content import content, digest_of
from lab.images import OCI, Blob, Manifest, descriptor, encode
from lab.pusher import push_blob, push_manifest
from lab.wire import Wire

CRASHES = 20
PUSHERS, FILLERS = 4, 2


class Acknowledged:
    """What we were told is kept: blobs, and manifests by tag."""

    def __init__(self):
        self.blobs = set()          # (repository, digest)
        self.manifests = {}         # (repository, tag): Manifest

    def check(self, registry):
        with registry.connect() as wire:
            for repository, digest in sorted(self.blobs):
                got = wire.ask("GET", f"/v2/{repository}/blobs/{digest}")
                assert got.status == 200, (repository, digest, got)
                assert digest_of(got.body) == digest
            for (repository, tag), manifest in self.manifests.items():
                for reference in tag, manifest.digest:
                    got = wire.ask(
                        "GET", f"/v2/{repository}/manifests/{reference}")
                    assert got.status == 200, (repository, reference, got)
                    assert got.body == manifest.body


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


def pusher(registry, kept, number):
    """Pushes blobs, some of them the same as others', and names them."""
    repository = f"team/app{number % 3}"
    wire = Wire(registry.address)

    def push(chance):
        blobs = [content(chance.choice(["shared", number, chance.random()]),
                         chance.randrange(1, 300_000)) for _ in range(2)]
        for blob in blobs:
            push_blob(wire, repository, blob.digest, blob.bytes())
            kept.blobs.add((repository, blob.digest))
        manifest = manifest_of(blobs)
        tag = f"t{number}-{chance.randrange(1 << 30)}"
        push_manifest(wire, repository, tag, manifest)
        kept.manifests[repository, tag] = manifest
    return push


def filler(registry, images):
    """Pulls through, and believes no finished answer unseen."""
    wire = Wire(registry.address)

    def pull(chance):
        image = chance.choice(images)
        layer = chance.choice(image.layers)
        wire.ask("GET", f"/v2/{image.repository}/manifests/{image.tag}")
        got = wire.ask("GET",
                       f"/v2/{image.repository}/blobs/{layer.digest}")
        if not got.complete:
            raise ConnectionError
        assert got.status == 200 and digest_of(got.body) == layer.digest, got
    return pull


def manifest_of(blobs):
    config, layer = (Blob(blob.digest, blob.size) for blob in blobs)
    return Manifest(OCI["manifest"], encode({
        "schemaVersion": 2, "mediaType": OCI["manifest"],
        "config": descriptor(OCI["config"], config),
        "layers": [descriptor(OCI["layer"], layer)]}))


def test_killed_at_any_moment_it_keeps_what_it_acknowledged(start_registry,
                                                            upstream):
    upstream.always.rate = 20_000_000
    images = [upstream.add_small_image(f"library/image{number}", "1",
                                       2_000_000) for number in range(40)]
    registry = start_registry({"docker.io": upstream.url})
    kept, mistakes, chance = Acknowledged(), [], random.Random(4)

    for crash in range(CRASHES):
        works = [pusher(registry, kept, number) for number in range(PUSHERS)]
        works += [filler(registry, images) for _ in range(FILLERS)]
        threads = [until_it_dies(work, random.Random(f"{crash} {number}"),
                                 mistakes)
                   for number, work in enumerate(works)]
        time.sleep(chance.uniform(0.02, 0.5))
        registry.kill9()
        for thread in threads:
            thread.join()
        registry.start()
        kept.check(registry)

    assert mistakes == []
    print(f"{len(kept.blobs)} blobs and {len(kept.manifests)} manifests kept")
    assert len(kept.manifests) > CRASHES
    for image in images:
        filled = registry.ask("GET", f"/v2/{image.repository}/blobs/"
                              f"{image.layers[-1].digest}")
        assert filled.status == 200
        assert digest_of(filled.body) == image.layers[-1].digest
