"""The registry API on the wire, as engines rely on it."""

import json
import re

import pytest

from lab.content import content, digest_of
from lab.images import DOCKER, OCI, OCI_INDEX, Blob, Manifest, descriptor, \
    encode
from lab.pusher import push_blob, push_manifest, with_digest
from lab.registry import Registry
from lab.waiting import wait_until

APP = "/v2/team/app"
BINARY = "application/octet-stream"


def start_upload(wire, name):
    answer = wire.ask("POST", f"/v2/{name}/blobs/uploads/", b"")
    assert answer.status == 202
    assert answer["Location"].startswith(("/v2/", "http://"))
    return answer["Location"]


def chunked(*pieces):
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece)
                    for piece in (*pieces, b""))


def image_of(wire, name, *layers, types=OCI, tag=None):
    """Pushes layers (bytes) and a manifest; the Manifest."""
    config = b'{"architecture":"amd64","os":"linux"}'
    for data in (config, *layers):
        push_blob(wire, name, digest_of(data), data)
    manifest = Manifest(types["manifest"], encode({
        "schemaVersion": 2, "mediaType": types["manifest"],
        "config": descriptor(types["config"],
                             Blob(digest_of(config), len(config))),
        "layers": [descriptor(types["layer"], Blob(digest_of(data), len(data)))
                   for data in layers]}))
    push_manifest(wire, name, tag or manifest.digest, manifest)
    return manifest


# ------------------------------------------------------------------ uploads

def test_docker_uploads_by_one_chunked_patch(wire, name):
    data = content(name, 100_000).bytes()
    digest = digest_of(data)
    where = start_upload(wire, name)
    wire.send(f"PATCH {where} HTTP/1.1\r\nHost: x\r\n"
              "Transfer-Encoding: chunked\r\n\r\n".encode())
    wire.send(chunked(data[:30_000], data[30_000:]))
    patched = wire.answer()
    put = wire.ask("PUT", with_digest(patched["Location"], digest), b"")
    head = wire.ask("HEAD", f"/v2/{name}/blobs/{digest}")

    assert patched.status == 202 and patched["Range"] == "0-99999"
    assert put.status == 201
    assert put["Docker-Content-Digest"] == digest
    assert put["Location"].endswith(f"/v2/{name}/blobs/{digest}")
    assert head.status == 200 and head["Content-Length"] == "100000"
    assert head["Docker-Content-Digest"] == digest


def test_skopeo_uploads_by_a_patch_of_known_length(wire, name):
    data = content(name, 100_000).bytes()
    where = start_upload(wire, name)
    patched = wire.ask("PATCH", where, data, Content_Type=BINARY)
    put = wire.ask("PUT", with_digest(patched["Location"], digest_of(data)),
                   b"")

    assert patched.status == 202 and patched["Range"] == "0-99999"
    assert put.status == 201
    assert wire.ask("GET", f"/v2/{name}/blobs/{digest_of(data)}").body == data


def test_containerd_uploads_by_one_put(wire, name):
    data = content(name, 100_000).bytes()
    where = start_upload(wire, name)
    put = wire.ask("PUT", with_digest(where, digest_of(data)), data,
                   Content_Type=BINARY)

    assert put.status == 201
    assert put["Docker-Content-Digest"] == digest_of(data)
    assert wire.ask("GET", f"/v2/{name}/blobs/{digest_of(data)}").body == data


def test_an_upload_goes_on_piece_by_piece_and_tells_how_far(wire, name):
    where = start_upload(wire, name)
    first = wire.ask("PATCH", where, b"hello ", Content_Range="0-5")
    asked = wire.ask("GET", first["Location"])
    second = wire.ask("PATCH", asked["Location"], b"world",
                      Content_Range="6-10")
    put = wire.ask("PUT", with_digest(second["Location"],
                                      digest_of(b"hello world!")), b"!")

    assert first["Range"] == "0-5" and second["Range"] == "0-10"
    assert asked.status == 204 and asked["Range"] == "0-5"
    assert put.status == 201


def test_a_piece_out_of_order_is_416_and_changes_nothing(wire, name):
    where = start_upload(wire, name)
    first = wire.ask("PATCH", where, b"hello", Content_Range="0-4")
    wrong = wire.ask("PATCH", first["Location"], b"world",
                     Content_Range="7-11")
    put = wire.ask("PUT", with_digest(where, digest_of(b"hello")), b"")

    assert wrong.status == 416
    assert put.status == 201


