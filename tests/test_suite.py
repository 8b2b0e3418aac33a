"""The suite itself."""

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="needs the workers of pytest-xdist")
def test_every_test_has_a_group(request):
    """Workers get tests by group, so that results which the tests of a group share are computed once."""
    assert [item.nodeid for item in request.session.items if "@" not in item.nodeid] == []
