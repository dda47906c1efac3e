"""A little of everything that changes a store, in a fixed order."""

import subprocess

from .content import content
from .integrity import verb
from .journal import Journal, image_of
from .pusher import push_blob, push_manifest, with_digest
from .registry import BINARY

ROTTEN = image_of(content("rotten config", 400), content("rotten", 6000))


def push(wire, journal, repository, image, *tags):
    for blob in image.blobs:
        push_blob(wire, repository, blob.digest, blob.bytes())
    with journal.change(repository, image.digest, to=image):
        push_manifest(wire, repository, image.digest, image)
    for tag in tags:
        with journal.change(repository, tag, image.digest, to=image):
            push_manifest(wire, repository, tag, image)


def mount(wire, source, target, blob):
    got = wire.ask("POST", f"/v2/{target}/blobs/uploads/?mount={blob.digest}"
                   f"&from={source}", b"")
    assert got.status == 201, got


def delete(wire, journal, repository, image):
    """The manifest, and with it the tags that mean it."""
    gone = image.digest, *journal.tags(repository, image)
    with journal.change(repository, *gone, to=None):
        got = wire.ask("DELETE",
                       f"/v2/{repository}/manifests/{image.digest}")
        assert got.status == 202, got


def push_in_pieces(wire, repository, blob, pieces=3):
    start = wire.ask("POST", f"/v2/{repository}/blobs/uploads/", b"")
    data, location = blob.bytes(), start["Location"]
    step = len(data) // pieces
    for at in range(0, len(data), step):
        piece = data[at:at + step]
        got = wire.ask("PATCH", location, piece, Content_Range=f"{at}-"
                       f"{at + len(piece) - 1}")
        assert got.status == 202, got
        location = got["Location"]
    got = wire.ask("PUT", with_digest(location, blob.digest), b"")
    assert got.status == 201, got


def fetch(wire, image):
    got = wire.ask("GET", f"/v2/{image.repository}/manifests/{image.tag}")
    assert got.status == 200, got
    for layer in image.layers:
        got = wire.ask("GET", f"/v2/{image.repository}/blobs/{layer.digest}")
        assert got.status == 200 and got.body == layer.bytes(), got


def push_rotten(wire):
    """No journal tells of it, so nobody relies on it."""
    push(wire, Journal(), "team/rotten", ROTTEN, "1")


def rot(registry):
    """The disk has other bytes of a layer than it was given."""
    blob = ROTTEN.blobs[1]
    path, = registry.data.glob(f"blobs/sha256/*/{blob.digest[7:]}.*")
    path.write_bytes(bytes(blob.size))


def heal(registry):
    """If anything is damaged: it is found, and then it is pushed again."""
    subprocess.run([BINARY, "verify", "--data", registry.data],
                   capture_output=True, timeout=60)
    with registry.connect() as wire:
        push_rotten(wire)


def work(registry, upstream, journal, position):
    """Returns the positions at which something had been acknowledged."""
    shared, large = content("shared", 3000), content("large", 200_000)
    images = [image_of(content(f"config {number}", 500 + number), shared,
                       content(f"layer {number}", 5000 + number))
              for number in range(6)]
    cached = [upstream.add_small_image(f"library/cached{number}", size=9000)
              for number in range(2)]
    with registry.connect() as wire:
        steps = [
            lambda: push(wire, journal, "team/a", images[0], "1", "latest"),
            lambda: fetch(wire, cached[0]),
            lambda: push(wire, journal, "team/a", images[1], "2", "latest"),
            lambda: push(wire, journal, "team/b", images[2], "1"),
            lambda: push_in_pieces(wire, "team/b", large),
            lambda: push(wire, journal, "team/b",
                         image_of(images[2].blobs[0], large), "large"),
            lambda: delete(wire, journal, "team/a", images[0]),
            lambda: mount(wire, "team/b", "team/c", large),
            lambda: push(wire, journal, "team/c",
                         image_of(images[3].blobs[0], large), "mounted"),
            lambda: verb(registry, "gc", "--grace", "0s"),
            lambda: push(wire, journal, "team/a", images[0], "again"),
            lambda: push_rotten(wire),
            lambda: rot(registry),
            lambda: verb(registry, "verify", status=1),
            lambda: push(wire, journal, "team/healed", ROTTEN, "1"),
            lambda: delete(wire, journal, "team/b", images[2]),
            lambda: wire.ask("POST", "/v2/team/a/blobs/uploads/", b""),
            lambda: fetch(wire, cached[1]),
            lambda: verb(registry, "gc", "--grace", "0s"),
            lambda: push(wire, journal, "team/b", images[4], "1"),
            lambda: delete(wire, journal, "team/a", images[1]),
            lambda: verb(registry, "gc", "--grace", "0s"),
        ]
        return [(step(), position())[1] for step in steps]