def test_an_upload_survives_a_restart(module_scene, name):
    registry = Registry(module_scene).start()
    with registry.connect() as wire:
        where = wire.ask("PATCH", start_upload(wire, name),
                         b"before ")["Location"]
    registry.restart()
    with registry.connect() as wire:
        second = wire.ask("PATCH", where, b"after", Content_Range="7-11")
        put = wire.ask("PUT", with_digest(second["Location"],
                                          digest_of(b"before after")), b"")
    assert second["Range"] == "0-11" and put.status == 201


def test_wrong_bytes_are_refused_and_not_kept(wire, name):
    claimed = digest_of(b"what was meant")
    where = start_upload(wire, name)
    put = wire.ask("PUT", with_digest(where, claimed), b"what came")

    assert put.status == 400 and put.code == "DIGEST_INVALID"
    for digest in claimed, digest_of(b"what came"):
        assert wire.ask("HEAD", f"/v2/{name}/blobs/{digest}").status == 404


def test_an_upload_that_broke_off_is_not_kept(registry, wire, name):
    where = start_upload(wire, name)
    with registry.connect() as broken:
        broken.send(f"PUT {with_digest(where, digest_of(b'12345'))} HTTP/1.1"
                    "\r\nHost: x\r\nContent-Length: 9\r\n\r\n12345".encode())
    blob = f"/v2/{name}/blobs/{digest_of(b'12345')}"
    assert wire.ask("HEAD", blob).status == 404


def test_a_cancelled_upload_is_unknown(wire, name):
    where = start_upload(wire, name)
    assert wire.ask("DELETE", where).status == 204
    for method in "GET", "PATCH", "DELETE":
        answer = wire.ask(method, where, b"" if method == "PATCH" else None)
        assert answer.status == 404
        assert answer.code == "BLOB_UPLOAD_UNKNOWN"


def test_a_mount_takes_a_blob_from_another_repository(wire, name):
    data = name.encode()
    push_blob(wire, "team/source", digest_of(data), data)
    uploads = f"/v2/{name}/blobs/uploads/?mount={digest_of(data)}"
    mounted = wire.ask("POST", uploads + "&from=team/source", b"")
    elsewhere = wire.ask(
        "POST", f"/v2/team/other/blobs/uploads/?mount={digest_of(data)}"
        "&from=team/has-not", b"")

    assert mounted.status == 201
    assert mounted["Docker-Content-Digest"] == digest_of(data)
    assert mounted["Location"].endswith(f"/v2/{name}/blobs/{digest_of(data)}")
    assert wire.ask("GET", f"/v2/{name}/blobs/{digest_of(data)}").body == data
    assert elsewhere.status == 202 and elsewhere["Location"]


def test_an_empty_blob_is_a_blob(wire, name):
    push_blob(wire, name, digest_of(b""), b"")
    got = wire.ask("GET", f"/v2/{name}/blobs/{digest_of(b'')}")
    assert got.status == 200 and got["Content-Length"] == "0"


# -------------------------------------------------------------------- blobs

RANGES = {
    "bytes=0-9": (206, 0, 10), "bytes=90-": (206, 90, 100),
    "bytes=-5": (206, 95, 100), "bytes=95-500": (206, 95, 100),
    "bytes=-500": (206, 0, 100), "bytes=99-99": (206, 99, 100),
    "bytes=100-": (416,), "bytes=100-200": (416,), "bytes=-0": (416,),
    "bytes=50-10": (416,), "bytes=x-y": (200,), "lines=1-2": (200,),
    "bytes=18446744073709551616-": (200, 416),
}


@pytest.mark.parametrize("asked", RANGES)
def test_a_range_of_a_blob(wire, name, asked):
    data = content(name, 100).bytes()
    push_blob(wire, name, digest_of(data), data)
    got = wire.ask("GET", f"/v2/{name}/blobs/{digest_of(data)}", Range=asked)
    status, *part = RANGES[asked]

    if part and status == 206:
        first, end = part
        assert got.status == 206
        assert got.body == data[first:end]
        assert got["Content-Range"] == f"bytes {first}-{end - 1}/100"
    elif status == 416:
        assert got.status == 416
        assert got["Content-Range"] == "bytes */100"
    else:
        assert got.status in RANGES[asked]
        assert got.status != 200 or got.body == data
    assert wire.ask("GET", "/v2/").status == 200    # the connection goes on


