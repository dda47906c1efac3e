"""Uploads as every client shapes them, and as none should."""

import hashlib

import pytest

from lab.content import content, digest_of
from lab.pusher import push_blob, with_digest
from lab.registry import Registry
from lab.uploads import ask_chunked, begin, start_upload
from lab.waiting import wait_until
from lab.wire import Wire

ALGORITHMS = ["sha256", "sha512"]


def digest_by(algorithm, data):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def pulled(wire, name, digest):
    return wire.ask("GET", f"/v2/{name}/blobs/{digest}")


def state(wire, where):
    """How an upload's Range stands: what is here, as clients ask it."""
    answer = wire.ask("GET", where)
    assert answer.status == 204, answer
    assert answer["Location"] == where
    head = wire.ask("HEAD", where)
    assert head.status == 204 and head["Location"] == where
    return answer["Range"]


def finish(wire, where, data):
    """The whole becomes a blob, and comes back as it was sent."""
    digest = digest_of(data)
    put = wire.ask("PUT", with_digest(where, digest), b"")
    assert put.status == 201, put
    assert put["Docker-Content-Digest"] == digest
    assert wire.ask("GET", put["Location"]).body == data


# ----------------------------------------------------------------- at once

@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_one_post_is_enough(wire, name, algorithm, size):
    data = content(name, size).bytes()
    digest = digest_by(algorithm, data)
    posted = wire.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest}",
                      data)

    assert posted.status == 201
    assert posted["Docker-Content-Digest"] == digest
    assert posted["Location"] == f"/v2/{name}/blobs/{digest}"
    assert pulled(wire, name, digest).body == data


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_one_post_of_other_bytes_keeps_nothing(wire, name, algorithm):
    digest = digest_by(algorithm, b"what was meant")
    posted = wire.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest}",
                      b"what came")
    assert posted.status == 400 and posted.code == "DIGEST_INVALID"
    assert pulled(wire, name, digest).status == 404


# --------------------------------------------------------------- algorithms

@pytest.mark.parametrize("promised", ["", *ALGORITHMS])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_both_algorithms_are_equals(wire, name, promised, algorithm):
    data = content(name, 3_000_000).bytes()
    digest = digest_by(algorithm, data)
    where = start_upload(wire, name,
                         promised and f"?digest-algorithm={promised}")
    patched = wire.ask("PATCH", where, data[:2_000_000])
    put = wire.ask("PUT", with_digest(where, digest), data[2_000_000:])

    assert patched.status == 202 and put.status == 201
    assert put["Docker-Content-Digest"] == digest
    got = pulled(wire, name, digest)
    assert got["Docker-Content-Digest"] == digest and got.body == data


def test_an_algorithm_outlives_a_restart(module_scene, name):
    registry = Registry(module_scene).start()
    data = content(name, 2_000_000).bytes()
    with registry.connect() as wire:
        where = start_upload(wire, name, "?digest-algorithm=sha512")
        wire.ask("PATCH", where, data[:1_500_000])
    registry.restart()
    digest = digest_by("sha512", data)
    with registry.connect() as wire:
        put = wire.ask("PUT", with_digest(where, digest), data[1_500_000:])
        assert put.status == 201
        assert pulled(wire, name, digest).body == data


@pytest.mark.parametrize("algorithm", ["md5", "SHA512", "sha384", "", "%00"])
def test_an_unknown_algorithm_is_refused_at_the_door(wire, name, algorithm):
    posted = wire.ask("POST", f"/v2/{name}/blobs/uploads/"
                      f"?digest-algorithm={algorithm}", b"")
    assert posted.status == 400 and posted.code == "UNSUPPORTED"
    assert "sha512" in posted.json["errors"][0]["message"]


@pytest.mark.parametrize("digest", [
    "", "sha256:", "sha256:12", "sha256:" + "0" * 65, "sha512:" + "0" * 64,
    "sha256:" + "A" * 64, "0" * 64])
def test_a_malformed_digest_leaves_the_upload(wire, name, digest):
    where = start_upload(wire, name)
    wire.ask("PATCH", where, b"hello")
    put = wire.ask("PUT", with_digest(where, digest), b"")
    assert put.status == 400 and put.code == "DIGEST_INVALID"
    finish(wire, where, b"hello")


def test_no_digest_leaves_the_upload(wire, name):
    where = start_upload(wire, name)
    wire.ask("PATCH", where, b"hello")
    put = wire.ask("PUT", where, b"")
    assert put.status == 400 and put.code == "DIGEST_INVALID"
    finish(wire, where, b"hello")


