"""Real images, made from the files of Debian packages; no engine is needed.

An Image is what a registry holds: manifests, and blobs as files or bytes.
"""

import hashlib
import json
import os
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from .content import content, digest_of

DOCKER = {
    "manifest": "application/vnd.docker.distribution.manifest.v2+json",
    "config": "application/vnd.docker.container.image.v1+json",
    "layer": "application/vnd.docker.image.rootfs.diff.tar",
}
OCI = {
    "manifest": "application/vnd.oci.image.manifest.v1+json",
    "config": "application/vnd.oci.image.config.v1+json",
    "layer": "application/vnd.oci.image.layer.v1.tar",
}
BUSYBOX = Path("/bin/busybox")
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass
class Blob:
    digest: str
    size: int
    path: Path = None       # where the bytes are, or:
    data: bytes = None
    diff_id: str = None     # of a compressed layer: the tar's digest

    def bytes(self):
        return self.data if self.path is None else self.path.read_bytes()


@dataclass
class Manifest:
    media_type: str
    body: bytes

    @property
    def digest(self):
        return digest_of(self.body)


@dataclass
class Image:
    """`manifests` in the order to push them: the last one takes the tag."""
    repository: str         # as Docker Hub names it: library/…
    tag: str
    blobs: list = field(default_factory=list)
    manifests: list = field(default_factory=list)
    platforms: dict = field(default_factory=dict)   # {"amd64": [config, …]}

    @property
    def config(self):
        """Its digest, for linux/amd64."""
        return self.config_for("amd64")

    def config_for(self, architecture):
        return self.platforms[architecture][0].digest

    def needed(self, architecture="amd64"):
        """Digests of what is pulled for that platform, beside manifests."""
        return {blob.digest for blob in self.platforms[architecture]}

    @property
    def name(self):
        """As a person types it after `docker pull`."""
        return f"{self.repository.removeprefix('library/')}:{self.tag}"

    @property
    def digest(self):
        return self.manifests[-1].digest


def make_images(directory):
    """The three: busybox, one of two platforms, one of over 300 MB."""
    busybox = layer(directory / "busybox.tar",
                    {"bin/busybox": BUSYBOX})
    # Debian's cross libraries hold a genuine arm64 program: the linker
    foreign = layer(directory / "arm64.tar", {
        "lib/ld-linux-aarch64.so.1":
        Path("/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1")})
    small = Image("library/lab-busybox", "1")
    add_platform(small, "amd64", [busybox], DOCKER)

    index = Image("library/lab-index", "stable")
    add_platform(index, "amd64", [busybox], OCI)
    add_platform(index, "arm64", [foreign], OCI)
    add_index(index, ["amd64", "arm64"])

    large = Image("lab/layers", "1.0")
    layers = [layer(directory / f"layer{number}.tar", files) for
              number, files in enumerate(parts_of_usr(4, 80 << 20))]
    add_platform(large, "amd64", layers, OCI)
    return small, index, large


def make_oci(directory):
    """busybox, as the OCI's types have it."""
    image = Image("library/lab-oci", "1")
    add_platform(image, "amd64", [layer(directory / "busybox.tar",
                                        {"bin/busybox": BUSYBOX})], OCI)
    return image


def make_zstd(directory):
    """The same, its layer compressed with zstd."""
    image = Image("library/lab-zstd", "1")
    add_platform(image, "amd64", [zstd_layer(directory / "busybox.zst",
                                             {"bin/busybox": BUSYBOX})],
                 dict(OCI, layer=OCI["layer"] + "+zstd"))
    return image


def make_shared(directory):
    """Two images of two common layers and one of their own each."""
    common = [layer(directory / "busybox.tar", {"bin/busybox": BUSYBOX}),
              content_layer(directory / "common", 4 << 20)]
    for name in "lab/shared-one", "lab/shared-two":
        image = Image(name, "1")
        own = content_layer(directory / name.replace("/", "-"), 1 << 20)
        add_platform(image, "amd64", [*common, own], OCI)
        yield image


def make_huge(directory):
    """A layer of over 1 GiB, all zeros within a tar."""
    zeros = directory / "zeros"
    with open(zeros, "wb") as file:
        file.truncate((1 << 30) + (1 << 20))
    image = Image("library/lab-huge", "1")
    add_platform(image, "amd64", [layer(directory / "huge.tar",
                                        {"zeros": zeros})], OCI)
    return image


def layer(path, files):
    """A tar of {name in the image: file here}, the same for the same files."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, source in files.items():
            status = os.stat(source)
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = status.st_size, status.st_mode & 0o777
            with open(source, "rb") as data:
                tar.addfile(entry, data)
    return file_blob(path)


def content_layer(path, size):
    """One file whose bytes follow from its name."""
    path.write_bytes(content(path.name, size).bytes())
    return layer(path.with_suffix(".tar"), {path.name: path})


def zstd_layer(path, files):
    """The same, compressed."""
    plain = layer(path.with_suffix(".tar"), files)
    subprocess.run(["zstd", "-q", "-f", "-o", path, plain.path], check=True)
    return file_blob(path, diff_id=plain.digest)


def file_blob(path, **more):
    """The file as a blob."""
    with open(path, "rb") as data:
        digest = hashlib.file_digest(data, "sha256").hexdigest()
    return Blob("sha256:" + digest, path.stat().st_size, path, **more)


def parts_of_usr(count, size):
    """Disjoint groups of this machine's own files, over `size` bytes each."""
    files = (Path(where) / name
             for root in ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/share")
             for where, directories, names in os.walk(root)
             for name in sorted(names) if not directories.sort())
    for _ in range(count):
        part, total = {}, 0
        while total < size:
            file = next(files)
            if file.is_file() and not file.is_symlink():
                part[str(file).lstrip("/")] = file
                total += file.stat().st_size
        yield part


def add_platform(image, architecture, layers, types):
    config = encode({
        "architecture": architecture, "os": "linux",
        "config": {"Cmd": ["/bin/busybox", "sh"]},
        "rootfs": {"type": "layers",
                   "diff_ids": [blob.diff_id or blob.digest
                                for blob in layers]}})
    config_blob = Blob(digest_of(config), len(config), data=config)
    image.blobs += [config_blob, *layers]
    image.manifests.append(Manifest(types["manifest"], encode({
        "schemaVersion": 2, "mediaType": types["manifest"],
        "config": descriptor(types["config"], config_blob),
        "layers": [descriptor(types["layer"], blob) for blob in layers]})))
    image.platforms[architecture] = [config_blob, *layers]


def add_index(image, architectures):
    entries = [dict(descriptor(each.media_type,
                               Blob(each.digest, len(each.body))),
                    platform={"os": "linux", "architecture": name})
               for each, name in zip(image.manifests, architectures)]
    image.manifests.append(Manifest(OCI_INDEX, encode({
        "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})))


def descriptor(media_type, blob):
    return {"mediaType": media_type, "size": blob.size, "digest": blob.digest}


def encode(value):
    return json.dumps(value, indent=3).encode()
