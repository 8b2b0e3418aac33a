"""One audit, from an object to its report."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from slopes.auditing import boosting, cards, own_data
from slopes.auditing.behaviour import CHECKS, calling
from slopes.auditing.boosting_frameworks import BOOSTING
from slopes.auditing.discovery import subject_of
from slopes.auditing.evidence import seed_libraries
from slopes.auditing.form import Declared
from slopes.auditing.growth import Budget, OverBudget, measure
from slopes.auditing.reference import comparison, fingerprint
from slopes.auditing.report import Finding, Report, Skip, run
from slopes.auditing.source import evaluate, source_of
from slopes.auditing.subject import NotATensor, SubjectError
from slopes.auditing.torch_state import undisturbed
from slopes.auditing.widths import has_row
from slopes.card import Card, MixedSum, Sum
from slopes.loading import describe


def examine(
    thing: Any, declared: Mapping[str, Any], *, against: Any = None, quick: bool = False, seed: int = 0,
    model: Any = None, batch: Any = None, spec: str | None = None, watch: Callable[[str], None] | None = None,
    time_limit: float = math.inf, memory_limit: float = math.inf,
) -> Report:  # fmt: skip
    """Report on an object; `spec` is its name as text, and `watch` receives the name of each check."""
    with undisturbed():
        _refuse_without_class(thing)
        if declared.get("kind") in BOOSTING:
            return boosting.examine_objective(thing, declared, against=against, seed=seed, spec=spec)
        budget = Budget(1e6 * memory_limit, time_limit, time.monotonic())
        declared = _evaluated(thing, _with_terms(thing, declared), seed)
        try:
            subject, facts = subject_of(
                thing, spec=spec, declared=Declared(**declared), seed=seed, quick=quick, budget=budget
            )
        except SubjectError as error:
            return _not_called(thing, spec, error)
        except OverBudget as error:
            return _too_large(thing, spec, error)
        except Skip:
            return _too_slow(thing, spec, time_limit)
        subject.growth = measure(subject)
        compare = fingerprint if against is None else comparison(subject, against)
        report = Report(subject.name, facts=facts)
        if isinstance(thing, Card) and not (isinstance(thing, MixedSum) or has_row(thing)):
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


def _with_terms(thing: Any, declared: Mapping[str, Any]) -> Mapping[str, Any]:
    """Declarations, with the terms of a sum of cards."""
    if not isinstance(thing, Sum) or declared.get("terms"):
        return declared
    return {**declared, "terms": thing.parts()}


def _evaluated(thing: Any, declared: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Declarations, with an example or a call that is text evaluated among the names of the object's file."""
    module = sys.modules.get(getattr(thing, "__module__", None) or "")
    scope = {} if module is None or isinstance(thing, Card) else vars(module)
    seed_libraries(seed)
    return {
        name: evaluate(name, x, scope) if name in ("example", "call") and isinstance(x, str) else x
        for name, x in declared.items()
    }


#: checks whose errors hold however the arguments are read
CERTAIN = ("connectivity", "purity")


def _doubted(finding: Finding) -> Finding:
    """Finding, with an error as a warning, because the subject may have been read wrongly."""
    if finding.severity != "error" or finding.check in CERTAIN:
        return finding
    return replace(finding, severity="warning", message=f"{finding.message} (its kind is a guess)")


def _refuse_without_class(thing: Any) -> None:
    """Raise TypeError for an object whose `__class__` raises, of which nothing can be asked."""
    try:
        isinstance(thing, Card)
    except Exception as error:
        kind = type(thing).__name__
        raise TypeError(
            f"audit takes a card, a function or a module, got a {kind} whose __class__ raises {describe(error)}"
        ) from error


def _not_called(thing: Any, spec: str | None, error: SubjectError) -> Report:
    told = str(error.cause) if isinstance(error.cause, NotATensor) else f"raises {error}"
    try:
        finding = error.finding(
            f"training cannot start: it {told}, however it is called",
            "say what it takes with kind= and space=, or give example=(prediction, target) that it takes, or make it "
            "take a prediction and a target alone (functools.partial binds the rest)",
        )
    except Exception:  # no evidence, because the same call succeeds now
        finding = Finding(
            "", f"training stops at some calls: it {told} in one call and not in the next", _audit_code(thing, spec),
            "make it give the same whenever it is called with the same arguments",
        )  # fmt: skip
    return _refused(thing, spec, finding)


def _too_slow(thing: Any, spec: str | None, time_limit: float) -> Report:
    finding = Finding(
        "", f"training is very slow: it takes more than {time_limit:g} s until it is found out how to call it",
        _audit_code(thing, spec),
        "say what it takes with kind= and space=, which saves trials, or give a longer time_limit",
    )  # fmt: skip
    return replace(_refused(thing, spec, finding), is_refused=False, is_lost=True)


def _too_large(thing: Any, spec: str | None, error: OverBudget) -> Report:
    finding = Finding(
        "", f"training may run out of memory: {error}", _audit_code(thing, spec),
        "compute in parts, or give a larger memory_limit if it needs so much",
    )  # fmt: skip
    return replace(_refused(thing, spec, finding), is_refused=False, is_lost=True)


def _refused(thing: Any, spec: str | None, finding: Finding) -> Report:
    return Report(_name(thing, spec), [replace(finding, check="calling")], ["calling"], is_refused=True)


def _name(thing: Any, spec: str | None) -> str:
    try:
        return source_of(thing, spec).name
    except Exception:  # a class that cannot be made again
        return str(getattr(thing, "__name__", type(thing).__name__))


def _audit_code(thing: Any, spec: str | None) -> str:
    text = repr(spec) if spec is not None else _name(thing, spec)
    return f"import slopes\nslopes.audit({text})"
