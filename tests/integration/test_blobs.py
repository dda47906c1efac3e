"""Blobs: in parts, on conditions, and where they may be seen."""

import email
import email.policy
import hashlib

import pytest

from lab.content import content, digest_of
from lab.images import OCI, Blob, Manifest, descriptor, encode
from lab.pusher import push_blob, push_manifest
from lab.registry import Registry

SIZE = 100_000
WHOLE = content("blob", SIZE).bytes()
DIGEST = digest_of(WHOLE)
BLOB = f"/v2/blobs/app/blobs/{DIGEST}"
OTHER = f'"{digest_of(b"other")}"'
ETAG = f'"{DIGEST}"'


@pytest.fixture(scope="module")
def registry(module_scene):
    """It holds one blob; tests that push use repositories of their own."""
    registry = Registry(module_scene).start()
    with registry.connect() as wire:
        push_blob(wire, "blobs/app", DIGEST, WHOLE)
    return registry


def parts_of(answer):
    """(Content-Range, bytes) of each part of a multipart/byteranges."""
    text = f"Content-Type: {answer['Content-Type']}\r\n\r\n".encode()
    whole = email.message_from_bytes(text + answer.body,
                                     policy=email.policy.HTTP)
    assert whole.get_content_type() == "multipart/byteranges"
    assert not whole.defects
    for part in whole.iter_parts():
        assert part["Content-Type"] == "application/octet-stream"
        assert not part.defects
    boundary = whole.get_boundary().encode()
    pieces = answer.body.split(b"--" + boundary)[1:-1]
    return [(part["Content-Range"],
             piece.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n"))
            for part, piece in zip(whole.iter_parts(), pieces, strict=True)]


# ------------------------------------------------------------------- ranges

SETS = {
    "bytes=0-1,5-6": [(0, 2), (5, 7)],
    "bytes=90000-, 0-9": [(90_000, SIZE), (0, 10)],
    "bytes=-1,0-0": [(SIZE - 1, SIZE), (0, 1)],
    "bytes=,0-1 ,\t5-6,": [(0, 2), (5, 7)],
    "bytes=0-1,5-6,100000-": [(0, 2), (5, 7)],
    "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 32, 2)):
        [(n, n + 1) for n in range(0, 32, 2)],
}


@pytest.mark.parametrize("asked", SETS)
def test_several_ranges_come_in_one_answer(wire, asked):
    got = wire.ask("GET", BLOB, Range=asked)
    assert got.status == 206 and got.complete
    assert got["Docker-Content-Digest"] == DIGEST and got["ETag"] == ETAG
    assert got["Content-Range"] is None
    assert parts_of(got) == [
        (f"bytes {first}-{end - 1}/{SIZE}", WHOLE[first:end])
        for first, end in SETS[asked]]
    assert wire.ask("GET", "/v2/").status == 200    # the connection goes on


@pytest.mark.parametrize("asked", [
    "bytes=5-9,100000-", "bytes=100000-,5-9", "bytes=5-9,9-5", "bytes=5-9,"])
def test_if_one_range_is_left_it_comes_alone(wire, asked):
    got = wire.ask("GET", BLOB, Range=asked)
    assert got.status == 206 and got.body == WHOLE[5:10]
    assert got["Content-Range"] == f"bytes 5-9/{SIZE}"
    assert got["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize("asked", [
    "bytes=0-9,9-20", "bytes=0-,0-", "bytes=" + "0-," * 1000,
    "bytes=" + ",".join(f"{n}-{n}" for n in range(34, 0, -2)),
    "bytes=0-1,x", "bytes=0-1,5", "bytes=,", "bytes=", "bytes",
    "BYTE=0-1,5-6", "bytes=0-1;5-6", "bytes=0-1,-", "bytes 0-1"])
def test_who_asks_for_too_much_or_nonsense_gets_the_whole(wire, asked):
    got = wire.ask("GET", BLOB, Range=asked)
    assert got.status == 200 and got.body == WHOLE
    assert got["Content-Range"] is None


@pytest.mark.parametrize("asked", [
    f"bytes={SIZE}-", "bytes=-0", "bytes=500-0",
    f"bytes={SIZE}-,{SIZE + 1}-{SIZE + 9},-0"])
def test_a_range_outside_is_416_and_says_how_long_the_blob_is(wire, asked):
    got = wire.ask("GET", BLOB, Range=asked)
    assert got.status == 416 and got.code == "SIZE_INVALID"
    assert got["Content-Range"] == f"bytes */{SIZE}"
    assert wire.ask("GET", "/v2/").status == 200


def test_several_ranges_of_what_still_arrives_are_the_whole(start_registry,
                                                            upstream):
    image = upstream.add_small_image("library/slow", size=2_000_000)
    layer = image.layers[-1]
    registry = start_registry({"docker.io": upstream.url})
    upstream.once(rate=2_000_000)
    with registry.connect() as wire:
        got = wire.ask("GET", f"/v2/library/slow/blobs/{layer.digest}",
                       Range="bytes=0-1,5-6")
        assert got.status == 200 and got.body == layer.bytes()


# --------------------------------------------------------------- conditions

@pytest.mark.parametrize("tag,status", [
    (ETAG, 206), ("W/" + ETAG, 200), (OTHER, 200),
    ("Wed, 21 Oct 2015 07:28:00 GMT", 200)])
