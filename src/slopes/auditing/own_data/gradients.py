"""Checks of a batch's gradients by prediction and parameters."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from slopes.auditing.behaviour.terms import norm_by, norm_of, with_terms
from slopes.auditing.evidence import Script, is_lost
from slopes.auditing.form import Arguments
from slopes.auditing.own_data.prediction import Prediction, finding
from slopes.auditing.report import Finding
from slopes.auditing.subject import Subject


def check_gradients(
    subject: Subject, arguments: Arguments, prediction: Prediction, facts: list[str]
) -> Iterator[Finding]:
    value, gradient = subject.gradient(*arguments)
    first, lines = subject.form.names[0], (f"result = {subject.call}", "result.sum().backward()")
    if not bool(torch.isfinite(value).all()) or not bool(torch.isfinite(gradient).all()):
        lost = "gradient" if bool(torch.isfinite(value).all()) else "loss"
        yield finding(
            subject, arguments,
            f"training turns into NaN at this batch: its {lost} is not finite, and its tensors are",
            (*lines, f"result, {first}.grad"), "look at what the audit says of extreme_inputs and zeros_and_edges",
            grad=0, came="a loss of {0} with a gradient of {1}", expected="finite numbers",
            shows=lambda value, gradient: is_lost(value) or is_lost(gradient),
        )  # fmt: skip
        return
    still, rows = gradient == 0, ""
    if subject.form.kind is not None and subject.form.kind.rowwise and still.ndim > 1:
        axis = subject.form.class_axis(still.ndim)
        still, rows = still.all(axis), f".all({axis})"  # a 0 for a single class is fine
    zero = float(still.double().mean()) if still.numel() else 0.0
    facts.append(
        f"own data: the loss is {float(value.double().mean()):.4g}, its gradient by {subject.form.names[0]} has the "
        f"norm {float(gradient.double().norm()):.4g} and is 0 at {zero:.0%} of "
        f"the {'rows' if still.ndim < gradient.ndim else 'entries'}"
    )
    if zero > 0.5:
        yield finding(
            subject, arguments, f"training learns nothing from {zero:.0%} of the predictions: their gradient is 0",
            (*lines, f"({first}.grad == 0){rows}.double().mean()"),
            "look for a clamp, a rounding or a margin that all have passed, and at the scale of the predictions",
            severity="warning" if zero == 1 else "note", grad=0, came="0 at {0:.0%}", expected="most predictions learn",
            shows=lambda share: share > 0.5,
        )  # fmt: skip
    yield from _terms(subject, arguments, facts)
    yield from _parameters(subject, arguments, prediction, gradient, facts)


def _terms(subject: Subject, arguments: Arguments, facts: list[str]) -> Iterator[Finding]:
    norms: dict[str, float] = {}
    for name, term in subject.declared.terms.items():
        leaves = [arguments[0].detach().clone().requires_grad_(), *arguments[1:]]
        came = term(*subject.placed(leaves))
        gradient = None
        if isinstance(came, Tensor) and came.requires_grad:
            (gradient,) = torch.autograd.grad(came.sum(), leaves[0], allow_unused=True)
        norms[name] = 0.0 if gradient is None else float(gradient.double().norm())
    total = sum(norms.values())
    if not total:
        return
    facts.append(
        "own data: of the gradient " + ", ".join(f"{name} has {norm / total:.1%}" for name, norm in norms.items())
    )
    least = min(norms, key=lambda name: norms[name])
    if len(norms) > 1 and norms[least] < 0.01 * total:
        yield finding(
            with_terms(subject), arguments,
            f"training all but ignores the term {least}: it has {norms[least] / total:.2%} of the gradient",
            (*norm_by(subject), f"{norm_of(subject, least)}, {' + '.join(norm_of(subject, name) for name in norms)}"),
            "weigh the terms by what they are to do, or sum and average them over the same axes",
            severity="note" if norms[least] else "warning", grad=0, came="{0:.4g} of {1:.4g}",
            expected="a share that matters", shows=lambda least, total: least < 0.01 * total,
        )  # fmt: skip


def _parameters(
    subject: Subject, arguments: Arguments, prediction: Prediction, gradient: Tensor, facts: list[str]
) -> Iterator[Finding]:
    model, predicted = prediction.model, prediction.tensor
    if not isinstance(model, torch.nn.Module) or not predicted.requires_grad:
        return
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if not named:
        return
    came = torch.autograd.grad(predicted, [p for _, p in named], gradient.to(predicted.dtype), allow_unused=True)
    reached = [(name, g) for (name, _), g in zip(named, came, strict=True) if g is not None]
    broken = [name for name, g in reached if not bool(torch.isfinite(g).all())]
    norm = float(torch.stack([g.double().norm() for _, g in reached]).norm()) if reached else 0.0
    facts.append(f"own data: the gradient by the model's parameters has the norm {norm:.4g}")
    if broken:
        _, *targets = subject.by_name(arguments).items()
        lines = [
            "import torch", *subject.setup_for(arguments),
            f"# model is the one that was audited; inputs{''.join(f', {name}' for name, _ in targets)} are the batch's",
            f"{subject.form.names[0]} = {prediction.code}", f"{subject.call}.sum().backward()",
            f"print(model.get_parameter({broken[0]!r}).grad)",
        ]  # fmt: skip
        given = {**subject.given, "model": model, "inputs": prediction.inputs, **dict(targets)}
        yield Script(lines, given).finding(
            f"training turns into NaN: the gradient by {broken[0]} is not finite, although that by the predictions is",
            "look inside the model, at roots, logs and divisions", expected="finite numbers",
            shows=is_lost,
        )  # fmt: skip
