"""status and explain: what the registry is at, and what it would do."""

import subprocess

import pytest

from lab.content import content
from lab.registry import BINARY
from lab.waiting import wait_until
from lab.wire import request
from test_mirror_lists import push

MIB = 1 << 20


@pytest.fixture
def registry(start_registry, upstream):
    return start_registry({"docker.io": upstream.url,
                           "dead.example": "http://127.0.0.1:1"})


@pytest.fixture
def tell(lab, registry):
    """tell(verb, words…): its lines; with fails=True its one sentence."""
    def tell(verb, *words, fails=False):
        done = subprocess.run(
            [str(BINARY), verb, *words, "--config",
             str(registry.configuration)], text=True, timeout=60,
            env=lab.environment, capture_output=True)
        assert bool(done.returncode) == fails, done
        return done.stderr if fails else done.stdout.splitlines()
    return tell


def line(lines, begin):
    [found] = [each for each in lines if each.startswith(begin)]
    return found


# ------------------------------------------------------------------ status

def test_status_tells_what_is_cached_and_who_answers(registry, upstream, tell):
    lines = tell("status")
    assert ", up " in lines[0] and str(registry.data) in lines[0]
    assert line(lines, "cache:") == "cache: 0 B of 107.4 GB"
    assert line(lines, "coming from upstreams:").endswith(": 0")
    for name in "docker.io", "dead.example":
        assert line(lines, f"upstream {name}:").endswith("not asked so far")

    image = upstream.add_image("library/app", "1", content("a", MIB))
    registry.ask("GET", "/v2/app/manifests/1")
    registry.ask("GET", f"/v2/app/blobs/{image.layers[1].digest}")
    assert registry.ask(
        "GET", "/v2/dead.example/app/manifests/1").status == 503
    wait_until(lambda: line(tell("status"), "cache:") ==
               "cache: 1.0 MB of 107.4 GB", "the layer to be kept")
    lines = tell("status")
    assert "answered " in line(lines, "upstream docker.io:")
    assert "failed" not in line(lines, "upstream docker.io:")
    failed = line(lines, "upstream dead.example:")
    assert ": failed " in failed and "127.0.0.1" in failed


def test_status_tells_what_is_on_its_way(registry, upstream, tell):
    image = upstream.add_image("library/app", "1", content("a", 3 * MIB))
    digest = image.layers[1].digest
    upstream.always.stall_at = 2 * MIB
    registry.ask("GET", "/v2/app/manifests/1")
    with registry.connect() as wire:
        wire.send(request("GET", f"/v2/app/blobs/{digest}", None,
                          registry.address))
        wait_until(lambda: any(
            each.startswith(f"  blob docker.io/library/app {digest}: ") and
            each.endswith(" of 3.1 MB") for each in tell("status")),
            "the transfer")
        upstream.release()


def test_status_tells_what_an_upstream_still_allows(registry, upstream, tell):
    upstream.add_small_image("library/app")
    upstream.manifest_headers = {"ratelimit-limit": "100;w=21600",
                                 "ratelimit-remaining": "76;w=21600"}
    registry.ask("GET", "/v2/app/manifests/1")
    for lines in tell("status"), tell("explain", "app:1"):
        assert "; 76 of 100 requests left in 6 h" in \
            line(lines, "upstream docker.io:")


def counters(registry, name):
    """Those of an upstream, without what is common to their names."""
    begin, end = "private_registry_", f'{{upstream="{name}"}}'
    return {key.removeprefix(begin).removesuffix(end): value
            for key, value in registry.metrics().items() if end in key}


def test_each_upstream_has_its_counters(registry, upstream, tell):
    image = upstream.add_image("library/app", "1", content("a", MIB))
    layer = f"/v2/app/blobs/{image.layers[1].digest}"
    registry.ask("GET", "/v2/app/manifests/1")
    registry.ask("GET", layer)
    wait_until(lambda: registry.metrics()["private_registry_cache_bytes"] ==
               sum(layer.size for layer in image.layers), "the image")
    before = counters(registry, "docker.io")
    for _ in range(3):
        registry.ask("GET", "/v2/app/manifests/1")
        registry.ask("GET", layer)
    wait_until(lambda: counters(registry, "docker.io")["mirror_sent_bytes_total"]
               >= 4 * MIB, "what was sent to be counted")
    after = counters(registry, "docker.io")

    def more(name):
        return after[name] - before[name]

    assert more("mirror_hits_total") == 6
    assert more("mirror_misses_total") == 0
    assert before["mirror_misses_total"] >= 1
    assert more("upstream_bytes_total") == 0
    assert after["mirror_saved_bytes"] == \
        after["mirror_sent_bytes_total"] - after["upstream_bytes_total"]
    assert after["mirror_saved_bytes"] > 2.9 * MIB
    assert set(counters(registry, "dead.example").values()) == {0}
    assert "4.2 MB sent to clients, 1.0 MB fetched" in \
        line(tell("status"), "upstream docker.io:")


