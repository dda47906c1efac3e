"""What a dockerd tells, without one: for versions that are not to be had."""

import json
import os
import shutil
import signal
import socket
import sys
from http.client import HTTPConnection
from pathlib import Path

from .process import Process
from .waiting import wait_until

SERVER = Path(__file__).with_name("fakedocker_server.py")


class FakeDocker(Process):
    """It says `info` of itself, where the dockerd of a host would listen.

    With `hangup` "freeze" it stops at a SIGHUP, before it reads anything; with
    "early" it reads its file before each answer is sent as well, and tells it
    in the next one, as one does that is started just then. With
    the socket `given` another process listens, as systemd does. One that is
    `unnamed` has written its number elsewhere. Each has the host's root.
    """

    def __init__(self, scene, host, info, hangup="read", given=None,
                 unnamed=False):
        self.path = host.root / "run/docker.sock"
        if not given:
            self.path.unlink(missing_ok=True)
        install(host)
        passed = (given.fileno(),) if given else ()
        home = scene.directory("dockerd")
        super().__init__(scene, [
            *named(home), SERVER, *(passed or [self.path]), json.dumps(info),
            hangup, host.root],
            home / "log", passed)
        scene.own(self)
        if not unnamed:
            (host.root / "run/docker.pid").write_text(str(self.pid))
        wait_until(lambda: "ready" in self.output(), "dockerd to listen")

    def stop(self, seconds=60):
        if self.running():
            self.signal(signal.SIGCONT)
        return super().stop(seconds)

    def mirrors(self):
        """What it has in force."""
        connection = HTTPConnection("docker", timeout=60)
        connection.sock = connect(self.path)
        connection.request("GET", "/info")
        config = json.load(connection.getresponse())["RegistryConfig"]
        connection.close()
        return config.get("Mirrors", [])


def named(home):
    """The words that start a Python whose program's file is called dockerd."""
    program = home / "dockerd"
    shutil.copy(os.path.realpath(sys.executable), program)
    return ["env", f"PYTHONHOME={sys.base_prefix}", program]


def install(host):
    """Its program is on the host, though it does not run."""
    (host.root / "usr/bin").mkdir(parents=True, exist_ok=True)
    (host.root / "usr/bin/dockerd").touch()


def starting(scene, host, user=0):
    """A dockerd that does not listen yet: a SIGHUP would end it."""
    home = scene.directory("starting")
    process = scene.own(Process(scene, [*named(home), "-c", f"""
import os, signal
os.chroot("{host.root}")
os.setuid({user})
print("here", flush=True)
signal.pause()"""], home / "log"))
    (host.root / "run/docker.pid").write_text(str(process.pid))
    wait_until(lambda: "here" in process.output(), "the process")
    return process


def connect(path):
    there = socket.socket(socket.AF_UNIX)
    there.connect(str(path))
    return there
