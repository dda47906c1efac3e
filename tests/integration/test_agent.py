"""A host is pointed at a registry, and is as before when that ends."""

import hashlib
import os
import random
import signal
from pathlib import Path

import pytest

from lab.certificates import make_certificate
from lab.containerd import Containerd
from lab.disk_shim import DiskShim
from lab.docker import Docker
from lab.fakedocker import FakeDocker
from lab.host import DROP_IN, ENVIRONMENT, HOSTS, Host, do, events
from lab.mounts import bound
from lab.process import run
from lab.registry import Registry
from lab.waiting import wait_until

KILLS = int(os.environ.get("KILLS", 40))
FAILED, USAGE, CONFLICTS = 1, 2, 3


@pytest.fixture(scope="module")
def doors(module_scene):
    """A registry with a plain port and a secure one."""
    certificate = make_certificate(
        module_scene, module_scene.directory("certificate"), 1)
    return Registry(module_scene, tls=certificate).start()


# ------------------------------------------------------------ to the engines

def copy(scene, host, image):
    """With skopeo, to which the host's /etc/containers is its own."""
    target = scene.directory("copied")
    run(scene, "unshare", "--mount", "sh", "-ec",
        'mount --bind "$1" /etc/containers\n'
        'exec skopeo copy --quiet --insecure-policy '
        '"docker://docker.io/$2" "dir:$3"',
        "sh", host.root / "etc/containers",
        f"{image.repository}:{image.tag}", target)
    manifest = (target / "manifest.json").read_bytes()
    assert "sha256:" + hashlib.sha256(manifest).hexdigest() == image.digest


@pytest.mark.parametrize("scheme", ["plain", "secure"])
def test_skopeo_pulls_through_it(scene, hub, images, host, scheme):
    certificate = make_certificate(scene, scene.directory("certificate"), 1)
    registry = Registry(scene, {"docker.io": hub.url}, tls=certificate).start()
    door = getattr(registry, scheme)
    trust = ["--ca", certificate[0]] if door.trust else []

    assert host.once(door.url, *trust)[0] == 0
    copy(scene, host, images[0])

    path = f"/docker.io/{images[0].repository}/"
    wait_until(lambda: sum(path in line["path"] for line
                           in registry.log_lines("request")) >= 3,
               "manifest, configuration and layer in the log")


def test_containerd_pulls_through_it_and_pushes_to_it(scene, hub, images, host,
                                                      start_registry):
    registry = start_registry({"docker.io": hub.url})
    image = images[0]
    containerd = Containerd(scene, hosts=host.root / "etc/containerd/certs.d")

    assert host.once(registry.url)[0] == 0
    containerd.pull(image)
    containerd.copy_out(f"docker.io/{image.repository}:{image.tag}",
                        f"{registry.host}/team/app:1")

    pushed = registry.ask("HEAD", f"/v2/team/app/manifests/{image.digest}",
                          Accept="*/*")
    assert pushed.status == 200


STORE = [["driver-type", "io.containerd.snapshotter.v1"]]
DOCKER = "etc/docker/certs.d"


def test_docker_with_the_store_of_containerd_is_pointed(scene, host, doors):
    FakeDocker(scene, host, {"ServerVersion": "28.5.2", "DriverStatus": STORE})
    before = host.snapshot()

    do(host.once, doors.url)
    assert f'[host."{doors.url}"]' in host.read(
        f"{DOCKER}/docker.io/hosts.toml")
    assert f'server = "{doors.url}"' in host.read(
        f"{DOCKER}/{doors.host}/hosts.toml")
    do(host.uninstall)
    assert host.snapshot() == before


def test_a_mirror_that_docker_has_is_left_to_it(scene, host, doors):
    FakeDocker(scene, host, {
        "ServerVersion": "28.5.2", "DriverStatus": STORE,
        "RegistryConfig": {"Mirrors": ["http://mine/"]}})
    wait_until(lambda: "docker: conflict docker.io" in host.once(
        doors.url, "--upstream", "ghcr.io")[1], "an answer")
    assert not host.read(f"{DOCKER}/docker.io/hosts.toml")
    assert host.read(f"{DOCKER}/ghcr.io/hosts.toml")


