"""The audit in a test-suite: `assert_audit`, which pytest's marker ``slopes_audit`` also calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from slopes.hints import did_you_mean

if TYPE_CHECKING:
    from slopes.auditing import Report

__all__ = ["assert_audit"]


def assert_audit(subject: Any, *, allow: Iterable[str] = (), **options: Any) -> Report:
    """Audit a loss or an activation, and raise AssertionError with the report unless it is clean (notes may remain).

    `allow` names checks whose findings pass; `options` go to `slopes.audit`. Raises
    ValueError for an unknown check, and the errors of `slopes.audit`.
    """
    __tracebackhide__ = True  # pytest shows the line of the test
    from slopes.auditing import audit

    allowed = {allow} if isinstance(allow, str) else set(allow)
    report = audit(subject, **options)
    known = {*report.ran, *report.skipped, *(finding.check for finding in report.findings)}
    for name in sorted(allowed - known):
        raise ValueError(f"assert_audit: no check {name!r} to allow; {did_you_mean(name, sorted(known))}")
    counted = replace(report, findings=[finding for finding in report.findings if finding.check not in allowed])
    if not counted.ok:
        raise AssertionError(str(counted))
    return report
