"""Pushing manifests: what they name, several tags at once, conditions."""

import hashlib
import threading

import pytest

from lab.content import digest_of
from lab.images import DOCKER, OCI, OCI_INDEX, Blob, Manifest, descriptor, \
    encode
from lab.pusher import push_blob, push_manifest
from lab.registry import Registry

CONFIG = b'{"architecture":"amd64","os":"linux"}'


def image(*layers, types=OCI, **fields):
    """An image manifest of these layers, bytes or descriptors."""
    return Manifest(types["manifest"], encode({
        "schemaVersion": 2, "mediaType": types["manifest"],
        "config": named(types["config"], CONFIG),
        "layers": [each if isinstance(each, dict) else
                   named(types["layer"], each) for each in layers], **fields}))


def named(media_type, data):
    return descriptor(media_type, Blob(digest_of(data), len(data)))


def index(*manifests, **fields):
    return Manifest(OCI_INDEX, encode({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [named(each.media_type, each.body)
                      for each in manifests], **fields}))


def put(wire, name, reference, manifest, **headers):
    return wire.ask("PUT", f"/v2/{name}/manifests/{reference}", manifest.body,
                    Content_Type=manifest.media_type, **headers)


def push(wire, name, reference, *layers, **fields):
    """With its blobs."""
    for data in (CONFIG, *layers):
        push_blob(wire, name, digest_of(data), data)
    manifest = image(*layers, **fields)
    push_manifest(wire, name, reference, manifest)
    return manifest


def tag_of(wire, name, tag):
    return wire.ask("HEAD", f"/v2/{name}/manifests/{tag}")[
        "Docker-Content-Digest"]


# ---------------------------------------------------------- what is named

def test_every_missing_blob_is_named(wire, name):
    push_blob(wire, name, digest_of(b"here"), b"here")
    answer = put(wire, name, "v1", image(b"one", b"here", b"two"))

    assert answer.status == 400
    errors = answer.json["errors"]
    assert {error["code"] for error in errors} == {"MANIFEST_BLOB_UNKNOWN"}
    assert [error["detail"]["digest"] for error in errors] == \
        [digest_of(data) for data in (CONFIG, b"one", b"two")]
    assert all(error["detail"]["digest"] in error["message"]
               for error in errors)
    assert wire.ask("GET", f"/v2/{name}/tags/list").code == "NAME_UNKNOWN"


def test_no_more_than_a_thousand_missing_blobs_are_named(wire, name):
    answer = put(wire, name, "v1", image(*(b"%d" % i for i in range(1500))))

    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert len(answer.json["errors"]) == 1000


def test_a_blob_of_another_repository_is_missing_here(wire, name):
    push_blob(wire, "team/other", digest_of(CONFIG), CONFIG)
    assert put(wire, name, "v1", image()).code == "MANIFEST_BLOB_UNKNOWN"


def test_missing_blobs_may_be_accepted(module_scene):
    registry = Registry(module_scene, arguments=[
        "--manifests.missing_blobs", "accept"]).start()
    with registry.connect() as wire:
        answer = put(wire, "app", "v1", image(b"one"))
        got = wire.ask("GET", "/v2/app/manifests/v1")
        assert answer.status == 201
        assert answer["Warning"].startswith("299 - \"2 of ")
        assert digest_of(CONFIG) in answer["Warning"]
        assert got.body == image(b"one").body
        push_blob(wire, "app", digest_of(CONFIG), CONFIG)
        again = put(wire, "app", "v1", image())
        assert again.status == 201 and again["Warning"] is None


def test_a_size_that_is_not_the_blobs_is_refused(wire, name):
    push_blob(wire, name, digest_of(CONFIG), CONFIG)
    push_blob(wire, name, digest_of(b"layer"), b"layer")
    for size in 4, 6, 0:
        wrong = dict(named(OCI["layer"], b"layer"), size=size)
        answer = put(wire, name, "v1", image(wrong))
        assert (answer.status, answer.code) == (400, "SIZE_INVALID")
        assert digest_of(b"layer") in answer.json["errors"][0]["message"]
    assert put(wire, name, "v1", image(b"layer")).status == 201