def test_while_docker_does_not_answer_it_keeps_what_it_has(scene, host, doors):
    dockerd = FakeDocker(scene, host, {"ServerVersion": "28.5.2",
                                    "DriverStatus": STORE})
    do(host.once, doors.url)
    applied = host.snapshot()
    dockerd.stop()

    status, out, _ = host.once(doors.url)
    assert status == 0 and "docker: pending nothing of it changes" in out
    assert host.snapshot() == applied


DAEMON = '{\n\t"debug": true,  "labels": ["kept=1"]\n}'


@pytest.fixture
def docker(scene, host):
    """Debian's, which has its own store, and the host's /etc/docker."""
    etc = host.root / "etc/docker"
    etc.mkdir()
    (etc / "daemon.json").write_text(DAEMON)
    docker = Docker(scene, etc=etc)
    (host.root / "run/docker.sock").symlink_to(docker.socket)
    (host.root / "run/docker.pid").write_text(str(docker.pid))
    return docker


def mirrors(docker):
    return docker.run("info", "--format", "{{.RegistryConfig.Mirrors}}").strip()


def test_a_real_docker_pulls_through_it_and_forgets_it(hub, images, host,
                                                       docker, start_registry):
    registry = start_registry({"docker.io": hub.url})
    before = host.snapshot()

    do(host.once, registry.url)
    assert host.read("etc/docker/daemon.json") == DAEMON.replace(
        "{\n\t", f'{{\n\t"registry-mirrors": ["{registry.url}"],\n\t')
    assert mirrors(docker) == f"[{registry.url}/]"
    docker.pull(images[0])
    wait_until(lambda: any(images[0].repository in line["path"] for line
                           in registry.log_lines("request")), "the log")

    do(host.uninstall)
    assert mirrors(docker) == "[]"
    assert host.snapshot() == before
    docker.forget()


def test_docker_takes_it_over_when_it_answers_again(host, docker, doors):
    """The file was written, and the signal was not sent."""
    do(host.once, doors.url)
    written = host.read("etc/docker/daemon.json")
    (host.root / "etc/docker/daemon.json").write_text(
        DAEMON.replace("{", '{"registry-mirrors": [],'))
    docker.reload()
    (host.root / "etc/docker/daemon.json").write_text(written)
    assert mirrors(docker) == "[]"

    do(host.once, doors.url)
    assert mirrors(docker) == f"[{doors.url}/]"
    do(host.uninstall)
    assert host.read("etc/docker/daemon.json") == DAEMON


def test_what_docker_reads_later_is_written_before_it_answers(host, docker,
                                                              doors):
    """As one does that is being started."""
    os.kill(docker.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: "docker: pending it is told to read" in
                   host.once(doors.url)[1], "its version")
        assert doors.url in host.read("etc/docker/daemon.json")
    finally:
        os.kill(docker.pid, signal.SIGCONT)
    assert mirrors(docker) == "[]"      # it answers
    do(host.once, doors.url)
    assert mirrors(docker) == f"[{doors.url}/]"
    do(host.uninstall)
    assert host.read("etc/docker/daemon.json") == DAEMON


def test_what_docker_refuses_is_taken_back(host, docker, doors):
    """Somebody's label is wrong, so it reads nothing of the file."""
    wrong = '{"labels": 1}'
    (host.root / "etc/docker/daemon.json").write_text(wrong)

    def is_taken_back(status, out, _):
        return status == FAILED and "does not take it over" in out and \
            host.read("etc/docker/daemon.json") == wrong

    wait_until(lambda: is_taken_back(*host.once(doors.url)), "its refusal")
    assert mirrors(docker) == "[]"


