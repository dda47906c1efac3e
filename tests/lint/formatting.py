"""C is as clang-format leaves it, scripts are clean to shellcheck."""

import pathlib
import re
import subprocess

from source import Finding

REPORT = re.compile(r"^(.+?):(\d+):\d+: \w+: (.*)$", re.MULTILINE)


def reports(tree, *command):
    """What a tool prints in gcc's form, as findings."""
    done = subprocess.run(
        command, cwd=tree.root, capture_output=True, text=True, check=False
    )
    return [
        Finding(pathlib.PurePath(path), int(line), sentence)
        for path, line, sentence in REPORT.findall(done.stdout + done.stderr)
    ]


def scripts(tree):
    for path in sorted(tree.root.glob("**/*")) + [tree.root / ".ci/run"]:
        inside = path.relative_to(tree.root)
        if not path.is_file() or inside.parts[0].startswith(("build", ".git")):
            continue
        if path.suffix in ("", ".sh"):
            with path.open("rb") as file:
                if re.match(rb"#!/bin/(ba)?sh|# shellcheck", file.readline()):
                    yield str(inside)


def check(tree):
    code = [str(s.path) for s in tree.sources + tree.tests]
    if code:
        seen = set()
        for found in reports(tree, "clang-format", "-n", *code):
            if found.path not in seen:
                seen.add(found.path)
                yield Finding(
                    found.path, found.line, f"run clang-format -i {found.path}"
                )
    shell = list(scripts(tree))
    if shell:
        yield from reports(tree, "shellcheck", "-x", "-f", "gcc", *shell)
