"""Many clients, one fetch; and a broken transfer is not seen by any of them."""

import threading

import pytest

from lab.content import content
from lab.swarm import Swarm, download
from lab.waiting import wait_until

MIB = 1 << 20
IN_FLIGHT = 5 * MIB     # what a socket may hold, unread, when it dies
REPOSITORY = "library/app"


@pytest.fixture
def registry(start_registry, upstream):
    return start_registry({"docker.io": upstream.url},
                          arguments=["--drain=0s"])


@pytest.fixture
def announce(registry, upstream):
    """announce(size): upstream has a blob, and its manifest is known here.

    By HEAD: whoever has the manifest makes the blob come.
    """
    def announce(size):
        blob = content(f"fanout {size}", size)
        upstream.add_image(REPOSITORY, "1", blob)
        manifest = f"/v2/{REPOSITORY}/manifests/1"
        assert registry.ask("HEAD", manifest).status == 200
        return blob
    return announce


def path(blob):
    return f"/v2/{REPOSITORY}/blobs/{blob.digest}"


def all_have_it(readers):
    return all(reader.status == 200 and reader.finished and not reader.wrong
               for reader in readers)


def test_a_hundred_clients_cost_one_fetch(registry, upstream, announce):
    blob = announce(256 * MIB)
    upstream.always.rate = 200 * MIB

    with Swarm(registry.address, path(blob), blob, 100) as clients:
        assert all_have_it(clients.run())

    assert upstream.count("blob", "GET") == 1
    wait_until(lambda: upstream.blob_bytes() == blob.size, "1.00 x the bytes")


def test_the_first_client_killed_changes_nothing_for_others(
        registry, upstream, announce):
    blob = announce(48 * MIB)
    upstream.always.rate = 40 * MIB

    with Swarm(registry.address, path(blob), blob, 20) as clients:
        first, *others = clients.readers
        clients.run(until=lambda: first.offset > 24 * MIB)
        clients.kill(first)
        clients.run()

    assert all_have_it(others)
    assert upstream.count("blob", "GET") == 1


def test_a_fetch_survives_its_only_client(registry, upstream, announce):
    blob = announce(32 * MIB)
    upstream.always.rate = 40 * MIB

    with Swarm(registry.address, path(blob), blob, 1) as clients:
        client, = clients.readers
        clients.run(until=lambda: client.offset > 8 * MIB)
        clients.kill(client)
    wait_until(lambda: upstream.blob_bytes() == blob.size, "the fetch's end")

    download(registry.address, path(blob), blob)
    assert upstream.count("blob", "GET") == 1


@pytest.mark.parametrize("reset", [False, True], ids=["by FIN", "by RST"])
def test_upstream_cut_half_way_is_not_seen(registry, upstream, announce,
                                           reset):
    blob = announce(32 * MIB)
    upstream.always.rate = 40 * MIB
    upstream.once(rate=40 * MIB, cut_at=16 * MIB, reset=reset)

    with Swarm(registry.address, path(blob), blob, 10) as clients:
        assert all_have_it(clients.run())

    assert "Range" in upstream.seen("blob", "GET")[1].headers
    assert upstream.count("blob", "GET") == 2
    assert upstream.blob_bytes() <= blob.size + IN_FLIGHT


@pytest.mark.parametrize("how", ["terminated", "killed"])
def test_our_own_restart_half_way_is_not_seen_by_a_client_that_retries(
        registry, upstream, announce, how):
    blob = announce(32 * MIB)
    upstream.always.rate = 20 * MIB
    got = []

    client = threading.Thread(target=lambda: got.append(
        download(registry.address, path(blob), blob)))
    client.start()
    wait_until(lambda: upstream.blob_bytes() > 16 * MIB, "half of the blob")
    registry.stop() if how == "terminated" else registry.kill9()
    registry.start()
    client.join()

    assert got == [blob.size]
    print(f"upstream sent {upstream.blob_bytes() / blob.size:.3f} x the bytes")
    assert upstream.blob_bytes() <= blob.size + IN_FLIGHT


def test_upstream_that_cannot_resume_is_not_seen(registry, upstream,
                                                 announce):
    blob = announce(16 * MIB)
    upstream.once(rate=40 * MIB, cut_at=8 * MIB)
    upstream.once(ignore_range=True)

    with Swarm(registry.address, path(blob), blob, 3) as clients:
        assert all_have_it(clients.run())


@pytest.mark.parametrize("where", [0, 8 * MIB, 16 * MIB - 1],
                         ids=["first", "middle", "last"])
def test_a_wrong_byte_never_ends_in_a_finished_answer(registry, upstream,
                                                      announce, where):
    blob = announce(16 * MIB)
    upstream.once(rate=32 * MIB, wrong_byte_at=where)

    with Swarm(registry.address, path(blob), blob, 10) as clients:
        assert not any(client.finished for client in clients.run())
    assert stored(registry, blob) == []
    upstream.stop()
    assert registry.ask("GET", path(blob)).status >= 400

    upstream.start()
    download(registry.address, path(blob), blob)
    wait_until(lambda: len(stored(registry, blob)) == 1, "it to be kept")


def stored(registry, blob):
    """Files of that digest in the data directory."""
    return list(registry.data.glob(f"blobs/**/{blob.digest[7:]}*"))
