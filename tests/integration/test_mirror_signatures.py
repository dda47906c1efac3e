"""Signatures follow their images through the mirror, by cosign itself.

What oras and regctl attach is in test_mirror_lists.py.
"""

import pytest

from lab.cosign import PROGRAM, Cosign
from lab.pusher import push_image
from lab.waiting import wait_until
from test_mirror_lists import far, hub, start_mirror
from test_mirror_upstreams import gets_of_blobs

__all__ = ["far", "hub", "start_mirror"]    # fixtures
pytestmark = pytest.mark.skipif(not PROGRAM, reason="COSIGN is not set")


@pytest.mark.parametrize("kind", ["far", "hub"])
def test_what_was_signed_far_away_is_verified_here(request, scene, samples,
                                                   start_mirror, kind):
    """By the referrers API (far), and by the tag that stands in for it."""
    upstream = request.getfixturevalue(kind)
    image = samples["index"]
    push_image(upstream.address, image, "team/app")
    there = "%s:%d/team/app@%s" % (*upstream.address, image.digest)
    mirror = start_mirror(upstream)
    here = f"{mirror.host}/far.example/team/app@{image.digest}"
    cosign, stranger = Cosign(scene), Cosign(scene)
    cosign.sign(there)
    before = len(gets_of_blobs(upstream))

    cosign.verify(here)
    with pytest.raises(AssertionError):
        stranger.verify(here)
    wait_until(lambda: len(gets_of_blobs(upstream)) > before,
               "the upstream's log")
    fetched = gets_of_blobs(upstream)[before:]
    assert sorted(fetched) == sorted(set(fetched))

    upstream.stop()
    cosign.verify(here)
