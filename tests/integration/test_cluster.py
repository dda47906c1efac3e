"""A registry in etcd: there as long as it is well, whatever happens to etcd."""

import json
import shutil
import signal
import subprocess
import time

import pytest

from lab.certificates import Authority, make_certificate
from lab.disk import fill, make_room, small_disk
from lab.etcd import PREFIX, Etcd
from lab.go_tools import go_tool
from lab.process import Process
from lab.registry import BINARY, Registry
from lab.waiting import wait_until

URL = "http://10.9.9.9:5000"    # of nobody: hosts are not part of this
LONG = 60                       # seconds; an election and a lease, under load
DRAIN = 30                      # seconds that a stop has for its connections
THERE = "registered"            # what the log says of it
UNWELL = "not registered"
FAILS = "etcd fails; this goes on without"
TAKEN = "another process has put this key"
INSIDE = "an address inside of this container or host"


@pytest.fixture(params=[
    "debian", pytest.param("current", marks=pytest.mark.heavy)])
def program(request):
    """The oldest etcd that will do, and a current one."""
    return "etcd" if request.param == "debian" else go_tool("etcd")


@pytest.fixture
def etcd(scene, program):
    return Etcd(scene, program)


@pytest.fixture
def enrolled(scene, etcd):
    """enrolled(**keys of the cluster) is a Registry that etcd knows."""
    def enrolled(upstreams=None, **keys):
        registry = make(scene, etcd, upstreams, **keys).start()
        wait_until(lambda: last_word(registry) == THERE, "the key", LONG)
        return registry
    return enrolled


def make(scene, etcd, upstreams=None, data=None, urls=None, **keys):
    return Registry(scene, upstreams, data=data, settings={
        "cluster": {"etcd": urls or [etcd.url], "lease": "9s",
                    "advertise": [{"url": URL}]} | keys})


def only(etcd):
    [record] = etcd.registries().values()
    return record


def all_say(etcd, member):
    return [record[member] for record in etcd.registries().values()]


def said(registry):
    """What its log tells of the cluster, in order: of each change once."""
    words = [(line["message"], line.get("error"))
             for line in registry.log_lines("cluster")]
    assert all(word != after for word, after in zip(words, words[1:])), words
    return [message for message, _ in words]


def healths(etcd, key):
    """In what health it said to be, from nothing at the beginning on."""
    return [value and json.loads(value)["health"]
            for value in etcd.history(key)]


def status(registry):
    return subprocess.run([BINARY, "status", "--config",
                           registry.configuration], text=True, timeout=60,
                          capture_output=True, check=True).stdout


def last_word(registry):
    return (said(registry) or [None])[-1]


def stopped_in_words(etcd, enrolled):
    """(A registry that has said that it leaves, its key, older leases).

    It has two seconds for that, which a busy machine may take from it.
    """
    for _ in range(5):
        keys, leases = set(etcd.pairs()), set(etcd.leases())
        registry = enrolled(lease="1h")
        [key] = set(etcd.pairs()) - keys
        assert registry.stop() == 0
        if "leaving" in healths(etcd, key):
            assert healths(etcd, key)[:3] == [None, "ready", "leaving"]
            return registry, key, leases
    raise AssertionError("no last words")


# ------------------------------------------------------------ there, and gone

def test_it_is_there_with_all_that_a_host_needs(scene, etcd, enrolled):
    certificate, _ = make_certificate(scene, scene.directory("ca"), 1)
    registry = enrolled(
        {"docker.io": "http://127.0.0.1:1", "ghcr.io": "http://127.0.0.1:1"},
        zone="rack-1", weight=7, advertise_ca=certificate,
        advertise=[{"url": "http://10.9.9.9:5001", "upstream": "docker.io"},
                   {"url": "https://Registry.Example"}, {"url": URL}])
    record = only(etcd)
    assert record.pop("version") != ""
    answer = registry.ask("GET", "/v2/")
    assert record["id"] == answer["Private-Registry-Instance"]
    assert [record.pop("id")] == list(etcd.registries())
    assert INSIDE not in registry.log()
    assert record == {
        "format": 1, "zone": "rack-1", "health": "ready", "weight": 7,
        "doors": [{"url": "https://Registry.Example"}, {"url": URL},
                  {"url": "http://10.9.9.9:5001", "upstream": "docker.io"}],
        "upstreams": ["docker.io", "ghcr.io"], "default": "docker.io",
        "ca": certificate.read_text()}
    assert registry.metrics()["private_registry_cluster_keys"] == 1
    assert "etcd: hosts find this registry there\n" in status(registry)


