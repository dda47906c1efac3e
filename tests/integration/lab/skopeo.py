"""skopeo, which names the upstream in the path: host:port/docker.io/…"""

import hashlib
import shutil

from .process import run


class Skopeo:
    """Copies from `prefix`, such as 127.0.0.1:5000/docker.io.

    `before` stands in front of each command.
    """

    def __init__(self, lab, prefix, before=()):
        self._lab = lab
        self._before = before
        self._prefix = prefix
        self._home = lab.directory("skopeo")

    def pull(self, image, prefix=None):
        """Copies every platform into a directory, and proves each blob."""
        target = self._home / "image"
        run(self._lab, *self._before, "skopeo", "copy", "--quiet", "--all",
            "--insecure-policy", "--src-tls-verify=false",
            f"docker://{prefix or self._prefix}/{image.repository}:{image.tag}",
            f"dir:{target}")
        manifest = (target / "manifest.json").read_bytes()
        assert manifest == image.manifests[-1].body
        for blob in image.blobs:
            with open(target / blob.digest.split(":")[1], "rb") as data:
                assert "sha256:" + hashlib.file_digest(
                    data, "sha256").hexdigest() == blob.digest

    def push(self, name):
        """What was pulled last."""
        run(self._lab, *self._before, "skopeo", "copy", "--quiet", "--all",
            "--insecure-policy", "--dest-tls-verify=false",
            f"dir:{self._home / 'image'}", f"docker://{name}")

    def forget(self):
        shutil.rmtree(self._home / "image", ignore_errors=True)
