"""Makes a newer Debian in a directory, whose engines the tests run as well.

    python3 tests/integration/make_tree.py forky DIRECTORY [--newest]

or trixie; needs root, debootstrap, 1.2 GB and some minutes. What is there
already stays, and what is missing is added. With --newest Go builds what is
newer than in any Debian, too.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab.go_tools import GO
from lab.tree import CRICTL, OVER, enter

PACKAGES = ["ca-certificates", "mount", "docker.io", "docker-cli",
            "docker-buildx", "containerd", "runc", "podman", "skopeo",
            "netavark", "iptables"]
# Where tests mount what is theirs.
PLACES = ["etc/docker", "etc/containerd", "etc/containers"]
APT = ("apt-get", "-y", "-o", "Acquire::Check-Valid-Until=false")
SCRIPTS = Path("/usr/share/debootstrap/scripts")

CONTAINERD = "github.com/containerd/containerd/v2/cmd"
NEWEST = {
    f"{OVER}/usr/sbin/dockerd":
        "github.com/moby/moby/v2/cmd/dockerd@v2.0.0-beta.24",
    f"{OVER}/usr/bin/containerd": f"{CONTAINERD}/containerd@v2.4.2",
    f"{OVER}/usr/bin/containerd-shim-runc-v2":
        f"{CONTAINERD}/containerd-shim-runc-v2@v2.4.2",
    f"{OVER}/usr/bin/ctr": f"{CONTAINERD}/ctr@v2.4.2",
    CRICTL: "sigs.k8s.io/cri-tools/cmd/crictl@v1.37.0",
}
# A dockerd that Go has installed does not know which one it is.
LINK = "-s -w -X github.com/moby/moby/v2/dockerversion.Version=29.0.0"


def make(suite, root):
    if not (root / "etc/debian_version").exists():
        script = SCRIPTS / suite
        call("debootstrap", "--variant=minbase", suite, root, mirror(),
             script if script.exists() else SCRIPTS / "sid")
    start_nothing(root)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    (root / "etc/hosts").touch()
    for place in PLACES:
        (root / place).mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as seen:
        inside = enter(root, seen)
        call(*inside, *APT, "update")
        call(*inside, *APT, "install", "--no-install-recommends", *PACKAGES)
        call(*inside, *APT, "clean")


def start_nothing(root):
    """When packages are installed in it."""
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)


def mirror():
    """Where apt has its packages from here."""
    done = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE)"],
                          text=True, capture_output=True, check=True)
    return done.stdout.split()[0]


def make_newest(root):
    for place, package in NEWEST.items():
        directory = (root / place).parent
        directory.mkdir(parents=True, exist_ok=True)
        call(GO, "install", "-trimpath", f"-ldflags={LINK}", package,
             GOBIN=str(directory))


def call(*words, **variables):
    subprocess.run([str(word) for word in words], check=True, env=dict(
        os.environ, DEBIAN_FRONTEND="noninteractive", **variables))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("suite", help="trixie or forky")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--newest", action="store_true",
                        help="also build those that no Debian has")
    given = parser.parse_args()
    make(given.suite, given.directory.absolute())
    if given.newest:
        make_newest(given.directory.absolute())


if __name__ == "__main__":
    main()