def test_a_head_knows_no_range(wire, name):
    data = content(name, 100).bytes()
    push_blob(wire, name, digest_of(data), data)
    for asked in "bytes=0-9", "bytes=100-":
        got = wire.ask("HEAD", f"/v2/{name}/blobs/{digest_of(data)}",
                       Range=asked)
        assert got.status == 200 and got["Content-Length"] == "100"


def test_many_ranges_are_answered_by_the_whole_or_by_parts(wire, name):
    data = content(name, 100).bytes()
    push_blob(wire, name, digest_of(data), data)
    got = wire.ask("GET", f"/v2/{name}/blobs/{digest_of(data)}",
                   Range="bytes=0-1,5-6")
    assert got.status == 400 or (got.status == 200 and got.body == data) or \
        (got.status == 206 and "multipart/byteranges" in got["Content-Type"])


def test_a_known_blob_is_not_sent_again(wire, name):
    push_blob(wire, name, digest_of(b"known"), b"known")
    target = f"/v2/{name}/blobs/{digest_of(b'known')}"
    first = wire.ask("GET", target)
    again = wire.ask("GET", target, If_None_Match=first["ETag"])

    assert first["ETag"] == f'"{digest_of(b"known")}"'
    assert again.status == 304 and again.body == b""


def test_a_deleted_blob_is_gone_here_and_stays_elsewhere(wire, name):
    data = name.encode()
    for repository in name, "team/keeps":
        push_blob(wire, repository, digest_of(data), data)
    target = f"/v2/{name}/blobs/{digest_of(data)}"

    assert wire.ask("DELETE", target).status == 202
    assert wire.ask("GET", target).status == 404
    assert wire.ask("DELETE", target).status == 404
    kept = wire.ask("GET", f"/v2/team/keeps/blobs/{digest_of(data)}")
    assert kept.body == data


# ---------------------------------------------------------------- manifests

@pytest.mark.parametrize("types", [OCI, DOCKER], ids=["OCI", "Docker"])
def test_a_manifest_comes_back_byte_for_byte(wire, name, types):
    manifest = image_of(wire, name, name.encode(), types=types)
    put = wire.ask("PUT", f"/v2/{name}/manifests/v1", manifest.body,
                   Content_Type=manifest.media_type)
    assert put.status == 201
    assert put["Docker-Content-Digest"] == manifest.digest
    assert f"/v2/{name}/manifests/" in put["Location"]

    for reference in "v1", manifest.digest:
        target = f"/v2/{name}/manifests/{reference}"
        got, head = wire.ask("GET", target), wire.ask("HEAD", target)
        assert got.status == head.status == 200
        assert got.body == manifest.body
        for answer in got, head:
            assert answer["Content-Type"] == manifest.media_type
            assert answer["Content-Length"] == str(len(manifest.body))
            assert answer["Docker-Content-Digest"] == manifest.digest


def test_an_index_keeps_its_type(wire, name):
    manifest = image_of(wire, name, b"one")
    index = Manifest(OCI_INDEX, encode({
        "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
            descriptor(OCI["manifest"],
                       Blob(manifest.digest, len(manifest.body)))]}))
    push_manifest(wire, name, "all", index)
    got = wire.ask("GET", f"/v2/{name}/manifests/all")
    assert got["Content-Type"] == OCI_INDEX and got.body == index.body


def test_a_known_manifest_is_not_sent_again(wire, name):
    manifest = image_of(wire, name, tag="v1")
    got = wire.ask("GET", f"/v2/{name}/manifests/v1",
                   If_None_Match=f'"{manifest.digest}"')
    assert got.status == 304 and got.body == b""


def test_a_manifest_needs_its_blobs(wire, name):
    missing = Blob(digest_of(b"nowhere"), 7)
    manifest = encode({
        "schemaVersion": 2, "mediaType": OCI["manifest"],
        "config": descriptor(OCI["config"], missing), "layers": []})
    put = wire.ask("PUT", f"/v2/{name}/manifests/v1", manifest,
                   Content_Type=OCI["manifest"])
    assert put.status in (400, 404)
    assert put.code == "MANIFEST_BLOB_UNKNOWN"
    assert missing.digest in json.dumps(put.json)
    assert wire.ask("GET", f"/v2/{name}/manifests/v1").status == 404


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}",
                                  b'{"schemaVersion":1}', b"\xff\xfe"])
