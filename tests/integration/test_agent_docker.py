"""What dockerd has in force is another thing than what is in its file."""

import errno
import shutil
import signal
import socket

import pytest

from lab.disk import small_disk
from lab.disk_shim import DiskShim
from lab.fakedocker import FakeDocker, install, starting
from lab.host import Host, do
from lab.process import run
from lab.registry import Registry
from lab.waiting import wait_until

FAILED, CONFLICTS = 1, 3
OLD = {"ServerVersion": "20.10.24"}             # its own store, by daemon.json
DAEMON = "etc/docker/daemon.json"
TEXT = '{\n\t"debug": true,  "labels": ["kept=1"]\n}'
WRONG = TEXT.replace('["kept=1"]', "1")          # nothing of that is taken


@pytest.fixture(scope="module")
def door(module_scene):
    return Registry(module_scene).start()


@pytest.fixture(scope="module")
def second(module_scene):
    return Registry(module_scene).start()


@pytest.fixture
def host(scene):
    return with_docker(Host(scene))


def with_docker(host):
    (host.root / "etc/docker").mkdir()
    (host.root / DAEMON).write_text(TEXT)
    return host


def edit(host, before, after):
    """As an operator does: what else is in the file stays."""
    text = host.read(DAEMON)
    assert before in text
    (host.root / DAEMON).write_text(text.replace(before, after))


def listener(host):
    """A socket at which a dockerd would be asked."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(host.root / "run/docker.sock"))
    listening.listen()
    return listening


def until_it_fails(call, why):
    """Until then a dockerd may be too busy to answer."""
    def failed(status, out, _):
        return status == FAILED and why in out
    wait_until(lambda: failed(*call()), why)


def answered(status, out, err):
    return None if ": pending" in out else (status, out, err)


def unchanged(host):
    return {name: what for name, what in host.snapshot().items()
            if not name.startswith("run/docker")}


# ------------------------------------------------------- one that is not there

def test_no_docker_is_started_by_a_question(host, door):
    """systemd listens for it, and would start it at the first connection."""
    install(host)
    systemd = listener(host)
    status, out, _ = host.once(door.url)
    assert status == 0 and "docker: pending" in out and "no dockerd runs" in out
    assert host.uninstall()[0] == 0
    systemd.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.accept()
    systemd.close()


@pytest.mark.parametrize("how", ["given", "unnamed"])
def test_one_that_runs_is_found(scene, host, door, how):
    """Behind systemd's socket, and with its pid file elsewhere."""
    with listener(host) as systemd:
        if how == "given":
            dockerd = FakeDocker(scene, host, OLD, given=systemd)
        else:
            dockerd = FakeDocker(scene, host, OLD, unnamed=True)
        do(host.once, door.url)
        assert dockerd.mirrors() == [door.url + "/"]
        do(host.uninstall)
        assert dockerd.mirrors() == []


def test_one_that_is_being_started_is_not_signalled(scene, host, door):
    dockerd = FakeDocker(scene, host, OLD)
    early = starting(scene, host)
    do(host.once, door.url)
    assert dockerd.mirrors() == [door.url + "/"]
    assert early.running()


def test_another_users_is_not_believed(scene, host, door):
    """Its number is in a file that nobody has removed."""
    nobody = 65534
    other = starting(scene, host, nobody)
    status, out, _ = host.once(door.url)
    assert status == 0 and "no dockerd runs" in out
    assert other.running()


# ----------------------------------------------------------- one that is busy

def test_what_it_cannot_read_now_is_pending_and_stays(scene, host, door):
    dockerd = FakeDocker(scene, host, OLD, hangup="freeze")
    wait_until(lambda: "docker: pending it is told to read" in
               host.once(door.url)[1], "the signal")
    assert door.url in host.read(DAEMON)

    dockerd.signal(signal.SIGCONT)
    wait_until(lambda: dockerd.mirrors() == [door.url + "/"], "the mirror")
    do(host.once, door.url)


