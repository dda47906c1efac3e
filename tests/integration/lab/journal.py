"""What a registry was told, and so what it must have.

A change is certain once it was acknowledged, and possible from the moment on
at which it was asked for. Positions are whatever counts up: the changes of the
disk, or nothing but 0 (before) and 1 (after).
"""

import threading
from contextlib import contextmanager
from dataclasses import dataclass

from .content import digest_of
from .images import OCI, Blob, Manifest, descriptor, encode


@dataclass
class Change:
    value: object           # a Manifest, or None: it is deleted
    start: int
    end: int = None         # it was acknowledged here


class Journal:
    def __init__(self, position=lambda: 0):
        self._position = position
        self._changes = {}          # (repository, reference): [Change]
        self._lock = threading.Lock()

    @contextmanager
    def change(self, repository, *references, to):
        """Around a request; an exception leaves it without its answer."""
        with self._lock:
            changes = [Change(to, self._position()) for _ in references]
            for reference, change in zip(references, changes):
                self._changes.setdefault((repository, reference),
                                         []).append(change)
        yield
        end = self._position()
        for change in changes:
            change.end = end

    def allowed(self, name, cut):
        """The values that it may have after a crash at `cut`."""
        values = {None}
        for change in self._changes[name]:
            if change.end is not None and change.end <= cut:
                values = {change.value}
            elif change.start < cut:
                values.add(change.value)
        return values

    def tags(self, repository, manifest):
        """The tags that may mean this manifest now."""
        return [reference for (where, reference), changes
                in self._changes.items() if where == repository and
                not reference.startswith("sha256:") and
                changes[-1].value == manifest]

    def certain(self, cut=1):
        """How much it must have at this cut."""
        return sum(None not in self.allowed(name, cut)
                   for name in self._changes)

    def check(self, registry, cut=1):
        """All that must be there pulls whole; what was deleted is gone."""
        pulled = set()
        with registry.connect() as wire:
            for name in list(self._changes):
                self._look(wire, name, cut, pulled)

    def _look(self, wire, name, cut, pulled):
        """What `name` is found to be, one of the things that it may be."""
        repository, reference = name
        answer = wire.ask("GET", f"/v2/{repository}/manifests/{reference}")
        allowed = self.allowed(name, cut)
        if answer.status == 404:
            assert None in allowed, (name, "is lost")
            return None
        assert answer.status == 200, (name, answer)
        found, = [value for value in allowed
                  if value and value.body == answer.body] or [None]
        assert found, (name, answer, allowed)
        pull_blobs(wire, repository, found, pulled)
        return found

    def settle(self, registry):
        """The same, and what was only possible is certain from now on."""
        pulled = set()
        with registry.connect() as wire:
            for name in list(self._changes):
                found = self._look(wire, name, 1, pulled)
                self._changes[name] = [Change(found, 0, 0)]


def image_of(config, *layers):
    """A manifest of these Contents. It can be a member of a set."""
    blobs = [Blob(blob.digest, blob.size) for blob in (config, *layers)]
    image = PushedImage(OCI["manifest"], encode({
        "schemaVersion": 2, "mediaType": OCI["manifest"],
        "config": descriptor(OCI["config"], blobs[0]),
        "layers": [descriptor(OCI["layer"], blob) for blob in blobs[1:]]}))
    image.blobs = (config, *layers)
    return image


class PushedImage(Manifest):
    """A manifest that knows its blobs."""
    blobs = ()

    def __hash__(self):
        return hash(self.body)


def pull_blobs(wire, repository, image, pulled):
    """`pulled` are those (repository, digest) that need no second look."""
    for blob in image.blobs:
        if (repository, blob.digest) in pulled:
            continue
        got = wire.ask("GET", f"/v2/{repository}/blobs/{blob.digest}")
        assert got.status == 200, (repository, blob.digest, got)
        assert got.complete and digest_of(got.body) == blob.digest
        pulled.add((repository, blob.digest))
