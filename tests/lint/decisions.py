"""Each page of docs/decisions has a number of its own, in name and heading."""

import pathlib
import re

from source import Finding

PAGES = pathlib.PurePath("docs/decisions")
NAME = re.compile(r"(\d{4})-[a-z0-9-]+\.md")


def check(tree):
    seen = {}
    for page in sorted((tree.root / PAGES).glob("[0-9]*.md")):
        path = PAGES / page.name
        name = NAME.fullmatch(page.name)
        if not name:
            yield Finding(path, 1, "a name is like 0001-what-was-decided.md")
            continue
        number = int(name[1])
        if number in seen:
            yield Finding(path, 1, f"{seen[number]} has this number, too")
        seen.setdefault(number, page.name)
        if not page.read_text("utf-8").startswith(f"# {number}. "):
            yield Finding(path, 1, f"the heading begins with # {number}.")
