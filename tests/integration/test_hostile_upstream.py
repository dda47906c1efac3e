"""tools/hostile-upstream: what clients see of each misdeed through the mirror.

A promise is kept by a pull: of the images that the tool has, each byte right
and each answer finished, or an error that engines go on at, and nothing kept.
"""

import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Callable

import pytest

from lab.content import digest_of
from lab.misdeeds import MISDEEDS, misbehave
from lab.ports import free_port
from lab.process import Process, run
from lab.registry import ROOT
from lab.samples import tar, zstd
from lab.waiting import listens, wait_until

PROGRAM = ROOT / "tools" / "hostile-upstream"
REPOSITORIES = "try/small", "try/multi", "try/zstd", "try/large"
LARGE = "try/large"
SIZE = 4 << 20


class HostileUpstream:
    """The tool, as a process; what it says is in `log()`."""

    def __init__(self, lab, *options):
        self.address = ("127.0.0.1", free_port())
        self.url = "http://%s:%d" % self.address
        self._process = Process(
            lab, [sys.executable, PROGRAM, f"--port={self.address[1]}",
                  f"--size={SIZE >> 20}MiB", *options],
            lab.directory("hostile") / "log")
        lab.own(self)
        self.says(" has try/small:1")

    def stop(self):
        assert self._process.stop() == 0, self.log()

    def log(self):
        return self._process.output()

    def says(self, text):
        """Waits: it tells a moment later than it does."""
        wait_until(lambda: text in self.log(), f"it to say {text}",
                   seconds=60)


# ------------------------------------------------------------- what is seen

def get(registry, repository, kind, reference, **headers):
    return registry.ask("GET", f"/v2/{repository}/{kind}/{reference}",
                        **headers)


def manifest(registry, repository, reference="1"):
    """It, and what it names; its bytes are its digest's."""
    answer = get(registry, repository, "manifests", reference)
    assert answer.status == 200 and answer.complete, answer
    assert answer["Docker-Content-Digest"] == digest_of(answer.body)
    if reference != "1":
        assert reference == digest_of(answer.body)
    return answer.json


def blobs(registry, repository, reference="1"):
    """Descriptors of all its platforms' blobs."""
    found = manifest(registry, repository, reference)
    if "manifests" not in found:
        return [found["config"], *found["layers"]]
    return [blob for each in found["manifests"]
            for blob in blobs(registry, repository, each["digest"])]


def stored(registry):
    return [file.name for file in (registry.data / "blobs").rglob("*")
            if file.is_file()]


def all_come(registry, _):
    for repository in REPOSITORIES:
        for blob in blobs(registry, repository):
            answer = get(registry, repository, "blobs", blob["digest"])
            assert answer.status == 200 and answer.complete, answer
            assert len(answer.body) == blob["size"]
            assert digest_of(answer.body) == blob["digest"]


def a_part_comes(registry, _):
    """Of a blob that is not here, from where it will not be soon."""
    layer = blobs(registry, LARGE)[1]
    first, last = SIZE - 1000, SIZE - 1
    part = get(registry, LARGE, "blobs", layer["digest"],
               Range=f"bytes={first}-{last}")
    assert part.status == 206, part
    whole = get(registry, LARGE, "blobs", layer["digest"]).body
    assert digest_of(whole) == layer["digest"]
    assert part.body == whole[first:last + 1]


def no_blob_is_finished(registry, _):
    for repository in REPOSITORIES:
        for blob in blobs(registry, repository):
            answer = get(registry, repository, "blobs", blob["digest"])
            assert answer.status in (200, 502), answer
            assert answer.status == 502 or not answer.complete
    assert stored(registry) == []


def blobs_are(status):
    def check(registry, _):
        for repository in REPOSITORIES:
            for blob in blobs(registry, repository):
                answer = get(registry, repository, "blobs", blob["digest"])
                assert answer.status == status, answer
                assert answer.json["errors"][0]["message"]
        assert stored(registry) == []
    return check


def manifests_are(status):
    def check(registry, _):
        answer = get(registry, LARGE, "manifests", "1")
        assert answer.status == status, answer
        assert answer.json["errors"][0]["message"]
        assert stored(registry) == []
    return check


def all_come_and_no_secret_leaks(registry, tool):
    """What was shown was shown at the upstream's own port, and no password."""
    all_come(registry, tool)
    def elsewhere():
        return re.findall(rf"^:(?!{tool.address[1]} )\d+ GET.*$", tool.log(),
                          re.MULTILINE)

    tool.says(" as Bearer -> ")
    wait_until(elsewhere, "it to tell of the other place")
    assert not [line for line in elsewhere() if " as " in line]


# ------------------------------------------------------------- the promises

