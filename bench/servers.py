"""The three that are compared. Each serves the same bytes at the same paths.

Nothing is tuned for a row: each has one configuration for all of them, and
each writes an access log to a file.
"""

import os
import random
import shutil
import socket
import subprocess
import time
from pathlib import Path

from content import MANIFEST_TYPE, REPOSITORY, push
from process import Process

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[1]
BINARY = Path(os.environ.get("PRIVATE_REGISTRY",
                             ROOT / "build" / "private-registry"))


def free_port():
    """Below the range that outgoing connections take their ports from."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port


class Server:
    """Lives in the directory `home`; listens at one port, plain or TLS.

    `certificate` and `key` are files for TLS.
    """

    name = program = ""
    pushable = True

    def __init__(self, home, certificate, key):
        self.home = home
        self._tls = (certificate, key)
        self.process = None
        self.port = 0
        home.mkdir()

    @classmethod
    def missing(cls):
        """A sentence with the remedy, or None."""
        if shutil.which(cls.program, path=os.environ["PATH"] + ":/usr/sbin"):
            return None
        return f"{cls.program} is not here; bench/run installs or builds it."

    def launch(self, tls=False):
        """Starts it, and does not wait until it listens."""
        self.port = free_port()
        configuration = self.home / "configuration"
        configuration.write_text(self.configure(*(self._tls if tls else ())))
        self.process = Process(self.command(configuration), self.home / "log")

    def start(self, tls=False):
        self.launch(tls)
        for _ in range(1000):
            self.process.check()
            with socket.socket() as probe:
                if probe.connect_ex((HOST, self.port)) == 0:
                    return
            time.sleep(0.01)
        raise RuntimeError(f"{self.name} does not listen after 10 s")

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None

    def fill(self, image):
        """Puts the image there; it is running, without TLS."""
        push(self.port, image)

    def fill_zeros(self, zeros):
        """The same with a large blob of zeros."""
        zeros.push(self.port)


class PrivateRegistry(Server):
    name = "private-registry"
    program = str(BINARY)

    @classmethod
    def version(cls):
        commit = subprocess.run(
            ["git", "-C", ROOT, "describe", "--always", "--dirty"],
            capture_output=True, text=True, check=False).stdout.strip()
        return f"private-registry {commit}"

    def configure(self, certificate=None, key=None):
        tls = f"{{certificate: {certificate}, key: {key}}}"
        return (f"data: {self.home}/data\n"
                f"listen:\n"
                f"  - address: {HOST}:{self.port}\n"
                + (f"    tls: {tls}\n" if certificate else "") +
                'mirror: {default: ""}\n')

    def command(self, configuration):
        return [BINARY, "serve", "--config", configuration]


class DockerRegistry(Server):
    """As Debian configures it, less the password file."""

    name = program = "docker-registry"

    @classmethod
    def version(cls):
        words = _output("docker-registry", "--version").split()
        return f"docker-registry {words[-1]}"

    def configure(self, certificate=None, key=None):
        tls = f"tls: {{certificate: {certificate}, key: {key}}}"
        return f"""\
version: 0.1
log:
  fields: {{service: registry}}
storage:
  cache: {{blobdescriptor: inmemory}}
  filesystem: {{rootdirectory: {self.home}/data}}
  delete: {{enabled: true}}
http:
  addr: {HOST}:{self.port}
  headers: {{X-Content-Type-Options: [nosniff]}}
  {tls if certificate else ""}
health:
  storagedriver: {{enabled: true, interval: 10s, threshold: 3}}
"""

    def command(self, configuration):
        return ["docker-registry", "serve", configuration]


class Nginx(Server):
    """Files of the same bytes under the paths of the API.

    tcp_nopush makes small answers faster and large ones slower, so each kind
    has what suits it; buffered log lines and open_file_cache are faster, too.
    Each worker can hold all 10,000 idle connections, should it be dealt them.
    """

    name = program = "nginx"
    pushable = False

    @classmethod
    def version(cls):
        done = subprocess.run(["/usr/sbin/nginx", "-v"], capture_output=True,
                              text=True, check=True)
        return "nginx " + done.stderr.strip().rsplit("/", 1)[1]

    def configure(self, certificate=None, key=None):
        tls = f"""
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.3;"""
        return f"""\
daemon off;
user {_owner(self.home)};
pid {self.home}/pid;
error_log {self.home}/error.log;
worker_processes auto;
worker_rlimit_nofile 20000;
events {{ worker_connections 10240; }}
http {{
  default_type {MANIFEST_TYPE};
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  open_file_cache max=1000;
  access_log {self.home}/access.log combined buffer=64k flush=1s;
  client_body_temp_path {self.home}/t;
  proxy_temp_path {self.home}/t;
  fastcgi_temp_path {self.home}/t;
  uwsgi_temp_path {self.home}/t;
  scgi_temp_path {self.home}/t;
  server {{
    listen {HOST}:{self.port}{" ssl" if certificate else ""} reuseport;
    root {self.home}/data;{tls if certificate else ""}
    location {REPOSITORY}/blobs/ {{ tcp_nopush off; }}
  }}
}}
"""

    def command(self, configuration):
        return ["/usr/sbin/nginx", "-c", configuration]

    def fill(self, image):
        for path, content in image.files():
            file = self.home / ("data" + path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    def fill_zeros(self, zeros):
        file = self.home / ("data" + zeros.path)
        file.parent.mkdir(parents=True)
        with file.open("wb") as out:
            out.truncate(zeros.SIZE)


def _owner(path):
    """Workers must be able to read what this user wrote."""
    return path.owner() + " " + path.group()


def _output(*argv):
    return subprocess.run(argv, capture_output=True, text=True,
                          check=True).stdout


ALL = [PrivateRegistry, Nginx, DockerRegistry]