def test_an_undo_waits_for_one_that_does_not_answer(scene, host, door):
    before = unchanged(host)
    dockerd = FakeDocker(scene, host, OLD)
    do(host.once, door.url)
    dockerd.signal(signal.SIGSTOP)
    status, out, _ = host.uninstall()
    assert status == FAILED and f"failed /{DAEMON}" in out
    assert f"failed /{DAEMON}" in host.call("status")[1]
    assert door.url in host.read(DAEMON)

    dockerd.signal(signal.SIGCONT)
    do(host.uninstall)
    assert dockerd.mirrors() == []
    assert host.read(DAEMON) == TEXT
    assert {name for name in unchanged(host)} - set(before) <= \
        {"usr", "usr/bin", "usr/bin/dockerd"}


def test_of_one_that_ends_the_file_is_put_back(scene, host, door):
    dockerd = FakeDocker(scene, host, OLD)
    do(host.once, door.url)
    dockerd.stop()
    do(host.uninstall)
    assert host.read(DAEMON) == TEXT


def test_one_that_starts_meanwhile_forgets_it_as_well(scene, host, door):
    """It has none when it is asked, and then reads the file with ours."""
    first = FakeDocker(scene, host, OLD)
    do(host.once, door.url)
    first.stop()
    written = host.read(DAEMON)
    (host.root / DAEMON).write_text(TEXT)
    dockerd = FakeDocker(scene, host, OLD, hangup="early")
    (host.root / DAEMON).write_text(written)
    assert host.uninstall()[0] == FAILED
    wait_until(lambda: host.uninstall()[0] == 0, "it to forget", 60)
    assert dockerd.mirrors() == [] and host.read(DAEMON) == TEXT


# ---------------------------------------------------------- one that refuses

def test_what_it_refused_is_told_until_the_agent_starts_again(scene, host,
                                                              door):
    FakeDocker(scene, host, OLD)
    edit(host, '["kept=1"]', "1")
    agent = host.start("--registry", door.url)
    wait_until(lambda: "dockerd refused it before" in host.call("status")[1],
               "a look after the one that it refused", 60)
    assert host.read(DAEMON) == WRONG
    assert agent.stop() == 0


def test_what_it_refuses_to_forget_is_tried_again(scene, host, door):
    """The file is as the operator has it meanwhile, not with emptied keys."""
    dockerd = FakeDocker(scene, host, OLD)
    do(host.once, door.url)
    edit(host, '["kept=1"]', "1")
    until_it_fails(host.uninstall, "does not take it over")
    assert host.read(DAEMON) == WRONG
    assert dockerd.mirrors() == [door.url + "/"]

    (host.root / DAEMON).write_text(TEXT)
    do(host.uninstall)
    assert dockerd.mirrors() == [] and host.read(DAEMON) == TEXT


def test_an_edit_between_two_steps_of_an_undo_stays_alone(scene, door):
    """Killed with the keys emptied: nothing of them is left in the end."""
    for step in range(1, 100):
        shim = DiskShim(scene, scene.directory("killed") / "host")
        host = with_docker(Host(scene, shim.root))
        for other in "etc/containerd", "etc/containers":
            shutil.rmtree(host.root / other)
        dockerd = FakeDocker(scene, host, OLD)
        do(host.once, door.url)
        shim.kill_at(step)
        host.before = shim.before
        wait_until(lambda: host.uninstall()[0] == -signal.SIGKILL, "its end")
        host.before = ()
        if '"registry-mirrors": []' in host.read(DAEMON):
            break
        dockerd.stop()

    edit(host, "true", "false")
    do(host.uninstall)
    assert host.read(DAEMON) == TEXT.replace("true", "false")
    assert dockerd.mirrors() == []


def test_what_cannot_be_read_is_not_forgotten(scene, host, door):
    dockerd = FakeDocker(scene, host, OLD)
    do(host.once, door.url)
    edit(host, "{", "")
    broken = host.read(DAEMON)
    until_it_fails(host.uninstall, "cannot be read")
    assert host.read(DAEMON) == broken

    (host.root / DAEMON).write_text("{" + broken)
    do(host.uninstall)
    assert host.read(DAEMON) == TEXT and dockerd.mirrors() == []


