"""Pytest plugin: the marker ``slopes_audit`` for a test that returns what is to be audited."""

from __future__ import annotations

import pytest

MARKER = (
    "slopes_audit(allow=(), **options): audit what the test returns, and fail with the report unless it is clean; "
    "the options are those of slopes.audit, and findings of the checks in allow are let pass"
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Audit the result of a marked test."""
    marker = pyfuncitem.get_closest_marker("slopes_audit")
    if marker is None:
        return None
    from slopes.testing import assert_audit  # late: it loads torch

    names = pyfuncitem._fixtureinfo.argnames
    subject = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    if subject is None:
        pytest.fail(f"{pyfuncitem.name} is marked slopes_audit and returns None: return the object to audit", False)
    try:
        assert_audit(subject, **marker.kwargs)
    except AssertionError as error:
        pytest.fail(str(error), pytrace=False)
    return True
