"""The OCI's own conformance suite passes, with everything switched on."""

import pytest

from lab.certificates import make_certificate
from lab.conformance import run_suite, run_suite_of_2023
from lab.registry import Registry

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


@pytest.fixture(params=["plain", "secure"])
def endpoint(request, scene):
    """Its repositories are empty at first, as the suite wants them."""
    certificate = make_certificate(scene, scene.directory("certificate"), 1)
    registry = Registry(scene, tls=certificate, settings={
        "manifests": {"missing_blobs": "accept"}}).start()
    return getattr(registry, request.param)


@pytest.mark.parametrize("version", ["1.1", "dev"])
def test_all_of_a_version_passes(scene, endpoint, version):
    report = run_suite(scene, endpoint, version)

    assert report.failed == []
    assert report.skipped == []
    assert report.counts["passed"] == report.counts.total() > 800


def test_all_of_the_suite_of_2023_passes(scene, endpoint):
    report = run_suite_of_2023(scene, endpoint)

    assert report.failed == []
    assert set(report.skipped) == {f"[It] OCI Distribution Conformance Tests {name}"
                                   for name in SKIPPED_IN_2023}
    assert report.counts["passed"] > 70