def test_what_was_never_written_makes_nothing_forgotten(scene, door, second):
    """Two moves fail; what an editor has touched is still the first one's."""
    shim = DiskShim(scene, scene.directory("moved") / "host")
    host = with_docker(Host(scene, shim.root, shim.before))
    dockerd = FakeDocker(scene, host, OLD)
    do(host.once, door.url)
    for other in second.url.replace("127.0.0.1", "localhost"), second.url:
        with shim.fault("rename", "daemon.json.private-registry$", errno.EIO):
            until_it_fails(lambda: host.once(other), "daemon.json")
    edit(host, "true", "false")
    do(host.uninstall)
    assert host.read(DAEMON) == TEXT.replace("true", "false")
    assert dockerd.mirrors() == []


# -------------------------------------------------------------- other places

def test_a_file_system_that_is_not_mounted_is_waited_for(scene, host, door):
    """daemon.json is a link to there."""
    disk, inside = small_disk(scene), host.root / "srv"
    inside.mkdir()
    (host.root / DAEMON).unlink()
    (host.root / DAEMON).symlink_to("../../srv/daemon.json")
    (disk / "daemon.json").write_text(TEXT)
    dockerd = FakeDocker(scene, host, OLD)
    run(scene, "mount", "--bind", disk, inside)
    do(host.once, door.url)
    written = (disk / "daemon.json").read_text()
    assert door.url in written

    run(scene, "umount", inside)
    until_it_fails(host.uninstall, "not mounted")
    assert not list(inside.iterdir())
    run(scene, "mount", "--bind", disk, inside)
    assert (disk / "daemon.json").read_text() == written
    do(host.uninstall)
    assert (disk / "daemon.json").read_text() == TEXT
    assert dockerd.mirrors() == []


def test_what_is_wished_for_there_waits_as_well(scene, host, door):
    """Nothing takes the place of what is known of it."""
    disk, inside = small_disk(scene), host.root / "etc/containerd/certs.d"
    inside.mkdir()
    run(scene, "mount", "--bind", disk, inside)
    before = sorted(disk.iterdir())
    assert host.once(door.url)[0] == 0
    run(scene, "umount", inside)
    status, out, _ = host.once(door.url)
    assert status == FAILED and "not mounted" in out
    assert not list(inside.iterdir())

    run(scene, "mount", "--bind", disk, inside)
    assert host.once(door.url)[0] == 0
    assert host.uninstall()[0] == 0
    assert sorted(disk.iterdir()) == before
    run(scene, "umount", inside)


@pytest.mark.parametrize("insecure,address", [
    ({"InsecureRegistryCIDRs": ["127.0.0.0/8", "10.0.0.0/8"]}, "10.9.8.7"),
    ({"IndexConfigs": {"10.9.8.7:5000": {"Secure": False}}}, "10.9.8.7"),
    ({"InsecureRegistryCIDRs": ["fd00::/8"]}, "[fd00::7]"),
])
def test_where_docker_has_no_regard_for_certificates_is_no_mirror(
        scene, host, insecure, address):
    """From 28 on Docker Hub's would not be checked either."""
    def words():
        return host.call("--registry", f"http://{address}:5000", "--dry-run")
    dockerd = FakeDocker(scene, host, {"ServerVersion": "28.5.2"})
    wait_until(lambda: f"would write /{DAEMON}" in words()[1], "an answer")
    dockerd.stop()

    FakeDocker(scene, host, {"ServerVersion": "28.5.2",
                             "RegistryConfig": insecure})
    status, out, _ = wait_until(lambda: answered(*words()), "an answer")
    assert status == CONFLICTS and "which is insecure to it" in out
    assert f"would write /{DAEMON}" not in out


def test_a_name_without_an_address_is_no_mirror_of_docker_yet(scene, host):
    """Nobody knows then whether the networks that are insecure have it."""
    FakeDocker(scene, host, {"ServerVersion": "28.5.2", "RegistryConfig": {
        "InsecureRegistryCIDRs": ["127.0.0.0/8"]}})
    _, out, _ = host.call("--registry", f"http://{'x' * 64}:5000", "--dry-run")
    assert f"{'x' * 64}: " in out and "daemon.json is left alone" in out
    assert f"would write /{DAEMON}" not in out
