"""Where a client finds a registry, and how it comes to trust it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass
class Endpoint:
    host: str                   # host:port, as in front of an image's name
    trust: Path = None          # a directory with ca.crt; None: plain HTTP

    @property
    def ca(self):
        return self.trust / "ca.crt"

    @property
    def scheme(self):
        return "https" if self.trust else "http"

    @property
    def url(self):
        return f"{self.scheme}://{self.host}"
