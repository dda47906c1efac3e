"""Images as OCI layouts: directories that every client can read and write."""

import json
from dataclasses import dataclass
from pathlib import Path

from .images import Blob, Image, descriptor, encode, file_blob

NAME = "org.opencontainers.image.ref.name"


@dataclass
class Layout:
    path: Path
    image: Image

    @property
    def reference(self):
        """As skopeo, oras and regctl name it, behind their own prefix."""
        return f"{self.path}:{self.image.tag}"


def write_layout(directory, image):
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for blob in image.blobs:
        place = blobs / blob.digest.split(":")[1]
        if blob.path is None:
            place.write_bytes(blob.data)
        elif not place.exists():
            place.hardlink_to(blob.path)
    for manifest in image.manifests:
        (blobs / manifest.digest.split(":")[1]).write_bytes(manifest.body)
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    last = image.manifests[-1]
    entry = descriptor(last.media_type, Blob(last.digest, len(last.body)))
    (directory / "index.json").write_bytes(encode({
        "schemaVersion": 2,
        "manifests": [dict(entry, annotations={NAME: image.tag})]}))
    return Layout(directory, image)


def read_layout(directory):
    """The digest of its image, and of all blobs that are what they should."""
    entries = json.loads((directory / "index.json").read_bytes())["manifests"]
    named = [entry for entry in entries if "annotations" in entry]
    entry, = named or entries
    blobs = (directory / "blobs" / "sha256").iterdir()
    return entry["digest"], {blob.digest for blob in map(file_blob, blobs) if
                             blob.digest == "sha256:" + blob.path.name}
