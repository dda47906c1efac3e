"""What people type besides push and pull: list, inspect, tag, copy, delete."""

import json

import pytest

from lab.content import content
from lab.copiers import Crane, Oras, Regctl, SkopeoCopier
from lab.layouts import write_layout
from lab.pusher import push_image
from lab.waiting import wait_until


@pytest.fixture
def repository(filled_doors, samples, request, endpoint):
    """One that holds the index of two platforms under `stable`."""
    name = f"upkeep/{request.node.originalname}/{endpoint.scheme}"
    push_image(filled_doors.address, samples["index"], name)
    return name


@pytest.fixture
def remote(repository, endpoint):
    return f"{endpoint.host}/{repository}"


@pytest.fixture
def layout(scene, samples):
    return write_layout(scene.directory("layout") / "oci", samples["oci"])


def test_skopeo_inspects_lists_and_deletes(scene, endpoint, repository,
                                           remote, samples, layout):
    skopeo = SkopeoCopier(scene, endpoint)
    skopeo.push(layout, f"{repository}:1")
    seen = json.loads(skopeo.run("inspect", f"docker://{remote}:stable"))
    listed = json.loads(skopeo.run("list-tags", f"docker://{remote}"))
    raw = skopeo.run("inspect", "--raw", f"docker://{remote}:stable")

    assert seen["Digest"] == samples["index"].digest
    assert seen["RepoTags"] == listed["Tags"] == ["1", "stable"]
    assert raw == samples["index"].manifests[-1].body.decode()

    skopeo.run("delete", f"docker://{remote}:stable")
    listed = json.loads(skopeo.run("list-tags", f"docker://{remote}"))
    assert listed["Tags"] == ["1"]
    with pytest.raises(AssertionError, match="manifest unknown|no manifest"):
        skopeo.pull(f"{repository}:stable")

    skopeo.push(layout, f"{repository}:stable")
    skopeo.pull(f"{repository}:stable")


def test_crane_lists_tags_copies_validates_and_deletes(
        scene, endpoint, repository, remote, samples):
    crane = Crane(scene, endpoint)
    crane.run("tag", f"{remote}:stable", "second")
    crane.run("copy", f"{remote}:stable", f"{remote}/copy:1")

    assert crane.run("ls", remote).split() == ["second", "stable"]
    assert crane.run("digest", f"{remote}/copy:1").strip() == \
        samples["index"].digest
    assert {repository, f"{repository}/copy"} <= \
        set(crane.run("catalog", endpoint.host).split())

    crane.run("delete", f"{remote}:second")
    assert crane.run("ls", remote).split() == ["stable"]
    crane.run("delete", f"{remote}@{samples['index'].digest}")
    assert crane.run("ls", remote).split() == []
    assert crane.run("digest", f"{remote}/copy:1").strip() == \
        samples["index"].digest


def test_crane_rewrites_an_image(scene, endpoint, remote):
    crane = Crane(scene, endpoint)
    crane.run("mutate", f"{remote}:stable", "--label", "lab=seen",
              "--tag", f"{remote}:labelled")
    config = json.loads(crane.run("config", "--platform=linux/amd64",
                                  f"{remote}:labelled"))

    assert config["config"]["Labels"] == {"lab": "seen"}


def test_regctl_lists_removes_a_tag_and_keeps_the_rest(
        scene, endpoint, repository, remote, samples):
    regctl = Regctl(scene, endpoint)
    regctl.run("image", "copy", f"{remote}:stable", f"{remote}:second")
    assert regctl.run("tag", "ls", remote).split() == ["second", "stable"]
    assert repository in regctl.run("repo", "ls", endpoint.host).split()
    assert regctl.run("manifest", "head", f"{remote}:second").strip() == \
        samples["index"].digest

    regctl.run("tag", "rm", f"{remote}:second")
    assert regctl.run("tag", "ls", remote).split() == ["stable"]
    assert regctl.run("manifest", "head", f"{remote}:stable").strip() == \
        samples["index"].digest


def test_oras_lists_fetches_and_deletes(scene, endpoint, repository, remote,
                                        samples):
    oras = Oras(scene, endpoint)
    oras.run("tag", f"{remote}:stable", "second")
    assert oras.run("repo", "tags", remote).split() == ["second", "stable"]
    assert repository in oras.run("repo", "ls", endpoint.host).split()
    assert oras.run("manifest", "fetch", f"{remote}:second") == \
        samples["index"].manifests[-1].body.decode()

    config = samples["index"].config
    blob = scene.directory("blob") / "config"
    oras.run("blob", "fetch", "--output", blob, f"{remote}@{config}")
    assert json.loads(blob.read_bytes())["architecture"] == "amd64"

    oras.run("manifest", "delete", "--force", f"{remote}:stable")
    assert oras.run("repo", "tags", remote).split() == []


def test_regctl_sends_a_blob_in_chunks(scene, endpoint, remote, two_doors):
    blob = content("chunks", 5 << 20)
    regctl = Regctl(scene, endpoint)
    regctl.run("registry", "set", "--blob-chunk", 1 << 20, "--blob-max",
               2 << 20, endpoint.host)
    digest = regctl.run("blob", "put", remote, stdin=blob.fd).strip()

    assert digest == blob.digest
    repository = remote.split("/", 1)[1]

    def received():
        return [line["received"] for line in two_doors.log_lines("request")
                if line["method"] == "PATCH" and repository in line["path"]]
    wait_until(lambda: len(received()) >= 5, "a line for each chunk")
    assert received() == [str(1 << 20)] * 5