def test_a_size_that_is_not_the_manifests_is_refused(wire, name):
    child = push(wire, name, "child")
    wrong = index(child).body.replace(
        b'"size": %d' % len(child.body), b'"size": 7')
    answer = put(wire, name, "all", Manifest(OCI_INDEX, wrong))
    assert (answer.status, answer.code) == (400, "SIZE_INVALID")


def test_an_index_may_be_sparse(wire, name):
    child = push(wire, name, "child")
    absent = image(b"elsewhere")
    full = put(wire, name, "full", index(child))
    sparse = put(wire, name, "sparse", index(child, absent))

    assert full.status == 201 and full["Warning"] is None
    assert sparse.status == 201 and absent.digest in sparse["Warning"]
    assert wire.ask("GET", f"/v2/{name}/manifests/sparse").body == \
        index(child, absent).body


def test_an_index_may_hold_an_index(wire, name):
    inner = index(push(wire, name, "child"))
    assert put(wire, name, inner.digest, inner).status == 201
    assert put(wire, name, "outer", index(inner)).status == 201


def test_layers_that_may_not_be_distributed_may_be_missing(wire, name):
    push_blob(wire, name, digest_of(CONFIG), CONFIG)
    for kind in ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                 "application/vnd.oci.image.layer.nondistributable.v1.tar"):
        layer = dict(named(kind, b"far"), urls=["http://far.example/far"])
        answer = put(wire, name, "v1", image(layer))
        assert answer.status == 201 and answer["Warning"] is None


ODD = {
    "no layers": {"layers": []},
    "an artifact type": {"artifactType": "application/vnd.example+json"},
    "unknown fields": {"new": {"deep": [1, 2.5, None, True]}},
    "a layer of an unknown type": {
        "layers": [named("application/vnd.unknown.thing", CONFIG)]},
    "embedded data": {"layers": [dict(named(OCI["layer"], CONFIG),
                                      data="aGVsbG8=")]},
    "an unknown config": {"config": named("application/vnd.unknown", CONFIG)},
}


@pytest.mark.parametrize("what", ODD)
def test_what_is_odd_but_right_is_kept_as_it_came(wire, name, what):
    push_blob(wire, name, digest_of(CONFIG), CONFIG)
    manifest = image(**ODD[what])
    answer = put(wire, name, "v1", manifest)
    got = wire.ask("GET", f"/v2/{name}/manifests/v1")

    assert answer.status == 201, answer
    assert answer["Docker-Content-Digest"] == manifest.digest
    assert answer["ETag"] == f'"{manifest.digest}"'
    assert got.body == manifest.body
    assert got["Content-Type"] == manifest.media_type


def test_schema_1_is_refused_with_advice(wire, name):
    answer = put(wire, name, "v1", Manifest(
        DOCKER["manifest"].replace("v2+json", "v1+prettyjws"),
        b'{"schemaVersion":1,"fsLayers":[]}'))
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    assert "schema 1" in answer.json["errors"][0]["message"]


# ------------------------------------------------------------ several tags

def test_a_push_by_digest_takes_tags_along(wire, name):
    manifest = push(wire, name, "old")
    answer = put(wire, name, manifest.digest + "?tag=1.2.3&tag=1.2&tag=1",
                 manifest)

    assert answer.status == 201
    assert [value for key, value in answer.headers if key == "OCI-Tag"] == \
        ["1.2.3", "1.2", "1"]
    listed = wire.ask("GET", f"/v2/{name}/tags/list").json["tags"]
    assert listed == ["1", "1.2", "1.2.3", "old"]


def test_a_digest_of_sha512_gets_its_tags_so(wire, name):
    manifest = push(wire, name, "old")
    digest = "sha512:" + hashlib.sha512(manifest.body).hexdigest()
    answer = put(wire, name, digest + "?tag=long", manifest)

    assert answer.status == 201 and answer["OCI-Tag"] == "long"
    assert answer["Docker-Content-Digest"] == digest
    assert tag_of(wire, name, "long") == digest
    assert tag_of(wire, name, "old") == manifest.digest


