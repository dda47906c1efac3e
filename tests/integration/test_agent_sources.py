"""Where an agent learns of registries, what it asks of them, and whom it tells."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lab.address import Address
from lab.host import Host, events
from lab.names import Names
from lab.registry import Registry, yaml
from lab.waiting import wait_until

LONG = 60                       # seconds, under load
FAILED, CONFLICTS = 1, 3
NAME = "_registry._tcp.lan"


@pytest.fixture
def names(scene):
    return Names(scene, NAME)


@pytest.fixture
def enrolled(scene, etcd):
    """enrolled(**keys of the cluster) is a Registry that etcd knows."""
    def enrolled(upstreams=None, **keys):
        registry = Registry(scene, upstreams, host=Address(scene).text)
        with open(registry.configuration, "a") as configuration:
            configuration.write(yaml({"cluster": {
                "etcd": [etcd.url], "lease": "9s",
                "advertise": [{"url": registry.url}]} | keys}))
        registry.start()
        wait_until(lambda: any(
            door["url"] == registry.url for record
            in etcd.registries().values() for door in record["doors"]),
            "the registry in etcd", LONG)
        return registry
    return enrolled


def points_to(host, place):
    return f"DOCKER_REPO={place}/" in host.read("environment")


def pointed(host, place):
    wait_until(lambda: points_to(host, place), f"{place} to be pointed at",
               LONG)


def restored(host, before):
    wait_until(lambda: host.snapshot() == before, "the host to be as before",
               LONG)


def local(registry):
    """As DNS has it."""
    return f"localhost:{registry.address[1]}"


# ---------------------------------------------------------------------- names

def test_a_host_follows_the_names_of_dns(scene, names, start_registry):
    host = Host(scene, before=names.before())
    first, second, before = start_registry(), start_registry(), host.snapshot()
    agent = host.start("--srv", f"http://{NAME}")
    wait_until(lambda: events(agent, "registry"), "its word", LONG)
    assert events(agent, "registry")[-1]["message"] == "none: DNS names none"
    assert host.snapshot() == before

    names.targets = [(1, 1, first.address[1], "localhost"),
                     (2, 9, second.address[1], "localhost")]
    pointed(host, local(first))
    first.kill9()
    pointed(host, local(second))
    names.targets = None
    wait_until(lambda: events(agent, "dns"), "the agent to notice", LONG)
    assert points_to(host, local(second))
    second.kill9()
    restored(host, before)


def test_names_are_asked_once(scene, names, start_registry):
    host = Host(scene, before=names.before())
    names.targets = None
    status, _, why = host.call("--srv", f"http://{NAME}", "--once")
    assert status == FAILED and "nothing was changed" in why
    registry = start_registry()
    names.targets = [(1, 1, registry.address[1], "localhost")]
    assert host.call("--srv", f"http://{NAME}", "--once")[0] == 0
    assert points_to(host, local(registry))


# ----------------------------------------------------------------------- once

def test_once_takes_the_best_that_etcd_has(host, etcd, enrolled):
    before = host.snapshot()
    once = ("--etcd", etcd.url, "--once")
    status, _, why = host.call(*once)
    assert status == FAILED and "no registry is known" in why

    enrolled(weight=1)
    best = enrolled(weight=2)
    status, out, _ = host.call(*once, "--dry-run")
    assert status == 0 and "would write" in out
    assert host.snapshot() == before

    assert host.call(*once)[0] == 0
    assert points_to(host, best.host)
    assert f"registry {best.url}: answered once" in host.call("status")[1]
    assert host.call(*once)[0] == 0
    assert host.uninstall()[0] == 0
    assert host.snapshot() == before

    (host.root / "environment").write_text("DOCKER_REPO=mine/\n")
    assert host.call(*once)[0] == CONFLICTS


def test_once_changes_nothing_if_nobody_answers(host, etcd, enrolled):
    before = host.snapshot()
    registry = enrolled(lease="1h")
    registry.kill9()
    status, _, why = host.call("--etcd", etcd.url, "--once")
    assert status == FAILED
    assert registry.url in why and "nothing was changed" in why
    etcd.stop()
    status, _, why = host.call("--etcd", etcd.url, "--once")
    assert status == FAILED and f"etcd at {etcd.url}" in why
    assert host.snapshot() == before


# ----------------------------------------------------------------------- hook

@pytest.fixture
def hook(scene):
    """A command that writes down what it is told, and then fails."""
    home = scene.directory("hook")
    command = home / "hook"
    command.write_text(f'#!/bin/sh\necho "$REGISTRY|$REGISTRY_URL" '
                       f'>> {home}/calls\necho because\nexit 5\n')
    command.chmod(0o755)
    (home / "calls").touch()
    return command


def calls(hook):
    return (hook.parent / "calls").read_text().splitlines()


def test_a_command_is_run_after_each_change(host, hook, start_registry):
    registry = start_registry()
    told = f"{registry.host}|{registry.url}"
    agent = host.start("--registry", registry.url, "--agent.hook", hook)
    wait_until(lambda: calls(hook)[-1:] == [told], "the first call", LONG)
    assert points_to(host, registry.host)
    registry.kill9()
    wait_until(lambda: calls(hook)[-1:] == ["|"], "the second call", LONG)
    assert not points_to(host, registry.host)
    wait_until(lambda: len(events(agent, "hook")) >= 2, "the log", LONG)
    assert events(agent, "hook")[-1]["message"] == \
        f"because: {hook}: ended with status 5"


def test_once_runs_it_too_and_says_if_it_fails(host, hook, start_registry):
    registry = start_registry()
    status, _, why = host.once(registry.url, "--agent.hook", hook)
    assert status == FAILED and "hook: because: " in why
    assert points_to(host, registry.host)
    assert host.once(registry.url, "--agent.hook", hook)[0] == 0
    assert len(calls(hook)) == 1
    assert host.call("--uninstall", "--agent.hook", hook)[0] == FAILED
    assert calls(hook)[1] == "|"


# --------------------------------------------------------------------- canary

def test_an_image_has_to_come_before_a_host_is_pointed(
        scene, host, hub, images, start_registry):
    image = images[0]
    registry = start_registry({"docker.io": hub.url})
    before = host.snapshot()
    bad = host.start("--registry", registry.url, "--agent.canary",
                     "docker.io/no/such:1")
    wait_until(lambda: events(bad, "registry"), "its word", LONG)
    word = events(bad, "registry")[-1]["message"]
    assert "canary docker.io/no/such:1: " in word and "answers 404" in word
    assert host.snapshot() == before
    assert bad.stop() == 0
    status, _, why = host.once(registry.url, "--agent.canary",
                               "docker.io/no/such:1")
    assert status == FAILED and "canary docker.io/no/such:1: " in why
    assert host.snapshot() == before

    host.start("--registry", registry.url, "--agent.canary",
               f"docker.io/{image.repository}:{image.tag}")
    pointed(host, registry.host)
    asked = f"/v2/docker.io/{image.repository}/"
    wait_until(lambda: [seen for seen in registry.log_lines("request")
                        if asked + "blobs/" in seen.get("path", "")],
               "the blob in the log", LONG)


class Lossy(BaseHTTPRequestHandler):
    """A registry of one image, as long as that is not `gone`; `lost` probes
    are not answered as they should be."""
    gone, lost, answered = False, 0, 0
    CONFIG = b"{}"
    MANIFEST = json.dumps({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                   "digest": "sha256:" + hashlib.sha256(CONFIG).hexdigest(),
                   "size": len(CONFIG)},
        "layers": []}).encode()

    def do_GET(self):
        state = type(self)
        if self.path != "/v2/":
            body = (self.MANIFEST if "/manifests/" in self.path
                    else self.CONFIG)
            return self.answer(404 if state.gone else 200, body)
        if state.lost:
            state.lost -= 1
            return self.answer(503, b"")
        state.answered += 1
        return self.answer(200, b"{}")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_a_lost_probe_does_not_ask_for_the_image_again(host):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Lossy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        place = f"127.0.0.1:{server.server_port}"
        agent = host.start("--registry", f"http://{place}", "--agent.canary",
                           "docker.io/lab/canary:1")
        pointed(host, place)
        Lossy.gone, Lossy.lost = True, 1
        wait_until(lambda: Lossy.lost == 0, "a lost probe", LONG)
        answered = Lossy.answered
        wait_until(lambda: Lossy.answered >= answered + 6, "probes", LONG)
        assert points_to(host, place)
        assert agent.stop() == 0
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
