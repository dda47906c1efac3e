"""A process that is an engine by its name, where the engine is not to be had."""

import os
import shutil
import sys

from .mounts import bound
from .process import Process, run
from .waiting import wait_until

PROGRAM = """\
import http.server, os, pathlib, signal, socketserver, sys, time
home, socket, answer = sys.argv[1:4]
signal.signal(signal.SIGHUP, lambda *_: print("hangup", flush=True))
print("started", flush=True)
while not pathlib.Path(home, "up").exists():
    time.sleep(0.01)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())
    def log_message(self, *_):
        pass
class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
Server(socket, Answer).serve_forever()
"""


class StandIn:
    """A Python whose program's file is called `name`.

    It answers each GET at `socket` with `answer`, once it is up, and prints
    "hangup" at each SIGHUP. `words` are more of its command line, `mounts` is
    {directory: where it shall see it}, and `variables` are more of its
    environment.
    """

    def __init__(self, lab, name, socket="", answer="{}", words=(), mounts=None,
                 variables=None):
        self._home = lab.directory(name)
        program = self._home / name
        shutil.copy(os.path.realpath(sys.executable), program)
        variables = {"PYTHONHOME": sys.base_prefix, **(variables or {})}
        self._process = lab.own(Process(lab, bound(
            mounts or {}, "env",
            *[f"{key}={value}" for key, value in variables.items()],
            program, "-c", PROGRAM, self._home, socket, answer, *words),
            self._home / "log"))
        wait_until(lambda: "started" in self._said(), f"{name} to start")

    def _said(self):
        assert self._process.running(), self._process.output()
        return self._process.output()

    def rise(self):
        """From now on it answers."""
        (self._home / "up").touch()
        return self

    def hangups(self):
        return self._said().count("hangup")


# ------------------------------------------------------- of a host's own root

PAUSES = "int pause(void);\nint main(void)\n{\n\tfor (;;)\n\t\tpause();\n}\n"
SYSTEMCTL = """\
#!/bin/sh
echo "$@" >>/var/lib/private-registry/systemctl
test ! -e /broken || { echo "Job for $2 failed."; exit 1; }
"""


class Resident:
    """A process below the host's root, its program's file called `name`."""

    def __init__(self, lab, host, name, *words):
        program = host.root / "usr/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        source = lab.directory("source") / "pauses.c"
        source.write_text(PAUSES)
        run(lab, "cc", "-static", "-o", program, source)
        self._process = lab.own(Process(
            lab, ["chroot", host.root, f"/usr/bin/{name}", *words],
            lab.directory(name) / "log"))
        wait_until(lambda: os.readlink(f"/proc/{self._process.pid}/exe") ==
                   str(program), f"{name} to run")


class Systemctl:
    """It notes what it is told on the host, and does nothing."""

    def __init__(self, host):
        self._root = host.root
        for name in "bin", "usr/bin":
            (self._root / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(shutil.which("busybox"), self._root / "bin/busybox")
        (self._root / "bin/sh").symlink_to("busybox")
        program = self._root / "usr/bin/systemctl"
        program.write_text(SYSTEMCTL)
        program.chmod(0o755)

    def told(self):
        """A line each."""
        path = self._root / "var/lib/private-registry/systemctl"
        return path.read_text().splitlines() if path.exists() else []

    def breaks(self):
        """From now on no unit starts."""
        (self._root / "broken").touch()