def test_stopped_it_says_that_it_leaves_and_is_gone(etcd, enrolled):
    _, key, _ = stopped_in_words(etcd, enrolled)
    wait_until(lambda: key not in etcd.pairs(), "its last words to end", LONG)


def test_killed_it_is_gone_with_its_lease(etcd, enrolled):
    enrolled(lease="2s").kill9()
    wait_until(lambda: etcd.pairs() == {}, "the lease to end", LONG)


def test_killed_and_started_it_has_its_key_again(etcd, enrolled):
    registry = enrolled(lease="1h")
    [before] = etcd.registries()
    registry.kill9()
    registry.start()
    wait_until(lambda: [line["message"] for line
                        in registry.log_lines("cluster")].count(THERE) >= 2,
               "the second registration", LONG)
    assert list(etcd.registries()) == [before]
    assert registry.stop() == 0
    wait_until(lambda: etcd.pairs() == {}, "its last words to end", LONG)


def test_stopped_and_started_it_has_its_key_again(etcd, enrolled):
    registry, key, older = stopped_in_words(etcd, enrolled)
    registry.start()
    wait_until(lambda: healths(etcd, key)[-1] == "ready", "the key", LONG)
    wait_until(lambda: len(set(etcd.leases()) - older) == 1,
               "the last words' to end", LONG)
    assert healths(etcd, key)[-1] == "ready"
    assert registry.running()


def test_a_key_deleted_by_hand_is_back_within_the_lease(etcd, enrolled):
    """On a machine that is not busy within a third of it."""
    enrolled(lease="40s")
    [key] = etcd.pairs()
    etcd.delete(key)
    begun = time.monotonic()
    wait_until(etcd.registries, "the key", LONG)
    assert time.monotonic() - begun < 40


def test_a_key_overwritten_by_hand_is_put_right(etcd, enrolled):
    enrolled()
    [(key, value)] = etcd.pairs().items()
    etcd.put(key, "rubbish")
    wait_until(lambda: etcd.pairs() == {key: value}, "the right value", LONG)


def test_what_it_says_follows_its_configuration(etcd, enrolled):
    registry = enrolled(weight=7)
    registry.configuration.write_text(
        registry.configuration.read_text().replace("weight: 7", "weight: 8"))
    registry.signal(signal.SIGHUP)
    wait_until(lambda: all_say(etcd, "weight") == [8], "the new weight", LONG)


def test_it_does_not_speak_of_an_upstream_before_it_has_it(etcd, enrolled):
    registry = enrolled({"docker.io": "http://127.0.0.1:1"}, advertise=[
        {"url": URL}, {"url": "http://10.9.9.9:5001",
                       "upstream": "docker.io"}])
    text = registry.configuration.read_text().replace("docker.io", "ghcr.io")
    registry.configuration.write_text(
        text.replace(URL, "http://10.9.9.8:5000"))
    registry.signal(signal.SIGHUP)
    wait_until(lambda: all_say(etcd, "doors") ==
               [[{"url": "http://10.9.9.8:5000"}]], "what it says", LONG)
    assert only(etcd)["upstreams"] == ["docker.io"]


def test_of_two_with_one_id_the_later_one_has_the_key(
        scene, etcd, enrolled):
    first = enrolled()
    copy = scene.directory("copy") / "data"
    assert first.stop() == 0
    shutil.copytree(first.data, copy,
                    ignore=shutil.ignore_patterns("control"))
    first.start()
    wait_until(lambda: all_say(etcd, "health") == ["ready"], "the first one",
               LONG)

    second = make(scene, etcd, data=copy,
                  advertise=[{"url": "http://10.9.9.8:5000"}]).start()
    wait_until(lambda: TAKEN in first.log(), "the first one to give way",
               LONG)
    assert only(etcd)["doors"] == [{"url": "http://10.9.9.8:5000"}]
    assert second.stop() == 0
    wait_until(lambda: all_say(etcd, "doors") == [[{"url": URL}]],
               "the first one to come back", LONG)