def test_a_malformed_manifest_is_refused(wire, name, body):
    put = wire.ask("PUT", f"/v2/{name}/manifests/v1", body,
                   Content_Type=OCI["manifest"])
    assert put.status == 400 and put.code == "MANIFEST_INVALID"


def test_a_manifest_under_a_wrong_digest_is_refused(wire, name):
    manifest = image_of(wire, name)
    put = wire.ask("PUT", f"/v2/{name}/manifests/{digest_of(b'other')}",
                   manifest.body, Content_Type=manifest.media_type)
    assert put.status == 400 and put.code == "DIGEST_INVALID"


def test_a_manifest_too_large_is_413(wire, name):
    put = wire.ask("PUT", f"/v2/{name}/manifests/v1", b" " * (5 << 20),
                   Content_Type=OCI["manifest"])
    assert put.status == 413 and put.code == "SIZE_INVALID"


def test_a_moved_tag_keeps_what_it_left(wire, name):
    old = image_of(wire, name, b"old", tag="v1")
    new = image_of(wire, name, b"new", tag="v1")
    tag, digest = (wire.ask("GET", f"/v2/{name}/manifests/{reference}")
                   for reference in ("v1", old.digest))
    assert tag.body == new.body and digest.body == old.body


def test_deleting_a_tag_leaves_the_manifest(wire, name):
    manifest = image_of(wire, name, tag="v1")
    assert wire.ask("DELETE", f"/v2/{name}/manifests/v1").status == 202
    assert wire.ask("GET", f"/v2/{name}/manifests/v1").status == 404
    kept = wire.ask("GET", f"/v2/{name}/manifests/{manifest.digest}")
    assert kept.body == manifest.body


def test_deleting_a_manifest_takes_its_tags(wire, name):
    manifest = image_of(wire, name, tag="v1")
    target = f"/v2/{name}/manifests/{manifest.digest}"
    assert wire.ask("DELETE", target).status == 202
    for gone in target, f"/v2/{name}/manifests/v1":
        answer = wire.ask("GET", gone)
        assert answer.status == 404 and answer.code == "MANIFEST_UNKNOWN"


# --------------------------------------------------------------------- tags

def test_tags_are_listed_in_order_and_by_page(wire, name):
    manifest = image_of(wire, name)
    for tag in "beta", "alpha", "1.10", "1.9", "Zeta":
        push_manifest(wire, name, tag, manifest)
    listed = wire.ask("GET", f"/v2/{name}/tags/list")
    page = wire.ask("GET", f"/v2/{name}/tags/list?n=2")
    rest = wire.ask("GET", f"/v2/{name}/tags/list?n=9&last=1.9")

    assert listed.json == {"name": name, "tags":
                           ["1.10", "1.9", "Zeta", "alpha", "beta"]}
    assert page.json["tags"] == ["1.10", "1.9"]
    assert "last=1.9" in page["Link"] and 'rel="next"' in page["Link"]
    assert rest.json["tags"] == ["Zeta", "alpha", "beta"]
    assert rest["Link"] is None


def test_no_tag_is_an_empty_list(wire, name):
    image_of(wire, name)
    listed = wire.ask("GET", f"/v2/{name}/tags/list")
    assert listed.json == {"name": name, "tags": []}
    none = wire.ask("GET", f"/v2/{name}/tags/list?n=0")
    assert none.json["tags"] == [] and none["Link"] is None


# ------------------------------------------------------------------- errors

NOWHERE = digest_of(b"nowhere")
ERRORS = [
    ("GET", f"{APP}/manifests/none", 404, "MANIFEST_UNKNOWN"),
    ("GET", f"{APP}/manifests/{NOWHERE}", 404, "MANIFEST_UNKNOWN"),
    ("GET", f"{APP}/blobs/{NOWHERE}", 404, "BLOB_UNKNOWN"),
    ("DELETE", f"{APP}/blobs/{NOWHERE}", 404, "BLOB_UNKNOWN"),
    ("GET", f"{APP}/blobs/sha256:short", 400, "DIGEST_INVALID"),
    ("GET", f"{APP}/blobs/md5:{NOWHERE[7:39]}", 400, "DIGEST_INVALID"),
    ("GET", "/v2/UPPER/manifests/1", 400, "NAME_INVALID"),
    ("GET", "/v2/a//b/manifests/1", 400, "NAME_INVALID"),
    ("GET", "/v2/" + "a" * 3000 + "/manifests/1", 400, "NAME_INVALID"),
    ("GET", "/v2/a/%2e%2e/b/manifests/1", 400, "NAME_INVALID"),
    ("GET", "/v2/never/heard/tags/list", 404, "NAME_UNKNOWN"),
    ("GET", f"{APP}/blobs/uploads/{'0' * 32}", 404, "BLOB_UPLOAD_UNKNOWN"),
    ("POST", f"{APP}/manifests/1", 405, "UNSUPPORTED"),
    ("DELETE", "/v2/", 405, "UNSUPPORTED"),
    ("BREW", f"{APP}/manifests/1", 405, "UNSUPPORTED"),
]


