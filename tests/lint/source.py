"""Reads C as the house writes it: enough for lints, no more.

clang-format guarantees the shape this relies on: only a function's body
starts with a brace of its own in the first column.
"""

import dataclasses
import functools
import pathlib
import re

# Comments and literals; what is left after blanking them is code.
INERT = re.compile(
    r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""",
    re.DOTALL | re.VERBOSE,
)
DIRECTIVE = re.compile(r"^#(?:.*\\\n)*.*", re.MULTILINE)
INCLUDE = re.compile(r'^#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)
CALL = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
ATTRIBUTES = {"__attribute__", "printf_like", "auto_with", "auto_of"}


@dataclasses.dataclass(frozen=True)
class Finding:
    path: pathlib.PurePath
    line: int
    sentence: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.sentence}"


@dataclasses.dataclass(frozen=True)
class Function:
    name: str
    line: int  # of its opening brace
    body: str  # code between the braces, comments and literals blanked

    @property
    def lines(self):
        return self.body.count("\n")

    @property
    def calls(self):
        """Pairs of name and line of what it calls by name."""
        return [
            (m[1], self.line + 1 + self.body.count("\n", 0, m.start()))
            for m in CALL.finditer(self.body)
        ]


def declared(text):
    """The name of the function that a declaration declares, or None."""
    for name in CALL.findall(text):
        if name not in ATTRIBUTES and not name.isupper():
            return name
    return None


def blank(match):
    """The same length and lines, without content."""
    return re.sub(r"[^\n]", " ", match[0])


class Source:
    """One file; `path` is relative to the tree's root."""

    def __init__(self, root, path):
        self.path = path
        self.text = (root / path).read_text("utf-8")

    @functools.cached_property
    def code(self):
        return INERT.sub(blank, self.text)

    @functools.cached_property
    def plain(self):
        """Code without preprocessor directives."""
        return DIRECTIVE.sub(blank, self.code)

    def finding(self, offset, sentence):
        line = self.text.count("\n", 0, offset) + 1
        return Finding(self.path, line, sentence)

    def match(self, pattern, text=None):
        return re.finditer(pattern, text or self.code, re.MULTILINE)

    @functools.cached_property
    def includes(self):
        """Matches; [1] is the opening mark, [2] the header."""
        return list(INCLUDE.finditer(self.text))

    @functools.cached_property
    def functions(self):
        return list(self._functions())

    def _functions(self):
        for body in self.match(r"^\{\n((?:(?!\}).*\n)*)\}", self.plain):
            before = self.plain[: body.start()]
            name = declared(re.split("[;}]", before)[-1])
            if name:
                yield Function(name, before.count("\n") + 1, body[1])


class Tree:
    """A checkout."""

    def __init__(self, root):
        self.root = pathlib.Path(root)

    @functools.cached_property
    def sources(self):
        return list(self.read("src/**/*.c", "src/**/*.h"))

    @functools.cached_property
    def tests(self):
        return list(self.read("tests/**/*.c", "tests/**/*.h"))

    def read(self, *patterns):
        paths = {p for pattern in patterns for p in self.root.glob(pattern)}
        for path in sorted(paths):
            yield Source(self.root, path.relative_to(self.root))


def room(source):
    """The room of a source in src/; "main" for src/main.c."""
    parts = source.path.parts
    return parts[1] if len(parts) > 2 else "main"
