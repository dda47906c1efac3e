"""Functions are short and files are readable in one sitting."""

import pathlib
import statistics

from source import Finding

FUNCTION_LINES = 70
FILE_LINES = 600
MEDIAN = 15  # half of all functions are shorter
MOST = 40  # and nine in ten are shorter than this


def check(tree):
    for source in tree.sources + tree.tests:
        lines = source.text.count("\n")
        if lines > FILE_LINES:
            yield Finding(
                source.path, lines, f"{lines} lines, more than {FILE_LINES}"
            )
        for function in source.functions:
            if function.lines > FUNCTION_LINES:
                yield Finding(
                    source.path,
                    function.line,
                    f"{function.name} has {function.lines} lines, "
                    f"more than {FUNCTION_LINES}",
                )
    yield from spread([f.lines for s in tree.sources for f in s.functions])


def spread(lines):
    src = pathlib.PurePath("src")
    if not lines:
        return
    if statistics.median(lines) >= MEDIAN:
        yield Finding(
            src, 1, f"the median function has {statistics.median(lines)} "
            f"lines, not under {MEDIAN}"
        )
    short = sum(n < MOST for n in lines)
    if short < 0.9 * len(lines):
        yield Finding(
            src, 1, f"only {short} of {len(lines)} functions have under "
            f"{MOST} lines, not nine in ten"
        )