def test_tags_are_all_pushed_or_none(wire, name):
    manifest = push(wire, name, "old")
    refused = {
        "&tag=not%20one": (400, "MANIFEST_INVALID"),
        "&tag=": (400, "MANIFEST_INVALID"),
        "".join(f"&tag=t{i}" for i in range(64)): (414, "UNSUPPORTED"),
    }
    for more, expected in refused.items():
        answer = put(wire, name, f"{manifest.digest}?tag=new{more}", manifest)
        assert (answer.status, answer.code) == expected
    most = "".join(f"tag=t{i}&" for i in range(64))
    assert put(wire, name, f"{manifest.digest}?{most}", manifest).status == 201
    assert "new" not in wire.ask("GET", f"/v2/{name}/tags/list").json["tags"]


# -------------------------------------------------------------- conditions

def test_a_pull_can_depend_on_what_the_tag_is(wire, name):
    manifest = push(wire, name, "v1")
    same, other = f'"{manifest.digest}"', f'"{digest_of(b"other")}"'

    for method in "GET", "HEAD":
        for header, tags, status in [
                ("If_Match", same, 200), ("If_Match", other, 412),
                ("If_None_Match", same, 304), ("If_None_Match", other, 200)]:
            got = wire.ask(method, f"/v2/{name}/manifests/v1",
                           **{header: tags})
            assert (got.status, got["ETag"]) == (status, same)


def test_a_tag_is_made_only_once(wire, name):
    first, second = push(wire, name, "a", b"1"), push(wire, name, "b", b"2")
    made = put(wire, name, "v1", first, If_None_Match="*")
    again = put(wire, name, "v1", second, If_None_Match="*")

    assert made.status == 201
    assert (again.status, again.code) == (412, "DENIED")
    assert first.digest in again.json["errors"][0]["message"]
    assert tag_of(wire, name, "v1") == first.digest


def test_a_tag_moves_only_from_where_the_client_saw_it(wire, name):
    first, second = push(wire, name, "v1", b"1"), push(wire, name, "b", b"2")
    seen = wire.ask("HEAD", f"/v2/{name}/manifests/v1")["ETag"]
    other = f'"{second.digest}"'

    assert put(wire, name, "v1", second, If_Match=other).status == 412
    assert put(wire, name, "none", second, If_Match="*").status == 412
    assert put(wire, name, "v1", second, If_None_Match=seen).status == 412
    assert tag_of(wire, name, "v1") == first.digest
    moved = put(wire, name, "v1", second, If_Match=f"{other}, {seen}")
    assert moved.status == 201 and moved["ETag"] == other
    assert put(wire, name, "v1", first, If_Match="*").status == 201


def test_of_many_who_move_a_tag_from_the_same_place_one_wins(registry, wire,
                                                             name):
    push(wire, name, "v1")
    seen = wire.ask("HEAD", f"/v2/{name}/manifests/v1")["ETag"]
    rivals = [image(annotations={"rival": str(i)}) for i in range(8)]
    start, answers = threading.Barrier(len(rivals)), {}

    def move(manifest):
        with registry.connect() as own:
            start.wait()
            answers[manifest.digest] = put(own, name, "v1", manifest,
                                           If_Match=seen).status

    threads = [threading.Thread(target=move, args=(each,)) for each in rivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [digest for digest, status in answers.items() if status == 201]
    assert sorted(answers.values()) == [201] + [412] * 7
    assert [tag_of(wire, name, "v1")] == won


def test_a_tag_is_deleted_only_where_the_client_saw_it(wire, name):
    first = push(wire, name, "v1", b"1")
    second = push(wire, name, "v2", b"2")
    target = f"/v2/{name}/manifests/v1"
    no = wire.ask("DELETE", target, If_Match=f'"{second.digest}"')
    yes = wire.ask("DELETE", target, If_Match=f'"{first.digest}"')

    assert no.status == 412 and yes.status == 202
    assert wire.ask("GET", target).status == 404
