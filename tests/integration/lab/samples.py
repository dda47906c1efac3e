"""Images that any engine can pull, made of nothing: their files are noise."""

import io
import struct
import tarfile

from .content import Content, content, digest_of
from .images import OCI

BLOCK = 128 << 10           # the most that one of zstd has
SMALL = 100_000


def add_samples(hub, large):
    """Four repositories, each with the tag 1; returns their names. The layer
    of one has `large` bytes."""
    hub.add_image("try/small", "1", Content(tar("small", SMALL)))
    hub.add_image("try/large", "1", Content(tar("large", large)))
    hub.add_index("try/multi", "1", *(
        hub.add_image("try/multi", name, Content(tar(name, SMALL)),
                      architecture=name) for name in ("amd64", "arm64")))
    plain = tar("zstd", SMALL)
    hub.add_image("try/zstd", "1", Content(zstd(plain)),
                  media_type=OCI["layer"] + "+zstd",
                  diff_ids=[digest_of(plain)])
    return ["try/small", "try/large", "try/multi", "try/zstd"]


def tar(name, length):
    """One file, noise/NAME, of that many bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo(f"noise/{name}")
        entry.size = length
        archive.addfile(entry, io.BytesIO(content(name, length).bytes()))
    return out.getvalue()


def zstd(data):
    """A frame of one segment (RFC 8878) that stores `data` as it is."""
    parts = [struct.pack("<IBQ", 0xFD2FB528, 0xE0, len(data))]
    for at in range(0, len(data), BLOCK):
        block = data[at:at + BLOCK]
        last = at + BLOCK >= len(data)
        parts += [struct.pack("<I", len(block) << 3 | last)[:3], block]
    return b"".join(parts)
