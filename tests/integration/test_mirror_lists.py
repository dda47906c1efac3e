"""Lists through the mirror: tags and referrers are upstream's, asked once."""

import json
import threading
import time
from bisect import bisect_right
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from lab.content import digest_of
from lab.copiers import Oras, Regctl, SkopeoCopier
from lab.hub import Hub
from lab.images import OCI, OCI_INDEX, Blob, Manifest, descriptor, encode
from lab.pusher import push_blob, push_manifest
from lab.registry import Registry, sanitized
from lab.waiting import wait_until
from lab.wire import Wire
from test_clients_artifacts import (SBOM, SIGNATURE, attach, discover,
                                    document, listed)
from test_lists import walk

__all__ = ["document"]      # a fixture
CONFIG = b"{}"


# ------------------------------------------------------- words of this file

def push(address, name, *tags, subject=None, kind=None):
    """A manifest of its own, under these tags."""
    body = {"schemaVersion": 2, "mediaType": OCI["manifest"],
            "config": descriptor(OCI["config"],
                                 Blob(digest_of(CONFIG), len(CONFIG))),
            "layers": []}
    if subject:
        body |= {"artifactType": kind, "subject": {
            "mediaType": OCI["manifest"], "digest": subject.digest,
            "size": len(subject.body)}}
    manifest = Manifest(OCI["manifest"], encode(body))
    with Wire(address) as wire:
        push_blob(wire, name, digest_of(CONFIG), CONFIG)
        for reference in (manifest.digest, *tags):
            push_manifest(wire, name, reference, manifest)
    return manifest


def questions(registry, path):
    """How often it was asked for such a path."""
    return len([seen for seen in registry.requests()
                if path in seen.path and seen.method == "GET"])


def referrers(mirror, name, subject, query=""):
    answer = mirror.ask("GET", f"/v2/{name}/referrers/{subject}{query}")
    assert answer.status == 200
    assert answer["Content-Type"] == OCI_INDEX
    return [each["artifactType"] for each in answer.json["manifests"]]


@pytest.fixture
def far(scene):
    """A registry of ours, as an upstream."""
    return Registry(scene).start()


@pytest.fixture
def hub(scene):
    """Debian's docker-registry, which has no referrers API."""
    return Hub(scene)


@pytest.fixture
def start_mirror(scene):
    def start(upstream, lifetime="5m"):
        return Registry(
            scene, {"far.example": upstream.url},
            options={"far.example": {"tag_lifetime": lifetime}}).start()
    return start


# -------------------------------------------------------------------- tags

TAGS = [f"t{i:04}" for i in range(2500)]


def test_all_tags_are_upstreams_page_by_page(far, start_mirror):
    push(far.address, "app", *TAGS)
    mirror = start_mirror(far)
    with mirror.connect() as wire:
        for n, pages in (1000, 3), (700, 4), (5000, 3):
            got = list(walk(wire, f"/v2/app/tags/list?n={n}", "tags"))
            assert sum(got, []) == TAGS and len(got) == pages
        behind = wire.ask("GET", "/v2/app/tags/list?n=2&last=t0041x")
        assert behind.json["tags"] == ["t0042", "t0043"]
        assert behind["Warning"] is None
        last = wire.ask("GET", "/v2/app/tags/list?n=2&last=t2497")
        assert last.json["tags"] == ["t2498", "t2499"]
        assert last["Link"] is None
        assert wire.ask("GET", "/v2/app/tags/list?n=x").status == 400
    assert questions(far, "/tags/list") == 3


def test_a_new_tag_is_seen_after_the_lifetime(far, start_mirror):
    push(far.address, "app", "1")
    mirror = start_mirror(far, lifetime="1s")

    def tags():
        return mirror.ask("GET", "/v2/app/tags/list").json["tags"]

    assert tags() == ["1"]
    push(far.address, "app", "2")
    wait_until(lambda: tags() == ["1", "2"], "the new tag")


