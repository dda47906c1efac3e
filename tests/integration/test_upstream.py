"""How one upstream is talked to: loops, reasons, budgets, credentials."""

import time
from types import SimpleNamespace

import pytest

from lab.certificates import Authority, make_certificate
from lab.content import digest_of
from lab.fakehub import Challenge, Fault
from lab.integrity import keeps
from lab.pusher import push_blob
from lab.registry import Registry
from lab.socks import Socks
from lab.waiting import wait_until

ANYWHERE = "http://127.0.0.1:1"


def leading_to(scene):
    """A registry whose upstream is still to be written, see `lead`."""
    return Registry(scene, {"ghcr.io": ANYWHERE})


def lead(registry, to):
    text = registry.configuration.read_text()
    registry.configuration.write_text(text.replace(ANYWHERE, to.url))
    return registry.start()


# -------------------------------------------------------------------- loops

def assert_loops(registry, target):
    answer = registry.ask("GET", target)
    assert answer.status == 508, answer
    assert "leads back" in answer.body.decode()


def test_an_upstream_that_is_this_registry_is_a_loop(scene):
    registry = leading_to(scene)
    lead(registry, registry)
    assert_loops(registry, "/v2/ghcr.io/team/app/manifests/1")
    assert_loops(registry, "/v2/team/app/manifests/1")
    registry.stop()
    refused = [line for line in registry.log_lines("request")
               if line.get("kind") == "loop"]
    assert len(refused) >= 4    # each, as asked and as it came back


def test_a_ring_of_registries_is_a_loop(scene):
    one, two = leading_to(scene), leading_to(scene)
    lead(one, two)
    lead(two, one)
    for registry in one, two:
        assert_loops(registry, "/v2/team/app/manifests/1")


def test_what_is_here_is_served_to_whoever_leads_back(scene, upstream,
                                                      start_registry):
    registry = start_registry({"ghcr.io": upstream.url})
    image = upstream.add_small_image("team/app")
    target = "/v2/ghcr.io/team/app/manifests/1"
    assert registry.ask("GET", target).status == 200
    keeps(registry, image)      # what it names comes as well
    own = upstream.requests[0].headers["Via"]
    assert own.startswith("1.1 private-registry-")
    before = upstream.count()

    answer = registry.ask("GET", target, Via=f"1.1 other, {own}")
    assert answer.status == 200 and answer.body == image.manifest.body
    other = registry.ask("GET", target.replace("/1", "/2"), Via=own)
    assert other.status == 508
    assert upstream.count() == before


def test_the_way_of_a_question_is_passed_on(scene, upstream, start_registry):
    near = start_registry({"ghcr.io": upstream.url})
    far = start_registry({"ghcr.io": near.url})
    upstream.add_small_image("team/app")
    answer = far.ask("GET", "/v2/team/app/manifests/1", Via="1.1 proxy")
    assert answer.status == 200
    first, second, third = upstream.requests[0].headers["Via"].split(", ")
    assert first == "1.1 proxy"
    assert second != third
    for name in second, third:
        assert name.startswith("1.1 private-registry-")


def test_a_registry_has_the_same_name_after_a_restart(upstream,
                                                      start_registry):
    registry = start_registry({"ghcr.io": upstream.url})
    for tag in "1", "2":
        upstream.add_small_image("team/app", tag)
        registry.ask("GET", f"/v2/team/app/manifests/{tag}")
        registry.restart()
    assert len({seen.headers["Via"] for seen in upstream.requests}) == 1


def test_a_way_without_an_end_is_a_loop(upstream, start_registry):
    registry = start_registry({"ghcr.io": upstream.url})
    way = ", ".join(f"1.1 proxy-{i}" for i in range(100))
    answer = registry.ask("GET", "/v2/team/app/manifests/1", Via=way)
    assert answer.status == 508
    assert upstream.count() == 0


# ------------------------------------------------------------------- budget

def metric(registry, name):
    return registry.metrics()[
        f'private_registry_upstream_{name}{{upstream="ghcr.io"}}']