# ------------------------------------------------------------- in what health

def test_it_is_gone_while_its_data_cannot_be_written(etcd, enrolled):
    registry = enrolled()
    [key] = etcd.pairs()
    (registry.data / "check").mkdir()    # where it writes to find out
    wait_until(lambda: last_word(registry) == UNWELL, "its word", LONG)
    assert healths(etcd, key)[:3] == [None, "ready", "leaving"]
    wait_until(lambda: etcd.pairs() == {}, "its last words to end", LONG)
    assert registry.ask("GET", "/v2/").status == 200
    (registry.data / "check").rmdir()
    wait_until(etcd.registries, "the key to come back", LONG)


def test_with_a_full_disk_it_says_so_and_stays(scene, etcd):
    disk = small_disk(scene, "32m")
    registry = make(scene, etcd, data=disk / "data").start()
    wait_until(etcd.registries, "the key", LONG)
    fill(disk)
    wait_until(lambda: all_say(etcd, "health") == ["full"], "its word", LONG)
    make_room(disk)
    wait_until(lambda: all_say(etcd, "health") == ["ready"], "its word", LONG)
    assert registry.stop() == 0


# ---------------------------------------------------------------- where it is

def test_on_this_host_alone_it_is_not_registered(scene, etcd):
    registry = Registry(scene, settings={
        "cluster": {"etcd": [etcd.url]}}).start()
    wait_until(lambda: last_word(registry) == UNWELL, "its word", LONG)
    assert "cluster.advertise" in registry.log()
    assert etcd.pairs() == {}


@pytest.mark.parametrize("url", [
    "http://127.0.0.1:5000", "http://localhost:5000", "http://[::1]:5000"])
def test_it_is_not_registered_where_each_host_finds_itself(scene, etcd, url):
    registry = make(scene, etcd, advertise=[{"url": url}]).start()
    wait_until(lambda: last_word(registry) == UNWELL, "its word", LONG)
    assert "leads each host to itself" in registry.log()
    assert etcd.pairs() == {}


def test_it_listens_where_the_default_route_leads(scene, program):
    """In a network of its own, of which etcd hears by a file."""
    home = scene.directory("netns")
    script = home / "run"
    script.write_text(f"""\
set -e
ip link set lo up
ip link add v0 type veth peer name v1
ip addr add 10.7.7.7/24 dev v0
ip addr add 10.8.8.8/24 dev v1
ip -6 addr add fd77::7/64 dev v0 nodad
ip link set v0 up
ip link set v1 up
ip route add default via 10.7.7.1
ip -6 route add default via fd77::1
{program} --data-dir {home}/etcd --unsafe-no-fsync >{home}/etcd.log 2>&1 &
exec {BINARY} serve --data {home}/data --etcd http://127.0.0.1:2379 \
  --listen :5000 --listen 127.0.0.1:5001 --listen :5002=docker.io \
  --listen 0.0.0.0:5003
""")
    process = Process(scene, ["unshare", "--net", "bash", script],
                      home / "log")
    try:
        wait_until(lambda: "message=registered" in process.output(),
                   "it to register", LONG)
        told = Process(scene, [
            "nsenter", "--net", f"--target={process.pid}", BINARY,
            "registries", "--etcd", "http://127.0.0.1:2379"], home / "told")
        assert told.wait() == 0, told.output()
        assert [line.strip() for line in told.output().splitlines()
                if "//" in line] == [
            "http://10.7.7.7:5000", "http://[fd77::7]:5000",
            "http://10.7.7.7:5003", "http://10.7.7.7:5002 for docker.io",
            "http://[fd77::7]:5002 for docker.io"]
        # its interface is one as containers have it
        assert process.output().count(INSIDE) == 1
    finally:
        process.kill9()


# -------------------------------------------------------- whatever etcd is at