def test_without_upstream_tags_are_as_they_were(far, start_mirror):
    push(far.address, "app", "1", "2")
    push(far.address, "other", "1", "2")
    mirror = start_mirror(far, lifetime="0s")
    assert mirror.ask("GET", "/v2/app/tags/list").json["tags"] == ["1", "2"]
    assert mirror.ask("GET", "/v2/other/manifests/2").status == 200
    far.stop()
    mirror.restart()

    answer = mirror.ask("GET", "/v2/app/tags/list")
    assert answer.json == {"name": "app", "tags": ["1", "2"]}
    assert 'last confirmed' in answer["Warning"]
    answer = mirror.ask("GET", "/v2/other/tags/list")
    assert answer.json == {"name": "other", "tags": ["2"]}
    assert "only what is cached of far.example" in answer["Warning"]
    answer = mirror.ask("GET", "/v2/unknown/tags/list")
    assert answer.status == 503


def test_an_unknown_repository_has_no_list(far, start_mirror):
    answer = start_mirror(far).ask("GET", "/v2/app/tags/list")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")


def test_clients_list_the_tags_of_docker_registry(scene, hub, start_mirror):
    push(hub.address, "team/app", "1", "2")
    mirror = start_mirror(hub)
    remote = f"{mirror.host}/far.example/team/app"
    skopeo = SkopeoCopier(scene, mirror.plain)
    seen = json.loads(skopeo.run("list-tags", f"docker://{remote}"))
    assert seen["Tags"] == ["1", "2"]
    assert Regctl(scene, mirror.plain).run("tag", "ls",
                                           remote).split() == ["1", "2"]


# --------------------------------------------------------------- referrers

def test_referrers_are_upstreams_and_filtered_here(far, start_mirror):
    subject = push(far.address, "app", "1")
    for kind in SBOM, SIGNATURE:
        push(far.address, "app", subject=subject, kind=kind)
    mirror = start_mirror(far)

    assert referrers(mirror, "app", subject.digest) == [SBOM, SIGNATURE]
    assert referrers(mirror, "app", subject.digest,
                     f"?artifactType={SIGNATURE}") == [SIGNATURE]
    answer = mirror.ask("GET", f"/v2/app/referrers/{subject.digest}"
                               f"?artifactType={SBOM}")
    assert answer["OCI-Filters-Applied"] == "artifactType"
    assert questions(far, "/referrers/") == 1


def test_without_upstream_referrers_are_as_they_were(far, start_mirror):
    subject = push(far.address, "app", "1")
    other = push(far.address, "other", "1")
    push(far.address, "app", subject=subject, kind=SBOM)
    mirror = start_mirror(far, lifetime="0s")
    assert referrers(mirror, "app", subject.digest) == [SBOM]
    far.stop()

    answer = mirror.ask("GET", f"/v2/app/referrers/{subject.digest}")
    assert [each["artifactType"] for each in answer.json["manifests"]] == [SBOM]
    assert "last confirmed" in answer["Warning"]
    answer = mirror.ask("GET", f"/v2/other/referrers/{other.digest}")
    assert answer.status == 200 and answer.json["manifests"] == []
    assert "only what is cached of far.example" in answer["Warning"]


@pytest.mark.parametrize("kind", ["far", "hub"])
def test_what_was_attached_far_away_is_found_and_pulled(
        request, scene, start_mirror, document, kind):
    upstream = request.getfixturevalue(kind)
    push(upstream.address, f"signed/{kind}", "1")
    there = "%s:%d/signed/%s" % (*upstream.address, kind)
    mirror = start_mirror(upstream)
    here = f"{mirror.host}/far.example/signed/{kind}"
    oras, regctl = Oras(scene, mirror.plain), Regctl(scene, mirror.plain)
    for each in SBOM, SIGNATURE:
        attach(oras, there, document, each)

    assert sorted(discover(oras, here)) == [SBOM, SIGNATURE]
    assert sorted(listed(regctl, here)) == [SBOM, SIGNATURE]
    assert regctl.run("artifact", "get", "--subject", f"{here}:1",
                      "--filter-artifact-type", SBOM) == document.read_text()
    upstream.stop()
    assert sorted(discover(oras, here)) == [SBOM, SIGNATURE]


