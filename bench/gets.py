"""What is read: small answers, large blobs, plain and over TLS."""

import re
import subprocess

from content import MANIFEST_TYPE
from servers import HOST

SECONDS = 2         # wrk takes whole seconds


def wrk(bench, server, seconds):
    """64 connections; requests, and the seconds they took."""
    output = subprocess.run(
        ["wrk", "-t2", "-c64", f"-d{seconds}s", "-H",
         "Accept: " + MANIFEST_TYPE,
         f"http://{HOST}:{server.port}{bench.image.manifest_path}"],
        capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"{server.name} failed requests:\n{output}")
    requests, took = re.search(r"(\d+) requests in ([\d.]+)s", output).groups()
    return int(requests), float(took)


def manifest_warm(bench, server):
    wrk(bench, server, 1)


def manifest(bench, server):
    before = server.process.cpu()
    requests, took = wrk(bench, server, SECONDS)
    return (requests / took,
            (server.process.cpu() - before) / requests * 1e6)


class Load:
    """A run of the program made from load.c."""

    def __init__(self, bench, server, what, seconds=SECONDS):
        before = server.process.cpu()
        done = subprocess.run(
            [bench.load, what.method, str(server.port),
             what.path(bench.image), str(what.connections), str(seconds)] +
            (["tls"] if what.tls else []),
            capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{server.name}: {done.stderr}")
        in_time, answers, took, total, all_answers = map(
            float, done.stdout.split())
        cpu = server.process.cpu() - before
        self.answers = (answers / took, cpu / all_answers * 1e6)
        self.bytes = (in_time / took / 1e9, cpu / (total / 1e9 or 1))


class What:
    """Something to ask for; its methods are a row's `warm` and `measure`."""

    def __init__(self, method, path, connections, tls=False):
        self.method, self.connections, self.tls = method, connections, tls
        self._path = path

    def path(self, image):
        return getattr(image, self._path)

    def warm(self, bench, server):
        Load(bench, server, self, 0.5)

    def answers(self, bench, server):
        """Answers a second, and microseconds of CPU for one."""
        return Load(bench, server, self).answers

    def bytes(self, bench, server):
        """GB a second, and seconds of CPU for one."""
        return Load(bench, server, self).bytes


HEAD = What("HEAD", "blob_path", 64)
BLOB = What("GET", "blob_path", 8)
BLOB_TLS = What("GET", "blob_path", 8, tls=True)
MANIFEST_TLS = What("GET", "manifest_path", 64, tls=True)
