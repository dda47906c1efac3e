"""What a hostile client says, as bytes, and what it has to hear.

A table of bad input groups its rows by their answer:

    answered(400, "MANIFEST_INVALID", LIVES, {
        "a manifest of no byte": put(b""),
    })

`@upload@` in what is sent stands for an upload that was just begun.
"""

import json
from dataclasses import dataclass

from .content import digest_of
from .images import OCI, OCI_INDEX
from .pusher import push_blob
from .registry import sanitized
from .waiting import wait_until

APP = "/v2/team/app"
LIVES, ENDS = True, False       # the connection, after the answer

CONFIG_BYTES = b'{"architecture":"amd64","os":"linux"}'
LAYER_BYTES = b"a layer, as good as any"


def describe(data, media_type):
    return {"mediaType": media_type, "digest": digest_of(data),
            "size": len(data)}


CONFIG = describe(CONFIG_BYTES, OCI["config"])
LAYER = describe(LAYER_BYTES, OCI["layer"])
NOWHERE = digest_of(b"nowhere")
GOOD = digest_of(LAYER_BYTES)


def furnish(registry):
    """What the manifests of the table name is there."""
    with registry.connect() as wire:
        for data in CONFIG_BYTES, LAYER_BYTES:
            push_blob(wire, "team/app", digest_of(data), data)
        answer = wire.ask("PUT", f"{APP}/manifests/good", image(),
                          Content_Type=OCI["manifest"])
        assert answer.status == 201, answer


# ---------------------------------------------------------------- manifests

def image(**members):
    """A good image manifest, but for these members; None leaves one out."""
    return _document({"schemaVersion": 2, "mediaType": OCI["manifest"],
                      "config": CONFIG, "layers": [LAYER]}, members)


def index(**members):
    """A good index of the same kind."""
    return _document({"schemaVersion": 2, "mediaType": OCI_INDEX,
                      "manifests": []}, members)


def config(**members):
    """The image, with a config that is good but for these members."""
    return image(config={**CONFIG, **members})


def layer(**members):
    return image(layers=[{**LAYER, **members}])


def _document(good, members):
    merged = {key: value for key, value in {**good, **members}.items()
              if value is not None}
    return json.dumps(merged, separators=(",", ":")).encode()


def swap(old, new, document=None):
    """A good image's bytes, with `new` where `old` stood."""
    before = image() if document is None else document
    assert old in before
    return before.replace(old, new, 1)


# ----------------------------------------------------------------- requests

def say(line, *headers, body=None):
    """One request; `body` brings its Content-Length."""
    lines = [f"{line} HTTP/1.1", "Host: x", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def get(target, *headers):
    return say(f"GET {target}", *headers)


def put(body, media_type=OCI["manifest"], to="bad"):
    """Puts a manifest of team/app."""
    types = [f"Content-Type: {media_type}"] if media_type else []
    return say(f"PUT {APP}/manifests/{to}", *types, body=body)


def post(query=""):
    """Begins an upload in team/app."""
    return say(f"POST {APP}/blobs/uploads/{query}", body=b"")


def patch(*headers, body=b"hello"):
    return say("PATCH @upload@", *headers, body=body)


def finish(query, *headers, body=b""):
    return say(f"PUT @upload@{query}", *headers, body=body)


def chunks(body, *headers):
    """An upload's last request, its body in chunks that are written out."""
    return say(f"PUT @upload@?digest={digest_of(b'abcde')}",
               "Transfer-Encoding: chunked", *headers) + body


def head(*lines):
    """A GET whose head goes on with these lines, byte for byte."""
    return b"GET /v2/ HTTP/1.1\r\nHost: x\r\n" + \
        b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def target(text):
    """A GET of exactly this target."""
    return b"GET " + text + b" HTTP/1.1\r\nHost: x\r\n\r\n"


# --------------------------------------------------------------- the table

@dataclass
class Row:
    what: str
    sent: bytes
    status: int
    code: str
    lives: bool

    def __str__(self):
        return self.what


class Table(list):
    """Of rows, no two of which have one name."""

    def answered(self, status, code, lives, rows):
        known = {row.what for row in self}
        assert not known & rows.keys(), known & rows.keys()
        self += [Row(what, sent, status, code, lives)
                 for what, sent in rows.items()]


SMUGGLED = get("/v2/smuggled/tags/list")


def play(registry, row):
    """Sends the row, and behind it what shows whether the connection lives."""
    sent = row.sent
    if b"@upload@" in sent:
        sent = sent.replace(b"@upload@", begin_upload(registry).encode())
    with registry.connect(timeout=20) as wire:
        wire.send(sent + (get("/v2/") if row.lives else SMUGGLED))
        answer = wire.answer()
        _check_the_rest(registry, wire, row, answer)
    assert (answer.status, answer.code) == (row.status, row.code), answer
    assert answer["Content-Type"] == "application/json"
    assert answer.json["errors"][0]["message"]


def _check_the_rest(registry, wire, row, answer):
    if row.lives:
        assert answer["Connection"] is None, answer
        assert wire.answer().status == 200
    else:
        assert (answer["Connection"] or "").lower() == "close", answer
        assert wire.ends()
        assert "/v2/smuggled" not in registry.log()


def begin_upload(registry, name="team/app"):
    answer = registry.ask("POST", f"/v2/{name}/blobs/uploads/", b"")
    assert answer.status == 202, answer
    return answer["Location"]


# --------------------------------------------------------------- the damage

# Anonymous bytes, whatever is done to it. What ten thousand half requests had
# is given back within a minute.
MEMORY = 96 << 20


def unharmed(registry):
    """It answers; no socket, no blob and not much memory is held."""
    assert registry.running(), registry.log()
    assert registry.ask("GET", "/v2/").status == 200
    wait_until(lambda: not held(registry), "what was held to be given back")
    memory = registry.anonymous_memory()
    assert sanitized() or memory < MEMORY, f"{memory >> 20} MiB"


def held(registry):
    """Connections and open blobs. (An upload's file may stay open, and soon
    its registry has as many of them open as it ever will.)"""
    return registry.connections() + [
        name for name in registry.descriptors() if "/blobs/sha" in name]
