"""Lists of tags and of repositories, page by page."""

import pytest

from lab.content import digest_of
from lab.images import OCI, Manifest, encode
from lab.pusher import push_blob, push_manifest
from lab.registry import Registry
from lab.wire import ask

CONFIG = b"{}"


def push(wire, name, *tags):
    push_blob(wire, name, digest_of(CONFIG), CONFIG)
    manifest = Manifest(OCI["manifest"], encode({
        "schemaVersion": 2, "mediaType": OCI["manifest"],
        "config": {"mediaType": OCI["config"], "size": len(CONFIG),
                   "digest": digest_of(CONFIG)}, "layers": []}))
    for tag in tags:
        push_manifest(wire, name, tag, manifest)
    return manifest


def next_of(answer):
    """The target of the Link to the next page, or None."""
    link = answer["Link"]
    assert link is None or link.endswith('>; rel="next"')
    return link and link[1:link.index(">")]


def walk(wire, target, key):
    """All pages, each as a list."""
    while target:
        answer = wire.ask("GET", target)
        assert answer.status == 200
        yield answer.json[key]
        target = next_of(answer)


LISTS = {"tags": "/v2/paged/tags/list", "repositories": "/v2/_catalog"}


@pytest.fixture(scope="module")
def filled(registry):
    """Five tags in one repository, five repositories in all."""
    with registry.connect() as wire:
        push(wire, "paged", "beta", "alpha", "1.10", "1.9", "Zeta")
        for name in "b", "a/b", "a-b", "a.b":
            push(wire, name, "1")
    return {"tags": ["1.10", "1.9", "Zeta", "alpha", "beta"],
            "repositories": ["a-b", "a.b", "a/b", "b", "paged"]}


@pytest.mark.parametrize("key", LISTS)
def test_a_list_is_in_the_order_of_bytes(wire, filled, key):
    answer = wire.ask("GET", LISTS[key])
    assert answer.status == 200 and answer["Link"] is None
    assert answer["Content-Type"] == "application/json"
    assert answer.json[key] == filled[key]
    head = wire.ask("HEAD", LISTS[key])
    assert head["Content-Length"] == answer["Content-Length"]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("key", LISTS)
def test_links_lead_through_a_list(wire, filled, key, n):
    pages = list(walk(wire, f"{LISTS[key]}?n={n}", key))
    assert sum(pages, []) == filled[key]
    assert all(len(page) == n for page in pages[:-1])
    assert 0 < len(pages[-1]) <= n


@pytest.mark.parametrize("key", LISTS)
def test_last_need_not_exist(wire, filled, key):
    for last in "", "1.9", "Z", "a.c", "zzz", "%ff", "a%00b":
        answer = wire.ask("GET", f"{LISTS[key]}?last={last}")
        value = {"%ff": "\x7f", "a%00b": "a"}.get(last, last)
        assert answer.status == 200 and answer["Link"] is None
        assert answer.json[key] == [each for each in filled[key]
                                    if each > value]


@pytest.mark.parametrize("key", LISTS)
def test_no_name_at_all_may_be_asked_for(wire, filled, key):
    answer = wire.ask("GET", f"{LISTS[key]}?n=0")
    assert answer.json[key] == [] and answer["Link"] is None


@pytest.mark.parametrize("n", ["", "x", "-1", "1.5", "0x10", "%201", "9" * 30])
@pytest.mark.parametrize("key", LISTS)
def test_n_is_a_number(wire, filled, key, n):
    answer = wire.ask("GET", f"{LISTS[key]}?n={n}")
    assert answer.status == 400
    assert answer.json["errors"][0]["message"]


def test_a_page_has_at_most_1000(wire):
    manifest = push(wire, "many", "first")
    for start in range(0, 2000, 50):
        tags = "&".join(f"tag=t{start + i:04}" for i in range(50))
        push_manifest(wire, "many", f"{manifest.digest}?{tags}", manifest)
    pages = list(walk(wire, "/v2/many/tags/list?n=100000", "tags"))
    assert [len(page) for page in pages] == [1000, 1000, 1]
    assert sum(pages, []) == ["first"] + [f"t{i:04}" for i in range(2000)]


def test_a_repository_is_known_from_its_first_manifest_on(module_scene):
    registry = Registry(module_scene).start()
    with registry.connect() as wire:
        def catalog():
            return wire.ask("GET", "/v2/_catalog").json["repositories"]

        def tags():
            return wire.ask("GET", "/v2/app/tags/list")

        assert catalog() == []
        push_blob(wire, "app", digest_of(CONFIG), CONFIG)
        assert catalog() == []
        assert (tags().status, tags().code) == (404, "NAME_UNKNOWN")
        manifest = push(wire, "app", "1")
        assert catalog() == ["app"] and tags().json["tags"] == ["1"]
        wire.ask("DELETE", "/v2/app/manifests/1")
        assert tags().json == {"name": "app", "tags": []}
        wire.ask("DELETE", f"/v2/app/manifests/{manifest.digest}")
        assert catalog() == ["app"] and tags().json["tags"] == []


def test_the_catalog_keeps_to_what_was_pushed(scene, upstream):
    """What is cached of an upstream is listed where only that one answers."""
    upstream.add_small_image("library/cached")
    registry = Registry(scene, {"docker.io": upstream.url},
                        bound="docker.io").start()
    with registry.connect() as wire:
        push(wire, "pushed", "1")
        assert wire.ask("GET", "/v2/cached/manifests/1").status == 200
        cached = {"repositories": ["library/cached"]}
        own = wire.ask("GET", "/v2/_catalog")
        assert own.json == {"repositories": ["pushed"]}
        assert own["Warning"] is None and own["OCI-Namespace"] is None
        for target in ("/v2/_catalog?ns=docker.io",
                       "/mirror/docker.io/v2/_catalog"):
            answer = wire.ask("GET", target)
            assert answer.json == cached
            assert "cached of docker.io" in answer["Warning"]
        tags = wire.ask("GET", "/v2/cached/tags/list")
        assert tags.json == {"name": "cached", "tags": ["1"]}
        assert "cached of docker.io" in tags["Warning"]
        unknown = wire.ask("GET", "/v2/_catalog?ns=none.example")
        assert (unknown.status, unknown.code) == (404, "NAME_UNKNOWN")
    assert ask(registry.bound, "GET", "/v2/_catalog").json == cached