@dataclass
class Promise:
    options: str
    keeps: Callable             # (registry, tool), when a client pulls
    says: str                   # the tool, of what it did

    def __str__(self):
        return self.options


PROMISES = [
    Promise("", all_come, "200"),
    Promise("--cut=1MiB", all_come, "; cut"),
    Promise("--reset=1MiB", all_come, "; cut by RST"),
    Promise("--stall=3MiB", all_come, "; stalled"),
    Promise("--slow=4MiB", all_come, "; at 4194304 bytes a second"),
    Promise("--wrong-bytes", no_blob_is_finished, " is wrong"),
    Promise("--wrong-length", blobs_are(502),
            "; Content-Length wrong by 1000"),
    Promise("--wrong-length=-7", blobs_are(502),
            "; Content-Length wrong by -7"),
    Promise("--no-length", all_come, "; no Content-Length"),
    Promise("--no-length --cut=1MiB", all_come, "; no Content-Length; cut"),
    Promise("--ignore-range --slow=512KiB", a_part_comes, "; Range ignored"),
    Promise("--html", manifests_are(502), "; a page of HTML"),
    Promise("--black-hole", manifests_are(504), "; never answered"),
    Promise("--slow-first-byte=0.2", all_come, "; waited 0.2 s"),
    Promise("--refuse=401", manifests_are(404), "; refused: 401"),
    Promise("--refuse=403", manifests_are(404), "; refused: 403"),
    Promise("--refuse=404", manifests_are(404), "; refused: 404"),
    Promise("--refuse=500", manifests_are(502), "; refused: 500"),
    Promise("--throttled", manifests_are(503), "; refused: 429"),
    Promise("--throttled=6", all_come, "; 6 left"),
    Promise("--moving-tag", all_come, "; the tag is sha256:"),
    Promise("--token=4 --cut=1MiB --slow=256KiB", all_come, "; token expired"),
    Promise("--redirect-port --token", all_come_and_no_secret_leaks,
            "; redirected"),
    Promise("--foreign-realm", all_come_and_no_secret_leaks, "/token?"),
]


@pytest.mark.parametrize("promise", PROMISES, ids=str)
def test_a_misdeed_is_survived(scene, start_registry, credentials, promise):
    tool = HostileUpstream(scene, *promise.options.split())
    registry = start_registry({"hostile.example": tool.url}, options={
        "hostile.example": {"credentials": credentials}},
        arguments=["--drain=0s"])
    promise.keeps(registry, tool)
    tool.says(promise.says)


def test_each_misdeed_has_a_promise_here_and_in_the_manual():
    manual = (ROOT / "docs" / "mirror.md").read_text()
    for name in MISDEEDS:
        option = re.compile(rf"--{name}\b(?!-)")
        assert any(option.search(each.options) for each in PROMISES), name
        assert option.search(manual), name


def test_what_was_html_is_whole_once_it_is_no_more(start_registry, upstream):
    """In place of a blob, by whoever knows its manifest."""
    image = upstream.add_small_image("try/late")
    registry = start_registry({"hostile.example": upstream.url})
    assert registry.ask("HEAD", "/v2/try/late/manifests/1").status == 200
    misbehave(upstream, "html")
    layer = image.layers[1]
    answer = get(registry, "try/late", "blobs", layer.digest)
    assert answer.status == 502 and stored(registry) == []
    upstream.html = False
    answer = get(registry, "try/late", "blobs", layer.digest)
    assert answer.body == layer.bytes()


# ------------------------------------------------------------ the tool itself

def test_its_help_names_every_misdeed(scene):
    said = run(scene, sys.executable, PROGRAM, "--help", COLUMNS="80")
    for name in MISDEEDS:
        assert f"--{name}" in said
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize("option", [
    "--cut=", "--cut=0", "--cut=8MiBs", "--token=0", "--refuse=200",
    "--throttled=-1", "--wrong-length=0", "--unheard-of"])
def test_a_wrong_option_is_said(scene, option):
    done = subprocess.run([sys.executable, PROGRAM, option],
                          env=scene.environment, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 2 and option.split("=")[0] in done.stderr


def test_a_port_that_is_taken_is_said(scene):
    tool = HostileUpstream(scene)
    done = subprocess.run([sys.executable, PROGRAM, "--port",
                           str(tool.address[1])], env=scene.environment,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == \
        "hostile-upstream: cannot listen: Address already in use\n"
    assert listens(tool.address)


def test_its_zstd_is_zstd(scene):
    plain = tar("zstd", 300_000)
    packed = scene.directory("zstd") / "layer.zst"
    packed.write_bytes(zstd(plain))
    run(scene, "zstd", "-q", "-d", packed)
    assert packed.with_suffix("").read_bytes() == plain