def test_status_says_when_nobody_serves(registry, tell):
    registry.stop()
    assert "no registry serves" in tell("status", fails=True)
    assert "no registry serves" in tell("explain", "app:1", fails=True)


# ----------------------------------------------------------------- explain

def test_explain_follows_an_image_of_an_upstream(registry, upstream, tell):
    image = upstream.add_image("library/app", "1", content("a", MIB))
    lines = tell("explain", "app:1")
    assert lines[0].startswith("app means docker.io/library/app: a bare name")
    assert line(lines, "manifest:") == \
        "manifest: not here, docker.io is asked"
    assert "not asked so far" in line(lines, "upstream docker.io:")

    registry.ask("GET", "/v2/app/manifests/1")
    registry.ask("GET", f"/v2/app/blobs/{image.layers[1].digest}")
    wait_until(lambda: registry.metrics()[
        "private_registry_cache_bytes"] >= MIB, "the layer")
    upstream.forget()
    lines = tell("explain", "docker.io/library/app:1")
    assert lines[0] == "docker.io/library/app means docker.io/library/app: " \
        "it names its upstream"
    assert line(lines, "manifest:").startswith(
        f"manifest: {image.manifest.digest}, answered from the cache: ")
    assert line(lines, "manifest:").endswith("believed for 5 min")
    assert " of 2 here, " in line(lines, "blobs:")
    assert line(tell("explain", f"app@{image.manifest.digest}"),
                "manifest:").endswith("here for good")
    assert upstream.count("manifest") == 0


def test_explain_says_what_is_past_its_lifetime(start_registry, upstream, lab):
    upstream.add_small_image("library/app")
    registry = start_registry({"docker.io": upstream.url}, options={
        "docker.io": {"tag_lifetime": "0s"}})
    registry.ask("GET", "/v2/app/manifests/1")
    upstream.forget()
    told = subprocess.run(
        [str(BINARY), "explain", "app:1", "--data", str(registry.data)],
        text=True, env=lab.environment, capture_output=True, check=True)
    assert "docker.io is asked by one HEAD" in told.stdout
    assert upstream.count("manifest") == 0


def test_explain_says_what_is_withheld(registry, upstream, tell):
    image = upstream.add_small_image("library/app")
    other = upstream.add_small_image("library/other")
    for name in "app", "other":
        registry.ask("HEAD", f"/v2/{name}/manifests/1")
    for layer in other.layers:
        registry.ask("GET", f"/v2/other/blobs/{layer.digest}")
    wait_until(lambda: "blobs: 2 of 2 here, " in "".join(
        tell("explain", "other:1")), "the image")
    upstream.stop()

    withheld = "so, while docker.io cannot be reached, a pull is answered 404"
    by_digest = f"app@{image.manifest.digest}"
    for name in "app:1", by_digest:
        assert line(tell("explain", name), withheld)
    assert withheld not in "".join(tell("explain", "other:1"))
    wait_until(lambda: registry.ask(
        "GET", "/v2/app/manifests/1").status == 404, "it to be withheld")
    assert registry.ask("GET", "/v2/other/manifests/1").status == 200


def test_explain_knows_what_was_pushed(registry, tell):
    manifest = push(registry.address, "team/app", "1")
    lines = tell("explain", "team/app:1")
    assert lines[0] == "team/app means team/app of this registry: " \
        "it was pushed here"
    assert lines[1] == f"manifest: {manifest.digest}, here for good"
    assert lines[2] == "blobs: 1 of 1 here, 2 B of 2 B"
    assert tell("explain", "team/app:2")[1] == \
        "manifest: unknown, answered 404"


def test_explain_says_what_a_client_would_hear(tell):
    assert tell("explain", "evil.test/app", fails=True) == \
        "private-registry: evil.test is not an upstream of this registry\n"
    assert '"App" is no image' in tell("explain", "App", fails=True)
    assert "which image?" in tell("explain", fails=True)
