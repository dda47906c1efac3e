"""Programs that copy OCI layouts to a registry and back, byte by byte."""

import tarfile

from .containerd import Containerd
from .go_tools import go_tool
from .layouts import read_layout
from .process import run


class Copier:
    """push(layout, name), and pull(name), which returns a new directory."""

    def __init__(self, lab, endpoint):
        self._lab = lab
        self._endpoint = endpoint

    def _reference(self, name):
        return f"{self._endpoint.host}/{name}"

    def _output(self):
        return self._lab.directory("layout") / "image"


class Crane(Copier):
    """POST, PATCH of unknown length, PUT. https first, even at a plain port."""

    def run(self, *arguments):
        trust = {"SSL_CERT_FILE": str(self._endpoint.ca)} \
            if self._endpoint.trust else {}
        return run(self._lab, go_tool("crane"), *arguments, **trust)

    def push(self, layout, name):
        self.run("push", layout.path, self._reference(name))

    def pull(self, name):
        output = self._output()
        self.run("pull", "--format=oci", self._reference(name), output)
        return output


class MirroredCrane(Crane):
    """It names docker.io in the path, and keeps nothing."""

    def pull(self, image):
        """Every platform, byte for byte."""
        digest, blobs = read_layout(super().pull(
            f"docker.io/{image.repository}:{image.tag}"))
        assert digest == image.digest
        assert blobs >= {blob.digest for blob in image.blobs}

    def forget(self):
        pass


class Oras(Copier):
    """POST, then one PUT."""

    def run(self, *arguments, sides=("",)):
        """`sides` of a copy that are here: "from-", "to-"."""
        trust = [f"--{side}ca-file={self._endpoint.ca}"
                 if self._endpoint.trust else f"--{side}plain-http"
                 for side in sides]
        return run(self._lab, go_tool("oras"), *arguments, *trust)

    def push(self, layout, name):
        self.run("cp", "--from-oci-layout", layout.reference,
                 self._reference(name), sides=["to-"])

    def pull(self, name):
        output = self._output()
        self.run("cp", "--to-oci-layout", self._reference(name),
                 f"{output}:pulled", sides=["from-"])
        return output


class Regctl(Copier):
    """POST, then one PUT; of a blob over 1 GiB chunks."""

    def __init__(self, lab, endpoint):
        super().__init__(lab, endpoint)
        trust = ["--cacert", endpoint.ca.read_text()] if endpoint.trust \
            else ["--tls", "disabled"]
        self.run("registry", "set", *trust, endpoint.host)

    def run(self, *arguments, **how):
        return run(self._lab, go_tool("regctl"), *arguments, **how)

    def push(self, layout, name):
        self.run("image", "copy", f"ocidir://{layout.reference}",
                 self._reference(name))

    def pull(self, name):
        output = self._output()
        self.run("image", "copy", self._reference(name),
                 f"ocidir://{output}:pulled")
        return output


class SkopeoCopier(Copier):
    """POST, PATCH with a length, PUT."""

    def run(self, verb, *arguments, side=""):
        """`side` of a copy that is here: "src-" or "dest-"."""
        trust = f"--{side}cert-dir={self._endpoint.trust}" \
            if self._endpoint.trust else f"--{side}tls-verify=false"
        return run(self._lab, "skopeo", "--insecure-policy", verb, trust,
                   *arguments)

    def push(self, layout, name):
        self.run("copy", "--all", "--preserve-digests",
                 f"oci:{layout.reference}",
                 f"docker://{self._reference(name)}", side="dest-")

    def pull(self, name):
        output = self._output()
        self.run("copy", "--all", "--preserve-digests",
                 f"docker://{self._reference(name)}", f"oci:{output}:pulled",
                 side="src-")
        return output


class Ctr(Copier):
    """containerd: POST, then one PUT; pulled into its own store first."""

    def __init__(self, lab, endpoint):
        super().__init__(lab, endpoint)
        self._containerd = Containerd(lab, endpoint.url)
        self._containerd.trust(endpoint)

    def push(self, layout, name):
        archive = self._lab.directory("archive") / "image.tar"
        with tarfile.open(archive, "w", dereference=True) as tar:
            tar.add(layout.path, ".")
        self._containerd.run("images", "import", "--all-platforms",
                             "--no-unpack", "--base-name", "lab/import",
                             archive)
        self._containerd.copy_out(f"lab/import:{layout.image.tag}",
                                  self._reference(name))
        self._containerd.forget()

    def pull(self, name):
        output = self._output()
        self._containerd.copy_in(self._reference(name))
        self._containerd.run("images", "export", "--all-platforms",
                             output.with_suffix(".tar"),
                             self._reference(name))
        self._containerd.forget()
        with tarfile.open(output.with_suffix(".tar")) as tar:
            tar.extractall(output)
        return output


COPIERS = {"crane": Crane, "oras": Oras, "regctl": Regctl,
           "skopeo": SkopeoCopier, "ctr": Ctr}
