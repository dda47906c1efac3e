"""It always starts, and on one directory only once."""

import sqlite3

from lab.content import content
from lab.journal import Journal, image_of
from lab.registry import Registry
from lab.waiting import wait_until
from lab.workload import push

USAGE = 2


def test_fifty_first_starts_in_a_row_all_serve(scene):
    for _ in range(50):
        registry = Registry(scene).start()
        assert registry.ask("GET", "/v2/").status == 200
        assert registry.stop() == 0


def test_of_twenty_starts_at_once_exactly_one_serves(scene):
    data = scene.directory("data") / "shared"
    crowd = [Registry(scene, data=data) for _ in range(20)]
    for registry in crowd:
        registry.start(wait=False)
    wait_until(lambda: sum(each.running() for each in crowd) == 1,
               "nineteen to give up")

    winner, = [each for each in crowd if each.running()]
    wait_until(winner.ready, "the winner to serve")
    for loser in crowd:
        if loser is not winner:
            assert loser.wait() == 3
            sentence, = loser.log().splitlines()
            assert str(data) in sentence


def test_it_starts_again_after_every_way_to_end(scene):
    registry = Registry(scene).start()
    assert registry.restart().ask("GET", "/v2/").status == 200
    registry.kill9()
    assert registry.start().ask("GET", "/v2/").status == 200


def test_what_it_keeps_is_nobody_elses(scene):
    data = scene.directory("volume")
    data.chmod(0o755)       # as `docker run -v` makes it
    registry = Registry(scene, data=data).start()
    with registry.connect() as wire:
        push(wire, Journal(), "app", image_of(content("config", 99)), "1")
    assert [str(path) for path in data.rglob("*")
            if path.is_file() and path.stat().st_mode & 0o077] == []


def test_a_dead_upstream_does_not_keep_it_from_starting(start_registry,
                                                        upstream):
    upstream.stop()
    registry = start_registry({"docker.io": upstream.url})
    assert registry.ask("GET", "/v2/").status == 200
    assert registry.ask("GET", "/readyz").status == 200


def test_what_a_newer_program_left_is_refused_and_stays_as_it_is(scene):
    registry, journal = Registry(scene).start(), Journal()
    image = image_of(content("config", 99), content("layer", 9999))
    with registry.connect() as wire:
        push(wire, journal, "team/app", image, "1")
    assert registry.stop() == 0
    schema_moves(registry, 1)
    before = (registry.data / "registry.db").read_bytes()

    registry.start(wait=False)
    assert registry.wait() == USAGE
    said = registry.log().splitlines()[-1]
    assert "newer version" in said and str(registry.data) in said
    assert (registry.data / "registry.db").read_bytes() == before

    schema_moves(registry, -1)
    journal.check(registry.start())


def schema_moves(registry, steps):
    database = sqlite3.connect(registry.data / "registry.db")
    (number,), = database.execute("PRAGMA user_version")
    database.execute(f"PRAGMA user_version = {number + steps}")
    database.close()
