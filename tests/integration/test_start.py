"""It always starts, and on one directory only once."""

from lab.registry import Registry
from lab.waiting import wait_until


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
               "nineteen to give up", seconds=30)

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


def test_a_dead_upstream_does_not_keep_it_from_starting(start_registry,
                                                        upstream):
    upstream.stop()
    registry = start_registry({"docker.io": upstream.url})
    assert registry.ask("GET", "/v2/").status == 200
    assert registry.ask("GET", "/readyz").status == 200