# ------------------------------------------------------------------- chunks

# Content-Range of a chunk of five bytes, where the upload has five: status
# and code.
PLACES = dict.fromkeys(["5-9", "bytes 5-9/10", "5-9/*"], (202, None)) | \
    dict.fromkeys(["6-10", "4-8", "0-4", "1000000-1000004"],
                  (416, "BLOB_UPLOAD_INVALID")) | \
    dict.fromkeys(["5-8", "5-10", "5-5"], (400, "SIZE_INVALID")) | \
    dict.fromkeys(["", "x", "5", "5-", "-5", "9-5", "5-9/9", "bytes */5",
                   "5-9, 5-9", "+5-9", "5-99999999999999999999",
                   "lines 5-9/10"], (400, "BLOB_UPLOAD_INVALID"))


@pytest.mark.parametrize("ask", [Wire.ask, ask_chunked])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_chunk_belongs_where_it_says(registry, wire, name, place, ask,
                                         method):
    where = start_upload(wire, name)
    wire.ask("PATCH", where, b"hello")
    target = where if method == "PATCH" else \
        with_digest(where, digest_of(b"helloworld"))
    answer = ask(wire, method, target, b"world", Content_Range=place)
    status, code = PLACES[place]
    if status == 202:
        assert answer.status == (202 if method == "PATCH" else 201), answer
        return

    assert (answer.status, answer.code) == (status, code), answer
    assert answer["Location"] == where and answer["Range"] == "0-4"
    with registry.connect() as wire:
        assert state(wire, where) == "0-4"
        finish(wire, where, b"hello")


def test_a_content_range_given_twice_is_none(registry, wire, name):
    where = start_upload(wire, name)
    wire.send(f"PATCH {where} HTTP/1.1\r\nHost: x\r\nContent-Range: 0-4\r\n"
              "Content-Range: 0-4\r\nContent-Length: 5\r\n\r\nhello".encode())
    answer = wire.answer()
    assert answer.status == 400 and answer.code == "BLOB_UPLOAD_INVALID"
    with registry.connect() as wire:
        finish(wire, where, b"")


LONG = b"x" * 3_000_000


@pytest.mark.parametrize("pieces", [
    [b"wor"], [], [b"world!"], [LONG], [b"worl", LONG, LONG]])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_chunks_that_do_not_fill_their_range_are_not_taken(
        registry, wire, name, pieces, method):
    where = start_upload(wire, name)
    wire.ask("PATCH", where, b"hello")
    target = with_digest(where, digest_of(b"hello"))
    answer = ask_chunked(wire, method, target, *pieces, Content_Range="5-9")

    assert answer.status == 400 and answer.code == "SIZE_INVALID"
    assert answer["Range"] == "0-4"
    with registry.connect() as wire:
        assert state(wire, where) == "0-4"
        good = ask_chunked(wire, "PATCH", where, b"wor", b"ld",
                           Content_Range="5-9")
        assert good.status == 202 and good["Range"] == "0-9"
        finish(wire, where, b"helloworld")


@pytest.mark.parametrize("body", [
    b"5\nworld\r\n0\r\n\r\n", b"5\r\nworldxx0\r\n\r\n", b"z\r\n",
    b"-5\r\nworld\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n"])
def test_of_malformed_chunks_nothing_is_taken(registry, wire, name, body):
    where = start_upload(wire, name)
    wire.ask("PATCH", where, b"hello")
    wire.send(f"PATCH {where} HTTP/1.1\r\nHost: x\r\n"
              "Transfer-Encoding: chunked\r\n\r\n".encode() + body)
    assert wire.answer().status == 400
    with registry.connect() as wire:
        assert state(wire, where) == "0-4"
        finish(wire, where, b"hello")


def test_the_last_chunk_may_come_with_the_put(wire, name):
    data = content(name, 300_000).bytes()
    where = start_upload(wire, name)
    for start in 0, 100_000:
        patched = wire.ask("PATCH", where, data[start:start + 100_000],
                           Content_Range=f"{start}-{start + 99_999}")
        assert patched["Range"] == f"0-{start + 99_999}"
    digest = digest_of(data)
    put = wire.ask("PUT", with_digest(where, digest), data[200_000:],
                   Content_Range="200000-299999")
    assert put.status == 201 and put["Docker-Content-Digest"] == digest
    assert pulled(wire, name, digest).body == data


