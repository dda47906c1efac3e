"""Self-signed certificates for `localhost`."""

import ssl

from .process import run


def make_certificate(lab, directory, serial):
    """Writes cert.pem and key.pem into `directory`, over what is there."""
    run(lab, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1", "-set_serial", serial,
        "-keyout", directory / "key.pem", "-out", directory / "cert.pem")
    return directory / "cert.pem", directory / "key.pem"


def trusting(certificate, version=None):
    """A client's context that trusts `certificate`, for one TLS version."""
    context = ssl.create_default_context(cafile=str(certificate))
    if version:
        context.minimum_version = context.maximum_version = version
    return context
