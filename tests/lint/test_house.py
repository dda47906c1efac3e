"""The source of this checkout keeps every rule."""

import pathlib

import pytest

from rules import RULES
from source import Tree

TREE = Tree(pathlib.Path(__file__).resolve().parents[2])


@pytest.mark.parametrize("name", RULES)
def test_the_house_keeps(name):
    found = [str(finding) for finding in RULES[name].check(TREE)]
    if found:
        pytest.fail("\n".join(found), pytrace=False)
