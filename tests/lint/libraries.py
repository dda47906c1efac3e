"""A header of a library is included by exactly one .c file."""

import re

LIBRARIES = re.compile(
    r"curl/|openssl/|sqlite3|jansson|yaml|libpq|archive|crypt\.h|jose/|seccomp|libpsl"
)


def check(tree):
    owners = {}
    for source in tree.sources:
        for include in source.includes:
            header = include[2]
            if include[1] != "<" or not LIBRARIES.match(header):
                continue
            if source.path.suffix != ".c":
                yield source.finding(
                    include.start(), f"<{header}> leaks through a header"
                )
            owner = owners.setdefault(header, source.path)
            if owner != source.path:
                yield source.finding(
                    include.start(), f"<{header}> belongs to {owner} alone"
                )
