"""GET /v2/<name>/referrers/<digest>, as signing and SBOM tools use it."""

import json

import pytest

from lab.content import digest_of
from lab.images import OCI, OCI_INDEX, Blob, Manifest, descriptor, encode
from lab.pusher import push_blob, push_manifest
from lab.registry import Registry

EMPTY = b"{}"
NOWHERE = digest_of(b"nowhere")
SBOM = "application/spdx+json"
SIGNATURE = "application/vnd.example.signature+json"


@pytest.fixture
def name(request, wire):
    """A repository for this test alone, with the empty config."""
    name = "team/" + request.node.originalname.replace("_", "-")[5:]
    push_blob(wire, name, digest_of(EMPTY), EMPTY)
    return name


def image(**fields):
    return Manifest(OCI["manifest"], encode({
        "schemaVersion": 2, "mediaType": OCI["manifest"],
        "config": named(Manifest(OCI["config"], EMPTY)), "layers": [],
        **fields}))


def index(*manifests, **fields):
    return Manifest(OCI_INDEX, encode({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [named(each) for each in manifests], **fields}))


def named(manifest):
    return descriptor(manifest.media_type,
                      Blob(manifest.digest, len(manifest.body)))


def attach(wire, name, subject, kind=SBOM, make=image, **annotations):
    """Pushes a manifest that refers to the subject."""
    fields = {"artifactType": kind} if kind else {}
    if annotations:
        fields["annotations"] = annotations
    manifest = make(subject=named(subject), **fields)
    push_manifest(wire, name, manifest.digest, manifest)
    return manifest


def referrers(wire, name, digest, query=""):
    answer = wire.ask("GET", f"/v2/{name}/referrers/{digest}{query}")
    assert answer.status == 200, answer
    assert answer["Content-Type"] == OCI_INDEX
    assert answer.json["schemaVersion"] == 2
    assert answer.json["mediaType"] == OCI_INDEX
    return answer


def digests(answer):
    return [each["digest"] for each in answer.json["manifests"]]


# ------------------------------------------------------------- what is said

def test_a_referrer_is_described_as_it_is(wire, name):
    subject = image()
    push_manifest(wire, name, "v1", subject)
    sbom = attach(wire, name, subject, when="now", who="\u00e9\"\\\n")
    answer = referrers(wire, name, subject.digest)

    assert answer.json["manifests"] == [{
        "mediaType": OCI["manifest"], "digest": sbom.digest,
        "size": len(sbom.body), "artifactType": SBOM,
        "annotations": {"when": "now", "who": "\u00e9\"\\\n"}}]
    assert answer["OCI-Filters-Applied"] is None and answer["Link"] is None
    head = wire.ask("HEAD", f"/v2/{name}/referrers/{subject.digest}")
    assert head.status == 200
    for header in "Content-Type", "Content-Length":
        assert head[header] == answer[header]


def test_a_push_with_a_subject_is_acknowledged(wire, name):
    """A client that hears OCI-Subject leaves its fallback tag out."""
    subject = image()
    for make in image, index:
        manifest = make(subject=named(subject))
        put = wire.ask("PUT", f"/v2/{name}/manifests/{manifest.digest}",
                       manifest.body, Content_Type=manifest.media_type)
        assert put.status == 201
        assert put["OCI-Subject"] == subject.digest
    put = wire.ask("PUT", f"/v2/{name}/manifests/v1", subject.body,
                   Content_Type=subject.media_type)
    assert put.status == 201 and put["OCI-Subject"] is None


def test_without_an_artifact_type_an_image_has_its_configs(wire, name):
    subject = image()
    attach(wire, name, subject, kind=None)
    attach(wire, name, subject, kind=None, make=index)
    first, second = referrers(wire, name,
                              subject.digest).json["manifests"]
    assert first["artifactType"] == OCI["config"]
    assert second["mediaType"] == OCI_INDEX
    assert "artifactType" not in second


def test_nothing_refers_to_what_nobody_knows(wire, name):
    for repository in name, "never/heard":
        answer = referrers(wire, repository, NOWHERE)
        assert answer.json["manifests"] == []
    long = referrers(wire, name, "sha512:" + "0" * 128)
    assert long.json["manifests"] == []


@pytest.mark.parametrize("digest", ["latest", "sha256:short", "sha256:" +
                                    "G" * 64, "md5:" + "0" * 32, "x:y"])
def test_what_is_no_digest_is_400(wire, name, digest):
    answer = wire.ask("GET", f"/v2/{name}/referrers/{digest}")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


# ---------------------------------------------------------------- filtering

