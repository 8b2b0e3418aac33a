"""Audit of a loss or an activation: faults that would harm training, each with an input that shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from slopes import loading
from slopes.auditing.report import AuditError, Finding, Report
from slopes.domains import Flag, Interval, plain, shown
from slopes.extras import are_installed, require

__all__ = ["AuditError", "Finding", "Report", "audit"]

FLAG = Flag.__metadata__[0]  # type: ignore[attr-defined]


def audit(
    subject: Any, *, kind: str | None = None, against: Any = None, quick: bool = False, seed: int = 0,
    space: str | None = None, elicits: str | None = None, bounded: bool = False, batch_level: bool = False,
    terms: Mapping[str, Callable[..., Any]] | None = None, divisor: str | None = None, example: Any = None,
    roles: Any = None, call: Callable[..., Any] | None = None, framework: str | None = None, model: Any = None,
    batch: Any = None, time_limit: float = 120.0, memory_limit: float = 400.0,
) -> Report:  # fmt: skip
    """Audit a loss or an activation, and return the findings as a `Report`.

    `subject` is a card, a function of a prediction and a target or of one tensor, a module, a module class, or text: a
    name in the catalogue, or ``file.py:object``, which runs in its own process for at most `time_limit` seconds. The
    audit finds out how to call it by trying. Checks that come after `time_limit`, or whose batches would take more than
    `memory_limit` megabytes, are skipped; on Linux without a GPU no call gets more. Declare the facts that no call can
    show:

    - `kind`: "activation", or for a loss one of `slopes.kinds`; "xgboost", "lightgbm" or "catboost" for the gradient
      and Hessian of a boosting objective.
    - `space`: whether predictions are "logits", "probabilities" or "log-probabilities".
    - `elicits`: the best constant prediction: "mean", "median", "quantile 0.9" or "probability".
    - `bounded`: it saturates on purpose, as robust losses do. `batch_level`: it depends on a whole batch on purpose.
    - `terms`: the terms that it adds up, by name, each a function of the same arguments.
    - `divisor`: the divisor of its mean: "elements", "rows", "weights", "valid" or "one".
    - `example`: for a loss that no kind describes, a batch: a tuple or dict of tensors with one row per sample. `roles`
      names the role of each: "prediction", "logits", "probabilities", "log_probabilities", "positive", "chosen" or
      "rejected" for the outputs of a model; "target", "labels", "teacher", "reference", "input", "weight" or "mask".
      `call` is a function of the loss and the batch, where the loss does not take the tensors in this order. `example`
      and `call` may be text, an expression that may name torch, F, np and all that the object's file names.
    - `framework`: "jax" or "keras" for a function of its arrays, where the code does not show that.

    `against` is the reference that it should equal: a class or function of torch, a card, any callable, or text. With
    `model` and `batch` (inputs and targets), the audit also checks the tensors of a real training. `quick` skips slow
    checks; `seed` chooses the random inputs.

    The audit leaves the subject, random states and settings of the process as they are, such as default dtype, warnings
    and environment, even if the subject changes them. Needs ``slopes[torch,audit]``.
    Raises TypeError or ValueError for a subject that cannot be audited, or an unknown declaration.
    """
    from slopes.auditing import child

    seed, time_limit, memory_limit = plain(seed), plain(time_limit), plain(memory_limit)
    for name, flag in (("quick", quick), ("bounded", bounded), ("batch_level", batch_level)):
        FLAG.check("audit", name, flag)
    if type(seed) is not int or not 0 <= seed < 2**62:
        raise ValueError(f"audit: seed must be an integer from 0 to 2**62 - 1, got {shown(seed)}")
    Interval(0.0).check("audit", "time_limit", time_limit)
    Interval(0.0).check("audit", "memory_limit", memory_limit)
    if not isinstance(terms or {}, Mapping) or not all(map(callable, (terms or {}).values())):
        raise TypeError(f"audit: terms must be a dict of functions by their names, got {shown(terms)}")
    declared: dict[str, Any] = {
        "kind": kind, "space": space, "elicits": elicits, "bounded": bounded, "batch_level": batch_level,
        "terms": dict(terms or {}), "divisor": divisor, "example": example, "roles": roles, "call": call,
        "framework": framework,
    }  # fmt: skip
    options: dict[str, Any] = {
        "against": against, "quick": quick, "seed": seed, "model": model, "batch": batch, "time_limit": time_limit,
        "memory_limit": memory_limit,
    }  # fmt: skip
    is_text = issubclass(type(subject), str)  # isinstance would run code of the object
    is_of_file = is_text and loading.parts(subject)[0] is not None
    if is_of_file and are_installed("flint", "mpmath", "torch"):  # the child process imports them, this one need not
        return child.audit(subject, declared, **options)
    require("slopes.audit", "flint", "mpmath", "torch")
    from slopes.auditing.examination import examine

    if is_text:
        return examine(loading.find(subject), declared, spec=subject, **options)
    return examine(subject, declared, **options)
