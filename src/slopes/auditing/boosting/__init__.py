"""Audit of boosting objectives: a user's gradient and Hessian against their loss.

The frameworks ask for derivatives by the raw score, row by row, without a sigmoid or a mean. XGBoost and LightGBM
minimise; CatBoost maximises. No framework needs to be installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from slopes.auditing.boosting.checks import CHECKS, Trial
from slopes.auditing.boosting.derivatives import trial_batches
from slopes.auditing.boosting.objective import Objective, adapted
from slopes.auditing.boosting_frameworks import BOOSTING
from slopes.auditing.discovery import make_instance, subject_of
from slopes.auditing.form import Declared
from slopes.auditing.report import Finding, Report, run
from slopes.auditing.signatures import attribute_of
from slopes.auditing.source import source_of
from slopes.auditing.subject import Subject, SubjectError


def examine_objective(
    given: Any, declared: Mapping[str, Any], *, against: Any = None, seed: int = 0, spec: str | None = None
) -> Report:
    """Report on a boosting objective, whose framework is the declared kind.

    `against` is its loss, summed over rows, as a function of the raw score: a card, a loss of torch, any callable, or a
    name in the catalogue. A sigmoid or softmax precedes a loss of probabilities, an exponential a loss of positive
    predictions. Without `against`, the Hessian is compared with the gradient only.
    """
    framework = BOOSTING[declared["kind"]]
    thing = make_instance(given, spec) if isinstance(given, type) else given
    methods = framework.methods
    if not (any(attribute_of(thing, method) is not None for method in methods) if methods else callable(thing)):
        due = f"an object with {' or '.join(methods)}" if methods else "a function"
        raise TypeError(f"audit takes {due} for {framework.name}, got {type(thing).__name__}")
    loss = None if against is None else loss_of(against, declared, seed)
    by_class = not hasattr(thing, "calc_ders_range") if methods else None
    batches = trial_batches(loss, by_class, np.random.default_rng(seed))
    objective, batch, error = adapted(thing, framework, source_of(given, spec), batches)
    report = Report(objective.name)
    if error is None:
        compared = "its Hessian is held to its gradient; give against= its loss"
        compared = f"compared with {loss.name}" if loss else compared
        report.facts.append(f"an objective of {framework.name}, called as {objective.interface.title}; {compared}")

    def boosting(objective: Objective) -> Iterator[Finding]:
        if error is not None:
            yield objective.failure(batch, error, "return gradient and Hessian by the raw score, row by row")
            return
        for check in CHECKS:
            findings = list(check(Trial(objective, batch, loss)))
            yield from findings
            if any(finding.severity == "error" for finding in findings):
                return

    return run(objective, [boosting], report)


def loss_of(against: Any, declared: Mapping[str, Any], seed: int) -> Subject:
    from slopes import loading

    spec = against if isinstance(against, str) else None
    thing = loading.find(against) if spec else against
    try:
        subject, _ = subject_of(thing, spec=spec, declared=Declared(space=declared.get("space")), seed=seed)
    except SubjectError as error:
        raise TypeError(f"audit: against= cannot be called as a loss of predictions and targets: {error}") from error
    if subject.form.kind is None or len(subject.form.names) != 2 or subject.batch_level:
        raise TypeError(f"audit: against= must be a loss of predictions and targets, row by row, got {subject.name}")
    return subject
