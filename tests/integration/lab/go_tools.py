"""Clients that exist as Go modules, built once into build/go/.

Each is pinned to a version, which is a part of its file's name. Nothing is
fetched again once it is built. As a program this builds them all, and tells
which tests will be skipped:

    python3 tests/integration/lab/go_tools.py
"""

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

CACHE = Path(__file__).resolve().parents[3] / "build" / "go"
GO = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
CONFORMANCE = "github.com/opencontainers/distribution-spec/conformance"


@dataclass
class Tool:
    module: str
    version: str
    package: str = "."
    command: tuple = ("build",)
    main: str = ""      # the program, where the module has none that builds


# Its own main package is of a module that replaces others.
ETCD = """package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
"""

TOOLS = {
    "conformance": Tool(CONFORMANCE, "v0.0.0-20260831232431-97274622c111"),
    # the suite of specification 1.1 as it was before it was written anew
    "conformance-2023": Tool(CONFORMANCE, "v0.0.0-20231101194043-f2182352d4cc",
                             command=("test", "-c")),
    "crane": Tool("github.com/google/go-containerregistry", "v0.22.1",
                  "./cmd/crane"),
    "oras": Tool("oras.land/oras", "v1.3.6", "./cmd/oras"),
    "regctl": Tool("github.com/regclient/regclient", "v0.11.7",
                   "./cmd/regctl"),
    "buildkitd": Tool("github.com/moby/buildkit", "v0.34.2",
                      "./cmd/buildkitd"),
    "etcd": Tool("go.etcd.io/etcd/server/v3", "v3.6.8", main=ETCD),
    "buildctl": Tool("github.com/moby/buildkit", "v0.34.2", "./cmd/buildctl"),
}


class Unavailable(pytest.skip.Exception):
    """It cannot be had on this machine; whatever test needs it is skipped."""


def go_tool(name):
    """The program's path, built if need be. Unavailable."""
    program = path_of(name)
    if not program.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        build(TOOLS[name], program)
    return program


def path_of(name):
    return CACHE / f"{name}-{TOOLS[name].version}"


def build(tool, program):
    """As the main module, for `go install` takes none with replacements."""
    unfinished = program.with_suffix(f".{os.getpid()}")
    with tempfile.TemporaryDirectory(dir=CACHE) as room:
        source, mode = source_of(tool), "-mod=readonly"
        if tool.main:
            source, mode = write_main(tool, Path(room)), "-mod=mod"
        done = go(*tool.command, mode, "-trimpath", "-buildvcs=false",
                  "-ldflags=-s -w", "-o", unfinished, tool.package,
                  cwd=source)
    assert done.returncode == 0, done.stderr
    unfinished.rename(program)


def write_main(tool, source):
    """A module that has the program, and requires the tool's."""
    (source / "main.go").write_text(tool.main)
    for words in (["mod", "init", "lab"],
                  ["get", f"{tool.module}@{tool.version}"]):
        done = go(*words, cwd=source)
        if done.returncode != 0:
            raise Unavailable(f"Go cannot get what {tool.module} needs here")
    return source


def source_of(tool):
    """The module's directory in Go's cache, fetched if need be."""
    if not GO:
        raise Unavailable("Go is not installed here")
    module = f"{tool.module}@{tool.version}"
    done = go("mod", "download", "-json", module, cwd=CACHE)
    if done.returncode != 0:
        raise Unavailable(f"Go cannot get {module} here")
    return json.loads(done.stdout)["Dir"]


def go(*arguments, cwd):
    return subprocess.run(
        [GO, *map(str, arguments)], cwd=cwd, text=True, capture_output=True,
        stdin=subprocess.DEVNULL, env=dict(os.environ, CGO_ENABLED="0"))


def main():
    missing = [name for name in TOOLS if not path_of(name).exists()]
    if missing and not GO:
        print(f"Go is not installed: tests of {', '.join(missing)} "
              "are skipped")
        return
    for name in missing:
        print(f"Building {name} with Go", flush=True)
        try:
            go_tool(name)
        except Unavailable as why:
            print(f"{why}: its tests are skipped")


if __name__ == "__main__":
    main()
