"""Counts the tests in JUnit files: prints "PASSED FAILED".

usage: tally.py DIRECTORY            counts
       tally.py --failed DIRECTORY   names those that failed, a line each

A cmocka program is one test case to Meson; its TAP lines tell what is in it.
Skipped tests are neither. Of a test that was repeated the last run counts.
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


def results(directory):
    """{name of a test case: (passed, failed)}"""
    files = pathlib.Path(directory).glob("*.xml")
    return {
        f"{case.get('classname')}::{case.get('name')}": count(case)
        for path in sorted(files, key=lambda path: path.stat().st_mtime_ns)
        for case in xml.parse(path).iter("testcase")
    }


def main(directory, *, only_failed):
    found = results(directory)
    if only_failed:
        print(*(name for name, (_, bad) in found.items() if bad), sep="\n")
    else:
        print(sum(good for good, _ in found.values()),
              sum(bad for _, bad in found.values()))


main(sys.argv[-1], only_failed="--failed" in sys.argv)
