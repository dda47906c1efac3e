"""Which name means what, whom we ask for it, and where credentials go."""

import pytest

from lab.content import digest_of
from lab.fakehub import Challenge, FakeHub
from lab.images import OCI
from lab.integrity import keeps
from lab.pusher import push_manifest, push_small
from lab.waiting import wait_until
from lab.wire import ask

PORT_NAME = "mirror.example:25443"


@pytest.fixture
def hub(upstream):
    """Plays docker.io."""
    return upstream


@pytest.fixture
def other(scene):
    """Plays ghcr.io, and one more whose name has a port."""
    return FakeHub(scene)


@pytest.fixture
def registry(start_registry, hub, other):
    return start_registry({"docker.io": hub.url, "ghcr.io": other.url,
                           PORT_NAME: other.url}, bound="ghcr.io")


# ------------------------------------------------------- the explicit forms

FORMS = {
    "?ns=": ("/v2/{}", "?ns=ghcr.io", "address"),
    "?ns= of a name with a port":
        ("/v2/{}", "?ns=mirror.example%3A25443", "address"),
    "the upstream first in the path": ("/v2/ghcr.io/{}", "", "address"),
    "/mirror/<upstream>": ("/mirror/ghcr.io/v2/{}", "", "address"),
    "/v2/mirror/<upstream>, as Docker's containerd store has it":
        ("/v2/mirror/ghcr.io/{}", "?ns=ghcr.io", "address"),
    "a listener bound to an upstream": ("/v2/{}", "", "bound"),
    "both the path and ?ns=": ("/v2/ghcr.io/{}", "?ns=ghcr.io", "address"),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_explicit_form_asks_that_upstream_alone(registry, hub, other,
                                                   form):
    before, behind, door = FORMS[form]
    image = other.add_small_image("team/tool")

    def get(rest):
        target = before.format(f"team/tool/{rest}") + behind
        return ask(getattr(registry, door), "GET", target)

    assert get("manifests/1").body == image.manifest.body
    for layer in image.layers:
        assert get(f"blobs/{layer.digest}").body == layer.bytes()
    assert other.count("blob", "GET") == len(image.layers)
    assert hub.count() == 0


@pytest.mark.parametrize("form", FORMS)
def test_the_next_page_of_tags_is_of_the_same_upstream(registry, hub, other,
                                                       form):
    before, behind, door = FORMS[form]

    def get(target):
        return ask(getattr(registry, door), "GET", target)

    for tag in "1", "2":
        other.add_small_image("team/tool", tag)
        get(before.format(f"team/tool/manifests/{tag}") + behind)
    first = get(before.format("team/tool/tags/list") +
                (behind + "&n=1" if behind else "?n=1"))
    following = first["Link"].partition("<")[2].partition(">")[0]
    assert first.json["tags"] == ["1"]
    assert get(following).json["tags"] == ["2"]


def test_a_bare_name_means_the_default_upstream(registry, hub, other):
    image = hub.add_small_image("library/app")
    for name in "app", "library/app":
        got = registry.ask("GET", f"/v2/{name}/manifests/1")
        assert got.body == image.manifest.body
    assert other.count() == 0


def test_ns_is_answered_with_the_namespace(registry, hub, other):
    image = other.add_small_image("team/tool")
    layer = image.layers[-1].digest
    for rest, status in [("manifests/1", 200), (f"blobs/{layer}", 200),
                         ("manifests/2", 404), ("tags/list", 200),
                         (f"blobs/{digest_of(b'none')}", 404)]:
        for method in "GET", "HEAD":
            answer = registry.ask(method, f"/v2/team/tool/{rest}?ns=ghcr.io")
            if rest != "tags/list":
                assert answer.status == status
            assert answer["OCI-Namespace"] == "ghcr.io"
    refused = registry.ask("GET", "/v2/a/b/manifests/1?ns=unlisted.example")
    assert refused.status == 404
    assert registry.ask("GET", "/v2/a/b/manifests/1")["OCI-Namespace"] is None
    assert hub.count("manifest") <= 2     # of the last one


# ------------------------------------------------------------- pushed names

@pytest.mark.parametrize("repository", [
    "docker.io/library/app", "ghcr.io/team/app", "unlisted.example/app",
    "localhost/app", "library/app"])
def test_a_push_to_an_upstreams_name_is_denied(registry, hub, repository):
    for method, target in [("POST", f"/v2/{repository}/blobs/uploads/"),
                           ("PUT", f"/v2/{repository}/manifests/1")]:
        answer = registry.ask(method, target, b"",
                              Content_Type=OCI["manifest"])
        assert answer.status == 403 and answer.code == "DENIED"
    assert hub.count() == 0


def test_a_push_into_a_mirrors_door_is_denied(registry):
    for address, target in [
            (registry.bound, "/v2/team/app/blobs/uploads/"),
            (registry.address, "/v2/team/app/blobs/uploads/?ns=docker.io"),
            (registry.address, "/mirror/docker.io/v2/a/b/blobs/uploads/")]:
        answer = ask(address, "POST", target, b"")
        assert answer.status == 403 and answer.code == "DENIED"


def test_a_local_repository_hides_upstreams_whole_repository(registry, hub):
    hub.add_small_image("team/tool", "2")
    mine = push_small(registry, "team/tool", "1")

    assert registry.ask("GET", "/v2/team/tool/manifests/1").body == mine.body
    assert registry.ask("GET", "/v2/team/tool/manifests/2").status == 404
    gone = registry.ask("DELETE", "/v2/team/tool/manifests/1")
    assert gone.status == 202
    assert registry.ask("GET", "/v2/team/tool/manifests/2").status == 404
    assert hub.count() == 0

    explicit = registry.ask("GET", "/v2/docker.io/team/tool/manifests/2")
    assert explicit.status == 200


def test_a_push_changes_only_what_the_bare_name_means(registry, hub):
    image = hub.add_small_image("library/app")
    assert registry.ask("GET", "/v2/app/manifests/1").body == \
        image.manifest.body
    mine = push_small(registry, "app", "1")
    assert registry.ask("GET", "/v2/app/manifests/1").body == mine.body
    for target in ("/v2/docker.io/app/manifests/1",
                   "/v2/docker.io/library/app/manifests/1",
                   "/v2/library/app/manifests/1",
                   "/v2/library/app/manifests/1?ns=docker.io",
                   "/v2/app/manifests/1?ns=docker.io",
                   "/mirror/docker.io/v2/app/manifests/1"):
        assert registry.ask("GET", target).body == image.manifest.body


def test_what_is_seen_under_a_name_need_not_be_pushed_there(registry, hub):
    image = hub.add_small_image("library/app")
    by_tag = registry.ask("GET", "/v2/app/manifests/1")
    for layer in image.layers[:1]:      # of the others only the names are here
        registry.ask("GET", f"/v2/app/blobs/{layer.digest}")
    for layer in image.layers:
        seen = registry.ask("HEAD", f"/v2/app/blobs/{layer.digest}")
        assert seen.status == 200
        assert seen["Content-Length"] == str(layer.size)
    with registry.connect() as wire:
        push_manifest(wire, "app", "mine", image.manifest)
    hub.stop()

    text = registry.configuration.read_text()
    registry.configuration.write_text(text.replace(
        "mirror:\n", "mirror:\n  cache: {limit: 1B}\n"))
    registry.restart()
    wait_until(lambda: registry.metrics()["private_registry_cache_bytes"] == 0,
               "everything that is only cached to be gone")
    assert registry.ask("GET", "/v2/app/manifests/mine").body == by_tag.body
    for layer in image.layers:
        got = registry.ask("GET", f"/v2/app/blobs/{layer.digest}")
        assert got.body == layer.bytes()


def test_what_cannot_be_had_any_more_fails_the_push_that_relies_on_it(registry,
                                                                      hub):
    image = hub.add_small_image("library/app")
    registry.ask("HEAD", "/v2/app/manifests/1")     # of blobs only the names
    hub.stop()
    answer = registry.ask("PUT", "/v2/app/manifests/mine", image.manifest.body,
                          Content_Type=image.manifest.media_type)
    assert answer.status in (502, 503, 504)
    assert "the push relies on sha256:" in answer.body.decode()


def test_looking_for_a_blob_to_push_asks_no_upstream(registry, hub):
    layer = hub.add_small_image("team/secret").layers[-1]
    target = f"/v2/team/secret/blobs/{layer.digest}"

    assert registry.ask("HEAD", target).status == 404
    assert hub.count() == 0


def test_a_cached_blob_is_not_served_in_a_repository_without_it(registry, hub,
                                                                other):
    layer = hub.add_small_image("library/app").layers[-1]
    registry.ask("GET", "/v2/library/app/manifests/1")
    got = registry.ask("GET", f"/v2/library/app/blobs/{layer.digest}")
    assert got.body == layer.bytes()

    for elsewhere in "ghcr.io/library/app", "localname":
        hub.stop()
        got = registry.ask("GET", f"/v2/{elsewhere}/blobs/{layer.digest}")
        assert got.status >= 400


# ---------------------------------------------------------------- freshness

@pytest.mark.parametrize("trouble", ["down", 401, 404, 429, 500])
def test_what_is_cached_is_served_whatever_happens_upstream(start_registry,
                                                            hub, trouble):
    image = hub.add_small_image("library/app")
    registry = start_registry({"docker.io": hub.url},
                              options={"docker.io": {"tag_lifetime": "1s"}})
    tag, digest, blob = [
        f"/v2/library/app/manifests/{image.tag}",
        f"/v2/library/app/manifests/{image.manifest.digest}",
        f"/v2/library/app/blobs/{image.layers[-1].digest}"]
    for target in tag, digest, blob:
        assert registry.ask("GET", target).status == 200
    keeps(registry, image)

    hub.stop() if trouble == "down" else hub.refuse_manifests(trouble)

    def old_tag_was_served():
        got = registry.ask("GET", tag)
        assert got.status == 200 and got.body == image.manifest.body
        return registry.metrics()[
            'private_registry_mirror_stale_total{upstream="docker.io"}'] > 0

    wait_until(old_tag_was_served, "the tag to grow old")
    assert registry.ask("GET", digest).body == image.manifest.body
    assert registry.ask("GET", blob).body == image.layers[-1].bytes()


def test_what_is_not_cached_fails_fast_while_upstream_is_down(registry, hub):
    hub.stop()
    answer = registry.ask("GET", "/v2/library/app/manifests/1")
    assert answer.status in (404, 502, 503, 504)
    assert answer.json["errors"][0]["message"]


def test_a_tag_is_asked_for_again_only_after_its_lifetime(registry, hub):
    image = hub.add_small_image("library/app")
    for _ in range(5):
        assert registry.ask("GET",
                            "/v2/library/app/manifests/1").status == 200
        keeps(registry, image)
    assert hub.count("manifest", "GET") == 1
    assert hub.count("manifest") <= 2


def test_an_old_tag_is_checked_by_head_and_fetched_only_if_it_moved(
        start_registry, hub):
    image = hub.add_small_image("library/app")
    registry = start_registry({"docker.io": hub.url},
                              options={"docker.io": {"tag_lifetime": "1s"}})

    def pull():
        return registry.ask("GET", "/v2/library/app/manifests/1").body

    assert pull() == image.manifest.body
    hub.forget()
    wait_until(lambda: pull() and hub.count("manifest", "HEAD"),
               "the tag to be checked")
    assert hub.count("manifest", "GET") == 0

    moved = hub.add_small_image("library/app", size=7)
    wait_until(lambda: pull() == moved.manifest.body, "the tag to move")
    assert hub.count("manifest", "GET") == 1


# -------------------------------------------------------------- credentials

@pytest.fixture
def with_password(start_registry, hub, credentials):
    """A registry that has credentials for docker.io."""
    return start_registry({"docker.io": hub.url}, options={
        "docker.io": {"credentials": credentials}})


def test_credentials_go_to_the_token_realm_of_their_own_host(with_password,
                                                             hub):
    hub.add_small_image("library/app")
    hub.challenge = Challenge(f"{hub.url}/token")
    answer = with_password.ask("GET", "/v2/library/app/manifests/1")

    assert answer.status == 200
    token, = hub.seen("token")
    assert token.headers["Authorization"].startswith("Basic ")
    assert "scope=repository%3Alibrary%2Fapp%3Apull" in token.target \
        or "scope=repository:library/app:pull" in token.target


def test_a_clients_own_credentials_stay_here(registry, hub):
    hub.add_small_image("library/app")
    registry.ask("GET", "/v2/library/app/manifests/1",
                 Authorization="Bearer mine", Cookie="mine")
    for seen in hub.requests:
        assert "mine" not in seen.headers.values()
        assert "Bearer mine" not in seen.headers.values()