def test_referrers_are_filtered_by_artifact_type(wire, name):
    subject = image()
    sbom = attach(wire, name, subject, SBOM)
    signature = attach(wire, name, subject, SIGNATURE)
    plain = attach(wire, name, subject, None)
    cases = {
        "?artifactType=application/spdx%2Bjson": [sbom],
        f"?artifactType={OCI['config'].replace('+', '%2B')}": [plain],
        "?artifactType=application/none": [],
        "?artifactType=application/spdx%2Bjson&artifactType="
        + SIGNATURE.replace("+", "%2B"): [sbom, signature],
    }
    for query, expected in cases.items():
        answer = referrers(wire, name, subject.digest, query)
        assert digests(answer) == [each.digest for each in expected]
        assert answer["OCI-Filters-Applied"] == "artifactType"
    unfiltered = referrers(wire, name, subject.digest, "?artifactType=")
    assert len(digests(unfiltered)) == 3
    assert unfiltered["OCI-Filters-Applied"] is None


# --------------------------------------------------------------- life, death

def test_a_referrer_outlives_its_subject(wire, name):
    subject = image()
    push_manifest(wire, name, "v1", subject)
    sbom = attach(wire, name, subject)
    gone = wire.ask("DELETE", f"/v2/{name}/manifests/{subject.digest}")
    assert gone.status == 202
    assert digests(referrers(wire, name, subject.digest)) == [sbom.digest]


def test_a_deleted_referrer_is_listed_no_more(wire, name):
    subject = image()
    sbom = attach(wire, name, subject)
    kept = attach(wire, name, subject, SIGNATURE)
    wire.ask("DELETE", f"/v2/{name}/manifests/{sbom.digest}")
    assert digests(referrers(wire, name, subject.digest)) == [kept.digest]


def test_referrers_are_those_of_this_repository(wire, name):
    subject = image()
    attach(wire, name, subject)
    push_blob(wire, "team/elsewhere", digest_of(EMPTY), EMPTY)
    assert digests(referrers(wire, "team/elsewhere", subject.digest)) == []


def test_referrers_survive_a_restart(module_scene):
    registry = Registry(module_scene).start()
    subject = image()
    with registry.connect() as wire:
        push_blob(wire, "app", digest_of(EMPTY), EMPTY)
        sbom = attach(wire, "app", subject)
    registry.restart()
    with registry.connect() as wire:
        assert digests(referrers(wire, "app", subject.digest)) == \
            [sbom.digest]


def test_those_of_the_tag_schema_are_found(wire, name):
    """A client that knew no referrers API kept an index under a tag. What is
    listed there counts if it names the subject itself, and only then."""
    subject = image()
    push_manifest(wire, name, "v1", subject)
    sbom, stranger = attach(wire, name, subject), image(annotations={"a": "b"})
    push_manifest(wire, name, stranger.digest, stranger)
    fallback = index(sbom, stranger, image(annotations={"never": "pushed"}))
    tag = subject.digest.replace(":", "-")
    push_manifest(wire, name, tag, fallback)

    assert digests(referrers(wire, name, subject.digest)) == [sbom.digest]
    kept = wire.ask("GET", f"/v2/{name}/manifests/{tag}")
    assert kept.body == fallback.body


def test_what_an_upstream_does_not_list_is_known_from_the_cache(scene,
                                                                upstream):
    subject = upstream.add_small_image("library/app").manifest
    sbom = image(subject=named(subject), artifactType=SBOM)
    upstream.add_blob(EMPTY)
    upstream.add_manifest("library/app", sbom)
    registry = Registry(scene, {"docker.io": upstream.url}).start()
    with registry.connect() as wire:
        before = referrers(wire, "app", subject.digest)
        assert wire.ask(
            "GET", f"/v2/app/manifests/{sbom.digest}").status == 200
        after = referrers(wire, "app", subject.digest)
    assert digests(before) == [] and digests(after) == [sbom.digest]
    assert after["Warning"] is None


# -------------------------------------------------------------------- pages

def test_pages_have_at_most_4_mib(wire, name):
    subject = image()
    pushed = [attach(wire, name, subject, n=str(n), large="x" * 400_000)
              for n in range(25)]
    found, target = [], f"/v2/{name}/referrers/{subject.digest}" \
        "?artifactType=application/spdx%2Bjson"
    while target:
        answer = wire.ask("GET", target)
        assert answer.status == 200 and len(answer.body) <= 4 << 20
        assert answer["OCI-Filters-Applied"] == "artifactType"
        found += digests(answer)
        link = answer["Link"]
        assert link is None or link.endswith('>; rel="next"')
        target = link and link[1:link.index(">")]
        assert link is None or len(answer.body) > 3 << 20
    assert found == [each.digest for each in pushed]


def test_one_that_would_fill_a_page_leaves_its_annotations_out(wire, name):
    subject = image()
    attach(wire, name, subject, much="x" * 3_000_000)
    answer = referrers(wire, name, subject.digest)
    only, = answer.json["manifests"]
    assert len(answer.body) < 1000 and "annotations" not in only


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 30])
def test_a_place_that_is_none_is_400(wire, name, last):
    answer = wire.ask("GET", f"/v2/{name}/referrers/{NOWHERE}?last={last}")
    assert answer.status == 400
    assert json.loads(answer.body)["errors"]
