"""Hosts find registries by etcd, and follow them."""

import json
import shutil
import signal
import time
from contextlib import contextmanager

import pytest

from lab.address import Address
from lab.cut import Cut
from lab.disk_shim import DiskShim
from lab.etcd import PREFIX, Etcd
from lab.host import HOSTS, Host, events
from lab.registry import Registry, yaml
from lab.waiting import wait_until

LONG = 60                       # seconds; an election and a lease, under load
AGAIN = 3 * LONG                # likewise; ten answers of one that failed
YEAR = 365 * 24 * 3600
LOAD = 10                       # so much slower a busy machine may be


@pytest.fixture
def make(scene, etcd):
    """make(**keys of the cluster) is a Registry, to be started."""
    def make(**keys):
        registry = Registry(scene, host=Address(scene).text)
        with open(registry.configuration, "a") as configuration:
            configuration.write(yaml({"cluster": {
                "etcd": [etcd.url], "lease": "9s",
                "advertise": [{"url": registry.url}]} | keys}))
        return registry
    return make


def follow(host, etcd, *more):
    return host.start("--etcd", etcd.url, *more)


def pointed(host, registry, seconds=LONG):
    wait_until(lambda: f"DOCKER_REPO={registry.host}/" in
               host.read("environment") and
               f'[host."{registry.url}"]' in host.read(HOSTS),
               f"the host to be pointed at {registry.url}", seconds)


def written(host):
    """What the agent has made of the host, once it is done."""
    wait_until(lambda: "wrote" in host.call("status")[1], "the status", LONG)
    return host.snapshot()


def restored(host, before):
    wait_until(lambda: host.snapshot() == before, "the host to be as before",
               LONG)


def test_a_host_follows_registries_that_come_move_and_go(host, etcd, make):
    first, second, before = make(), make(), host.snapshot()
    agent = follow(host, etcd)
    first.start()
    pointed(host, first)
    second.start()
    first.stop()
    pointed(host, second)
    second.stop()
    restored(host, before)
    first.start()
    pointed(host, first)
    assert host.uninstall()[0] == 0
    assert agent.wait() == 0
    assert host.snapshot() == before


def test_hosts_follow_within_seconds(scene, etcd, make):
    """Each figure is printed (-s); a machine that is not busy keeps it."""
    hosts = [Host(scene) for _ in range(3)]
    before = [host.snapshot() for host in hosts]
    agents = [follow(host, etcd, "--agent.name", f"host-{number}")
              for number, host in enumerate(hosts)]
    wait_until(lambda: all(events(agent, "registry") for agent in agents),
               "every agent to know of none", LONG)
    first, second = make(), make()

    first.start()
    with within(3, "from a registry that is ready to the last host"):
        for host in hosts:
            pointed(host, first)
    second.start()
    wait_until(lambda: len(etcd.registries()) == 2, "both in etcd", LONG)
    first.kill9()
    with within(5, "from a registry's death to the last host at another one"):
        for host in hosts:
            pointed(host, second)
    second.kill9()
    wait_until(lambda: etcd.registries() == {}, "the leases to end", LONG)
    with within(5, "from the end of the last lease to the last host restored"):
        for host, was in zip(hosts, before):
            restored(host, was)


@contextmanager
def within(seconds, what):
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    print(f"\n{what}: {took:.1f} s, wanted {seconds}")
    assert took < seconds * LOAD, what


def test_a_dead_registry_is_left_when_its_lease_has_ended(host, etcd, make):
    registry, before = make().start(), host.snapshot()
    follow(host, etcd)
    pointed(host, registry)
    registry.kill9()
    restored(host, before)
    assert etcd.registries() == {}


def test_one_that_does_not_answer_is_left_for_one_that_does(host, etcd, make):
    near, far = make(zone="here").start(), make(weight=900).start()
    wait_until(lambda: len(etcd.registries()) == 2, "both in etcd", LONG)
    follow(host, etcd, "--cluster.zone", "here")
    pointed(host, near)
    near.kill9()
    pointed(host, far)
    assert far.running()
    near.start()
    pointed(host, near, AGAIN)


