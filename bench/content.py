"""What is served and pushed: an image, and blobs that nobody has yet."""

import hashlib
import http.client
import json
import os
import tempfile

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
OCI = "application/vnd.oci.image."
REPOSITORY = "/v2/bench/app"
PIECE = 32 << 10    # dockerd sends a layer in chunks of this size


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Image:
    """One large layer and some small ones, tagged `latest`."""

    LARGE = 64 << 20

    def __init__(self):
        config = json.dumps({"architecture": "amd64", "os": "linux",
                             "rootfs": {"type": "layers", "diff_ids": []},
                             }).encode()
        layers = [os.urandom(self.LARGE)]
        layers += [os.urandom(4096) for _ in range(7)]
        self.blobs = [config, *layers]
        self.manifest = json.dumps({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _descriptor("config.v1+json", config),
            "layers": [_descriptor("layer.v1.tar+gzip", layer)
                       for layer in layers],
        }, indent=1).encode()
        self.manifest_path = REPOSITORY + "/manifests/latest"
        self.blob_path = REPOSITORY + "/blobs/" + digest(layers[0])

    def files(self):
        """Pairs of path and content."""
        yield self.manifest_path, self.manifest
        for blob in self.blobs:
            yield REPOSITORY + "/blobs/" + digest(blob), blob


def _descriptor(kind, blob):
    return {"mediaType": OCI + kind, "size": len(blob),
            "digest": digest(blob)}


class FreshBlob:
    """A blob that is new each time, as the chunked body dockerd sends."""

    def __init__(self, size):
        self.size = size
        self._pieces = [os.urandom(PIECE) for _ in range(size // PIECE)]
        self.renew()

    def renew(self):
        self._pieces[0] = os.urandom(PIECE)
        whole = hashlib.sha256()
        body = bytearray()
        for piece in self._pieces:
            whole.update(piece)
            body += b"%x\r\n%b\r\n" % (PIECE, piece)
        self.body = body + b"0\r\n\r\n"
        self.digest = "sha256:" + whole.hexdigest()


class Zeros:
    """A gibibyte that takes no room where it is made."""

    SIZE = 1 << 30
    DIGEST = ("sha256:"
              "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14")
    path = REPOSITORY + "/blobs/" + DIGEST

    @classmethod
    def push(cls, port):
        connection = http.client.HTTPConnection("127.0.0.1", port,
                                                blocksize=1 << 20)
        with tempfile.TemporaryFile() as file:
            file.truncate(cls.SIZE)
            ask(connection, "PUT", _with_digest(_upload(connection),
                                                cls.DIGEST), file, 201,
                Content_Type="application/octet-stream",
                Content_Length=str(cls.SIZE))
        connection.close()


# ------------------------------------------------------------------ requests

def ask(connection, method, path, body=None, expect=200, **headers):
    """The response, read to its end; another status raises."""
    connection.request(method, path, body, {
        name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    data = response.read()
    if response.status != expect:
        raise RuntimeError(f"{method} {path}: {response.status} instead of "
                           f"{expect}\n{data[:500].decode(errors='replace')}")
    return response, data


def push(port, image):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for blob in image.blobs:
        place = _upload(connection)
        ask(connection, "PUT", _with_digest(place, digest(blob)), blob, 201,
            Content_Type="application/octet-stream")
    ask(connection, "PUT", image.manifest_path, image.manifest, 201,
        Content_Type=MANIFEST_TYPE)
    connection.close()


def push_blob(port, blob):
    """As dockerd does it: POST, one PATCH of unknown length, PUT."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    place = _upload(connection)
    connection.putrequest("PATCH", place, skip_accept_encoding=True)
    connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Content-Type", "application/octet-stream")
    connection.endheaders()
    connection.sock.sendall(blob.body)
    response = connection.getresponse()
    response.read()
    if response.status != 202:
        raise RuntimeError(f"PATCH: {response.status} instead of 202")
    place = _relative(response.getheader("Location"))
    ask(connection, "PUT", _with_digest(place, blob.digest), None, 201)
    connection.close()


def check(connection, image):
    """Raises unless the server sends the very bytes."""
    for path, content in image.files():
        _, data = ask(connection, "GET", path, Accept=MANIFEST_TYPE)
        if data != content:
            raise RuntimeError(f"GET {path}: wrong bytes")


def _upload(connection):
    response, _ = ask(connection, "POST", REPOSITORY + "/blobs/uploads/",
                      None, 202)
    return _relative(response.getheader("Location"))


def _relative(location):
    return "/" + location.split("/", 3)[3] if "://" in location else location


def _with_digest(place, value):
    return place + ("&" if "?" in place else "?") + "digest=" + value
