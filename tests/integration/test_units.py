"""Under a service manager: its sockets, its datagrams, and whose files."""

import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
import yaml

from lab.process import run
from lab.registry import BINARY, ROOT, Registry
from lab.waiting import wait_until
from lab.wire import Wire

DEPLOY = ROOT / "deploy"
# What fleet takes in [X-Fleet], and of that with Global=true.
FLEET = {"": {"MachineID", "MachineOf", "MachineMetadata", "Conflicts",
              "Replaces", "Global"},
         "true": {"MachineMetadata", "Conflicts", "Global"}}
USAGE = 2
USER = 65532


# ------------------------------------------------------------------ systemd

@pytest.mark.parametrize("kind", ["systemd", "fleet"])
def test_the_units_are_sound(scene, kind):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    home = scene.directory("units")
    for unit in (DEPLOY / kind).iterdir():
        (home / unit.name).write_text(unit.read_text().replace(
            "/usr/local/bin/private-registry", str(BINARY)))
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *home.iterdir()],
        text=True, capture_output=True, check=False)
    assert [line for line in (said.stdout + said.stderr).splitlines()
            if "private-registry" in line] == []


@pytest.mark.parametrize("name", ["private-registry", "private-registry-agent"])
def test_fleet_knows_what_its_units_ask_for(name):
    section, asked = None, {}
    for line in (DEPLOY / "fleet" / f"{name}.service").read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[X-Fleet]" and line:
            key, value = line.split("=", 1)
            asked[key] = value
    assert asked
    assert set(asked) <= FLEET["true" if "Global" in asked else ""]
    assert asked.get("Global", "true") == "true"


@pytest.mark.parametrize("variant", ["flatcar", "fedora-coreos"])
def test_a_first_boot_brings_all_that_its_units_want(variant):
    butane = yaml.safe_load((DEPLOY / "butane" / f"{variant}.bu").read_text())
    assert set(butane) == {"variant", "version", "storage", "systemd"}
    written = {each["path"] for each in butane["storage"]["files"]}
    for unit in butane["systemd"]["units"]:
        text = (DEPLOY / unit["contents_local"]).read_text()
        assert Path(unit["contents_local"]).name == unit["name"]
        assert set(re.findall(r"(?:File=-|--input )(/\S+)", text)) == written
    assert [each["target"] for each in butane["storage"]["links"]] == [
        "../private-registry-agent.service"]


def test_it_says_when_it_is_ready_and_when_it_stops(scene):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(scene.root / "notify"))
        manager.settimeout(60)
        scene.environment["NOTIFY_SOCKET"] = str(scene.root / "notify")
        registry = Registry(scene).start(wait=False)
        assert manager.recv(100) == b"READY=1"
        assert registry.ready()
        registry.signal(signal.SIGTERM)
        assert manager.recv(100) == b"STOPPING=1"
        assert registry.wait() == 0


def test_who_comes_while_it_restarts_waits(scene):
    registry = Registry(scene)
    with socket.create_server(registry.address) as listening:
        registry.inherit(listening)
        registry.start()
        for _ in range(3):
            assert registry.stop() == 0
            with Wire(registry.address) as early:
                early.send(b"GET /healthz HTTP/1.1\r\nHost: lab\r\n\r\n")
                registry.start()
                assert early.answer().status == 200


def test_a_socket_where_nothing_listens_is_refused(scene):
    registry = Registry(scene)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        registry.inherit(listening)
        registry.start(wait=False)
        assert registry.wait() == USAGE
        host, port = listening.getsockname()
        assert f"{host}:{port}" in registry.log().splitlines()[-1]


def test_as_process_1_it_buries_orphans_and_stops(scene):
    registry = Registry(scene, before=(
        "unshare", "--pid", "--fork", "--kill-child")).start()
    first, = children(registry.pid)
    run(scene, "nsenter", f"--pid=/proc/{first}/ns/pid",
        "/bin/sh", "-c", "sleep 1000 >/dev/null 2>&1 &")
    left, = wait_until(lambda: children(first), "an orphan")
    os.kill(left, signal.SIGKILL)
    wait_until(lambda: not children(first), "it to be buried")

    os.kill(first, signal.SIGTERM)
    assert registry.wait() == 0


def children(pid):
    return [int(child) for child in Path(
        f"/proc/{pid}/task/{pid}/children").read_text().split()]


# -------------------------------------------------------------- whose it is

@pytest.fixture
def start_on(scene):
    """start_on(owner, file…): as root, with a user to become."""
    scene.root.chmod(0o755)

    def start_on(owner, *files):
        data = scene.directory("data")
        for name in files:
            (data / name).mkdir()
        os.chown(data, owner, owner)
        return Registry(scene, data=data, settings={"user": USER}).start()
    return start_on


@pytest.mark.parametrize("owner,files,becomes", [
    (0, [], USER),
    (0, ["lost+found"], USER),
    (0, ["content"], 0),
    (1234, [], 1234),
])
def test_root_becomes_whoever_owns_the_data(start_on, owner, files, becomes):
    registry = start_on(owner, *files)
    assert registry.user() == (becomes, becomes)
    made = {os.stat(path).st_uid for path in registry.data.rglob("*")
            if path.name not in files}
    assert made == {becomes}
    assert registry.restart().user() == (becomes, becomes)
    assert bool(registry.log_lines("user")) == (becomes == 0)


def test_without_a_user_root_stays_root(scene):
    registry = Registry(scene).start()
    assert registry.user() == (0, 0)
    assert registry.stop() == 0
    assert registry.log_lines("user") == []


def test_what_root_restores_is_the_owners(start_on, scene, call):
    backup = scene.directory("backup")
    backup.chmod(0o777)
    registry = start_on(0)
    call("backup", backup, "--config", registry.configuration)

    restored = scene.directory("data")
    call("restore", backup, "--data", restored, "--user", USER)
    assert {os.stat(path).st_uid for path in [restored, *restored.rglob("*")]
            } == {USER}


@pytest.fixture
def call(scene):
    return lambda *arguments: run(scene, BINARY, *arguments)
