"""etcd, asked through the same gateway that the program uses."""

import base64
import json
import shutil
import signal
import ssl
import urllib.error
import urllib.request

from .ports import free_port
from .process import Process
from .waiting import wait_until

PREFIX = "/private-registry/"


class Etcd:
    """Running. With `tls` (certificate, key) it speaks HTTPS, and with
    `client_ca` only to whom that authority has signed."""

    def __init__(self, lab, program="etcd", *, tls=None, client_ca=None,
                 client=None):
        self._lab = lab
        self._program = program
        self._home = lab.directory("etcd")
        self._tls = tls
        self._client_ca = client_ca
        self._token = None
        self._context = None
        if tls:
            self._context = ssl.create_default_context(cafile=str(tls[0]))
            self._context.check_hostname = False
        if client:
            self._context.load_cert_chain(client)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{free_port()}"
        self._peers = f"http://127.0.0.1:{free_port()}"
        self._process = None
        lab.own(self)
        self.start()

    # ---------------------------------------------------------- life, death

    def start(self):
        words = [self._program, "--name", "n", "--data-dir", self._home / "data",
                 "--unsafe-no-fsync", "--listen-client-urls", self.url,
                 "--advertise-client-urls", self.url,
                 "--listen-peer-urls", self._peers,
                 "--initial-advertise-peer-urls", self._peers,
                 "--initial-cluster", f"n={self._peers}"]
        if self._tls:
            words += ["--cert-file", self._tls[0], "--key-file", self._tls[1]]
        if self._client_ca:
            words += ["--trusted-ca-file", self._client_ca,
                      "--client-cert-auth"]
        self._process = Process(self._lab, words, self._home / "log")
        wait_until(self._answers, "etcd to answer", 60)
        return self

    def _answers(self):
        assert self._process.running(), self._process.output()
        try:
            return self.call("kv/range", {"key": encode("x")}, check=False)
        except OSError:
            return False

    def stop(self):
        if self._process.running():
            self.thaw()
            self._process.stop()

    def kill9(self):
        self._process.kill9()

    @property
    def pid(self):
        return self._process.pid

    def freeze(self):
        self._process.signal(signal.SIGSTOP)

    def thaw(self):
        self._process.signal(signal.SIGCONT)

    def keep(self):
        """A copy of its data; it is not running."""
        kept = self._lab.directory("kept") / "data"
        shutil.copytree(self._home / "data", kept)
        return kept

    def restore(self, kept):
        """Likewise."""
        self.forget()
        shutil.copytree(kept, self._home / "data")

    def forget(self):
        """As if its disk were new; it is not running."""
        shutil.rmtree(self._home / "data")
        self._token = None

    # -------------------------------------------------------------- talking

    def call(self, path, body, check=True):
        headers = {"Authorization": self._token} if self._token else {}
        request = urllib.request.Request(
            f"{self.url}/v3/{path}", json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=20,
                                        context=self._context) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            said = refusal.read().decode()
            assert not check, said
            return {"error": said}

    def pairs(self, prefix=PREFIX):
        """{key: value} of all keys that begin so."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        found = self.call("kv/range", {"key": encode(prefix),
                                       "range_end": encode(end)})
        return {decode(each["key"]): decode(each.get("value", ""))
                for each in found.get("kvs", [])}

    def registries(self, prefix=PREFIX):
        """What each registry says of itself, by its id."""
        begin = prefix + "registries/"
        return {key[len(begin):]: json.loads(value)
                for key, value in self.pairs(begin).items()}

    def history(self, key):
        """What stood there since etcd began, each change; None: nothing."""
        now = int(self.call("kv/range", {"key": encode("x")})
                  ["header"]["revision"])
        values = [None]
        for revision in range(1, now + 1):
            found = self.call("kv/range", {"key": encode(key),
                                           "revision": revision})
            value = None
            if "kvs" in found:
                value = decode(found["kvs"][0].get("value", ""))
            if value != values[-1]:
                values.append(value)
        return values

    def leases(self):
        return [each["ID"] for each
                in self.call("lease/leases", {}).get("leases", [])]

    def put(self, key, value):
        self.call("kv/put", {"key": encode(key), "value": encode(value)})

    def delete(self, key):
        self.call("kv/deleterange", {"key": encode(key)})

    def compact(self):
        """Everything before now is forgotten."""
        now = self.call("kv/range", {"key": encode("x")})["header"]["revision"]
        self.call("kv/compaction", {"revision": now, "physical": True})

    def demand_passwords(self, name, password, prefix=PREFIX):
        """From here on only root, and `name` below the prefix, may come in."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        self.call("auth/user/add", {"name": "root", "password": "root"})
        self.call("auth/user/grant", {"user": "root", "role": "root"})
        self.call("auth/role/add", {"name": "registry"})
        self.call("auth/role/grant", {"name": "registry", "perm": {
            "permType": 2, "key": encode(prefix), "range_end": encode(end)}})
        self.call("auth/user/add", {"name": name, "password": password})
        self.call("auth/user/grant", {"user": name, "role": "registry"})
        self.call("auth/enable", {})
        self.login()

    def demand_nothing(self):
        """Everybody may come in again."""
        self.call("auth/disable", {})
        self._token = None

    def login(self):
        self._token = None
        self._token = self.call("auth/authenticate", {
            "name": "root", "password": "root"})["token"]


def encode(text):
    return base64.b64encode(text.encode()).decode()


def decode(text):
    return base64.b64decode(text).decode()
