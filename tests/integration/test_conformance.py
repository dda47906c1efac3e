"""The OCI's own conformance suite passes, with everything switched on."""

import pytest

from lab.certificates import make_certificate
from lab.conformance import run_suite, run_suite_of_2023
from lab.registry import Registry

PREFIX = "[It] OCI Distribution Conformance Tests"
# The older suite never runs both sides of a choice.
SKIPPED_IN_2023 = {
    "Pull Setup Get tag name from environment":
        "is for registries that cannot be pushed to",
    "Content Discovery Setup Populate registry with test tags (no push)":
        "is for registries that cannot be pushed to",
    "Push Cross-Repository Blob Mount Cross-mounting of nonexistent blob "
    "should yield session id":
        "is for registries that do not mount",
    "Push Cross-Repository Blob Mount Cross-mounting without from, and "
    "automatic content discovery disabled should return a 202":
        "is for registries that mount only from where they are told",
}


def new_registry(scene, **settings):
    """With empty repositories, as the suites want them."""
    certificate = make_certificate(scene, scene.directory("certificate"), 1)
    return Registry(scene, tls=certificate, settings=settings).start()


@pytest.mark.parametrize("door", ["plain", "secure"])
@pytest.mark.parametrize("version", ["1.1", "dev"])
def test_all_of_a_version_passes(scene, version, door):
    registry = new_registry(scene, manifests={"missing_blobs": "accept"})
    report = run_suite(scene, getattr(registry, door), version)

    assert report.failed == []
    assert report.skipped == []
    assert report.counts["passed"] == report.counts.total() > 800


def test_without_any_configuration_all_but_sparse_passes(scene):
    """An image is refused while its blobs are missing."""
    report = run_suite(scene, new_registry(scene).plain, "dev",
                       OCI_DATA_SPARSE="false")

    assert report.failed == []
    assert report.skipped == []
    assert report.counts["passed"] == report.counts.total() > 700


@pytest.mark.parametrize("door", ["plain", "secure"])
def test_all_of_the_suite_of_2023_passes(scene, door):
    report = run_suite_of_2023(scene, getattr(new_registry(scene), door))

    assert report.failed == []
    assert set(report.skipped) == {f"{PREFIX} {name}"
                                   for name in SKIPPED_IN_2023}
    assert report.counts["passed"] > 70
