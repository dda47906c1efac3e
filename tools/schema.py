"""Writes the header meta/schema.h: schema_steps[], from NNNN_what.sql files.

usage: schema.py OUTPUT INPUT...
"""

import json
import pathlib
import sys

output, *inputs = map(pathlib.Path, sys.argv[1:])

lines = [
    "/* Made by tools/schema.py. Steps in order of their number. */",
    "struct schema_step {",
    "\tint number;",
    "\tconst char *text;",
    "};",
    "",
    "static const struct schema_step schema_steps[] = {",
]
for number, path in sorted((int(p.name.split("_")[0]), p) for p in inputs):
    lines.append(f"\t{{ {number},")
    for line in path.read_text("ascii").splitlines(keepends=True):
        lines.append(f"\t  {json.dumps(line)}")
    lines.append("\t},")
lines += ["};", ""]

output.write_text("\n".join(lines))
