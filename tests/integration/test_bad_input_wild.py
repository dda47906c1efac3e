"""Nobody planned these: messages with random damage, and races.

The seeds are fixed, so that each run does the same; what the clock decides may
differ. Whatever comes, no answer is our mistake (5xx), and no client waits in
vain.
"""

import random
import socket
import threading

import pytest

from lab.content import digest_of
from lab.hostile import APP, GOOD, LAYER_BYTES, begin_upload, furnish, get, \
    image, index, post, put, say, unharmed
from lab.images import OCI
from lab.pusher import with_digest
from lab.registry import Registry

MESSAGES = [
    get("/v2/"), get("/v2/_catalog?n=1&last=a"), get(f"{APP}/tags/list?n=2"),
    get(f"{APP}/blobs/{GOOD}", "Range: bytes=0-1,3-4", 'If-Range: "x"'),
    get(f"{APP}/referrers/{GOOD}?artifactType=a/b"), put(image()), post(),
    put(index(), to="index?tag=a&tag=b"),
    say(f"POST {APP}/blobs/uploads/?digest={GOOD}", body=LAYER_BYTES),
    say("PATCH @upload@", "Transfer-Encoding: chunked") +
    b"5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
]
SPLINTERS = [
    b"\r\n", b"\0", b":", b" ", b"%00", b"\n", b"\r\n ", b"-1", b"%2f", b"\xff",
    b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"A" * 5000,
    b"18446744073709551616", b'"', b"..", b"Expect: 100-continue\r\n",
]


@pytest.fixture(scope="module")
def registry(module_scene):
    registry = Registry(module_scene).start()
    furnish(registry)
    return registry


def damage(chance, where):
    """A few messages behind one another, with up to six wounds."""
    sent = bytearray(b"".join(chance.choices(MESSAGES, k=3)).replace(
        b"@upload@", where.encode()))
    for _ in range(chance.randrange(7)):
        at = chance.randrange(len(sent))
        wound = chance.randrange(4)
        if wound == 0:
            sent[at] = chance.randrange(256)
        elif wound == 1 and len(sent) > 40:
            del sent[at:at + chance.randrange(1, 20)]
        elif wound == 2:
            sent[at:at] = chance.choice(SPLINTERS)
        else:
            sent[at:at] = sent[chance.randrange(len(sent)):][:50]
    return bytes(sent)


def statuses(heard):
    return [int(line[9:12]) for line in heard.split(b"\r\n")
            if line.startswith(b"HTTP/1.1 ")]


def send_damaged(registry, seed):
    chance = random.Random(seed)
    where = begin_upload(registry)
    for _ in range(300):
        sent = damage(chance, where)
        with registry.connect() as wire:
            wire.send(sent)
            wire.socket.shutdown(socket.SHUT_WR)
            heard = wire.read(1 << 22)
        assert all(status < 500 or status == 505
                   for status in statuses(heard)), (sent, heard)


def race(registry, seed, shared):
    """Any verb on the one upload that all of them share."""
    chance = random.Random(seed)
    for _ in range(150):
        data = chance.randbytes(chance.choice([0, 1, 100, 300_000]))
        verb = chance.choice(["POST", "GET", "HEAD", "PATCH", "PATCH", "PUT",
                              "DELETE"])
        if verb == "POST":
            shared[0] = begin_upload(registry, "wild/a")
        elif verb == "PUT":
            answer = registry.ask(
                verb, with_digest(shared[0], digest_of(data)), data)
            assert answer.status < 500, answer
        else:
            answer = registry.ask(verb, shared[0],
                                  data if verb == "PATCH" else None)
            assert answer.status < 500, (verb, answer)


def tangle(registry, seed):
    """Few manifests and few tags, put, deleted and listed in any order."""
    chance = random.Random(seed)
    several = [image(annotations={"n": str(n)}) for n in range(4)]
    with registry.connect() as wire:
        for _ in range(150):
            body, tag = chance.choice(several), chance.choice("abc")
            reference = chance.choice([tag, digest_of(body)])
            target = f"{APP}/manifests/{reference}"
            answer = chance.choice([
                lambda: wire.ask("PUT", target, body,
                                 Content_Type=OCI["manifest"]),
                lambda: wire.ask("DELETE", target),
                lambda: wire.ask("GET", target),
                lambda: wire.ask("HEAD", target),
                lambda: wire.ask("GET", f"{APP}/tags/list?last={tag}&n=1"),
            ])()
            assert answer.status < 500, answer
            assert answer.status != 200 or b"schemaVersion" not in \
                answer.body or answer.body in several


def together(*clients):
    """Runs each (function, argument, …) in a thread; their complaints."""
    wrong = []

    def play(function, *arguments):
        try:
            function(*arguments)
        except (AssertionError, OSError) as error:
            wrong.append(error)

    threads = [threading.Thread(target=play, args=client)
               for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


def test_damaged_messages_and_races_end_in_answers(registry):
    shared = [begin_upload(registry, "wild/a")]
    wrong = together(
        *[(send_damaged, registry, seed) for seed in range(4)],
        *[(race, registry, seed, shared) for seed in range(6)],
        *[(tangle, registry, seed) for seed in range(4)])
    assert wrong == []
    unharmed(registry)