@pytest.mark.parametrize("method,target,status,code", ERRORS)
def test_an_error_says_what_in_the_specifications_form(wire, method, target,
                                                       status, code):
    answer = wire.ask(method, target)
    assert (answer.status, answer.code) == (status, code)
    assert answer["Content-Type"].startswith("application/json")
    assert answer.json["errors"][0]["message"]
    assert status != 405 or answer["Allow"]


def test_the_head_of_what_is_not_there_has_no_body(wire):
    assert wire.ask("HEAD", f"{APP}/blobs/{NOWHERE}").status == 404
    assert wire.ask("GET", "/v2/").status == 200


def test_the_base_says_which_api_it_is(wire):
    answer = wire.ask("GET", "/v2/")
    assert answer.status == 200
    assert answer["Docker-Distribution-Api-Version"] == "registry/2.0"


# ------------------------------------------------------------------- seeing

def test_every_answer_has_an_id_and_the_log_knows_it(registry, wire):
    answers = {target: wire.ask(method, target) for method, target in [
        ("GET", "/v2/"), ("GET", "/nowhere"), ("DELETE", "/v2/"),
        ("GET", f"{APP}/manifests/none"), ("GET", "/healthz")]}
    refused = registry.connect()
    refused.send(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n")
    answers["malformed"] = refused.answer()

    for answer in answers.values():
        assert len(answer["X-Request-Id"]) == 16
    ids = [answer["X-Request-Id"] for answer in answers.values()]
    assert len(set(ids)) == len(ids)
    logged = answers[f"{APP}/manifests/none"]["X-Request-Id"]
    line = wait_until(lambda: [line for line in registry.log_lines()
                               if logged in line.values()], "the log")[0]
    assert "404" in line.values() and "GET" in line.values()


def test_the_log_keeps_secrets_and_stays_on_its_line(registry, wire):
    answer = wire.ask("GET", "/v2/?token=in-the-query",
                      Authorization="Bearer in-the-header",
                      Cookie="session=in-the-cookie")
    forged = wire.ask("GET", "/v2/%0a%0dlevel=error%20event=forged")
    for each in answer, forged:
        wait_until(lambda: each["X-Request-Id"] in registry.log(), "the log")
    for secret in "in-the-query", "in-the-header", "in-the-cookie":
        assert secret not in registry.log()
    assert not registry.log_lines("forged")


def test_the_metrics_count_and_name_nobody(registry, wire, name):
    before = registry.metrics()
    push_blob(wire, name, digest_of(b"counted"), b"counted")
    wire.ask("GET", f"/v2/{name}/blobs/{digest_of(b'counted')}")
    after = registry.metrics()

    def grown(metric):
        return after["private_registry_" + metric] - \
            before["private_registry_" + metric]

    assert grown('requests_total{status="2xx"}') >= 3
    assert grown("received_bytes_total") == len(b"counted")
    assert grown("sent_bytes_total") >= len(b"counted")
    text = wire.ask("GET", "/metrics").body.decode()
    assert name not in text and "sha256:" not in text
    assert all(line.startswith(("private_registry_", "#"))
               for line in text.splitlines() if line)


def test_who_only_watches_is_not_served(start_registry):
    """On one connection: what was asked before has been counted by then."""
    wire = start_registry().connect()

    def served():
        text = wire.ask("GET", "/metrics").body.decode()
        return int(re.search(r"^\S+_served_requests_total (\d+)$", text,
                             re.MULTILINE)[1])

    before = served()
    for target in "/healthz", "/readyz", "/metrics", "/v2/none/tags/list":
        wire.ask("GET", target)
    assert served() == before
    assert wire.ask("GET", "/v2/").status == 200
    assert served() == before + 1


def test_it_is_healthy_and_ready(wire):
    assert wire.ask("GET", "/healthz").status == 200
    assert wire.ask("GET", "/readyz").status == 200
