"""The official conformance suite of the OCI's distribution specification."""

import subprocess
import xml.etree.ElementTree as xml
from collections import Counter
from dataclasses import dataclass, field

from .go_tools import go_tool

# whatever a version of the suite leaves off unless told otherwise
SWITCHES = {f"OCI_{name}": "true" for name in (
    "API_BLOBS_UPLOAD_CANCEL", "API_BLOBS_DIGEST_HEADER",
    "API_BLOBS_MOUNT_ANONYMOUS", "API_MANIFESTS_DIGEST_HEADER",
    "API_MANIFESTS_TAG_PARAM", "API_REFERRER",
    "DATA_SPARSE", "DATA_SHA512")}
WORKFLOWS = {f"OCI_{name}": "1" for name in (
    "TEST_PULL", "TEST_PUSH", "TEST_CONTENT_DISCOVERY",
    "TEST_CONTENT_MANAGEMENT", "AUTOMATIC_CROSSMOUNT")}


@dataclass
class Report:
    counts: Counter                                 # by status
    skipped: list = field(default_factory=list)     # names
    failed: list = field(default_factory=list)      # names and reasons


def run_suite(lab, endpoint, version, **switches):
    """The suite of today, for a version of the specification."""
    tls = {"OCI_TLS": "enabled", "SSL_CERT_FILE": str(endpoint.ca)} \
        if endpoint.trust else {"OCI_TLS": "disabled"}
    directory = lab.directory("conformance")
    return run(lab, "conformance", directory, OCI_VERSION=version,
               OCI_REGISTRY=endpoint.host, OCI_RESULTS_DIR=str(directory),
               OCI_LOG="error", **tls, **SWITCHES | switches)


def run_suite_of_2023(lab, endpoint):
    directory = lab.directory("conformance")
    return run(lab, "conformance-2023", directory, OCI_ROOT_URL=endpoint.url,
               OCI_NAMESPACE="conformance/one",
               OCI_CROSSMOUNT_NAMESPACE="conformance/two",
               OCI_REPORT_DIR=str(directory), **WORKFLOWS)


def run(lab, program, directory, **variables):
    done = subprocess.run(
        [go_tool(program)], cwd=directory, stdin=subprocess.DEVNULL,
        env=dict(lab.environment, **variables), capture_output=True,
        text=True, timeout=300)
    junit = directory / "junit.xml"
    assert junit.exists(), done.stdout + done.stderr
    return read_report(junit)


def read_report(junit):
    report = Report(Counter())
    for case in xml.parse(junit).iter("testcase"):
        name, status = case.get("name"), case.get("status")
        report.counts[status] += 1
        if status == "skipped":
            report.skipped.append(name)
        elif status != "passed":
            report.failed.append(f"{name}: {reason(case)}")
    return report


def reason(case):
    text = case.findtext("failure") or case.findtext("system-out") or ""
    return " ".join(text.split())[:500]
