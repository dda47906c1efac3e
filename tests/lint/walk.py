"""docs/walk.md names functions as `room/file.c:function`; each exists."""

import pathlib
import re

from source import Finding

WALK = pathlib.PurePath("docs/walk.md")
STEP = re.compile(r"\b([\w/]+\.c):(\w+)")


def check(tree):
    if not (tree.root / WALK).exists():
        yield Finding(WALK, 1, "there is no walk")
        return
    known = {
        (str(source.path.relative_to("src")), function.name)
        for source in tree.sources
        for function in source.functions
    }
    text = (tree.root / WALK).read_text("utf-8")
    for number, line in enumerate(text.splitlines(), 1):
        for step in STEP.findall(line):
            if step not in known:
                yield Finding(WALK, number, f"src/{step[0]} has no {step[1]}()")