def test_a_key_without_a_lease_keeps_no_host(scene, host, etcd):
    registry = Registry(scene, host=Address(scene).text).start()
    before = host.snapshot()
    key, record = by_hand(registry)
    etcd.put(key, json.dumps(record))
    follow(host, etcd)
    pointed(host, registry)
    registry.kill9()
    restored(host, before)
    assert list(etcd.registries()) == [record["id"]]
    registry.start()
    pointed(host, registry)


def by_hand(registry):
    """A key and a record that stay as long as a test wants."""
    id = registry.ask("GET", "/v2/")["Private-Registry-Instance"]
    return f"{PREFIX}registries/{id}", {
        "format": 1, "id": id, "version": "1", "health": "ready", "weight": 1,
        "doors": [{"url": registry.url}], "upstreams": ["docker.io"]}


def test_one_that_says_it_is_leaving_is_left_while_it_answers(scene, host,
                                                              etcd):
    registry = Registry(scene, host=Address(scene).text).start()
    before = host.snapshot()
    key, record = by_hand(registry)
    etcd.put(key, json.dumps(record))
    follow(host, etcd)
    pointed(host, registry)
    etcd.put(key, json.dumps(dict(record, health="leaving")))
    restored(host, before)
    assert registry.ready()
    etcd.put(key, json.dumps(record))
    pointed(host, registry)


def test_etcd_out_of_reach_changes_nothing(host, etcd, make):
    registry, before = make().start(), host.snapshot()
    agent = follow(host, etcd)
    pointed(host, registry)
    applied = written(host)
    etcd.kill9()
    wait_until(lambda: events(agent, "etcd"), "the agent to notice", LONG)
    assert agent.stop() == 0
    assert host.snapshot() == applied

    registry.kill9()
    again = follow(host, etcd)
    wait_until(lambda: events(again, "etcd"), "the agent to notice", LONG)
    assert host.snapshot() == applied

    etcd.forget()
    etcd.start()
    restored(host, before)


def test_a_start_with_an_empty_etcd_asks_the_registry_first(scene, host, etcd,
                                                            make):
    registry, before = make().start(), host.snapshot()
    agent = follow(host, etcd)
    pointed(host, registry)
    wait_until(lambda: "wrote" in host.call("status")[1], "the status", LONG)
    assert agent.stop() == 0
    applied = host.snapshot()

    empty = Etcd(scene)
    again = follow(host, empty)
    wait_until(lambda: any("answers" in line["message"] for line
                           in events(again, "registry")), "a choice", LONG)
    assert host.snapshot() == applied
    registry.kill9()
    restored(host, before)
    assert again.stop() == 0

    registry.start()
    last = follow(host, empty)
    wait_until(lambda: events(last, "registry"), "a choice", LONG)
    assert "none" in events(last, "registry")[-1]["message"]
    assert host.snapshot() == before


def test_who_is_cut_off_from_one_registry_goes_to_another(scene, host, etcd,
                                                          make):
    near, far = make(zone="here").start(), make().start()
    wait_until(lambda: len(etcd.registries()) == 2, "both in etcd", LONG)
    follow(host, etcd, "--cluster.zone", "here")
    pointed(host, near)
    cut = Cut(scene, near.url)
    pointed(host, far)
    assert len(etcd.registries()) == 2
    cut.mend()
    pointed(host, near, AGAIN)


def test_who_is_cut_off_from_etcd_stays_as_he_is(scene, host, etcd, make):
    registry, before = make().start(), host.snapshot()
    agent = follow(host, etcd)
    pointed(host, registry)
    applied = written(host)
    cut = Cut(scene, etcd.url)
    registry.kill9()
    wait_until(lambda: events(agent, "etcd"), "the agent to notice", LONG)
    assert host.snapshot() == applied
    cut.mend()
    restored(host, before)


def test_who_took_the_address_of_the_last_registry_is_not_it(
        scene, host, etcd, make):
    registry, before = make().start(), host.snapshot()
    agent = follow(host, etcd)
    pointed(host, registry)
    wait_until(lambda: "wrote" in host.call("status")[1], "the status", LONG)
    assert agent.stop() == 0
    assert registry.stop() == 0
    shutil.rmtree(registry.data)
    registry.start()
    follow(host, Etcd(scene))
    restored(host, before)
    assert registry.ready()


