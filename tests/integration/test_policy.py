"""Patterns and readers: what is ours, what is mirrored, and for whom."""

import pytest

from lab.certificates import Authority, make_certificate, trusting
from lab.fakehub import FakeHub
from lab.images import OCI
from lab.integrity import keeps
from lab.pusher import push_small
from lab.registry import Registry
from lab.waiting import wait_until
from lab.wire import Wire


@pytest.fixture
def hub(upstream):
    """Plays docker.io."""
    return upstream


@pytest.fixture
def other(scene):
    """Plays ghcr.io."""
    return FakeHub(scene)


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
        assert not asked(hub, repository)

        mine = push_small(registry, repository)
        got = registry.ask("GET", f"/v2/{repository}/manifests/1")
        assert got.body == mine.body
        assert not asked(hub, repository)

        explicit = registry.ask("GET", f"/v2/docker.io/{repository}"
                                       "/manifests/1")
        assert explicit.body == image.manifest.body
        by_ns = registry.ask("GET", f"/v2/{repository}/manifests/1"
                                    "?ns=docker.io")
        assert by_ns.body == image.manifest.body


def asked(hub, repository):
    return [each for each in hub.seen() if repository in each.target]


def test_a_name_of_a_registry_that_is_gone_may_be_ours(start_registry, hub):
    registry = start_registry({"docker.io": hub.url}, mirror={
        "local": ["old.example/**", "docker.io/**"]})
    mine = push_small(registry, "old.example/team/app")
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
    push_small(registry, "corporation/app")


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
    push_small(registry, "team/a/b")      # a push of that name is another matter


def test_what_was_cached_is_not_served_once_it_is_denied(start_registry, hub):
    registry = start_registry({"docker.io": hub.url}, options={
        "docker.io": {"deny": ["none"]}})
    image, kept = [hub.add_small_image(f"team/{name}")
                   for name in ("app", "kept")]
    for each in image, kept:
        assert statuses(registry, each) == {200}
    keeps(registry, image, kept)
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
    listed = registry.ask("GET", "/v2/_catalog?ns=docker.io&n=1")
    assert listed.json["repositories"] == []
    following = listed["Link"].partition("<")[2].partition(">")[0]
    assert registry.ask("GET", following).json["repositories"] == ["team/kept"]
    reload_with(registry, "- team/app", "- none")
    assert statuses(registry, image) == {200}


# ------------------------------------------------------------------ readers

FAR = {"X_Forwarded_For": "192.0.2.9"}      # as a trusted proxy says it


def start_with_readers(start_registry, hub, scene, readers=None, **keys):
    """A registry that has credentials for docker.io, and a trusted proxy."""
    secret = scene.directory("secret") / "password"
    secret.write_text("open sesame\n")
    return start_registry(
        {"docker.io": hub.url}, settings={"trusted_proxies": ["127.0.0.1"]},
        options={"docker.io": {
            "credentials": [{"username": "ali", "password_file": secret}],
            **({"readers": readers} if readers else {})}},
        **keys)


def ask_all(registry, image, name=None, **headers):
    return {registry.ask(*question, **headers).status
            for question in questions(image, name)}


def test_what_credentials_read_is_not_for_the_whole_world(start_registry, hub,
                                                          scene):
    registry = start_with_readers(start_registry, hub, scene)
    image = hub.add_small_image("team/app")
    assert ask_all(registry, image) == {200}
    for near in "10.1.2.3", "192.168.0.7", "::1", "fd00::7", "172.31.0.1":
        assert ask_all(registry, image, X_Forwarded_For=near) == {200}
    keeps(registry, image)
    hub.forget()
    for far in "192.0.2.9", "2001:db8::1", "172.32.0.1", "unknown", "a b":
        assert ask_all(registry, image, X_Forwarded_For=far) == {404}
    # Whoever is told in two ways may have written one of them himself.
    assert ask_all(registry, image, X_Forwarded_For="192.0.2.9",
                   Forwarded="for=10.0.0.1") == {404}
    assert hub.count() == 0


@pytest.mark.parametrize("target", [
    "/v2/team/app/manifests/1", "/v2/docker.io/team/app/manifests/1",
    "/v2/team/app/manifests/1?ns=docker.io",
    "/mirror/docker.io/v2/team/app/manifests/1"])
def test_to_others_than_readers_nothing_is_there(start_registry, hub, scene,
                                                 target):
    registry = start_with_readers(start_registry, hub, scene, ["10.0.0.0/8"],
                                  bound="docker.io")
    image = hub.add_small_image("team/app")
    layer = image.layers[-1].digest
    near = {"X_Forwarded_For": "10.1.2.3"}
    assert ask_all(registry, image, **near) == {200}

    refused = registry.ask("GET", target, **FAR)
    assert refused.status == 404 and refused.code == "NAME_UNKNOWN"
    assert registry.ask("GET", target).status == 404        # not even nearby
    for rest in (f"blobs/{layer}", f"referrers/{image.manifest.digest}",
                 "tags/list"):
        other = target.replace("manifests/1", rest)
        assert registry.ask("GET", other, **FAR).status == 404
        assert registry.ask("GET", other, **near).status == 200
    assert registry.ask("GET", "/v2/_catalog?ns=docker.io",
                        **FAR).status == 404
    listed = registry.ask("GET", "/v2/_catalog?ns=docker.io", **near)
    assert listed.json["repositories"] == ["team/app"]


