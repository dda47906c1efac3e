"""Patterns and readers: what is ours, what is mirrored, and for whom."""

import pytest

from lab.content import digest_of
from lab.fakehub import FakeHub
from lab.images import OCI, Manifest, encode
from lab.pusher import push_blob, push_manifest
from lab.waiting import wait_until

CONFIG = b'{"architecture":"amd64","os":"linux"}'


@pytest.fixture
def hub(upstream):
    """Plays docker.io."""
    return upstream


@pytest.fixture
def other(scene):
    """Plays ghcr.io."""
    return FakeHub(scene)


def push(registry, repository, tag="1"):
    """A local image: one blob, one manifest."""
    with registry.connect() as wire:
        push_blob(wire, repository, digest_of(CONFIG), CONFIG)
        manifest = Manifest(OCI["manifest"], encode({
            "schemaVersion": 2, "mediaType": OCI["manifest"],
            "config": {"mediaType": OCI["config"], "size": len(CONFIG),
                       "digest": digest_of(CONFIG)}, "layers": []}))
        push_manifest(wire, repository, tag, manifest)
    return manifest


def questions(image, repository=None):
    """Everything that is asked about an image."""
    name = repository or image.repository
    digest = image.manifest.digest
    return [(method, f"/v2/{name}/{rest}")
            for rest in [f"manifests/{image.tag}", f"manifests/{digest}",
                         f"blobs/{image.layers[-1].digest}", "tags/list"]
            for method in ("GET", "HEAD")]


def statuses(registry, image, repository=None):
    return {registry.ask(*question).status
            for question in questions(image, repository)}


def reload_with(registry, before, after):
    """Its configuration, one text in it replaced by another."""
    text = registry.configuration.read_text()
    assert before in text
    registry.configuration.write_text(text.replace(before, after))
    done = len(registry.log_lines("reload"))
    registry.signal()
    wait_until(lambda: len(registry.log_lines("reload")) > done, "a reload")


# ------------------------------------------------------- local and reserved

def test_a_local_name_is_never_asked_upstream(start_registry, hub):
    registry = start_registry({"docker.io": hub.url}, mirror={
        "local": ["team/**", "library/tool"]})
    for repository in "team/app", "library/tool":
        image = hub.add_small_image(repository)
        assert statuses(registry, image) == {404}
        assert hub.count() == 0

        mine = push(registry, repository)
        got = registry.ask("GET", f"/v2/{repository}/manifests/1")
        assert got.body == mine.body
        assert hub.count() == 0

        explicit = registry.ask("GET", f"/v2/docker.io/{repository}"
                                       "/manifests/1")
        assert explicit.body == image.manifest.body
        by_ns = registry.ask("GET", f"/v2/{repository}/manifests/1"
                                    "?ns=docker.io")
        assert by_ns.body == image.manifest.body
        hub.forget()


def test_a_name_of_a_registry_that_is_gone_may_be_ours(start_registry, hub):
    registry = start_registry({"docker.io": hub.url}, mirror={
        "local": ["old.example/**", "docker.io/**"]})
    mine = push(registry, "old.example/team/app")
    got = registry.ask("GET", "/v2/old.example/team/app/manifests/1")
    assert got.body == mine.body
    for repository in "docker.io/team/app", "new.example/team/app":
        denied = registry.ask("POST", f"/v2/{repository}/blobs/uploads/", b"")
        assert denied.status == 403 and denied.code == "DENIED"
    assert hub.count() == 0


def test_nothing_is_pushed_to_a_reserved_name(start_registry):
    registry = start_registry(mirror={"reserved": ["corp/**"]})
    for method, rest in [("POST", "blobs/uploads/"), ("PUT", "manifests/1"),
                         ("DELETE", "manifests/1")]:
        answer = registry.ask(method, f"/v2/corp/app/{rest}", b"",
                              Content_Type=OCI["manifest"])
        assert answer.status == 403 and answer.code == "DENIED"
        assert "corp/app is reserved" in answer.body.decode()
    push(registry, "corporation/app")


# ----------------------------------------------------------- allow and deny

def test_what_is_denied_is_404_and_nothing_is_dialled(start_registry, hub,
                                                      other):
    registry = start_registry(
        {"docker.io": hub.url, "ghcr.io": other.url}, bound="docker.io",
        options={"docker.io": {"deny": ["library/secret", "team/**"]},
                 "ghcr.io": {"allow": ["org/*"]}})
    secret = hub.add_small_image("library/secret")
    for name in ("secret", "library/secret", "docker.io/secret",
                 "index.docker.io/library/secret"):
        assert statuses(registry, secret, name) == {404}
    assert statuses(registry, hub.add_small_image("team/a/b")) == {404}
    assert statuses(registry, other.add_small_image("user/app"),
                    "ghcr.io/user/app") == {404}
    assert hub.connections == other.connections == 0

    allowed = other.add_small_image("org/app")
    assert statuses(registry, allowed, "ghcr.io/org/app") == {200}
    push(registry, "team/a/b")      # a push of that name is another matter


def test_what_was_cached_is_not_served_once_it_is_denied(start_registry, hub):
    registry = start_registry({"docker.io": hub.url}, options={
        "docker.io": {"deny": ["none"]}})
    image, kept = [hub.add_small_image(f"team/{name}")
                   for name in ("app", "kept")]
    for each in image, kept:
        assert statuses(registry, each) == {200}
    reload_with(registry, "- none", "- team/app")
    hub.forget()

    for name in "team/app", "docker.io/team/app":
        assert statuses(registry, image, name) == {404}
    layer = image.layers[-1].digest
    mount = registry.ask("POST", "/v2/mine/blobs/uploads/"
                                 f"?mount={layer}&from=team/app", b"")
    assert mount.status == 202
    assert hub.count() == 0
    assert statuses(registry, kept) == {200}
    reload_with(registry, "- team/app", "- none")
    assert statuses(registry, image) == {200}
