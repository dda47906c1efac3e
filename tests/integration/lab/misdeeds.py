"""What an upstream can do wrong: a row each, for tools/hostile-upstream and
for tests alike.

    misbehave(upstream, "cut", 1 << 20)
"""

import re
from dataclasses import dataclass
from typing import Callable

from .fakehub import Challenge

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9,
         "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


# ------------------------------------------------- what an option may say

def size(text):
    found = re.fullmatch(r"(\d+)([KMG]i?B|B|)", text)
    if not found or not int(found[1]):
        raise ValueError(text)
    return int(found[1]) * UNITS[found[2]]


def seconds(text):
    value = float(text)
    if not 0 < value < 86400:
        raise ValueError(text)
    return value


def count(text):
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


def status(text):
    value = int(text)
    if not 400 <= value < 600:
        raise ValueError(text)
    return value


def difference(text):
    value = int(text)
    if not value:
        raise ValueError(text)
    return value


def address(text):
    return text


# ------------------------------------------------------------ bytes of blobs

def cut(hub, after):
    hub.always.cut_after = after


def reset(hub, after):
    hub.always.cut_after = after
    hub.always.reset = True


def stall(hub, after):
    hub.always.stall_after = after


def slow(hub, rate):
    hub.always.rate = rate


def wrong_bytes(hub):
    hub.always.wrong_byte_at = -1


def wrong_length(hub, more):
    hub.always.longer = more


def no_length(hub):
    hub.always.no_length = True


def ignore_range(hub):
    hub.always.ignore_range = True


# ------------------------------------------------------------- whole answers

def html(hub):
    hub.html = True


def black_hole(hub):
    hub.silent = True


def slow_first_byte(hub, delay):
    hub.delay = delay


def refuse(hub, answer):
    hub.refuse_manifests(answer)


def throttled(hub, manifests):
    hub.budget = manifests


def moving_tag(hub):
    hub.moving = True


# -------------------------------------------------------- who may have them

def token(hub, lifetime):
    hub.token_lifetime = lifetime
    hub.challenge = hub.challenge or Challenge(f"{hub.url}/token")


def redirect_port(hub):
    hub.always.redirect = hub.twin(hub.address[0])
    return hub.always.redirect


def foreign_realm(hub, elsewhere):
    realm = hub.twin(elsewhere)
    hub.challenge = Challenge(f"{realm.url}/token")
    return realm


# ------------------------------------------------------------------ the table

@dataclass(frozen=True)
class Misdeed:
    name: str
    do: Callable                # (hub), or (hub, value)
    help: str
    reads: Callable = None      # its value from an option's text; None: it
    usual: str = None           # takes none. And what it is if none is given


MISDEEDS = {row.name: row for row in (
    Misdeed("cut", cut, "each answer with a blob ends after SIZE bytes",
            size, "8MiB"),
    Misdeed("reset", reset, "the same by RST, so that what is under way is "
            "lost", size, "8MiB"),
    Misdeed("stall", stall, "after SIZE bytes of a blob nothing more comes, "
            "and nothing ends", size, "8MiB"),
    Misdeed("slow", slow, "blobs come at SIZE bytes a second", size, "1MiB"),
    Misdeed("wrong-bytes", wrong_bytes, "the last byte of each blob is wrong"),
    Misdeed("wrong-length", wrong_length, "Content-Length says that a blob "
            "has DIFFERENCE bytes more than come, or fewer",
            difference, "1000"),
    Misdeed("no-length", no_length, "blobs have no Content-Length, and end "
            "with the connection"),
    Misdeed("ignore-range", ignore_range, "who asks for a part of a blob has "
            "all of it"),
    Misdeed("html", html, "every answer is 200 and a page of HTML, as of a "
            "hotel's network"),
    Misdeed("black-hole", black_hole, "every request is read, and none "
            "answered"),
    Misdeed("slow-first-byte", slow_first_byte, "every answer begins after "
            "SECONDS", seconds, "3"),
    Misdeed("refuse", refuse, "manifests are answered STATUS", status, "500"),
    Misdeed("throttled", throttled, "COUNT manifests are given, with "
            "ratelimit headers, then each is answered 429", count, "0"),
    Misdeed("moving-tag", moving_tag, "the tag of an index is another "
            "manifest at each request"),
    Misdeed("token", token, "Bearer tokens are wanted, which are said to be "
            "good for 300 s and are for SECONDS", seconds, "300"),
    Misdeed("redirect-port", redirect_port, "blobs are redirected to another "
            "port"),
    Misdeed("foreign-realm", foreign_realm, "Bearer tokens are wanted, to be "
            "had at ADDRESS, another host", address, "127.0.0.2"),
)}


def misbehave(hub, name, value=None):
    """From now on; `value` None is the usual one. Returns the other FakeHub,
    if it takes another."""
    row = MISDEEDS[name]
    if not row.reads:
        return row.do(hub)
    return row.do(hub, row.reads(row.usual) if value is None else value)
