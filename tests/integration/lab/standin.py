"""A process that is an engine by its name, where the engine is not to be had."""

import os
import shutil
import sys

from .process import Process
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

# Directories of the host take the place of the machine's, for it alone.
WITHIN = """
while [ "$1" != -- ]
do mount --bind "$1" "$2"
shift 2
done
shift
exec "$@"
"""


def within(mounts, *argv):
    """The command, to which each directory is what it stands for."""
    pairs = [word for pair in mounts.items() for word in pair]
    return ["unshare", "--mount", "sh", "-ec", WITHIN, "sh", *pairs, "--",
            *argv]


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
        self._process = lab.own(Process(lab, within(
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