def test_a_docker_with_options_of_its_own_is_left_alone(scene, host, doors):
    etc = host.root / "etc/docker"
    etc.mkdir()
    docker = Docker(scene, before=bound({etc: "/etc/docker"}))  # --config-file
    (host.root / "run/docker.sock").symlink_to(docker.socket)
    (host.root / "run/docker.pid").write_text(str(docker.pid))
    wait_until(lambda: "started with --config-file" in host.once(
        doors.secure.url, "--ca", doors.secure.ca)[1], "its version")
    assert not host.read("etc/docker/daemon.json")
    assert "BEGIN CERTIFICATE" in host.read(
        f"{DOCKER}/{doors.secure.host}/ca.crt")


def test_of_an_authoritys_file_only_certificates_are_written(scene, host):
    """What is written to /etc everybody may read."""
    certificate, key = make_certificate(scene, scene.directory("ca"), 1)
    registry = Registry(scene, tls=(certificate, key)).start()
    both = scene.directory("both") / "both.pem"
    both.write_text(Path(key).read_text() + Path(certificate).read_text())
    assert host.once(registry.secure.url, "--ca", both)[0] == 0
    written = host.read(
        f"etc/containers/certs.d/{registry.secure.host}/ca.crt")
    assert "BEGIN CERTIFICATE" in written and "KEY" not in written


# --------------------------------------------------------- what it is told

def test_a_dry_run_prints_a_diff_and_changes_nothing(host, doors):
    before = host.snapshot()
    status, out, err = host.call("--registry", doors.url, "--dry-run")
    assert (status, err) == (0, "")
    assert "+++ /environment\n" in out
    assert f"+DOCKER_REPO={doors.host}/\n" in out
    assert f"+++ /{HOSTS}\n" in out
    assert host.snapshot() == before and not (host.root / "var").exists()


def test_once_is_enough_and_uninstall_takes_it_back(host, doors):
    before = host.snapshot()
    assert host.once(doors.url)[0] == 0
    applied = host.snapshot()
    assert host.read("environment").startswith("# private-registry: ")
    assert host.read(HOSTS) and host.read(DROP_IN)

    assert host.once(doors.url)[0] == 0
    assert host.snapshot() == applied
    status, out, _ = host.call("status")
    assert status == 0 and f"registry {doors.url}: answered" in out
    assert "has /etc/environment since " in out
    assert host.uninstall()[0] == 0
    assert host.snapshot() == before
    assert host.uninstall()[0] == 0


def test_conflicts_are_an_exit_status(host, doors):
    (host.root / "environment").write_text("DOCKER_REPO=mine/\n")
    status, out, err = host.once(doors.url)
    assert status == CONFLICTS
    assert "conflict /etc/environment" in out and "1 things" in err
    assert host.read("environment") == "DOCKER_REPO=mine/\n"
    assert host.read("run/private-registry/environment").endswith(
        f"DOCKER_REPO={doors.host}/\n")


@pytest.mark.parametrize("arguments,status,word", [
    (["--once"], USAGE, "--registry"),
    (["--registry", "nonsense"], USAGE, "nonsense"),
    (["--registry", "http://127.0.0.1:1", "--once"], FAILED, "does not answer"),
    (["--registry", "https://a", "--ca", "/dev/null", "--once"], USAGE,
     "no PEM certificate"),
    (["--registry", "http://a", "--ca", "/dev/null", "--once"], USAGE,
     "--ca is for https"),
    (["status"], FAILED, "no agent"),
    (["--uninstall", "now"], USAGE, "now"),
])
def test_it_says_in_one_sentence_what_is_wrong(host, arguments, status, word):
    before = host.snapshot()
    got, out, err = host.call(*arguments)
    assert (got, out, err.count("\n")) == (status, "", 1), err
    assert word in err
    assert host.snapshot() == before


