#!/usr/bin/python3
"""A container image of a program, out of this machine's own libraries.

usage: image.py PROGRAM ARCHIVE      for docker load, podman load, skopeo
       image.py PROGRAM DIRECTORY    the files alone, where the directory is

The same files give the same bytes: no clock, no order of a file system, and
nobody's name is in them. How the image is run stands in the Dockerfile.
"""

import gzip
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import tarfile
import tempfile
from datetime import datetime, timezone
from pathlib import Path

DOCKERFILE = Path(__file__).resolve().parents[1] / "Dockerfile"
NAME = "private-registry"
USER = 65532
EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", 0))
CREATED = datetime.fromtimestamp(EPOCH, timezone.utc).strftime("%FT%TZ")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# The OCI's configuration knows no health check: podman drops it from there.
TYPES = {"config": "application/vnd.docker.container.image.v1+json",
         "layer": "application/vnd.docker.image.rootfs.diff.tar.gzip",
         "manifest": "application/vnd.docker.distribution.manifest.v2+json",
         "index": "application/vnd.oci.image.index.v1+json"}
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
TEXTS = {
    "etc/passwd": f"root:x:0:0::/:/\n{NAME}:x:{USER}:{USER}::/data:/\n",
    "etc/group": f"root:x:0:\n{NAME}:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


# -------------------------------------------------------------------- files

def libraries(program):
    """What the loader would load, itself included."""
    listed = subprocess.run(["ldd", program], check=True, text=True,
                            capture_output=True).stdout
    missing = re.findall(r"(\S+) => not found", listed)
    if missing:
        sys.exit(f"{program} needs what is not here: {', '.join(missing)}")
    return re.findall(r"(/\S+) \(0x", listed)


def stripped(program):
    """Without what only a debugger reads, and what names its directory."""
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(["strip", "-R", ".comment", "-R", ".note.gnu.build-id",
                        "-o", file.name, program], check=True)
        return Path(file.name).read_bytes()


def collect(program):
    """{name: (permissions, bytes)}; {name: text} is a symbolic link."""
    files = {f"usr/bin/{NAME}": (0o755, stripped(program)),
             CERTIFICATES[1:]: (0o644, Path(CERTIFICATES).read_bytes())}
    for name, text in TEXTS.items():
        files[name] = (0o644, text.encode())
    for path in libraries(program):
        top = path.split("/")[1]
        inside = path[1:] if top == "usr" else f"usr{path}"
        files[inside] = (0o755, Path(path).read_bytes())
        if top != "usr":
            files[top] = f"usr/{top}"
    return files


def entry(name, kind=tarfile.REGTYPE, mode=0o755):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime = kind, mode, EPOCH
    return info


def entries(files):
    """(entry, bytes) of each file, and of each directory before it."""
    data = entry("data", tarfile.DIRTYPE, 0o700)
    data.uid = data.gid = USER
    yield data, b""
    parents = {str(parent) for name in files for parent in Path(name).parents}
    for name in sorted(parents - {"."}):
        yield entry(name, tarfile.DIRTYPE), b""
    for name, what in sorted(files.items()):
        if isinstance(what, str):
            info = entry(name, tarfile.SYMTYPE, 0o777)
            info.linkname = what
            yield info, b""
        else:
            yield entry(name, mode=what[0]), what[1]


def tar(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as to:
        for info, content in members:
            info.size = len(content)
            to.addfile(info, io.BytesIO(content))
    return out.getvalue()


# --------------------------------------------------------- how it is run

def nanoseconds(text):
    return int(text.removesuffix("s")) * 10**9


def healthcheck(rest):
    """--interval=30s … CMD ["…"]"""
    options, command = rest.split("CMD ", 1)
    how = dict(option.removeprefix("--").split("=")
               for option in options.split())
    return {"Test": ["CMD", *json.loads(command)],
            "Interval": nanoseconds(how["interval"]),
            "Timeout": nanoseconds(how["timeout"]),
            "StartPeriod": nanoseconds(how["start-period"]),
            "Retries": int(how["retries"])}


INSTRUCTIONS = {
    "ENTRYPOINT": ("Entrypoint", json.loads),
    "CMD": ("Cmd", json.loads),
    "EXPOSE": ("ExposedPorts", lambda port: {f"{port}/tcp": {}}),
    "VOLUME": ("Volumes", lambda paths: dict.fromkeys(json.loads(paths), {})),
    "HEALTHCHECK": ("Healthcheck", healthcheck),
}


def how_it_is_run():
    """What the last stage of the Dockerfile says."""
    last = DOCKERFILE.read_text("utf-8").split("\nFROM ")[-1]
    config = {"Env": [], "WorkingDir": "/"}
    for line in last.splitlines()[1:]:
        word, _, rest = line.partition(" ")
        if word == "ENV":
            config["Env"].append(rest)
        elif word in INSTRUCTIONS:
            key, read = INSTRUCTIONS[word]
            config[key] = read(rest)
        elif word != "COPY":
            sys.exit(f"{DOCKERFILE}: what does {word} mean?")
    return config


# -------------------------------------------------------------- the archive

def encode(value):
    return json.dumps(value, indent=1, sort_keys=True).encode()


class Archive:
    """An OCI layout, with the file by which docker load finds its way."""

    def __init__(self):
        self.files = {"oci-layout": encode({"imageLayoutVersion": "1.0.0"})}

    def blob(self, kind, content):
        """Its descriptor."""
        digest = hashlib.sha256(content).hexdigest()
        self.files[f"blobs/sha256/{digest}"] = content
        return {"mediaType": TYPES[kind], "size": len(content),
                "digest": f"sha256:{digest}"}

    def bytes(self):
        return tar((entry(name, mode=0o644), self.files[name])
                   for name in sorted(self.files))


def place(descriptor):
    return "blobs/" + descriptor["digest"].replace(":", "/")


def image(layer, version):
    """The archive's bytes, and the manifest's descriptor."""
    archive = Archive()
    config = archive.blob("config", encode({
        "architecture": ARCHITECTURES[platform.machine()], "os": "linux",
        "created": CREATED,
        "config": dict(how_it_is_run(), Labels={
            "org.opencontainers.image.title": NAME,
            "org.opencontainers.image.version": version}),
        "rootfs": {"type": "layers", "diff_ids": [
            "sha256:" + hashlib.sha256(layer).hexdigest()]},
        "history": [{"created": CREATED, "created_by": "./image"}]}))
    packed = archive.blob("layer", gzip.compress(layer, 9, mtime=0))
    manifest = archive.blob("manifest", encode({
        "schemaVersion": 2, "mediaType": TYPES["manifest"],
        "config": config, "layers": [packed]}))
    archive.files["index.json"] = encode({
        "schemaVersion": 2, "mediaType": TYPES["index"],
        "manifests": [dict(manifest, annotations={
            "io.containerd.image.name": f"docker.io/library/{NAME}:latest",
            "org.opencontainers.image.ref.name": "latest"})]})
    archive.files["manifest.json"] = encode([{
        "Config": place(config), "RepoTags": [f"{NAME}:latest"],
        "Layers": [place(packed)]}])
    return archive.bytes(), manifest


def main(program, target):
    layer = tar(entries(collect(program)))
    if target.is_dir():
        with tarfile.open(fileobj=io.BytesIO(layer)) as files:
            files.extractall(target)
        return
    version = subprocess.run([program, "--version"], check=True, text=True,
                             capture_output=True).stdout.split()[-1]
    archive, manifest = image(layer, version)
    target.write_bytes(archive)
    print(f"{target}: {NAME}:latest, {len(archive) / 1e6:.1f} MB, "
          f"{manifest['digest']}\nNow: docker load --input {target}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]))
