"""TLS of the real program: names, clients, renewal, what the log says."""

import os
import ssl

import pytest

from lab.certificates import Authority, make_certificate, trusting
from lab.content import content
from lab.pusher import push_blob
from lab.registry import Registry
from lab.waiting import wait_until
from lab.wire import Wire


@pytest.fixture
def certificate(scene):
    return make_certificate(scene, scene.directory("certificate"), 1)


@pytest.fixture
def authority(scene):
    return Authority(scene, scene.directory("authority"))


def with_clients(scene, certificate, authority, rule):
    return Registry(scene, tls=(*certificate, {
        "client_ca": authority.path, "client": rule})).start()


def showing(certificate, client=None):
    """A context of a client that shows who it is."""
    context = trusting(certificate[0])
    if client:
        context.load_cert_chain(client)
    return context


def serial(wire):
    return int(wire.socket.getpeercert()["serialNumber"], 16)


# ------------------------------------------------------------------ clients

def test_the_log_says_which_client_asked(scene, certificate, authority):
    registry = with_clients(scene, certificate, authority, "optional")
    alice = showing(certificate, authority.client("/O=lab/CN=alice"))
    for context in (alice, showing(certificate)):
        with Wire(registry.tls, tls=context) as wire:
            assert wire.ask("GET", "/v2/").status == 200
    registry.stop()
    lines = [line for line in registry.log_lines("request")
             if line["path"] == "/v2/"]
    assert [line.get("subject") for line in lines] == ["CN=alice,O=lab", None]


def test_without_a_certificate_nobody_gets_in(scene, certificate, authority):
    registry = with_clients(scene, certificate, authority, "required")
    with Wire(registry.tls, tls=showing(certificate)) as wire:
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
            wire.ask("GET", "/v2/")
    bob = showing(certificate, authority.client("/CN=bob"))
    blob = content("of bob", 100_000)
    with Wire(registry.tls, tls=bob) as wire:
        push_blob(wire, "team/app", blob.digest, blob.bytes())
        got = wire.ask("GET", f"/v2/team/app/blobs/{blob.digest}")
    assert got.body == blob.bytes()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_a_resumed_session_is_the_same_client(scene, certificate, authority,
                                              version):
    registry = with_clients(scene, certificate, authority, "required")
    context = showing(certificate, authority.client("/CN=carol"))
    context.minimum_version = context.maximum_version = version
    with Wire(registry.tls, tls=context) as wire:
        assert wire.ask("GET", "/v2/").status == 200
        session = wire.socket.session
    with Wire(registry.tls) as wire:
        wire.socket = context.wrap_socket(
            wire.socket, server_hostname="localhost", session=session)
        assert wire.ask("GET", "/v2/").status == 200
        assert wire.socket.session_reused
    registry.stop()
    assert [line.get("subject") for line in registry.log_lines("request")
            if line["path"] == "/v2/"] == ["CN=carol"] * 2


# ------------------------------------------------------------------ renewal

def served(registry, path):
    """The serial number that is served, if `path` is trusted for it."""
    try:
        with Wire(registry.tls, tls=trusting(path)) as wire:
            return serial(wire)
    except ssl.SSLError:
        return None


def test_a_renewed_certificate_is_taken_by_itself(scene):
    directory = scene.directory("certificate")
    registry = Registry(scene, tls=make_certificate(scene, directory, 1))
    registry.start()
    second = make_certificate(scene, directory, 2)
    wait_until(lambda: served(registry, second[0]) == 2, "the new certificate")


def test_generations_behind_a_link_are_swapped_at_once(scene):
    """What Kubernetes does with a secret: tls.crt -> ..data/tls.crt."""
    directory = scene.directory("secret")
    for generation in (1, 2):
        home = directory / f"..{generation}"
        home.mkdir()
        paths = make_certificate(scene, home, generation)
        for path, name in zip(paths, ("tls.crt", "tls.key")):
            path.rename(home / name)
    (directory / "..data").symlink_to("..1")
    links = [directory / name for name in ("tls.crt", "tls.key")]
    for link in links:
        link.symlink_to(f"..data/{link.name}")
    registry = Registry(scene, tls=links).start()
    assert served(registry, links[0]) == 1

    (directory / "..data.new").symlink_to("..2")
    os.rename(directory / "..data.new", directory / "..data")
    wait_until(lambda: served(registry, links[0]) == 2, "the next generation")
    registry.stop()
    assert not [line for line in registry.log_lines("certificate")
                if line["level"] == "error"]


def test_half_a_renewal_keeps_the_old_and_says_so_once(scene):
    directory = scene.directory("certificate")
    first = make_certificate(scene, directory, 1)
    registry = Registry(scene, tls=first).start()
    old = scene.directory("old") / "cert.pem"
    old.write_bytes(first[0].read_bytes())
    other = make_certificate(scene, scene.directory("other"), 2)

    first[0].write_bytes(other[0].read_bytes())
    said = wait_until(lambda: registry.log_lines("certificate"), "a word")
    assert said[0]["level"] == "error"
    assert "the old one stays in use" in said[0]["message"]
    assert served(registry, old) == 1
    first[1].write_bytes(other[1].read_bytes())
    wait_until(lambda: served(registry, other[0]) == 2, "the other half")
    wait_until(lambda: len(registry.log_lines("certificate")) == 2,
               "one word more")