def test_who_may_not_read_may_not_mount_either(start_registry, hub, scene):
    registry = start_with_readers(start_registry, hub, scene, ["10.0.0.0/8"])
    image = hub.add_small_image("team/app")
    layer = image.layers[-1].digest
    near = {"X_Forwarded_For": "10.1.2.3"}
    assert ask_all(registry, image, **near) == {200}
    keeps(registry, image)
    hub.forget()

    def mount(query, **headers):
        return registry.ask("POST", "/v2/mine/app/blobs/uploads/"
                                    f"?mount={layer}{query}", b"",
                            **headers).status

    for source in "team/app", "docker.io/team/app":
        assert mount(f"&from={source}", **FAR) == 202
    assert mount("", **near) == 202         # from anywhere, but the cache
    assert registry.ask("HEAD", f"/v2/mine/app/blobs/{layer}",
                        **FAR).status == 404
    assert mount("&from=team/app", **near) == 201
    assert registry.ask("HEAD", f"/v2/mine/app/blobs/{layer}",
                        **FAR).status == 200    # it was pushed: it is ours
    assert hub.count() == 0


def test_without_credentials_everybody_reads(start_registry, hub):
    registry = start_registry({"docker.io": hub.url}, settings={
        "trusted_proxies": ["127.0.0.1"]})
    image = hub.add_small_image("team/app")
    assert ask_all(registry, image, **FAR) == {200}


def test_everybody_may_be_a_reader(start_registry, hub, scene):
    registry = start_with_readers(start_registry, hub, scene, ["'::/0'"])
    image = hub.add_small_image("team/app")
    for far in "192.0.2.9", "2001:db8::1", "unknown":
        assert ask_all(registry, image, X_Forwarded_For=far) == {200}


def test_a_reader_may_be_known_by_a_certificate(scene, hub):
    certificate = make_certificate(scene, scene.directory("certificate"), 1)
    authority = Authority(scene, scene.directory("authority"))
    registry = Registry(
        scene, {"docker.io": hub.url}, tls=(*certificate, {
            "client_ca": authority.path, "client": "optional"}),
        options={"docker.io": {"readers": ["cert:alice"]}}).start()
    hub.add_small_image("team/app")

    def status(client, **headers):
        context = trusting(certificate[0])
        if client:
            context.load_cert_chain(authority.client(f"/O=lab/CN={client}"))
        with Wire(registry.tls, tls=context) as wire:
            return wire.ask("GET", "/v2/team/app/manifests/1",
                            **headers).status

    assert status("alice") == 200
    assert status("alice2") == status("bob") == status(None) == 404
    assert registry.ask("GET", "/v2/team/app/manifests/1").status == 404

    # A proxy's own certificate says nothing of whoever asks it.
    reload_with(registry, "listen:", "trusted_proxies: 127.0.0.1\nlisten:")
    assert status("alice") == 200
    assert status("alice", **FAR) == 404
    assert status("alice", X_Forwarded_For="unknown") == 404


# ------------------------------------------------------------- what is gone

def test_what_is_not_there_is_asked_for_once(start_registry, hub):
    registry = start_registry({"docker.io": hub.url}, options={
        "docker.io": {"not_found_lifetime": "1m"}})
    for name in "app", "library/app", "docker.io/app":
        for _ in range(3):
            answer = registry.ask("GET", f"/v2/{name}/manifests/1")
            assert answer.status == 404
            assert answer.code == "MANIFEST_UNKNOWN"
    assert hub.count("manifest") == 1

    mine = push_small(registry, "app")        # a push is seen at once
    assert registry.ask("GET", "/v2/app/manifests/1").body == mine.body
    assert registry.ask("GET", "/v2/docker.io/app/manifests/1").status == 404
    assert hub.count("manifest") == 1


def test_what_was_not_there_is_found_a_moment_later(start_registry, hub):
    registry = start_registry({"docker.io": hub.url}, options={
        "docker.io": {"not_found_lifetime": "100ms"}})
    assert registry.ask("GET", "/v2/app/manifests/1").status == 404
    hub.add_small_image("library/app")
    wait_until(lambda: registry.ask("GET", "/v2/app/manifests/1").status ==
               200, "the image to be found")


@pytest.mark.parametrize("policy", ["stale", "pass"])
def test_a_tag_that_upstream_deleted_is_served_on_or_not(start_registry, hub,
                                                         policy):
    registry = start_registry({"docker.io": hub.url}, options={
        "docker.io": {"tag_lifetime": "0s", "not_found": policy}})
    image = hub.add_small_image("library/app")
    assert registry.ask("GET", "/v2/app/manifests/1").status == 200
    hub.refuse_manifests(404)

    answer = registry.ask("GET", "/v2/app/manifests/1")
    if policy == "stale":
        assert answer.status == 200 and answer.body == image.manifest.body
        assert answer["Warning"].startswith('299 - "')
    else:
        assert answer.status == 404 and answer.code == "MANIFEST_UNKNOWN"
    by_digest = f"/v2/app/manifests/{image.manifest.digest}"
    assert registry.ask("GET", by_digest).body == image.manifest.body
