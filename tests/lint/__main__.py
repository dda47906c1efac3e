"""Reads the source against the rules of the house.

usage: python3 tests/lint [rule...]     exits 1 if something was found
"""

import pathlib
import sys

from rules import RULES
from source import Tree


def main(names):
    tree = Tree(pathlib.Path(__file__).resolve().parents[2])
    found = [str(f) for name in names or RULES for f in RULES[name].check(tree)]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


sys.exit(main(sys.argv[1:]))