def test_the_budget_is_read_and_shown(upstream, start_registry):
    registry = start_registry({"ghcr.io": upstream.url})
    upstream.add_small_image("team/app")
    upstream.manifest_headers = {"ratelimit-limit": "100;w=21600",
                                 "ratelimit-remaining": "76;w=21600"}
    assert metric(registry, "budget") == 0
    assert registry.ask("HEAD", "/v2/team/app/manifests/1").status == 200
    assert metric(registry, "budget") == 100
    assert metric(registry, "budget_remaining") == 76
    assert metric(registry, "paused_until_seconds") == 0
    assert metric(registry, "requests_total") == 2


def test_after_a_429_only_blobs_are_asked_for(upstream, start_registry):
    registry = start_registry({"ghcr.io": upstream.url}, options={
        "ghcr.io": {"tag_lifetime": "0s"}})
    image = upstream.add_small_image("team/app")
    tag = "/v2/team/app/manifests/1"
    assert registry.ask("GET", tag).status == 200
    upstream.refuse_manifests(429)
    upstream.manifest_headers = {"Retry-After": "300"}
    for _ in range(3):
        answer = registry.ask("GET", tag)
        assert answer.status == 200
        assert "429" in answer["Warning"]
        missed = registry.ask("GET", tag.replace("/1", "/2"))
        assert missed.status == 503
        assert 200 < int(missed["Retry-After"]) <= 300
    assert upstream.count("manifest") == 3      # the first 429 was enough
    assert time.time() < metric(registry, "paused_until_seconds") < \
        time.time() + 301
    for layer in image.layers:
        answer = registry.ask("GET", f"/v2/team/app/blobs/{layer.digest}")
        assert answer.status == 200


def test_a_reload_forgets_no_pause(upstream, start_registry):
    registry = start_registry({"ghcr.io": upstream.url})
    upstream.refuse_manifests(429)
    upstream.manifest_headers = {"Retry-After": "300"}
    assert registry.ask("GET", "/v2/team/app/manifests/1").status == 503
    registry.signal()
    wait_until(lambda: registry.log_lines("reload"), "the reload")
    missed = registry.ask("GET", "/v2/team/app/manifests/1")
    assert missed.status == 503 and int(missed["Retry-After"]) > 200
    assert upstream.count() == 1


def test_a_password_that_cannot_be_read_is_told_once(scene, upstream,
                                                     start_registry):
    secret = scene.directory("secret") / "password"
    secret.write_text("hunter2")
    registry = start_registry({"ghcr.io": upstream.url}, options={
        "ghcr.io": {"credentials": [
            {"username": "me", "password_file": secret}]}})
    upstream.challenge = Challenge(f"{upstream.url}/token")
    for name in "one", "two", "three":
        upstream.add_small_image(f"team/{name}")

    def tokens_asked_for(name):
        upstream.forget()
        target = f"/v2/team/{name}/manifests/1"     # nothing comes ahead
        assert registry.ask("HEAD", target).status == 200
        return [each.headers.get("Authorization") for each in
                upstream.seen("token")]

    secret.unlink()
    for name in "one", "two":
        assert tokens_asked_for(name) == [None]     # as nobody
    secret.write_text("hunter2")
    assert tokens_asked_for("three") == ["Basic bWU6aHVudGVyMg=="]
    registry.stop()
    [told] = registry.log_lines("credentials")
    assert told["level"] == "warn" and "the password of me" in told["message"]
    assert "hunter2" not in registry.log()


# ------------------------------------------------------- ways and identities

@pytest.fixture
def door(scene):
    """A registry behind TLS that tells from certificates who asks."""
    authority = Authority(scene, scene.directory("authority"))
    pair = make_certificate(scene, scene.directory("certificate"), 1)
    registry = Registry(scene, tls=(*pair, {
        "client_ca": authority.path, "client": "optional"})).start()
    identity = authority.client("/O=lab/CN=mirror")
    return SimpleNamespace(
        registry=registry, url=f"https://{registry.secure.host}",
        ours={"ca": pair[0], "client_certificate": identity,
              "client_key": identity})


