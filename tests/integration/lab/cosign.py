"""cosign with a key of its own, and no log of the world's signatures.

Debian 12 has none; that of a newer Debian runs here as it is (apt-get
download, dpkg -x). COSIGN names the program.
"""

import os

from .process import run

PROGRAM = os.environ.get("COSIGN")


class Cosign:
    def __init__(self, lab):
        self._lab = lab
        self._key = lab.directory("cosign") / "lab"
        self.run("generate-key-pair", f"--output-key-prefix={self._key}")

    def run(self, *arguments):
        return run(self._lab, PROGRAM, *arguments, COSIGN_PASSWORD="")

    def sign(self, image):
        self.run("sign", "--yes", "--allow-http-registry",
                 "--use-signing-config=false", "--tlog-upload=false",
                 f"--key={self._key}.key", image)

    def verify(self, image):
        """AssertionError unless this key has signed it."""
        self.run("verify", "--allow-http-registry",
                 "--insecure-ignore-tlog=true", f"--key={self._key}.pub",
                 image)
