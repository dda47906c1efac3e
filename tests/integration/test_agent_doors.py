"""Docker before 24.0.8 is pointed where Docker Hub's names are its own.

Debian's 20.10 takes no path in a mirror's URL.
"""

from dataclasses import replace

import pytest

from lab.address import Address
from lab.docker import HostDocker
from lab.etcd import Etcd
from lab.host import do
from lab.ports import free_port
from lab.pusher import push_image
from lab.registry import Registry, yaml
from lab.waiting import wait_until

WINS = "a name that was pushed to the registry wins"
LONG = 150                      # seconds; a look a minute, and load


@pytest.fixture
def docker(scene, host):
    return HostDocker(scene, host)


def test_names_of_docker_hub_stay_its_own(hub, images, host, docker,
                                          start_registry):
    """Somebody pushed an image of the same name and tag."""
    registry = start_registry({"docker.io": hub.url}, bound="docker.io")
    theirs = replace(images[0], repository="doors/app")
    ours = replace(images[1], repository="doors/app", tag=theirs.tag)
    push_image(hub.address, theirs)
    push_image(registry.address, ours)
    before = host.snapshot()

    do(host.once, registry.url, "--hub", registry.bound_url)
    assert WINS not in host.call("status")[1]
    assert docker.mirrors() == f"[{registry.bound_url}/]"
    docker.pull(theirs)

    do(host.once, registry.url)
    assert WINS in host.call("status")[1]
    assert docker.mirrors() == f"[{registry.url}/]"
    do(host.uninstall)
    assert docker.mirrors() == "[]" and host.snapshot() == before


def test_a_door_that_does_not_answer_is_none(host, docker, start_registry):
    registry = start_registry()
    nowhere = f"http://127.0.0.1:{free_port()}"
    before = host.snapshot()
    status, _, err = host.once(registry.url, "--hub", nowhere)
    assert status == 1 and nowhere in err
    status, _, err = host.once(registry.url, "--hub", "https://127.0.0.1:1",
                               "--dry-run")
    assert status == 2 and "http://HOST:PORT" in err
    assert host.snapshot() == before


@pytest.mark.parametrize("door", ["bound", "nowhere"])
def test_etcd_tells_of_the_door(scene, hub, host, docker, door):
    etcd = Etcd(scene)
    place = Address(scene).text
    registry = Registry(scene, {"docker.io": hub.url}, bound="docker.io",
                        host=place)
    told = registry.bound_url if door == "bound" else \
        f"http://{place}:{free_port()}"
    with open(registry.configuration, "a") as configuration:
        configuration.write(yaml({"cluster": {
            "etcd": [etcd.url], "lease": "9s", "advertise": [
                {"url": registry.url},
                {"url": told, "upstream": "docker.io"}]}}))
    registry.start()
    agent = host.start("--etcd", etcd.url)
    wanted = told if door == "bound" else registry.url
    wait_until(lambda: docker.mirrors() == f"[{wanted}/]", "the mirror", LONG)
    wait_until(lambda: "/etc/environment" in host.call("status")[1],
               "the status", LONG)
    assert (WINS in host.call("status")[1]) == (door == "nowhere")
    assert agent.stop() == 0
    do(host.uninstall)
