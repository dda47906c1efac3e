"""Each rule finds what it forbids, where it is, and nothing else."""

import pathlib
import shutil

import pytest

from rules import RULES
from source import Tree

HOUSE = pathlib.Path(__file__).resolve().parents[2]
WAITING = "int pull_blob(struct mirror *,\n\t struct err *) may_wait must_check;\n"
ROUTES = "static const struct route routes[] = {\n\t{ 1, \"/\", HERE, get },\n};\n"

METRICS = 'METRIC(M_A, "gauge", "a", "", "A.")\n' \
    'METRIC_EACH(EACH_B, "counter", "b_total", "B.")\n'
TOLD = "| metric (`x`) | |\n|---|---|\n| `a`, `b_total{upstream}` | both |\n\n"

BAD = [
    # rule, files, path:line, a word of the sentence
    ("floors", {"src/base/a.c": '#include "oci/digest.h"\n'},
     "src/base/a.c:1", "above"),
    ("floors", {"src/meta/a.c": '\n#include "blob/store.h"\n'},
     "src/meta/a.c:2", "own floor"),
    ("floors", {"src/store/a.c": '#include "meta/db.h"\n'},
     "src/store/a.c:1", "inside its room"),
    ("floors", {"src/store/a.c": '#include "store.h"\n'},
     "src/store/a.c:1", "room/header.h"),
    ("floors", {"src/attic/a.c": '#include "base/err.h"\n'},
     "src/attic/a.c:1", "no floor"),
    ("libraries", {"src/base/a.c": "#include <jansson.h>\n",
                   "src/oci/b.c": "#include <jansson.h>\n"},
     "src/oci/b.c:1", "src/base/a.c alone"),
    ("libraries", {"src/base/a.h": "#include <curl/curl.h>\n"},
     "src/base/a.h:1", "leaks"),
    ("sizes", {"tests/unit/a.c": "int a(void)\n{\n" + "\ta();\n" * 71 + "}\n"},
     "tests/unit/a.c:2", "71 lines"),
    ("sizes", {"src/base/a.h": "\n" * 601}, "src/base/a.h:601", "601"),
    ("sizes", {"src/base/a.c": "int a(void)\n{\n" + "\ta();\n" * 15 + "}\n"},
     "src:1", "median"),
    ("sizes", {"src/base/a.c": "void a(void)\n{\n}\n" * 8
               + "int b(void)\n{\n" + "\ta();\n" * 40 + "}\n"},
     "src:1", "nine in ten"),
    ("words", {"src/base/a.h": "typedef struct {\n\tint a;\n} a;\n"},
     "src/base/a.h:1", "typedef"),
    ("words", {"src/base/a.c": "\ngoto out;\n"}, "src/base/a.c:2", "goto"),
    ("words", {"src/base/a.h": "struct a_t;\n"}, "src/base/a.h:1", "_t"),
    ("words", {"src/base/a.h": "typedef int a_t;\n"}, "src/base/a.h:1", "_t"),
    ("words", {"src/base/a.c": "/* TODO */\n"}, "src/base/a.c:1", "unfinished"),
    ("walk", {"docs/walk.md": "first\n`base/a.c:none`\n",
              "src/base/a.c": "int a(void)\n{\n\treturn none();\n}\n"},
     "docs/walk.md:2", "src/base/a.c has no none()"),
    ("walk", {}, "docs/walk.md:1", "no walk"),
    ("errors", {"src/api/fail.c": '[ERR_A_B] = { 400, "AB" },\n',
                "docs/errors.md": "| `a-b` | 404 | `AB` | when |\n"},
     "docs/errors.md:1", "no row | `a-b` | 400 | `AB` |"),
    ("metrics", {"src/base/metrics.def": METRICS,
                 "docs/operations.md": TOLD.replace("`b_total{upstream}`",
                                                    "")},
     "docs/operations.md:1", "b_total is not in the table"),
    ("metrics", {"src/base/metrics.def": METRICS,
                 "docs/operations.md": TOLD.replace("{upstream}", "")},
     "docs/operations.md:1", "b_total: one says {upstream}"),
    ("metrics", {"src/base/metrics.def": METRICS,
                 "docs/operations.md": TOLD.replace("`a`", "`a`, `c`")},
     "docs/operations.md:1", "c is no metric"),
    ("decisions", {"docs/decisions/0001-a.md": "# 1. A\n",
                   "docs/decisions/0001-b.md": "# 1. B\n"},
     "docs/decisions/0001-b.md:1", "0001-a.md has this number"),
    ("decisions", {"docs/decisions/0002-a.md": "# 1. A\n"},
     "docs/decisions/0002-a.md:1", "# 2."),
    ("decisions", {"docs/decisions/2-a.md": "# 2. A\n"},
     "docs/decisions/2-a.md:1", "a name is like"),
    ("waits", {"src/mirror/mirror.h": WAITING, "src/api/routes.c": ROUTES,
               "src/api/a.c": "void get(void)\n{\n\tpull_blob(m, e);\n}\n"},
     "src/api/a.c:3", "pull_blob may wait, but get is"),
    ("waits", {"src/mirror/mirror.h": WAITING, "src/api/routes.c": ROUTES,
               "src/api/a.c": "static int b(void)\n{\n\treturn pull_blob();\n}\n"
               "\nvoid get(void)\n{\n\tb();\n}\n"},
     "src/api/a.c:3", "get → b is routed HERE"),
    ("formatting", {"src/a.c": "int  a(void);\n"},
     "src/a.c:1", "clang-format -i"),
    ("formatting", {"run": "#!/bin/bash\necho $1\n"}, "run:2", "quote"),
]

GOOD = [
    ("floors", {"src/api/a.c": '#include "store/store.h"\n#include <stdio.h>\n'}),
    ("floors", {"src/cli/house.c": '#include "blob/fs.h"\n'}),
    ("libraries", {"src/base/a.c": "#include <jansson.h>\n#include <stdio.h>\n",
                   "src/oci/b.c": "#include <stdio.h>\n"}),
    ("sizes", {"src/base/a.c": "#define A(x) \\\n\tf(x)\n\nDEFINE_AUTO(a, b)\n"
               "void a(void)\n{\n}\n"}),
    ("words", {"src/base/a.c": 'char *s = "goto typedef struct";\nsize_t n;\n'}),
    ("walk", {"docs/walk.md": "`base/a.c:a` calls\n",
              "src/base/a.c": "struct b *a(struct c *c,\n\t    int d)\n{\n}\n"}),
    ("errors", {"src/api/fail.c": '[ERR_A_B] = { 400, "AB" },\n',
                "docs/errors.md": "| `a-b` | 400 | `AB` | when |\n"}),
    ("metrics", {"src/base/metrics.def": METRICS,
                 "docs/operations.md": TOLD}),
    ("waits", {"src/mirror/mirror.h": WAITING, "src/api/routes.c": ROUTES,
               "src/api/a.c": "static void later(void)\n{\n\tpull_blob();\n}\n"
               "\nvoid get(void)\n{\n\trespond_later(res, later);\n}\n"}),
]


def findings(name, files, root):
    shutil.copy(HOUSE / ".clang-format", root)
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return [str(finding) for finding in RULES[name].check(Tree(root))]


@pytest.mark.parametrize("name, files, place, word", BAD)
def test_it_finds(name, files, place, word, tmp_path):
    (found,) = findings(name, files, tmp_path)
    assert found.startswith(place + ": ")
    assert word in found


@pytest.mark.parametrize("name, files", GOOD)
def test_it_lets_pass(name, files, tmp_path):
    assert findings(name, files, tmp_path) == []
