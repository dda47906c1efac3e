"""docs/errors.md has every row of the table in src/api/fail.c, as it is."""

import pathlib
import re

from source import Finding

PAGE = pathlib.PurePath("docs/errors.md")
TABLE = pathlib.PurePath("src/api/fail.c")
ROW = re.compile(r'\[ERR_(\w+)\]\s*=\s*\{\s*(\d+),\s*"(\w+)"')
# Kinds that never reach a client: they end at the start, or are asked again.
INSIDE = {"USAGE", "NOT_HERE", "LOCKED"}


def check(tree):
    if not (tree.root / TABLE).exists():
        return
    page = tree.root / PAGE
    text = page.read_text("utf-8") if page.exists() else ""
    code = (tree.root / TABLE).read_text("utf-8")
    for kind, status, name in ROW.findall(code):
        row = f"| `{kind.lower().replace('_', '-')}` | {status} | `{name}` |"
        if kind not in INSIDE and row not in text:
            yield Finding(PAGE, 1, f"there is no row {row}")