def test_a_damaged_journal_is_a_failure_once(host, doors):
    assert host.once(doors.url)[0] == 0
    entry = next(path for path
                 in host.root.glob("var/lib/private-registry/agent/journal/*")
                 if b"path /run/private-registry/environment" in
                 path.read_bytes())
    entry.write_bytes(entry.read_bytes()[:-1] + b"~")
    status, out, _ = host.uninstall()
    assert status == FAILED and "the journal is damaged" in out
    assert host.read("environment") == ENVIRONMENT
    assert host.read("run/private-registry/environment")
    assert host.uninstall()[0] == 0


# ------------------------------------------------------------ one that stays

def is_pointed(host, registry):
    return lambda: f"DOCKER_REPO={registry.host}/" in host.read("environment") \
        and registry.host in host.read(HOSTS)


def test_a_host_follows_a_registry_that_comes_and_goes(host, start_registry):
    registry, before = start_registry(), host.snapshot()
    agent = host.start("--registry", registry.url)
    wait_until(is_pointed(host, registry), "the host to be pointed", 60)

    registry.stop()
    wait_until(lambda: host.snapshot() == before, "the host to be as before",
               seconds=60)
    registry.start()
    wait_until(is_pointed(host, registry), "the host to be pointed", 60)

    words = [line["message"] for line in events(agent, "registry")]
    assert all(word != after for word, after in zip(words, words[1:])), words
    assert agent.stop() == 0


def test_a_signal_is_no_withdrawal_and_the_next_start_goes_on(host, doors):
    before = host.snapshot()
    agent = host.start("--registry", doors.url)
    wait_until(lambda: "wrote /etc/environment" in host.call("status")[1],
               "the status", 60)
    applied = host.snapshot()
    assert agent.stop() == 0
    assert host.snapshot() == applied

    again = host.start("--registry", doors.url)
    wait_until(lambda: "an agent runs" in host.call("status")[1],
               "the agent to run", 60)
    status, _, err = host.once(doors.url)
    assert status == FAILED and "another agent" in err
    assert host.uninstall()[0] == 0
    assert again.wait() == 0
    assert host.snapshot() == before


def test_a_hangup_makes_it_look_at_once(host, doors):
    agent = host.start("--registry", doors.url)
    wait_until(lambda: "wrote" in host.call("status")[1], "the status", 60)
    (host.root / DROP_IN).unlink()
    agent.signal(signal.SIGHUP)
    wait_until(lambda: host.read(DROP_IN), "the file to be written again", 30)
    assert agent.stop() == 0


# ------------------------------------------------------------ at every step

def live(host, doors, ca):
    """Pointed at a registry, then at another, then at none."""
    yield host.once(doors.url, "--upstream", "ghcr.io")
    yield host.once(doors.secure.url, "--ca", ca)
    yield host.uninstall()


def test_killed_at_any_step_it_can_be_taken_back_or_gone_on_with(scene, doors):
    ca, chance = doors.secure.ca, random.Random(8)
    home = scene.directory("whole")
    shim = DiskShim(scene, home / "host")
    whole, wanted = Host(scene, shim.root, shim.before), []
    before = whole.snapshot()
    for status, out, err in live(whole, doors, ca):
        assert status == 0, (out, err)
        wanted.append(whole.snapshot())
    total = shim.count
    assert wanted[-1] == before and wanted[0] != wanted[1]

    for number, at in enumerate(sorted(chance.sample(
            range(1, total + 1), min(KILLS, total)))):
        shim = DiskShim(scene, scene.directory("killed") / "host")
        shim.kill_at(at)
        host = Host(scene, shim.root, shim.before)
        print(f"killed at step {at} of {total}")
        assert any(status == -signal.SIGKILL
                   for status, _, _ in live(host, doors, ca))
        host.before = ()
        if number % 2:
            status, out, err = host.once(doors.secure.url, "--ca", ca)
            assert status == 0, (out, err)
            assert host.snapshot() == wanted[1]
        status, out, err = host.uninstall()
        assert status == 0, (out, err)
        assert host.snapshot() == before
        left = list((host.root / "var").rglob("*"))
        assert {path.name for path in left if path.is_file()} <= \
            {"lock", "registry", "status"}
        assert host.read("var/lib/private-registry/agent/registry") == ""