def test_streams_of_unknown_length_go_one_behind_another(wire, name):
    where = start_upload(wire, name)
    for piece in b"one ", b"two ", b"three":
        assert ask_chunked(wire, "PATCH", where, piece).status == 202
    assert state(wire, where) == "0-12"
    finish(wire, where, b"one two three")


# -------------------------------------------------------------------- state

def test_an_empty_upload_says_so_as_well_as_it_can(wire, name):
    posted = wire.ask("POST", f"/v2/{name}/blobs/uploads/", b"")
    assert posted["Range"] == "0-0"
    where = posted["Location"]
    assert state(wire, where) == "0-0"
    nothing = wire.ask("PATCH", where, b"")
    assert nothing.status == 202 and nothing["Range"] == "0-0"
    finish(wire, where, b"")


def test_every_location_stays_valid(wire, name):
    places = [start_upload(wire, name)]
    for piece in b"a", b"b", b"c":
        patched = wire.ask("PATCH", places[0], piece)
        places.append(patched["Location"])
        places.append(wire.ask("GET", places[-1])["Location"])
    for where in places:
        assert state(wire, where) == "0-2"
    finish(wire, places[0], b"abc")


def test_two_writers_never_interleave(registry, wire, name):
    where = start_upload(wire, name)
    data = content(name, 1_000_000).bytes()
    with registry.connect() as first, registry.connect() as second:
        begin(first, "PATCH", where, len(data), data[:600_000])
        wait_until(lambda: state(second, where) != "0-0", "the first bytes")
        put = with_digest(where, digest_of(b"other"))
        for method, target in ("PATCH", where), ("PUT", put), \
                ("DELETE", where):
            with registry.connect() as other:
                answer = other.ask(method, target, b"other")
            assert answer.status == 409
            assert answer.code == "BLOB_UPLOAD_INVALID"
        first.send(data[600_000:])
        patched = first.answer()
    assert patched.status == 202 and patched["Range"] == "0-999999"
    finish(wire, where, data)


def test_what_was_acknowledged_survives_a_kill(module_scene, name):
    registry = Registry(module_scene).start()
    data = content(name, 1_000_000).bytes()
    with registry.connect() as wire:
        where = start_upload(wire, name)
        first = wire.ask("PATCH", where, data[:400_000])
        assert first["Range"] == "0-399999"
        begin(wire, "PATCH", where, 600_000, data[400_000:800_000])
        with registry.connect() as other:
            wait_until(lambda: state(other, where) != "0-399999", "more")
        registry.kill9()
    registry.start()
    with registry.connect() as wire:
        here = int(state(wire, where).removeprefix("0-")) + 1
        assert 400_000 <= here <= 800_000
        early = wire.ask("PATCH", where, data[here + 1:],
                         Content_Range=f"{here + 1}-999999")
        assert early.status == 416
    with registry.connect() as wire:
        rest = wire.ask("PATCH", where, data[here:],
                        Content_Range=f"{here}-999999")
        assert rest.status == 202
        finish(wire, where, data)


def test_what_came_before_the_client_left_counts(registry, wire, name):
    where = start_upload(wire, name)
    with registry.connect() as leaving:
        begin(leaving, "PATCH", where, 10, b"hello")
    wait_until(lambda: state(wire, where) == "0-4", "what came")
    wait_until(lambda: wire.ask("PATCH", where, b"").status == 202,
               "the first to be gone")
    finish(wire, where, b"hello")


@pytest.fixture(scope="module")
def silent(registry):
    """Answers to clients that say five bytes more than they ever send."""
    wires, where = {}, {}
    with registry.connect() as wire:
        for what in "PATCH", "PUT", "manifest":
            wires[what] = registry.connect(timeout=60)
            where[what] = start_upload(wire, "up/silent")
    begin(wires["PATCH"], "PATCH", where["PATCH"], 10, b"hello")
    begin(wires["PUT"], "PUT", with_digest(where["PUT"], digest_of(b"")), 10,
          b"hello")
    begin(wires["manifest"], "PUT", "/v2/up/silent/manifests/1", 10, b"hello")
    wires["chunked"] = registry.connect(timeout=60)
    with registry.connect() as wire:
        where["chunked"] = start_upload(wire, "up/silent")
    wires["chunked"].send(
        f"PATCH {where['chunked']} HTTP/1.1\r\nHost: x\r\n"
        "Transfer-Encoding: chunked\r\n\r\na\r\nhello".encode())
    yield {what: (wire, wire.answer(), where[what])
           for what, wire in wires.items()}
    for wire in wires.values():
        wire.close()