def test_it_starts_and_serves_without_etcd_and_registers_later(scene, etcd):
    etcd.stop()
    registry = make(scene, etcd).start()
    wait_until(lambda: last_word(registry) == FAILS, "its word", LONG)
    assert registry.ask("GET", "/v2/").status == 200
    etcd.start()
    wait_until(lambda: last_word(registry) == THERE, "the registration", LONG)
    assert etcd.registries()


@pytest.mark.parametrize("ends", ["stop", "kill9"])
def test_etcd_that_comes_back_knows_it(etcd, enrolled, ends):
    registry = enrolled()
    getattr(etcd, ends)()
    wait_until(lambda: last_word(registry) == FAILS, "its word", LONG)
    assert registry.ask("GET", "/v2/").status == 200
    assert registry.metrics()["private_registry_cluster_keys"] == 0
    assert "etcd: hosts do not find this registry" in status(registry)
    etcd.start()
    wait_until(lambda: last_word(registry) == THERE, "the registration", LONG)
    assert etcd.registries()


def test_a_new_etcd_in_the_place_of_the_old_one_knows_it(etcd, enrolled):
    enrolled()
    etcd.kill9()
    etcd.forget()
    etcd.start()
    wait_until(etcd.registries, "the key", LONG)


def test_a_restored_etcd_is_noticed_and_knows_it(etcd, enrolled):
    registry = enrolled()
    [key] = etcd.pairs()
    etcd.stop()
    older = etcd.keep()
    etcd.start()
    for number in range(9):
        etcd.put(PREFIX + "x", str(number))
    etcd.delete(key)
    wait_until(etcd.registries, "it to have seen the new data", LONG)
    etcd.kill9()
    etcd.restore(older)
    etcd.start()
    wait_until(lambda: "has it been restored?" in registry.log(), "its word",
               LONG)
    wait_until(etcd.registries, "the key", LONG)


def test_frozen_etcd_holds_nothing_up(etcd, enrolled):
    registry = enrolled()
    etcd.freeze()
    wait_until(lambda: last_word(registry) == FAILS, "its word", LONG)
    assert registry.ask("GET", "/v2/").status == 200
    etcd.thaw()
    wait_until(lambda: last_word(registry) == THERE and etcd.registries(),
               "the registration", LONG)


def test_it_stops_though_etcd_is_frozen(etcd, enrolled):
    registry = enrolled()
    etcd.freeze()
    begun = time.monotonic()
    assert registry.stop() == 0
    assert time.monotonic() - begun < DRAIN    # 2 s are for etcd


def test_its_log_tells_a_new_reason(scene, etcd):
    etcd.demand_passwords("alice", "right")
    etcd.stop()
    registry = make(scene, etcd).start()
    wait_until(lambda: "kind=unavailable" in registry.log(), "the first", LONG)
    etcd.start()
    wait_until(lambda: "user name is empty" in registry.log(), "the next",
               LONG)
    assert set(said(registry)) == {FAILS}


def test_one_endpoint_that_answers_is_enough(scene, etcd, program):
    frozen = Etcd(scene, program)
    frozen.freeze()
    registry = make(scene, etcd, lease="20s", urls=[
        "http://127.0.0.1:1", frozen.url, etcd.url]).start()
    wait_until(lambda: last_word(registry) == THERE, "the key", LONG)
    assert etcd.registries()


# --------------------------------------------------------------- who may write

def test_with_a_password_it_registers_also_after_etcd_restarts(
        scene, etcd):
    password = scene.directory("secret") / "password"
    password.write_text("wrong\n")
    etcd.demand_passwords("alice", "right")
    registry = make(scene, etcd, username="alice",
                    password_file=password).start()
    wait_until(lambda: "kind=denied" in registry.log(), "its word", LONG)
    password.write_text("right\r\n")
    wait_until(lambda: last_word(registry) == THERE, "the key", LONG)
    assert etcd.registries()

    etcd.kill9()      # and all tokens with it
    etcd.start()
    etcd.login()
    [key] = etcd.pairs()
    etcd.delete(key)
    wait_until(etcd.registries, "the key", LONG)
    assert "right" not in registry.log()