# ---------------------------------------------------------------- a huge one

SUBJECT = digest_of(b"subject")
REFERRERS = [{"mediaType": OCI["manifest"], "digest": digest_of(b"%d" % i),
              "size": i, "artifactType": SBOM if i % 5000 else SIGNATURE,
              "annotations": {"text": "x" * 100}}
             for i in range(1, 15_001)]
HUGE = [f"build-{i:06}-{'0123456789abcdef' * 4}" for i in range(300_000)]


class HugeHub(BaseHTTPRequestHandler):
    """300,000 tags, 1,000 at once, as its Link says; once they are `ready`.

    And 15,000 referrers, all at once.
    """
    protocol_version = "HTTP/1.1"
    ready = threading.Event()

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.ready.wait()
        if "/referrers/" in self.path:
            return self.send(OCI_INDEX, {"schemaVersion": 2,
                                         "manifests": REFERRERS})
        query = parse_qs(urlsplit(self.path).query)
        start = bisect_right(HUGE, query.get("last", [""])[0])
        page = HUGE[start:start + 1000]
        self.send("application/json", {"name": "app", "tags": page},
                  Link=f"</v2/app/tags/list?n=1000&last={page[-1]}>; "
                       f"rel=\"next\"" if start + 1000 < len(HUGE) else None)

    def send(self, media_type, value, **headers):
        body = encode(value)
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        for name, text in headers.items():
            if text:
                self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def huge_hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), HugeHub)
    server.daemon_threads = True
    server.url = "http://127.0.0.1:%d" % server.server_port
    HugeHub.ready.set()
    threading.Thread(target=server.serve_forever, args=(0.01,),
                     daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_300_000_tags_take_little_memory(huge_hub, start_mirror):
    mirror = start_mirror(huge_hub)
    before = mirror.anonymous_memory()
    with mirror.connect(timeout=60) as wire:
        def first():
            answer = wire.ask("GET", "/v2/app/tags/list?n=10")
            return answer.status == 200 and answer.json["tags"]

        wait_until(first, "the whole list")
        assert first() == HUGE[:10]
        began = time.monotonic()
        assert sum(walk(wire, "/v2/app/tags/list", "tags"), []) == HUGE
        took = time.monotonic() - began
    grown = mirror.anonymous_memory() - before
    print(f"300 pages in {took:.2f} s, {grown / 1e6:.0f} MB more in memory")
    if not sanitized():
        assert grown < 64e6


def test_referrers_without_number_come_page_by_page(huge_hub, start_mirror):
    mirror = start_mirror(huge_hub)
    path = f"/v2/app/referrers/{SUBJECT}"
    with mirror.connect(timeout=60) as wire:
        wait_until(lambda: wire.ask("GET", path).json["manifests"],
                   "the whole list")
        pages = list(walk(wire, path, "manifests"))
        assert sum(pages, []) == REFERRERS and len(pages) == 2
        found = wire.ask("GET", f"{path}?artifactType={SIGNATURE}")
        assert found.json["manifests"] == \
            [REFERRERS[4999], REFERRERS[9999], REFERRERS[14999]]
        rest = wire.ask("GET", f"{path}?artifactType={SIGNATURE}&last=5000")
        assert rest.json["manifests"] == [REFERRERS[9999], REFERRERS[14999]]


JOINS = 'private_registry_mirror_joins_total{upstream="far.example"}'


def test_a_crowd_that_waits_for_them_takes_no_more(huge_hub, start_mirror):
    mirror = start_mirror(huge_hub)
    HugeHub.ready.clear()
    crowd = [mirror.connect(timeout=60) for _ in range(60)]
    for wire in crowd:
        wire.send(b"GET /v2/app/tags/list?n=10 HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: mirror.metrics()[JOINS] == len(crowd) - 1,
               "all of them to wait")
    HugeHub.ready.set()
    for wire in crowd:
        wire.answer()       # or 504, where the list takes long to come
        wire.close()
    peak = mirror.peak_memory()
    print(f"{peak / 1e6:.0f} MB at most")
    if not sanitized():
        assert peak < 100e6     # each of them would take 23