@pytest.mark.parametrize("what", ["PATCH", "PUT", "chunked", "manifest"])
def test_a_silent_client_hears_408_and_what_came_counts(registry, silent,
                                                        what):
    wire, answer, where = silent[what]
    assert answer.status == 408
    assert answer["Connection"] == "close"
    assert wire.ends()
    if what == "manifest":
        return
    assert answer["Location"] == where and answer["Range"] == "0-4"
    with registry.connect() as wire:
        finish(wire, where, b"hello")


# ------------------------------------------------------------------ unknown

def ended(wire, name):
    where = start_upload(wire, name)
    assert wire.ask("DELETE", where).status == 204
    return where


def finished(wire, name):
    where = start_upload(wire, name)
    finish(wire, where, b"")
    return where


def of_another_repository(wire, name):
    return start_upload(wire, name).replace(name, name + "/other")


def never_begun(_, name):
    return f"/v2/{name}/blobs/uploads/{'0' * 32}"


def malformed(_, name):
    return f"/v2/{name}/blobs/uploads/..%2e"


def too_long(_, name):
    return f"/v2/{name}/blobs/uploads/{'0' * 5000}"


def in_capitals(wire, name):
    where = start_upload(wire, name)
    return where[:-32] + where[-32:].upper().replace("0", "O")


@pytest.mark.parametrize("which", [ended, finished, of_another_repository,
                                   never_begun, malformed, too_long,
                                   in_capitals])
@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_an_unknown_upload_is_404(registry, wire, name, which, method):
    where = which(wire, name)
    target = with_digest(where, digest_of(b"x")) if method == "PUT" else where
    body = b"x" if method in ("PATCH", "PUT") else None
    answer = wire.ask(method, target, body)
    assert answer.status == 404 and answer.code == "BLOB_UPLOAD_UNKNOWN"
    with registry.connect() as wire:
        assert pulled(wire, name, digest_of(b"x")).status == 404


# ------------------------------------------------------------------- mounts

@pytest.fixture(scope="module")
def source(registry):
    """A blob (bytes) that is nowhere but in up/source."""
    data = b"mounted"
    with registry.connect() as wire:
        push_blob(wire, "up/source", digest_of(data), data)
    return data


def mount(wire, name, digest, origin=None):
    query = f"?mount={digest}" + (f"&from={origin}" if origin else "")
    return wire.ask("POST", f"/v2/{name}/blobs/uploads/{query}", b"")


@pytest.mark.parametrize("origin", [None, "up/source"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_mount_takes_what_was_pushed_elsewhere(wire, name, origin,
                                                 algorithm):
    data = f"{name} {origin} {algorithm}".encode()
    digest = digest_by(algorithm, data)
    push_blob(wire, "up/source", digest, data)
    assert pulled(wire, name, digest).status == 404
    answer = mount(wire, name, digest, origin)

    assert answer.status == 201
    assert answer["Docker-Content-Digest"] == digest
    assert answer["Location"] == f"/v2/{name}/blobs/{digest}"
    assert pulled(wire, name, digest).body == data


@pytest.mark.parametrize("origin", [
    "up/elsewhere", "Not-A-Name", "", "ghcr.io/org/app", "library/nginx",
    "..", "up/source%00"])
def test_what_cannot_be_mounted_is_uploaded(wire, name, source, origin):
    answer = wire.ask("POST", f"/v2/{name}/blobs/uploads/"
                      f"?mount={digest_of(source)}&from={origin}", b"")
    assert answer.status == 202
    patched = wire.ask("PATCH", answer["Location"], source)
    assert patched.status == 202
    finish(wire, answer["Location"], source)


@pytest.mark.parametrize("digest", [
    "sha384:" + "0" * 96, "blake3:" + "0" * 64, digest_of(b"nowhere"),
    digest_by("sha512", b"nowhere")])
def test_what_nobody_has_is_uploaded(wire, name, digest):
    for origin in None, "up/source":
        assert mount(wire, name, digest, origin).status == 202


@pytest.mark.parametrize("digest", ["", "sha256:12", "sha256:" + "g" * 64,
                                    "nonsense", "../../etc/passwd"])
def test_a_malformed_digest_is_not_mounted(wire, name, digest):
    answer = mount(wire, name, digest, "up/source")
    assert answer.status == 400 and answer.code == "DIGEST_INVALID"


def test_what_is_cached_is_mounted_only_by_name(start_registry, upstream,
                                                name):
    image = upstream.add_small_image("library/base")
    layer = image.layers[-1]
    registry = start_registry({"docker.io": upstream.url})
    with registry.connect() as wire:
        wire.ask("GET", "/v2/docker.io/library/base/manifests/1")
        wire.ask("GET", f"/v2/docker.io/library/base/blobs/{layer.digest}")
        assert mount(wire, name, layer.digest).status == 202
        assert mount(wire, name, layer.digest,
                     "docker.io/library/other").status == 202
        wait_until(lambda: mount(wire, name, layer.digest,
                                 "docker.io/library/base").status == 201,
                   "the blob to be kept")
        upstream.stop()
        assert pulled(wire, name, layer.digest).body == layer.bytes()
        assert mount(wire, name + "2", layer.digest).status == 201


# ------------------------------------------------------------------- limits

LIMIT = 1_000_000


@pytest.fixture(scope="module")
def limited(module_scene):
    """Blobs may have a million bytes there."""
    return Registry(module_scene,
                    arguments=["--limits.blob_size=1MB"]).start()


def expecting(wire, method, target, *headers):
    """A request with a body, of which nothing is sent before it is asked."""
    wire.send("\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", *headers,
                           "Expect: 100-continue", "", ""]).encode())
    return wire.answer()


