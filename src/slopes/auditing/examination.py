"""One audit, from an object to its report."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from slopes.auditing import boosting, cards, own_data
from slopes.auditing.behaviour import CHECKS, calling
from slopes.auditing.discovery import subject_of
from slopes.auditing.form import Declared
from slopes.auditing.frameworks import FRAMEWORKS
from slopes.auditing.growth import Budget, measure
from slopes.auditing.reference import comparison, fingerprint
from slopes.auditing.report import Finding, Report, run
from slopes.auditing.source import source_of
from slopes.auditing.subject import SubjectError, undisturbed
from slopes.card import Card


def examine(
    thing: Any, declared: Mapping[str, Any], *, against: Any = None, quick: bool = False, seed: int = 0,
    model: Any = None, batch: Any = None, spec: str | None = None, watch: Callable[[str], None] | None = None,
    time_limit: float = math.inf, memory_limit: float = math.inf,
) -> Report:  # fmt: skip
    """Report on an object; `spec` is its name as text, and `watch` receives the name of each check."""
    with undisturbed():
        if declared.get("kind") in FRAMEWORKS:
            return boosting.examine_objective(thing, declared, against=against, seed=seed, spec=spec)
        try:
            subject, facts = subject_of(thing, spec=spec, declared=Declared(**declared), seed=seed, quick=quick)
        except SubjectError as error:
            return _not_called(thing, spec, error)
        subject.growth = measure(subject)
        subject.budget = Budget(1e6 * memory_limit, time_limit, time.monotonic())
        compare = fingerprint if against is None else comparison(subject, against)
        report = Report(subject.name, facts=facts)
        if isinstance(thing, Card):
            run(cards.subject.Subject(thing, seed, quick), cards.CHECKS, report, watch)
        run(subject, CHECKS, report, watch)
        if not subject.form.sure:
            report.findings = [_doubted(finding) for finding in report.findings]
        run(subject, [compare], report, watch)
        if model is not None or batch is not None:
            own_data.look(subject, model, batch, report, watch)
        run(subject, [calling], report, watch)  # last, because it reports oddities of all calls
        report.facts.extend(dict.fromkeys(subject.facts))
    return report


#: checks whose errors hold however the arguments are read
CERTAIN = ("connectivity", "purity")


def _doubted(finding: Finding) -> Finding:
    """Finding, with an error as a warning, because the subject may have been read wrongly."""
    if finding.severity != "error" or finding.check in CERTAIN:
        return finding
    return replace(finding, severity="warning", message=f"{finding.message} (its kind is a guess)")


def _not_called(thing: Any, spec: str | None, error: SubjectError) -> Report:
    finding = error.finding(
        f"raises {error}, however it is called",
        "say what it takes with kind= and space=, or make it take a prediction and a target alone "
        "(functools.partial binds the rest)",
    )
    return Report(source_of(thing, spec).name, [replace(finding, check="calling")], ["calling"], is_refused=True)
