"""A room includes only rooms on floors below, and of those the contract."""

from source import room

FLOORS = [
    {"base"},
    {"oci"},
    {"config"},
    {"http", "client"},
    {"blob", "meta"},
    {"store", "upstream", "cluster"},
    {"mirror"},
    {"api", "agent"},
    {"cli"},
    {"main"},
]

# What may be included outside of the room; a room that is not here shows all.
CONTRACTS = {
    "config": {"config.h"},
    "http": {"http.h"},
    "client": {"client.h"},
    "blob": {"store.h"},
    "meta": {"meta.h"},
    "store": {"store.h"},
    "upstream": {"upstream.h"},
    "cluster": {"cluster.h"},
    "mirror": {"mirror.h"},
    "agent": {"agent.h"},
    "api": {"api.h"},
    "cli": {"cli.h"},
}

# It alone wires backends together, so it may see them.
WIRES = "src/cli/house.c"

FLOOR = {name: height for height, names in enumerate(FLOORS) for name in names}


def complaint(source, target):
    """What is wrong with including `target`, or None."""
    here = room(source)
    there, _, header = target.partition("/")
    if there not in FLOOR or not header:
        return f'"{target}" is not written as "room/header.h"'
    if here not in FLOOR:
        return f"the room {here} stands on no floor in tests/lint/floors.py"
    if there == here:
        return None
    if FLOOR[there] == FLOOR[here]:
        return f"{here} includes {there}, a room of its own floor"
    if FLOOR[there] > FLOOR[here]:
        return f"{here} includes {there}, a room on a floor above"
    if header not in CONTRACTS.get(there, {header}) and str(source.path) != WIRES:
        return f"{target} is inside its room; outside belongs the contract"
    return None


def check(tree):
    for source in tree.sources:
        for include in source.includes:
            wrong = include[1] == '"' and complaint(source, include[2])
            if wrong:
                yield source.finding(include.start(), wrong)
