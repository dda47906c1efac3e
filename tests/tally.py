"""Counts the tests in JUnit files: prints "PASSED FAILED".

usage: tally.py DIRECTORY

A cmocka program is one test case to Meson; its TAP lines tell what is in it.
Skipped tests are neither.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as xml

TAP = re.compile(r"^(not )?ok \d+ (# SKIP|-)", re.MULTILINE)


def count(case):
    """(passed, failed) of one test case."""
    broken = case.find("failure") is not None or case.find("error") is not None
    lines = [
        (refused, mark)
        for refused, mark in TAP.findall(case.findtext("system-out", ""))
        if mark == "-"
    ]
    if not lines:
        skipped = case.find("skipped") is not None
        return int(not broken and not skipped), int(broken)
    bad = sum(1 for refused, _ in lines if refused)
    return len(lines) - bad, max(bad, int(broken))


def main(directory):
    counts = [
        count(case)
        for path in sorted(pathlib.Path(directory).glob("*.xml"))
        for case in xml.parse(path).iter("testcase")
    ]
    print(sum(p for p, _ in counts), sum(f for _, f in counts))


main(*sys.argv[1:])
