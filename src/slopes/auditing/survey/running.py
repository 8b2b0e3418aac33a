"""Audits of a survey's cases: those of files side by side, each in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Collection, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from slopes import auditing
from slopes.auditing import child
from slopes.auditing.report import Report, unusable
from slopes.auditing.survey.cases import Case, CaseResult
from slopes.extras import require
from slopes.kernels.pool import processors

RUN_FILE = "make the file run by itself, as in python FILE, or leave it out"


def audit_cases(
    cases: Sequence[Case], workers: int | None = None, *, allow: Collection[str] = (), fail_on: str = "warning",
    **options: Any,
) -> Generator[CaseResult, None, None]:  # fmt: skip
    """Yield the result of each case in order, with the options of `slopes.audit`.

    Findings of the checks in `allow` become notes; a result is ok if no finding is as severe as `fail_on`.

    Up to `workers` processes, by default one for each processor, run at once, and end when the generator is
    closed. A case that the user named raises the errors of `slopes.audit`.
    """
    if cases:
        require("slopes.audit", "flint", "mpmath", "torch")
    with _audits_of_files(cases, workers or processors(), options) as futures:
        for case in cases:
            result = futures[case].result() if case in futures else _audit_case(case, options)
            report = result.report.allowing(allow) if result.report and allow else result.report
            yield replace(result, report=report, fail_on=fail_on)


@contextmanager
def _audits_of_files(
    cases: Sequence[Case], workers: int, options: dict[str, Any]
) -> Iterator[dict[Case, Future[CaseResult]]]:
    """Audits that run beside this thread; at an early end, their processes are ended."""
    beside = [case for case in cases if case.file and not case.obstacle and not case.unreadable]
    if min(len(beside), workers) < 2:
        yield {}
        return
    pool = ThreadPoolExecutor(workers)  # the threads only wait for processes
    futures = {case: pool.submit(_audit_case, case, options) for case in beside}
    try:
        yield futures
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        while not all(future.done() for future in futures.values()):
            child.end_all()
            time.sleep(0.05)


def _audit_case(case: Case, options: dict[str, Any]) -> CaseResult:
    start = time.monotonic()
    report, obstacle = (auditing.audit(case.subject, **options), "") if case.is_named else _audit_guess(case, options)
    return CaseResult(case, report, obstacle, time.monotonic() - start)


def _audit_guess(case: Case, options: dict[str, Any]) -> tuple[Report | None, str]:
    """(report or None, obstacle or "") for a subject that may be no loss after all."""
    if case.obstacle:
        return None, case.obstacle
    if case.unreadable:
        return unusable(
            case.subject, f"training cannot start: its file cannot be read: {case.unreadable}", RUN_FILE
        ), ""
    try:
        report = auditing.audit(case.subject, **options)
    except ImportError as error:
        return unusable(case.subject, f"training cannot start: its file does not run: {error}", RUN_FILE), ""
    except (TypeError, AttributeError) as error:  # a class that takes arguments, a name that is deleted
        return None, str(error).removeprefix("audit: ")
    return (None, report.findings[0].message) if report.is_refused else (report, "")
