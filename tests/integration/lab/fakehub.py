"""An upstream that does what a test wants, and remembers what it was asked.

It speaks the pull side of the registry API from memory: blobs by sendfile,
faults by request. A Fault describes how the next GET of a blob goes wrong
(`once`), or all of them (`always`); `misdeeds.py` has what a whole upstream
can do wrong, by name.
"""

import itertools
import threading
from collections import deque
from dataclasses import dataclass, field

from .content import Content, content
from .fakehub_server import Server
from .images import OCI, OCI_INDEX, Blob, Manifest, descriptor, encode
from .ports import free_port


@dataclass
class Fault:
    """What is strange about one answer with a blob; offsets are the blob's."""
    rate: int = 0               # bytes a second; 0: as fast as it goes
    cut_at: int = None          # the connection ends here …
    cut_after: int = None       # … or when the answer has sent so many bytes
    reset: bool = False         # … by RST instead of FIN
    wrong_byte_at: int = None   # -1: the last one
    stall_at: int = None        # nothing more comes, but nothing ends
    stall_after: int = None     # … when the answer has sent so many bytes
    status: int = None          # an error instead of the blob
    ignore_range: bool = False
    longer: int = 0             # Content-Length has so many bytes too many
    no_length: bool = False     # it has none; the connection's end is the end
    redirect: "FakeHub" = None  # 307 to the same path over there

    def marks(self, blob, first):
        """Where an answer from `first` on is cut, stalls, and is wrong."""
        def after(count):
            return None if count is None else first + count

        wrong = self.wrong_byte_at
        return [[mark for mark in marks if mark is not None] for marks in (
            (self.cut_at, after(self.cut_after)),
            (self.stall_at, after(self.stall_after)),
            (blob.size + wrong if wrong is not None and wrong < 0
             else wrong,))]


@dataclass
class Challenge:
    """Bearer tokens are wanted, to be had at `realm`."""
    realm: str
    service: str = "lab"


@dataclass
class FakeImage:
    repository: str
    tag: str
    manifest: Manifest
    layers: list = field(default_factory=list)
    architecture: str = "amd64"


class FakeHub:
    def __init__(self, lab, address="127.0.0.1", port=None):
        self._lab = lab
        self.address = (address, port or free_port(address))
        self.url = "http://%s:%d" % self.address
        self.always = Fault()
        self.manifest_headers = {}      # with each answer about one
        self.challenge = None
        self.token_lifetime = 300       # seconds
        self.budget = None              # so many manifests, then 429
        self.moving = False             # a tag is another one each time
        self.html = False               # each answer is a page of HTML
        self.silent = False             # until it is released
        self.delay = 0                  # seconds before each answer
        self.on_request = lambda hub, seen: None    # once it is answered
        self.requests = []
        self.connections = 0
        self.released = threading.Event()
        self._refusal = None            # a status instead of each manifest
        self._blobs = {}
        self._manifests = {}
        self._next = deque()
        self._moves = itertools.count()
        self._server = None
        lab.own(self)
        self.start()

    def twin(self, address="127.0.0.1"):
        """Another one with all that this one has, at a port of its own."""
        other = FakeHub(self._lab, address)
        other._blobs, other._manifests = self._blobs, self._manifests
        other.on_request = self.on_request
        return other

    # ------------------------------------------------------------- content

    def add_blob(self, data):
        """Holds `data`, a Content or bytes, for every repository."""
        data = data if isinstance(data, Content) else Content(data)
        self._blobs[data.digest] = data
        return data

    def add_manifest(self, repository, manifest):
        """Holds it under its digest."""
        self._manifests[repository, manifest.digest] = manifest

    def add_tagged(self, repository, tag, manifest):
        for reference in (tag, manifest.digest):
            self._manifests[repository, reference] = manifest

    def add_image(self, repository, tag, *layers, architecture="amd64",
                  media_type=OCI["layer"], diff_ids=None):
        """An image of these layers (Content), its tag moved to it."""
        config = self.add_blob(encode({
            "architecture": architecture, "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids or
                       [layer.digest for layer in layers]}}))
        manifest = Manifest(OCI["manifest"], encode({
            "schemaVersion": 2, "mediaType": OCI["manifest"],
            "config": descriptor(OCI["config"],
                                 Blob(config.digest, config.size)),
            "layers": [descriptor(media_type, Blob(layer.digest, layer.size))
                       for layer in map(self.add_blob, layers)]}))
        self.add_tagged(repository, tag, manifest)
        return FakeImage(repository, tag, manifest, [config, *layers],
                         architecture)

    def add_index(self, repository, tag, *images):
        """An index of these images, of one platform each."""
        index = Manifest(OCI_INDEX, encode({
            "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
                dict(descriptor(each.manifest.media_type, Blob(
                    each.manifest.digest, len(each.manifest.body))),
                    platform={"os": "linux",
                              "architecture": each.architecture})
                for each in images]}))
        self.add_tagged(repository, tag, index)
        return index

    def add_small_image(self, repository, tag="1", size=100_000):
        """An image of one layer, whose bytes follow from its name."""
        return self.add_image(repository, tag,
                              content(f"{repository}:{tag}", size))

    def find_blob(self, digest):
        return self._blobs.get(digest)

    def find_manifest(self, repository, reference):
        """If tags move, the next one of that repository's for each asker."""
        found = self._manifests.get((repository, reference))
        if not self.moving or not found or reference == found.digest:
            return found
        all_there = [manifest for (name, key), manifest
                     in list(self._manifests.items())
                     if name == repository and key == manifest.digest]
        return all_there[next(self._moves) % len(all_there)]

    # -------------------------------------------------------------- faults

    def once(self, **fault):
        """The next GET of a blob that no earlier once() waits for."""
        self._next.append(Fault(**fault))

    def next_fault(self, method):
        if self._next and method == "GET":
            return self._next.popleft()
        return self.always

    def refuse_manifests(self, status):
        self._refusal = status

    def judge_manifest(self):
        """(a status instead of it or None, headers of the answer about it)"""
        if self.budget is None:
            return self._refusal, self.manifest_headers
        given = [each for each in self.seen("manifest", "GET")
                 if each.status == 200]
        left = max(0, self.budget - len(given))
        headers = {"ratelimit-limit": f"{self.budget};w=21600",
                   "ratelimit-remaining": f"{left};w=21600"}
        return (None, headers) if left else (429, headers | {
            "Retry-After": "60"})

    def release(self):
        """Lets every stalled answer go on to its end."""
        self.released.set()

    def stop(self):
        """Closes the port and every connection: upstream is down."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut_all()
            self.released.set()
            self._server = None

    def start(self):
        self.released.clear()
        self._server = Server(self.address, self)
        threading.Thread(target=self._server.serve_forever, args=(0.01,),
                         daemon=True).start()

    # ------------------------------------------------------ what was asked

    def seen(self, kind=None, method=None):
        return [each for each in list(self.requests)
                if kind in (None, each.kind) and
                method in (None, each.method)]

    def count(self, kind=None, method=None):
        return len(self.seen(kind, method))

    def blob_bytes(self):
        """Bytes of blobs that went out; a moment later than they did."""
        return sum(each.sent for each in self.seen("blob", "GET"))

    def forget(self):
        self.requests.clear()