def test_a_range_of_something_else_is_the_whole(wire, tag, status):
    for asked in "bytes=0-1", "bytes=0-1,5-6":
        got = wire.ask("GET", BLOB, Range=asked, If_Range=tag)
        assert got.status == status
        assert status == 206 or got.body == WHOLE


# Header, and the status of GET and HEAD.
CONDITIONS = [
    ("If-None-Match", ETAG, 304), ("If-None-Match", "*", 304),
    ("If-None-Match", f"{OTHER}, {ETAG}", 304), ("If-None-Match", OTHER, 200),
    ("If-Match", ETAG, 200), ("If-Match", "*", 200),
    ("If-Match", f"{OTHER},{ETAG}", 200), ("If-Match", OTHER, 412),
]


@pytest.mark.parametrize("header,tags,status", CONDITIONS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditions_decide_what_is_sent(wire, method, header, tags, status):
    got = wire.ask(method, BLOB, **{header: tags})
    assert got.status == status
    if status == 304:
        assert got["ETag"] == ETAG and got["Docker-Content-Digest"] == DIGEST
    if status == 412 and method == "GET":
        assert DIGEST in got.json["errors"][0]["message"]


def test_a_failed_condition_outweighs_a_range(wire):
    assert wire.ask("GET", BLOB, Range="bytes=0-1",
                    If_Match=OTHER).status == 412
    assert wire.ask("GET", BLOB, Range="bytes=100000-",
                    If_None_Match=ETAG).status == 304


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
def test_what_is_not_there_is_404_on_any_condition(wire, header):
    missing = f"/v2/blobs/app/blobs/{digest_of(b'missing')}"
    for method in "GET", "HEAD":
        assert wire.ask(method, missing, **{header: "*"}).status == 404


def test_a_head_has_the_headers_of_a_get(wire):
    def headers(method, target):
        answer = wire.ask(method, target)
        return answer.status, {
            key: value for key, value in answer.headers
            if key not in ("Date", "X-Request-Id")}

    for target in (BLOB, BLOB.replace("app", "other"),
                   BLOB.replace("sha256", "sha1")):
        assert headers("HEAD", target) == headers("GET", target)


# ---------------------------------------------------------- where they are

def image_of(wire, name, *layers):
    for data in (b"{}", *layers):
        push_blob(wire, name, digest_of(data), data)
    manifest = Manifest(OCI["manifest"], encode({
        "schemaVersion": 2, "mediaType": OCI["manifest"],
        "config": descriptor(OCI["config"], Blob(digest_of(b"{}"), 2)),
        "layers": [descriptor(OCI["layer"], Blob(digest_of(data), len(data)))
                   for data in layers]}))
    push_manifest(wire, name, manifest.digest, manifest)
    return manifest


def test_a_blob_is_deleted_once_no_manifest_names_it(wire, name):
    first = image_of(wire, name, b"shared", b"first")
    second = image_of(wire, name, b"shared")
    target = f"/v2/{name}/blobs/{digest_of(b'shared')}"

    for manifest in first, second:
        refused = wire.ask("DELETE", target)
        assert refused.status == 405 and refused.code == "UNSUPPORTED"
        assert refused["Allow"] == "GET, HEAD"
        assert name in refused.json["errors"][0]["message"]
        assert wire.ask("GET", target).body == b"shared"
        assert wire.ask("DELETE", f"/v2/{name}/manifests/{manifest.digest}"
                        ).status == 202
    deleted = wire.ask("DELETE", target)
    assert deleted.status == 202 and deleted.body == b""
    for method in "GET", "HEAD", "DELETE":
        assert wire.ask(method, target).status == 404


def test_a_manifest_elsewhere_keeps_no_blob_here(wire, name):
    image_of(wire, name + "/named", b"layer")
    push_blob(wire, name, digest_of(b"layer"), b"layer")
    target = f"/v2/{name}/blobs/{digest_of(b'layer')}"
    assert wire.ask("DELETE", target).status == 202
    assert wire.ask("GET", target).status == 404
    kept = wire.ask("GET", target.replace(name, name + "/named"))
    assert kept.body == b"layer"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_blob_is_seen_only_where_it_was_pushed(wire, name, algorithm):
    data = f"{name} {algorithm}".encode()
    digest = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
    push_blob(wire, name, digest, data)
    for repository in name + "/other", "blobs", "blobs/app", "never/heard":
        for method in "GET", "HEAD", "DELETE":
            answer = wire.ask(method, f"/v2/{repository}/blobs/{digest}")
            assert answer.status == 404
            assert method == "HEAD" or answer.code == "BLOB_UNKNOWN"
    assert wire.ask("GET", f"/v2/{name}/blobs/{digest}").body == data


def test_the_same_bytes_have_two_digests_and_are_two_blobs(wire, name):
    digests = [f"{algorithm}:{hashlib.new(algorithm, b'two').hexdigest()}"
               for algorithm in ("sha256", "sha512")]
    push_blob(wire, name, digests[0], b"two")
    assert wire.ask("GET", f"/v2/{name}/blobs/{digests[1]}").status == 404
    push_blob(wire, name, digests[1], b"two")
    for digest in digests:
        got = wire.ask("GET", f"/v2/{name}/blobs/{digest}")
        assert got.body == b"two" and got["Docker-Content-Digest"] == digest