def subjects(door):
    door.registry.stop()
    return [line.get("subject") for line in door.registry.log_lines("request")
            if line["agent"].startswith("private-registry/")]


def test_a_client_certificate_is_shown(door, start_registry):
    data = b"a blob"
    with door.registry.connect() as wire:
        push_blob(wire, "team/app", digest_of(data), data)
    near = start_registry({"far.example": door.url},
                          options={"far.example": door.ours})
    answer = near.ask("GET", "/v2/far.example/team/app/manifests/1")
    assert answer.status == 404
    answer = near.ask("GET",
                      f"/v2/far.example/team/app/blobs/{digest_of(data)}")
    assert answer.status == 200 and answer.body == data
    assert set(subjects(door)) == {"CN=mirror,O=lab"}


def test_it_is_not_shown_along_a_redirect(door, upstream, start_registry):
    image = upstream.add_small_image("team/app")
    layer = image.layers[1]
    with door.registry.connect() as wire:
        push_blob(wire, "team/app", layer.digest, layer.bytes())
    near = start_registry({"ghcr.io": upstream.url},
                          options={"ghcr.io": door.ours})
    upstream.always = Fault(redirect=door)
    answer = near.ask("GET", f"/v2/team/app/blobs/{layer.digest}")
    assert answer.status == 200 and answer.body == layer.bytes()
    assert set(subjects(door)) == {None}


def test_a_proxy_is_the_way(upstream, start_registry):
    upstream.add_small_image("team/app")
    host = upstream.url.removeprefix("http://")
    registry = start_registry({"far.example": "http://far.invalid"}, options={
        "far.example": {"proxy": f"http://me:hunter2@{host}"}})
    answer = registry.ask("GET", "/v2/team/app/manifests/1")
    assert answer.status == 200
    assert all(seen.target.startswith("http://far.invalid/v2/")
               for seen in upstream.requests)
    registry.stop()
    assert "hunter2" not in registry.log()


def test_a_socks_proxy_is_the_way(scene, upstream, start_registry):
    upstream.add_small_image("team/app")
    socks = Socks(scene, {"far.invalid": upstream.address})
    near = "%s:%d" % upstream.address
    registry = start_registry({
        "far.example": "http://far.invalid:81",     # the proxy looks it up
        "near.example": f"http://{near}"}, options={
            "far.example": {"proxy": f"socks5h://me:hunter2@{socks.host}"},
            "near.example": {"proxy": f"socks5://{socks.host}"}})
    for name in "far.example", "near.example":
        socks.refuses = True
        target = f"/v2/{name}/team/app/manifests/1"
        assert registry.ask("GET", target).status == 503
        socks.refuses = False
        assert registry.ask("GET", target).status == 200
    assert set(socks.asked) == {("me", "hunter2", "far.invalid", 81),
                                (None, None, *upstream.address)}
    registry.stop()
    assert "hunter2" not in registry.log()


# ------------------------------------------------------------------ reasons

def test_each_request_is_logged_with_its_reason(scene, upstream,
                                                start_registry):
    registry = start_registry({"ghcr.io": upstream.url}, options={
        "ghcr.io": {"tag_lifetime": "0s"}})
    image = upstream.add_small_image("team/app", size=200_000)
    layer = image.layers[1].digest
    upstream.once(cut_at=100_000)
    for method, target in [("HEAD", "manifests/1"), ("HEAD", "manifests/1"),
                           ("GET", f"blobs/{layer}")]:
        assert registry.ask(method, f"/v2/team/app/{target}").status == 200
    registry.stop()
    reasons = [(line["method"], line["path"].split("/")[4], line["reason"])
               for line in registry.log_lines("upstream")]
    assert reasons == [
        ("HEAD", "manifests", "miss"), ("GET", "manifests", "miss"),
        ("HEAD", "manifests", "tag expired"),
        ("GET", "blobs", "miss"), ("GET", "blobs", "resume")]
