"""Independent implementations that tests compare ours with: at a desk they may be missing, in CI never."""

import os

import pytest


def require_peer(name: str, present: bool) -> None:
    """Skip the test, naming the peer, where it is not installed; with CI=true its absence is a failure."""
    if present:
        return
    words = f"peer missing: {name} (make test-deps installs it)"
    if os.environ.get("CI") == "true":
        pytest.fail(words, pytrace=False)
    pytest.skip(words)
