"""Looks like a dockerd: a process of that name that answers GET /info.

At a SIGHUP it reads its daemon.json as dockerd does: a key that is gone keeps
its value, and of a file with wrong labels nothing is taken.
"""

import json
import os
import signal
import socket
import socketserver
import sys
from http.server import BaseHTTPRequestHandler


def read(path, config):
    """What the file says of `config`, which it changes."""
    try:
        with open(path, encoding="utf-8") as file:
            settings = json.load(file)
        if not isinstance(settings.get("labels", []), list):
            return
        if "registry-mirrors" in settings:
            config["Mirrors"] = [url + "/" for url
                                 in settings["registry-mirrors"]]
    except (OSError, ValueError):
        pass


DAEMON = "/etc/docker/daemon.json"


def main(address, info, hangup, root):
    info = json.loads(info)
    config = info.setdefault("RegistryConfig", {})

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(info).encode()
            if hangup == "early":
                read(DAEMON, config)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self):
            return "the agent"

    def reload(*_):
        if hangup == "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
        read(DAEMON, config)
        print("hangup", flush=True)

    server = listen(address, Answer)
    os.chroot(root)
    os.chdir("/")
    read(DAEMON, config)
    signal.signal(signal.SIGHUP, reload)
    print("ready", flush=True)
    server.serve_forever(0.01)


def listen(address, handler):
    """At a path, or where systemd, whose descriptor it is, does already."""
    given = address.isdigit()
    server = socketserver.ThreadingUnixStreamServer(
        "" if given else address, handler, bind_and_activate=not given)
    if given:
        server.socket = socket.socket(fileno=int(address))
    return server


main(*sys.argv[1:])
