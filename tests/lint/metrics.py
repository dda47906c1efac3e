"""The table of metrics in docs/operations.md is that of metrics.def."""

import pathlib
import re

from source import Finding

TABLE = pathlib.PurePath("src/base/metrics.def")
PAGE = pathlib.PurePath("docs/operations.md")
ROW = re.compile(r'^METRIC(_EACH)?\(\w+, "\w+", "(\w+)"', re.M)
SECTION = re.compile(r"^\| metric \(.*?\n\n", re.M | re.S)
NAME = re.compile(r"`([a-z_]+)(?:\{(\w+)\})?`")


def check(tree):
    if not (tree.root / TABLE).exists():
        return
    rows = {name: "upstream" if each else None for each, name in
            ROW.findall((tree.root / TABLE).read_text("utf-8"))}
    page = tree.root / PAGE
    text = page.read_text("utf-8") if page.exists() else ""
    table = (SECTION.findall(text) or [""])[0]
    told = {}
    for row in table.splitlines()[2:]:
        told |= dict(NAME.findall(row.split("|")[1] if row else ""))
    for name in sorted(rows.keys() - told.keys()):
        yield Finding(PAGE, 1, f"{name} is not in the table of metrics")
    for name in sorted(told.keys() - rows.keys()):
        yield Finding(PAGE, 1, f"{name} is no metric")
    for name in sorted(rows.keys() & told.keys()):
        if (rows[name] == "upstream") != (told[name] == "upstream"):
            yield Finding(PAGE, 1, f"{name}: one says {{upstream}}")
