"""A token service, as Docker Hub has one beside its registry.

It knows one account, and who is nobody gets no token. docker-registry
believes what the key behind its certificate has signed.
"""

import base64
import json
import ssl
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import jwt

from .background import Background
from .certificates import make_certificate

NAME = "lab"                    # of the service, and of who issues for it
ACCOUNT = ("ali", "open sesame")
LEEWAY = 60                     # seconds that docker-registry adds to the end


@dataclass
class Token:
    scope: str                  # repository:library/app:pull
    end: int                    # docker-registry takes it until then

    def has_ended(self):
        return time.time() > self.end + 0.1


class TokenServer:
    """Its tokens last `lifetime` seconds; `said` is what it says of that."""

    def __init__(self, lab, lifetime=300, said=None):
        self.lifetime = lifetime
        self.said = said or lifetime
        self.granted = []
        self.refused = 0
        directory = lab.directory("tokens")
        certificate, key = make_certificate(lab, directory, 1, NAME)
        self._key = key.read_text()
        self._chain = [base64.b64encode(ssl.PEM_cert_to_DER_cert(
            certificate.read_text())).decode()]
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.tokens = self
        # for docker-registry, and for those who pull from it
        self.expected = {
            "realm": f"http://127.0.0.1:{self._server.server_port}/token",
            "service": NAME, "issuer": NAME, "rootcertbundle": certificate}
        (directory / "password").write_text(ACCOUNT[1] + "\n")
        self.options = {"credentials": [{
            "username": ACCOUNT[0], "password_file": directory / "password"}]}
        Background(lab, self._server)

    def grant(self, scope):
        """A signed token for `scope`."""
        kind, name, actions = scope.split(":")
        token = Token(scope, int(time.time()) + self.lifetime)
        self.granted.append(token)
        return jwt.encode({
            "iss": NAME, "aud": NAME, "sub": ACCOUNT[0],
            "exp": token.end - LEEWAY, "nbf": token.end - self.lifetime,
            "access": [{"type": kind, "name": name,
                        "actions": actions.split(",")}]},
            self._key, algorithm="ES256", headers={"x5c": self._chain})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        tokens = self.server.tokens
        if self.headers["Authorization"] != "Basic " + base64.b64encode(
                ":".join(ACCOUNT).encode()).decode():
            tokens.refused += 1
            return self._answer(401, {})
        scope, = parse_qs(urlsplit(self.path).query)["scope"]
        self._answer(200, {"token": tokens.grant(scope),
                           "expires_in": tokens.said})

    def _answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
