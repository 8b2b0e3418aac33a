"""The audit: what would go wrong in training with a loss or an activation, each fault with an input that shows it.

A check is a function of a subject that yields findings. Those of `behaviour` look at what anything does that can be
called; those of `cards` hold a card against exact arithmetic and its own claims. Both lists are in the order in which
they run, and both test the catalogue. A fault is reported once, by its primary check: later ones pass over its entries,
or are not run at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from slopes import loading
from slopes.checks.report import AuditError, Finding, Report
from slopes.domains import Flag, Interval, plain, shown
from slopes.extras import are_installed, require

__all__ = ["AuditError", "Finding", "Report", "audit"]

FLAG = Flag.__metadata__[0]  # type: ignore[attr-defined]


def audit(
    subject: Any,
    *,
    kind: str | None = None,
    against: Any = None,
    quick: bool = False,
    seed: int = 0,
    space: str | None = None,
    elicits: str | None = None,
    bounded: bool = False,
    batch_level: bool = False,
    terms: Mapping[str, Callable[..., Any]] | None = None,
    divisor: str | None = None,
    model: Any = None,
    batch: Any = None,
    time_limit: float = 120.0,
) -> Report:
    """Audit a loss or an activation, and return what was found as a `Report`.

    `subject` is a card, any function of a prediction and a target or of one tensor, a module, a module's class, or
    text: a name of the catalogue, or ``file.py:object``, which is run in a process of its own for at most
    `time_limit` seconds. How it wants to be called is found out by calling it; what cannot be found out is declared:

    - `kind`: "activation", or what a loss is fed, one of `slopes.kinds`; "xgboost", "lightgbm" or "catboost" for the
      gradient and Hessian of a boosting objective.
    - `space`: whether predictions are "logits", "probabilities" or "log_probabilities".
    - `elicits`: what the best constant prediction is: "mean", "median", "quantile 0.9" or "probability".
    - `bounded`: it is to saturate, as robust losses do. `batch_level`: it is to look at a batch as a whole.
    - `terms`: the parts that it adds up, each a function of the same arguments by its name.
    - `divisor`: what its mean divides by: "elements", "rows", "weights", "valid" or "one".

    `against` is what it is said to equal: a class or function of torch, a card, any callable, or text. With `model`
    and `batch` (inputs and targets) the tensors of a real training are looked at too. `quick` leaves out what takes
    long; `seed` chooses the random inputs.

    The subject is left as it is, and so are random states, default dtype and warnings. Needs ``slopes[torch,audit]``.
    Raises TypeError or ValueError for what cannot be audited, or is declared and unknown.
    """
    from slopes.checks import child

    seed, time_limit = plain(seed), plain(time_limit)
    for name, flag in (("quick", quick), ("bounded", bounded), ("batch_level", batch_level)):
        FLAG.check("audit", name, flag)
    if type(seed) is not int or not 0 <= seed < 2**62:
        raise ValueError(f"audit: seed must be an integer from 0 to 2**62 - 1, got {shown(seed)}")
    Interval(0.0).check("audit", "time_limit", time_limit)
    if not isinstance(terms or {}, Mapping) or not all(map(callable, (terms or {}).values())):
        raise TypeError(f"audit: terms must be a dict of functions by their names, got {shown(terms)}")
    declared: dict[str, Any] = {
        "kind": kind, "space": space, "elicits": elicits, "bounded": bounded, "batch_level": batch_level,
        "terms": dict(terms or {}), "divisor": divisor,
    }  # fmt: skip
    options: dict[str, Any] = {"against": against, "quick": quick, "seed": seed, "model": model, "batch": batch}
    is_of_file = isinstance(subject, str) and loading.parts(subject)[0] is not None
    if is_of_file and are_installed("mpmath", "torch"):  # which the process of the file loads, and this one need not
        return child.audit(subject, declared, time_limit=time_limit, **options)
    require("slopes.audit", "mpmath", "torch")
    from slopes.checks.examination import examine

    if isinstance(subject, str):
        return examine(loading.find(subject), declared, spec=subject, **options)
    return examine(subject, declared, **options)
