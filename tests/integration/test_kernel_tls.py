"""The same TLS where the kernel seals it: these tests, on such a kernel."""

import re

import pytest

from lab.kernel import run_in_kernel
from lab.registry import BINARY, ROOT, sanitized

MODULES = ["gf128mul", "ghash-generic", "ctr", "gcm", "tls"]
TESTS = f"{ROOT}/tests/integration"
# Without those that wait for the renewal of a certificate.
CHOSEN = "tls_serves or through_tls or gets_in or which_client or same_client"


@pytest.mark.skipif(sanitized(), reason="too much for so small a machine")
def test_tls_is_the_same_where_the_kernel_seals(scene):
    output = run_in_kernel(scene, f"""
        export PRIVATE_REGISTRY={BINARY}
        /usr/bin/python3 -m pytest -q -p no:cacheprovider --color=no \\
            -k "{CHOSEN}" {TESTS}/test_tls.py {TESTS}/test_engine.py
        cat /proc/net/tls_stat""", MODULES)
    assert re.search(r"^\d+ passed", output, re.M), output
    assert not re.search(r"\d+ (failed|error)", output), output
    sealed = int(re.search(r"^TlsTxSw\s+(\d+)", output, re.M)[1])
    assert sealed > 4, output
