"""Artifacts hang on images; oras and regctl find and carry each other's."""

import json

import pytest

from lab.copiers import Oras, Regctl

SBOM, SIGNATURE = "application/vnd.lab.sbom", "application/vnd.lab.signature"


@pytest.fixture
def oras(scene, endpoint):
    return Oras(scene, endpoint)


@pytest.fixture
def regctl(scene, endpoint):
    return Regctl(scene, endpoint)


@pytest.fixture
def image(scene, endpoint, filled_doors, regctl, request):
    """A name of its own for the index of two platforms."""
    name = f"{endpoint.host}/{request.node.originalname}/{endpoint.scheme}"
    regctl.run("image", "copy", f"{endpoint.host}/sample/index:1",
               f"{name}:1")
    return name


@pytest.fixture
def document(scene):
    path = scene.directory("document") / "sbom.json"
    path.write_text('{"name": "busybox"}')
    return path


def attach(oras, image, document, kind):
    oras.run("attach", "--disable-path-validation", "--artifact-type", kind,
             f"{image}:1", f"{document}:application/json")


def discover(oras, image, *options):
    """The artifact types of all that refers to it."""
    found = json.loads(oras.run("discover", "--format", "json", *options,
                                f"{image}:1"))
    return [each["artifactType"] for each in found["referrers"]]


def listed(regctl, image, *options):
    found = json.loads(regctl.run("artifact", "list", *options, "--format",
                                  "{{json .}}", f"{image}:1"))
    return [each["artifactType"] for each in found["descriptors"]]


def test_what_oras_attaches_both_discover(oras, regctl, image, document):
    attach(oras, image, document, SBOM)
    attach(oras, image, document, SIGNATURE)

    assert sorted(discover(oras, image)) == [SBOM, SIGNATURE]
    assert sorted(listed(regctl, image)) == [SBOM, SIGNATURE]
    assert discover(oras, image, "--artifact-type", SBOM) == [SBOM]
    assert listed(regctl, image, "--filter-artifact-type", SBOM) == [SBOM]
    # no tag stands in for what the registry knows by itself
    assert regctl.run("tag", "ls", image).split() == ["1"]


def test_what_regctl_puts_both_get(oras, regctl, image, document, scene):
    regctl.run("artifact", "put", "--subject", f"{image}:1", "--file",
               document, "--artifact-type", SBOM)

    assert discover(oras, image) == [SBOM]
    assert regctl.run("artifact", "get", "--subject", f"{image}:1",
                      "--filter-artifact-type", SBOM) == document.read_text()


def test_an_artifact_of_its_own_is_pushed_and_pulled(oras, endpoint, scene,
                                                     document):
    name = f"{endpoint.host}/artifact/{endpoint.scheme}:1"
    oras.run("push", "--disable-path-validation", "--artifact-type", SBOM,
             name, f"{document}:application/json")
    document.rename(document.with_suffix(".sent"))
    oras.run("pull", "--allow-path-traversal", name)

    assert document.read_text() == '{"name": "busybox"}'


def test_copies_take_along_what_refers(oras, regctl, image, document):
    attach(oras, image, document, SBOM)
    regctl.run("image", "copy", "--referrers", f"{image}:1",
               f"{image}/regctl:1")
    oras.run("cp", "--recursive", f"{image}:1", f"{image}/oras:1",
             sides=["from-", "to-"])

    for copy in f"{image}/regctl", f"{image}/oras":
        assert discover(oras, copy) == [SBOM]


def test_what_is_deleted_refers_no_more(oras, regctl, image, document):
    attach(oras, image, document, SBOM)
    attach(oras, image, document, SIGNATURE)
    found = json.loads(oras.run("discover", "--format", "json", f"{image}:1",
                                "--artifact-type", SBOM))
    oras.run("manifest", "delete", "--force",
             found["referrers"][0]["reference"])

    assert discover(oras, image) == [SIGNATURE]
    assert listed(regctl, image) == [SIGNATURE]
