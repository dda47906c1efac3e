"""A handler that is routed HERE calls nothing that may wait.

HERE handlers are the rows of src/api/routes.c. What may wait says so in its
header: `may_wait`. Calls are followed through the functions of src/api; a
function that is only passed on (to respond_later) is not called.
"""

import re

from source import Finding, declared, room

ROW = re.compile(r"\bHERE\s*,\s*&?(\w+)")


def check(tree):
    waits = {
        declared(declaration)
        for source in tree.sources
        if source.path.suffix == ".h"
        for declaration in re.split("[;{}]", source.plain)
        if re.search(r"\bmay_wait\b", declaration)
    }
    api = Api([s for s in tree.sources if room(s) == "api"], waits)
    for source in api.sources:
        if source.path.name == "routes.c":
            for row in ROW.finditer(source.code):
                yield from api.follow(source, row[1], [])


class Api:
    """The functions of the room, and those of other rooms that may wait."""

    def __init__(self, sources, waits):
        self.sources = sources
        self.waits = waits

    def find(self, source, name):
        """Where `name` is when `source` calls it: there first, like C."""
        for place in [source] + self.sources:
            for function in place.functions:
                if function.name == name:
                    return place, function
        return None, None

    def follow(self, source, name, path):
        place, function = self.find(source, name)
        if function is None or name in path:
            return
        way = path + [name]
        for called, line in function.calls:
            if called in self.waits:
                yield Finding(
                    place.path,
                    line,
                    f"{called} may wait, but {' → '.join(way)} is routed HERE",
                )
            else:
                yield from self.follow(place, called, way)
