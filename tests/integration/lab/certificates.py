"""Certificates: self-signed, for `localhost` by default, and of clients."""

import ssl

from .process import run

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make_certificate(lab, directory, serial, name="localhost",
                     also="IP:127.0.0.1"):
    """Writes cert.pem and key.pem into `directory`, over what is there."""
    run(lab, "openssl", "req", "-x509", *EC, "-days", "2",
        "-subj", f"/CN={name}", "-addext",
        f"subjectAltName=DNS:{name},{also}", "-set_serial", serial,
        "-keyout", directory / "key.pem", "-out", directory / "cert.pem")
    return directory / "cert.pem", directory / "key.pem"


class Authority:
    """Says who clients are; its certificate is `path`."""

    def __init__(self, lab, directory):
        self._lab = lab
        self._directory = directory
        self.path = directory / "ca.pem"
        run(lab, "openssl", "req", "-x509", *EC, "-days", "2", "-subj",
            "/CN=authority", "-keyout", directory / "ca.key",
            "-out", self.path)

    def client(self, subject):
        """A PEM file with certificate and key of, say, /O=lab/CN=alice."""
        name = subject.rsplit("=", 1)[1]
        paths = [self._directory / (name + end)
                 for end in (".key", ".csr", ".pem")]
        run(self._lab, "openssl", "req", *EC, "-subj", subject,
            "-keyout", paths[0], "-out", paths[1])
        run(self._lab, "openssl", "x509", "-req", "-in", paths[1], "-days", 2,
            "-CA", self.path, "-CAkey", self._directory / "ca.key",
            "-CAcreateserial", "-out", paths[2])
        paths[2].write_text(paths[2].read_text() + paths[0].read_text())
        return paths[2]


def trusting(certificate, version=None):
    """A client's context that trusts `certificate`, for one TLS version."""
    context = ssl.create_default_context(cafile=str(certificate))
    if version:
        context.minimum_version = context.maximum_version = version
    return context