def test_a_password_is_fine_where_none_is_wanted_yet(scene, etcd):
    password = scene.directory("secret") / "password"
    password.write_text("right\n")
    registry = make(scene, etcd, username="alice",
                    password_file=password).start()
    wait_until(etcd.registries, "the key", LONG)
    etcd.demand_passwords("alice", "right")
    [key] = etcd.pairs()
    etcd.delete(key)
    wait_until(etcd.registries, "the key, with a token", LONG)
    etcd.demand_nothing()
    etcd.delete(key)
    wait_until(etcd.registries, "the key, without one", LONG)
    assert registry.stop() == 0


def test_both_sides_may_show_certificates(scene, program):
    authority = Authority(scene, scene.directory("authority"))
    client = authority.client("/O=lab/CN=alice")
    home = scene.directory("server")
    server = make_certificate(scene, home, 1)
    # etcd's gateway is a client of etcd, and shows the server's own
    trusted = home / "trusted.pem"
    trusted.write_text(authority.path.read_text() + server[0].read_text())
    etcd = Etcd(scene, program, tls=server, client_ca=trusted, client=client)
    make(scene, etcd, ca=server[0], client_certificate=client,
         client_key=client).start()
    wait_until(etcd.registries, "the key", LONG)

    strange = make(scene, etcd, ca=server[0]).start()
    wait_until(lambda: said(strange), "its word", LONG)
    assert said(strange) == [FAILS]
    assert len(etcd.registries()) == 1


# -------------------------------------------------------------------- hearing

class Follower:
    """private-registry registries --follow: what a host would know."""

    def __init__(self, scene, *urls):
        self._process = Process(scene, [
            BINARY, "registries", "--follow", "--etcd", ",".join(urls)],
            scene.directory("follower") / "log")
        scene.own(self._process)

    def text(self):
        return self._process.output()

    def views(self):
        """How many registries there were, one number a change."""
        return [int(line.split()[1]) for line in self.text().splitlines()
                if line.startswith("registries:")]

    def last(self):
        return self.text().rpartition("registries: ")[2]

    def in_trouble(self):
        """Whether etcd could not be asked when it last was."""
        words = [line for line in self.text().splitlines()
                 if line.startswith("etcd:")]
        return bool(words) and words[-1] != "etcd: it answers again"


@pytest.fixture
def follower(scene, etcd):
    follower = Follower(scene, etcd.url)
    wait_until(lambda: follower.views() == [0], "the first view", LONG)
    return follower


def put_record(etcd, id, **members):
    """A record by hand, as some registry would write it."""
    record = {"format": 1, "id": id, "version": "1", "health": "ready",
              "weight": 1, "doors": [{"url": URL}], "upstreams": []}
    etcd.put(f"{PREFIX}registries/{id}", json.dumps(record | members))


def test_a_registry_is_seen_as_it_comes_changes_and_goes(
        follower, enrolled):
    registry = enrolled({"docker.io": "http://127.0.0.1:1"}, weight=7)
    wait_until(lambda: follower.views() == [0, 1], "it to be seen", LONG)
    assert "weight 7" in follower.last()
    assert f"{URL}\n  mirrors docker.io; a bare name is docker.io's" in \
        follower.last()
    registry.stop()
    wait_until(lambda: follower.views()[-1] == 0, "it to go", LONG)


def test_changes_are_told_when_they_happen(etcd, follower):
    """Without etcd's word each would wait for the next look, 3 s later."""
    def change(weight):
        begun = time.monotonic()
        put_record(etcd, "a", weight=weight)
        wait_until(lambda: f"weight {weight}," in follower.last(), "a change",
                   LONG)
        return time.monotonic() - begun
    assert min(change(weight) for weight in range(10)) < 2


def test_etcd_out_of_reach_changes_nothing(etcd, follower):
    put_record(etcd, "a")
    wait_until(lambda: follower.views() == [0, 1], "it to be seen", LONG)
    for ends in "stop", "kill9":
        getattr(etcd, ends)()
        wait_until(follower.in_trouble, "word of it", LONG)
        etcd.start()
        wait_until(lambda: not follower.in_trouble(), "word of it", LONG)
    assert follower.views() == [0, 1]
    put_record(etcd, "b")
    wait_until(lambda: follower.views() == [0, 1, 2], "the next one", LONG)


