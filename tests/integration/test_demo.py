"""deploy/demo/up keeps what it promises, and leaves nothing."""

import os
import re
import signal
import subprocess

import pytest

from lab.process import Process, run
from lab.registry import BINARY, ROOT
from lab.waiting import wait_until

DEMO = ROOT / "deploy" / "demo"
STATE = "/run/private-registry-demo"
LONG = 600                      # seconds; a Debian is made, the first time
# Milliseconds that were promised are seconds here: others use this machine.
FIGURE = re.compile(r"^  (.+?) +(\d+)\.\d s   \(promised: (\d+) s\)$", re.M)
LOADED = 10

MAKE = f"""
source {DEMO}/parts.sh && tree_make &&
	unshare --net ip link add demo type bridge &&
	systemd-nspawn --quiet --register=no --keep-unit --read-only --as-pid2 \\
		--console=pipe --directory="$tree" /bin/true
"""

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def tree(module_scene):
    """What all hosts are made of; made once, and kept."""
    if os.geteuid() != 0:
        pytest.skip("only root can make hosts")
    if os.path.exists(STATE):
        pytest.skip("somebody looks at a demo; deploy/demo/down ends it")
    made = subprocess.run(
        ["/bin/bash", "-c", MAKE], env=module_scene.environment, text=True,
        stdin=subprocess.DEVNULL, capture_output=True)
    if made.returncode != 0:
        pytest.skip("no hosts can be made here: " +
                    (made.stderr.splitlines() or ["?"])[-1])


@pytest.fixture
def demo(scene, tree):
    """demo(arguments…) is deploy/demo/up, running."""
    scene.environment["PRIVATE_REGISTRY"] = str(BINARY)
    yield lambda *arguments: Process(
        scene, [DEMO / "up", *arguments], scene.directory("demo") / "log")
    run(scene, DEMO / "down")


def nothing_is_left():
    return not os.path.exists(STATE) and \
        "pr-demo" not in subprocess.run(["ip", "netns"], text=True,
                                        capture_output=True).stdout


def test_hosts_follow_a_registry_and_are_as_before(demo):
    up = demo()
    assert up.wait(LONG) == 0, up.output()
    seen = FIGURE.findall(up.output())
    assert len(seen) == 3, up.output()
    for what, took, promised in seen:
        assert int(took) < int(promised) * LOADED, what
    assert nothing_is_left()


def test_it_cleans_up_when_it_is_interrupted(demo):
    up = demo()
    wait_until(lambda: "booted" in up.output(), "its hosts", LONG)
    up.signal(signal.SIGTERM)
    assert up.wait(LONG) == 128 + signal.SIGTERM
    assert nothing_is_left()


def test_down_ends_what_was_killed(demo, scene):
    up = demo()
    wait_until(lambda: "booted" in up.output(), "its hosts", LONG)
    up.kill9()
    run(scene, DEMO / "down")
    assert nothing_is_left()
