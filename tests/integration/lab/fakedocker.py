"""What a dockerd tells, without one: for versions that are not to be had."""

import json
import socketserver
from http.server import BaseHTTPRequestHandler

from .background import Background


class FakeDocker(socketserver.ThreadingUnixStreamServer):
    """It says `info` of itself, where the dockerd of a host would listen."""

    def __init__(self, scene, host, info):
        (host.root / "usr/bin").mkdir(parents=True)
        (host.root / "usr/bin/dockerd").touch()
        body = json.dumps(info).encode()

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        super().__init__(str(host.root / "run/docker.sock"), Answer)
        Background(scene, self)
