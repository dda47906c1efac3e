"""Each agent tells etcd of its host, and `private-registry hosts` tells people."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from lab.address import Address
from lab.etcd import PREFIX
from lab.host import Host, events
from lab.registry import BINARY, Registry
from lab.waiting import wait_until

LONG = 60                       # seconds; a quarter of a lease, under load


@pytest.fixture
def registry(scene, etcd):
    registry = Registry(scene, host=Address(scene).text)
    registry.configuration.write_text(
        registry.configuration.read_text() +
        f'cluster: {{etcd: ["{etcd.url}"], lease: 2s, '
        f'advertise: [{{url: "{registry.url}"}}]}}\n')
    return registry


def follow(host, etcd, name, *more):
    return host.start("--etcd", etcd.url, "--cluster.lease", "2s",
                      "--agent.name", name, *more)


def hosts(etcd):
    """(exit status, what it tells)"""
    done = subprocess.run([BINARY, "hosts", "--etcd", etcd.url], text=True,
                          timeout=60, capture_output=True)
    return done.returncode, done.stdout + done.stderr


def told(etcd, name):
    """The record of a host; None."""
    value = etcd.pairs(PREFIX + "hosts/").get(f"{PREFIX}hosts/{name}")
    return value and json.loads(value)


def registry_of(etcd, name):
    """Its URL; "": none; None: nothing is known of that host."""
    record = told(etcd, name)
    return record and record.get("registry", "")


def engines(etcd, name):
    """{engine: state}"""
    return {each["name"]: each["state"] for each
            in (told(etcd, name) or {"engines": []})["engines"]}


def say(host, program, version):
    """A program of the host's that tells this version of itself."""
    (host.root / "bin").mkdir(exist_ok=True)
    shutil.copy("/bin/busybox", host.root / "bin/busybox")
    path = host.root / program
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/busybox sh\necho podman version {version}\n")
    path.chmod(0o755)


def test_hosts_are_told_with_engines_and_registry(etcd, host, registry):
    say(host, "usr/bin/podman", "4.3.1")
    agent = follow(host, etcd, "web-1")
    wait_until(lambda: told(etcd, "web-1"), "the host in etcd", LONG)
    registry.start()
    wait_until(lambda: registry_of(etcd, "web-1") == registry.url,
               "the registry in the record", LONG)
    wait_until(lambda: engines(etcd, "web-1") == {
        "environment": "pointed", "podman": "pointed",
        "containerd": "pointed"}, "its engines", LONG)

    status, text = hosts(etcd)
    assert status == 0
    assert text.startswith("hosts: 1, 0 with something to look at\n"
                           f"web-1: {registry.url} since 2")
    assert ", answers; agent " in text
    wait_until(lambda: "podman 4.3.1: pointed" in hosts(etcd)[1],
               "its version", LONG)

    registry.stop()
    wait_until(lambda: registry_of(etcd, "web-1") == "",
               "no registry in the record", LONG)
    wait_until(lambda: set(engines(etcd, "web-1").values()) == {"idle"},
               "its engines", LONG)
    assert "web-1: no registry since 2" in hosts(etcd)[1]
    assert agent.stop() == 0
    assert told(etcd, "web-1") is None


def test_what_the_operator_wants_otherwise_is_told(etcd, host, registry):
    (host.root / "environment").write_text("DOCKER_REPO=mine/\n")
    registry.start()
    follow(host, etcd, "web-1")
    wait_until(lambda: engines(etcd, "web-1").get("environment") == "conflict",
               "the conflict in the record", LONG)
    _, text = hosts(etcd)
    assert text.startswith("hosts: 1, 1 with something to look at\n")
    assert "\n  ! environment: conflict /etc/environment" in text


def test_an_agent_that_dies_is_gone_with_its_lease(etcd, host):
    agent = follow(host, etcd, "web-1")
    wait_until(lambda: told(etcd, "web-1"), "the host in etcd", LONG)
    agent.kill9()
    wait_until(lambda: told(etcd, "web-1") is None, "the lease to end", LONG)


def test_two_hosts_of_one_name_are_noticed(scene, etcd, host):
    first = follow(host, etcd, "web-1")
    wait_until(lambda: told(etcd, "web-1"), "the host in etcd", LONG)
    follow(Host(scene), etcd, "web-1")
    wait_until(lambda: any("another process" in line.get("message", "")
                           for line in events(first, "cluster")),
               "the first one to notice", LONG)


def test_what_no_agent_says_is_never_shown(etcd, host):
    begin = PREFIX + "hosts/"
    follow(host, etcd, "web-1")
    right = wait_until(lambda: told(etcd, "web-1"), "the host in etcd", LONG)
    etcd.put(begin + "\x1b[2J", "no record")
    etcd.put(begin + "web-2", json.dumps(right))
    etcd.put(begin + "web-3", json.dumps(
        dict(right, name="web-3", why="\x1b[2J")))
    etcd.put(begin + "web-4", json.dumps(dict(right, name="web-4")) + " " * 20000)
    status, text = hosts(etcd)
    assert status == 0
    assert "\x1b" not in text
    assert text.startswith("hosts: 1, ")
    assert "?[2J: refused, it is no JSON of the right size\n" in text
    assert "web-2: refused, its name is not that of its key\n" in text
    assert "web-3: refused, its why is no short line\n" in text
    assert "web-4: refused, it is no JSON of the right size\n" in text


def test_without_etcd_it_says_why(etcd):
    etcd.stop()
    status, text = hosts(etcd)
    assert status == 1 and f"etcd at {etcd.url}: " in text
    done = subprocess.run([BINARY, "hosts"], text=True, timeout=60,
                          capture_output=True)
    assert done.returncode == 2 and "write --etcd" in done.stderr


# ---------------------------------------------------------------------- light

def test_without_engines_it_follows_and_changes_nothing(scene, etcd, registry):
    crowd = [Host(scene) for _ in range(10)]
    before = [host.snapshot() for host in crowd]
    for number, host in enumerate(crowd):
        follow(host, etcd, f"light-{number}", "--no-engines")
    registry.start()

    def at(url):
        return all(registry_of(etcd, f"light-{number}") == url
                   for number in range(len(crowd)))
    wait_until(lambda: at(registry.url), "all to follow", LONG)
    registry.stop()
    wait_until(lambda: at(""), "all to leave", LONG)
    assert [host.snapshot() for host in crowd] == before
    assert not any((host.root / "var").exists() for host in crowd)


@pytest.mark.heavy
def test_an_idle_agent_costs_next_to_nothing(etcd, host, registry):
    registry.start()
    agent = follow(host, etcd, "web-1")
    wait_until(lambda: registry_of(etcd, "web-1"), "the host", LONG)

    def probes():
        return sum(line.get("path") == "/v2/"
                   for line in registry.log_lines("request"))
    asked, used, began = probes(), processor(agent.pid), time.monotonic()
    wait_until(lambda: probes() >= asked + 6, "six more probes", LONG)
    share = (processor(agent.pid) - used) / (time.monotonic() - began)
    memory = anonymous(agent.pid)
    print(f"\nidle: {share:.2%} of a core, {memory / 2**20:.1f} MiB anonymous")
    assert share < 0.01
    assert memory < 6 * 10**6


def processor(pid):
    """Seconds that it has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def anonymous(pid):
    """Bytes that are resident and backed by no file."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) * 1024