def test_what_a_new_etcd_knows_counts_within_seconds(etcd, follower):
    for id in "a", "b":
        put_record(etcd, id)
    wait_until(lambda: follower.views()[-1] == 2, "both to be seen", LONG)
    etcd.kill9()
    etcd.forget()
    etcd.start()
    wait_until(lambda: follower.views()[-1] == 0, "nothing to be left", LONG)
    # its revision is far behind the one that was seen before
    put_record(etcd, "a")
    wait_until(lambda: follower.views()[-1] == 1, "what is new", LONG)


def test_compaction_hides_nothing(etcd, follower):
    for round in range(3):
        put_record(etcd, f"r{round}")
        etcd.compact()
    wait_until(lambda: follower.views()[-1] == 3, "all of them", LONG)
    etcd.kill9()
    etcd.start()
    put_record(etcd, "last")
    etcd.compact()
    wait_until(lambda: follower.views()[-1] == 4, "the last one", LONG)


def test_frozen_etcd_changes_nothing(etcd, follower):
    put_record(etcd, "a")
    wait_until(lambda: follower.views() == [0, 1], "it to be seen", LONG)
    etcd.freeze()
    wait_until(follower.in_trouble, "word of it", LONG)
    etcd.thaw()
    put_record(etcd, "b")
    wait_until(lambda: follower.views() == [0, 1, 2], "the next one", LONG)


def test_another_endpoint_is_heard_when_one_is_frozen(scene, etcd, program):
    """Two that know the same, as two members of one cluster would."""
    other = Etcd(scene, program)
    for each in etcd, other:
        put_record(each, "a")
    follower = Follower(scene, etcd.url, other.url)
    wait_until(lambda: follower.views() == [1], "it to be seen", LONG)
    etcd.freeze()
    put_record(other, "b")
    wait_until(lambda: follower.views() == [1, 2], "the next one", LONG)


def test_what_is_no_record_is_refused_and_harms_nobody(etcd, follower):
    begin = PREFIX + "registries/"
    etcd.put(begin + "\x1b[2J\nx", "{}")
    etcd.put(begin + "rubbish", "\0\x1b]0;x\x07")
    put_record(etcd, "wrong", doors=[{"url": "http://a:5000/\nx"}])
    put_record(etcd, "self", doors=[{"url": URL},
                                    {"url": "http://127.0.0.1:5000"}])
    put_record(etcd, "right")
    etcd.put(begin + "twice", etcd.pairs()[begin + "right"])
    wait_until(lambda: follower.last().count("refused") == 5 and
               follower.views()[-1] == 1, "one, and five refused", LONG)
    text = follower.text()
    assert "\x1b" not in text and "\x07" not in text
    assert "?[2J?x: refused, its format is missing" in text
    assert "wrong: refused, its url is no http(s)://host:port alone" in text
    assert "self: refused, its url is one that leads each host to" in text
    assert "twice: refused, its id is not that of its key" in text


def test_large_values_hide_no_registry(etcd, follower):
    """All of them are more than one answer may be."""
    for number in range(12):
        etcd.put(f"{PREFIX}registries/a{number}", "x" * 1_400_000)
    put_record(etcd, "right")
    wait_until(lambda: follower.views()[-1] == 1 and
               follower.last().count("refused, it is too large") == 12,
               "one, and twelve refused", LONG)


def test_registries_are_told_once_or_why_not(scene, etcd):
    put_record(etcd, "a", zone="z", ca=None)
    put_record(etcd, "b", health="leaving")
    home = scene.directory("once")
    process = Process(scene, [BINARY, "registries", "--etcd", etcd.url],
                      home / "log")
    assert process.wait() == 0
    assert process.output() == (
        "registries: 2\na: ready, weight 1, version 1, zone z\n"
        f"  {URL}\n  mirrors; a bare name is nobody's\n"
        "b: it is leaving, weight 1, version 1\n"
        f"  {URL}\n  mirrors; a bare name is nobody's\n")
    process = Process(scene, [BINARY, "registries", "--etcd",
                              "http://127.0.0.1:1"], home / "dead")
    assert process.wait() == 1
    assert "etcd at http://127.0.0.1:1: " in process.output()