def test_a_registry_that_falls_silent_is_left_after_its_lease(host, etcd, make):
    registry, before = make().start(), host.snapshot()
    follow(host, etcd)
    pointed(host, registry)
    registry.signal(signal.SIGSTOP)
    try:
        restored(host, before)
        assert etcd.registries() == {}
    finally:
        registry.signal(signal.SIGCONT)
    pointed(host, registry)


def test_a_frozen_etcd_changes_nothing(host, etcd, make):
    registry, before = make().start(), host.snapshot()
    agent = follow(host, etcd)
    pointed(host, registry)
    applied = written(host)
    etcd.freeze()
    registry.kill9()
    wait_until(lambda: events(agent, "etcd"), "the agent to notice", LONG)
    assert host.snapshot() == applied
    etcd.thaw()
    restored(host, before)


def test_a_compacted_a_wiped_and_a_restarted_etcd_are_followed(host, etcd,
                                                               make):
    light, heavy = make(), make(weight=900)
    follow(host, etcd)
    light.start()
    pointed(host, light)
    etcd.compact()
    heavy.start()
    pointed(host, heavy)
    etcd.kill9()
    etcd.forget()
    etcd.start()
    wait_until(lambda: len(etcd.registries()) == 2, "both in etcd", LONG)
    heavy.stop()
    pointed(host, light)
    etcd.stop()
    etcd.start()
    heavy.start()
    pointed(host, heavy, AGAIN)


@pytest.mark.parametrize("years", [20, -20])
def test_a_clock_that_is_wrong_changes_nothing(scene, etcd, make, years):
    shim = DiskShim(scene, scene.directory("clock"))
    shim.set_clock(years * YEAR)
    host = Host(scene, before=shim.before)
    registry, before = make(), host.snapshot()
    follow(host, etcd)
    registry.start()
    pointed(host, registry)
    shim.set_clock(0)
    registry.stop()
    restored(host, before)


def test_who_is_not_the_one_in_etcd_is_not_followed(scene, host, etcd):
    """Such as what has the same address inside of this host."""
    stranger = Registry(scene, host=Address(scene).text).start()
    before = host.snapshot()
    record = {"format": 1, "id": "other", "version": "1", "health": "ready",
              "weight": 1, "doors": [{"url": stranger.url}], "upstreams": []}
    etcd.put(f"{PREFIX}registries/other", json.dumps(record))
    follow(host, etcd)
    wait_until(lambda: [line.get("path") for line in
                        stranger.log_lines("request")].count("/v2/") > 4,
               "the agent to have asked", LONG)
    assert host.snapshot() == before

    id = stranger.ask("GET", "/v2/")["Private-Registry-Instance"]
    etcd.put(f"{PREFIX}registries/{id}", json.dumps(dict(record, id=id)))
    wait_until(lambda: f"DOCKER_REPO={stranger.host}/" in
               host.read("environment"), "the host to be pointed there", LONG)


def test_what_no_registry_says_is_never_written(host, etcd, make):
    registry = make().start()
    wait_until(etcd.registries, "the registry in etcd", LONG)
    [[id, record]] = etcd.registries().items()
    for number, url in enumerate([
            "http://a\nDOCKER_REPO=b", "http://a b", "x", 'http://"',
            "http://a/\\u000a"]):
        wrong = dict(record, id=f"bad{number}", weight=9999,
                     doors=[{"url": url}])
        etcd.put(f"{PREFIX}registries/bad{number}", json.dumps(wrong))
    etcd.put(PREFIX + "registries/worse", "no record")
    agent = follow(host, etcd)
    pointed(host, registry)
    def refused():
        return [line["message"] for line in events(agent, "registry")
                if line["message"].startswith(("bad", "wors"))]
    wait_until(lambda: len(set(refused())) == 6, "each to be refused", LONG)
    etcd.put(PREFIX + "registries/worst", "no record")
    wait_until(lambda: len(set(refused())) == 7, "the next one, too", LONG)
    assert len(refused()) == 7      # each once
