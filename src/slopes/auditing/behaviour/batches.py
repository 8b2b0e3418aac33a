"""Helpers for checks of batches."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from slopes.auditing.form import Arguments
from slopes.auditing.rebuilding import SET_AFTERWARDS
from slopes.auditing.report import Finding, Skip
from slopes.auditing.signatures import attribute_of
from slopes.auditing.subject import Subject, SubjectError


def close(a: Tensor | float, b: Tensor | float) -> bool:
    """Whether results agree to 1e-5 of the larger, as losses may compute in float32 inside."""
    a, b = torch.as_tensor(a).detach().double(), torch.as_tensor(b).detach().double()
    if a.shape != b.shape or not a.numel():
        return a.shape == b.shape
    size = max(float(a.abs().max()), float(b.abs().max()))
    return size < 1e-300 or float((a - b).abs().max()) <= 1e-5 * size  # NaN agrees with nothing


def twice(arguments: Arguments) -> Arguments:
    return tuple(torch.cat([x, x]) for x in arguments)


def twice_in_code(subject: Subject) -> list[str]:
    join = "np.concatenate" if subject.form.numpy else "torch.cat"
    return [f"{name} = {join}([{name}, {name}])" for name in (*subject.form.names, *subject.form.extra)]


def several(subject: Subject) -> Subject:
    """Subject with several entries per row, so that rows and entries differ; raise Skip if it takes none."""
    if len(subject.form.shape) > 1 or subject.form.has_fixed_shape:
        return subject
    if subject.form.kind is not None and subject.form.kind.rowwise:
        raise Skip("it takes a single row, no batch")
    wider = subject.having(shape=(6, 4))
    with contextlib.suppress(SubjectError, Skip):
        if wider(*wider.draw()).shape in ((), (6,), (6, 4)):
            return wider
    return subject


def asked(subject: Subject, finding: Finding) -> Finding:
    """Finding, a note if the kind is a guess."""
    return finding if subject.form.sure else replace(finding, severity="note")


def is_library_loss(subject: Subject) -> bool:
    """Whether it is a loss of torch or slopes.nn, which keep torch's documented conventions."""
    home = type(subject.thing).__module__ if subject.is_module else attribute_of(subject.thing, "__module__", "")
    return str(home).startswith(("torch.", "slopes.nn"))


def counts(subject: Subject, arguments: Arguments) -> dict[str, float]:
    """Possible divisors of a batch's mean, by name."""
    first, kind = arguments[0], subject.form.kind
    assert kind is not None
    rows = first.numel() // first.shape[subject.form.axis] if kind.rowwise else len(first)
    known = {"elements": float(first.numel()), "rows": float(rows), "samples": float(len(first))}
    if kind.place_of_weights is not None:
        known["weights"] = float(arguments[kind.place_of_weights].sum())
    elif not arguments[-1].is_floating_point():
        weights = next((w for w in _tensors(subject.thing) if w.shape == (first.shape[subject.form.axis],)), None)
        if weights is not None:
            known["weights"] = float(weights.double()[arguments[-1].clamp(min=0)].sum())
    return known


def _tensors(thing: Any) -> list[Tensor]:
    held = {**attribute_of(thing, "__dict__", {}), **attribute_of(thing, "_buffers", {})}
    return [x for x in held.values() if isinstance(x, Tensor)]


# -------------------------------------------------------------------------------------- further arguments


def cut(options: Mapping[str, Any], part: slice) -> dict[str, Any]:
    return {name: x[part] if isinstance(x, Tensor) else x for name, x in options.items()}


def doubt_reductions(subject: Subject) -> Subject:
    """Subject whose findings are notes if its reduction can only be set on the finished object."""
    is_set = subject.form.reduction == "attribute" and subject.rebuilt(reduction="sum") is None
    return subject.like(doubt=SET_AFTERWARDS) if is_set else subject


def asking(subject: Subject, way: str, call: str) -> str:
    """Code of a call with another reduction."""
    if subject.form.reduction == "keyword":
        return f"{call[:-1]}, reduction={way!r})"
    if subject.rebuilt(reduction=way) is not None:
        return subject.rebuilt_code(reduction=way) + call.removeprefix(subject.variable)
    return f"(setattr({subject.variable}, 'reduction', {way!r}) or {call})"