def one_post(wire, name):
    del wire
    return "POST", f"/v2/{name}/blobs/uploads/?digest={digest_of(b'')}"


def a_patch(wire, name):
    return "PATCH", start_upload(wire, name)


def a_put(wire, name):
    return "PUT", with_digest(start_upload(wire, name), digest_of(b""))


def nothing_arrives(registry):
    return not any((registry.data / "incoming").iterdir())


@pytest.mark.parametrize("shape", [one_post, a_patch, a_put])
@pytest.mark.parametrize("headers", [
    [f"Content-Length: {LIMIT + 1}"],
    [f"Content-Range: 0-{LIMIT}", "Transfer-Encoding: chunked"]])
def test_a_blob_too_large_is_refused_before_it_is_sent(limited, name, shape,
                                                       headers):
    with limited.connect() as wire:
        method, target = shape(wire, name)
        answer = expecting(wire, method, target, *headers)
    assert answer.status == 413 and answer.code == "SIZE_INVALID"
    assert str(LIMIT) in answer.json["errors"][0]["message"]
    assert nothing_arrives(limited)


@pytest.mark.parametrize("shape", [one_post, a_patch, a_put])
@pytest.mark.parametrize("headers", [{}, {"Content_Range": "0-2999999"}])
def test_a_blob_that_becomes_too_large_leaves_nothing(limited, name, shape,
                                                      headers):
    data = bytes(3 * LIMIT)
    with limited.connect() as wire:
        method, target = shape(wire, name)
        answer = ask_chunked(wire, method, target, data, **headers)
    assert answer.status == 413 and answer.code == "SIZE_INVALID"
    assert nothing_arrives(limited)
    with limited.connect() as wire:
        if shape is not one_post:
            assert wire.ask("GET", target.split("?")[0]).status == 404
        assert pulled(wire, name, digest_of(data)).status == 404


def test_chunks_count_together(limited, name):
    data = content(name, LIMIT).bytes()
    with limited.connect() as wire:
        where = start_upload(wire, name)
        assert wire.ask("PATCH", where, data[:400_000]).status == 202
        assert wire.ask("PATCH", where, data[400_000:]).status == 202
        finish(wire, where, data)
        where = start_upload(wire, name)
        wire.ask("PATCH", where, data)
        assert wire.ask("PATCH", where, b"!").status == 413
    with limited.connect() as wire:
        assert wire.ask("GET", where).status == 404


def test_a_manifest_too_large_is_refused_before_it_is_sent(registry, name):
    with registry.connect() as wire:
        answer = expecting(wire, "PUT", f"/v2/{name}/manifests/1",
                           f"Content-Length: {(4 << 20) + 1}")
        assert answer.status == 413 and answer.code == "SIZE_INVALID"
    with registry.connect() as wire:
        answer = ask_chunked(wire, "PUT", f"/v2/{name}/manifests/1",
                             bytes(4 << 20), b"!",
                             Content_Type="application/json")
        assert answer.status == 413


def test_within_the_limit_the_client_is_asked_to_go_on(limited, name):
    with limited.connect() as wire:
        answer = expecting(wire, *a_patch(wire, name), "Content-Length: 5")
        assert answer.status == 100
        wire.send(b"hello")
        assert wire.answer().status == 202
