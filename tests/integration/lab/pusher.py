"""Pushes an Image over HTTP as containerd does: POST, then one PUT."""

import time
from urllib.parse import urlsplit

from .content import digest_of
from .images import OCI, Manifest, encode
from .wire import Wire

CONFIG = b'{"architecture":"amd64","os":"linux"}'
PROMISE = 0.99      # seconds: the least that a blob waits for its manifest


def push_image(address, image, repository=None):
    repository = repository or image.repository
    with Wire(address) as wire:
        for blob in image.blobs:
            push_blob(wire, repository, blob.digest, blob.bytes())
        for manifest in image.manifests:
            push_manifest(wire, repository, manifest.digest, manifest)
        push_manifest(wire, repository, image.tag, image.manifests[-1])


def push_blob(wire, repository, digest, data):
    """Until the registry has acknowledged it."""
    start = wire.ask("POST", f"/v2/{repository}/blobs/uploads/", b"")
    assert start.status == 202, start
    answer = wire.ask("PUT", with_digest(start["Location"], digest), data,
                      Content_Type="application/octet-stream")
    assert answer.status == 201, answer


def push_manifest(wire, repository, reference, manifest):
    answer = put_manifest(wire, repository, reference, manifest)
    assert answer.status == 201, answer


def put_manifest(wire, repository, reference, manifest):
    return wire.ask("PUT", f"/v2/{repository}/manifests/{reference}",
                    manifest.body, Content_Type=manifest.media_type)


def push_in_time(wire, repository, reference, manifest, send_blobs):
    """Where collections never rest, blobs wait a second for their manifest.

    Whoever is slower, as on a busy machine, is told so, and sends them again.
    """
    while True:
        began = time.monotonic()
        send_blobs()
        answer = put_manifest(wire, repository, reference, manifest)
        if answer.status == 201:
            return
        assert answer.code == "MANIFEST_BLOB_UNKNOWN", answer
        assert time.monotonic() - began > PROMISE, (repository, answer)


def push_small(registry, repository, tag="1"):
    """An image of one blob, CONFIG; its manifest."""
    with registry.connect() as wire:
        push_blob(wire, repository, digest_of(CONFIG), CONFIG)
        manifest = Manifest(OCI["manifest"], encode({
            "schemaVersion": 2, "mediaType": OCI["manifest"],
            "config": {"mediaType": OCI["config"], "size": len(CONFIG),
                       "digest": digest_of(CONFIG)}, "layers": []}))
        push_manifest(wire, repository, tag, manifest)
    return manifest


def with_digest(location, digest):
    """An upload's Location, absolute or not, as the target of its PUT."""
    parts = urlsplit(location)
    query = f"{parts.query}&" if parts.query else ""
    return f"{parts.path}?{query}digest={digest}"
