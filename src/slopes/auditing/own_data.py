"""Audit of the tensors of a real training: predictions, targets and gradients."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slopes.auditing.behaviour.terms import norm_by, norm_of, with_terms
from slopes.auditing.evidence import Script, Unshown, attempt, is_lost
from slopes.auditing.form import Arguments
from slopes.auditing.report import Finding, Report, Skip, about, run
from slopes.auditing.subject import Subject, SubjectError

ENOUGH = 16  #: number of entries that do not all lie in [0, 1] by chance
SHOWN = 4  #: number of rows in code
SIGNS, ZERO_ONE = {-1.0, 1.0}, {0.0, 1.0}


@dataclass(frozen=True)
class Prediction:
    """Output of a model for a batch, and its code."""

    tensor: Tensor
    model: Any
    inputs: Any
    code: str


def look(subject: Subject, model: Any, batch: Any, report: Report, watch: Callable[[str], None] | None = None) -> None:
    """Add findings on a batch (inputs, targets) of a model to a report; without a model, (predictions, targets).

    A copy of the model runs in its current mode. The targets of a loss of several arguments are a tuple. Raises
    TypeError if `model` or `batch` is of another form.
    """
    if model is not None and not callable(model):
        raise TypeError(f"audit: model must be a module or a function of the inputs, got {type(model).__name__}")
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        came = f"{len(batch)} parts" if isinstance(batch, (tuple, list)) else type(batch).__name__
        raise TypeError(f"audit: batch must be ({'predictions' if model is None else 'inputs'}, targets), got {came}")

    @about("loss")
    def own_data(subject: Subject) -> Iterator[Finding]:
        prediction = _predict(copy.deepcopy(model), batch[0])
        targets = batch[1] if isinstance(batch[1], (tuple, list)) else (batch[1],)
        arguments = (prediction.tensor.detach(), *(torch.as_tensor(target) for target in targets))
        if len(arguments) != len(subject.form.names):
            raise Skip(f"the loss takes {', '.join(subject.form.names)}, and the batch holds {len(arguments)} tensors")
        report.facts.append(f"own data: {_told(subject, arguments)}")
        for look_at in (_finite, _shapes, _targets, _space):
            found = next(look_at(subject, arguments), None)
            if found is not None:
                yield found
                if found.severity == "error":
                    return
        yield from _gradients(subject, arguments, prediction, report.facts)

    run(subject, [own_data], report, watch)


def _predict(model: Any, inputs: Any) -> Prediction:
    """Return the prediction in the output of a model; without a model, the inputs themselves."""
    code = "inputs"
    came = inputs
    if model is not None and isinstance(inputs, Mapping):
        came, code = model(**inputs), "model(**inputs)"
    elif model is not None:
        several = isinstance(inputs, (tuple, list))
        came, code = (model(*inputs), "model(*inputs)") if several else (model(inputs), "model(inputs)")
    if isinstance(came, Mapping):
        key = "logits" if "logits" in came else "out"
        came, code = came.get(key), f"{code}[{key!r}]"
    elif isinstance(came, (tuple, list)) and len(came) == 1:
        came, code = came[0], f"{code}[0]"
    if isinstance(came, Tensor) or hasattr(came, "__array__"):
        return Prediction(torch.as_tensor(came), model, inputs, code)
    raise Skip("the model gives no tensor by itself; give batch=(predictions, targets) and no model")


def _told(subject: Subject, arguments: Arguments) -> str:
    told = []
    for name, x in zip(subject.form.names, arguments, strict=True):
        span = f" in [{float(x.min()):.4g}, {float(x.max()):.4g}]" if x.numel() and x.dtype is not torch.bool else ""
        told.append(f"{name} {tuple(x.shape)} {str(x.dtype).removeprefix('torch.')}{span}")
    return ", ".join(told)


def _finding(
    subject: Subject, arguments: Arguments, message: str, lines: str | tuple[str, ...], repair: str,
    grad: int | None = None, **fields: Any,
) -> Finding:  # fmt: skip
    lines = (lines,) if isinstance(lines, str) else lines
    corner = _corner(arguments)
    if not _are_long(corner):
        with contextlib.suppress(Unshown):
            return _script(subject, corner, *lines, grad=grad).finding("own_data", message, repair, **fields)
    return _script(subject, arguments, *lines, grad=grad).finding("own_data", message, repair, **fields)


def _corner(arguments: Arguments) -> Arguments:
    inner = max(x.ndim for x in arguments) - 2  # behind the rows and the classes
    shown = []
    for x in arguments:
        x = x[:SHOWN] if x.ndim else x
        for axis in range(max(x.ndim - inner, 1), x.ndim):
            x = x.narrow(axis, 0, min(2, x.shape[axis]))
        shown.append(x)
    return tuple(shown)


def _are_long(arguments: Arguments) -> bool:
    return sum(x.numel() for x in arguments) > 40 * SHOWN


def _script(subject: Subject, arguments: Arguments, *lines: str, grad: int | None = None) -> Script:
    """Return code with the arguments, or if they are long, with placeholders for the batch's."""
    if not _are_long(arguments):
        return subject.script(arguments, *lines, grad=grad)
    named = subject.by_name(arguments)
    told = [f"# {name} is the batch's, {tuple(x.shape)}" for name, x in named.items()]
    if grad is not None:
        told.append(f"{subject.form.names[grad]}.requires_grad_()")
    text = ["import torch", *subject.setup_for(arguments), *told, *lines[:-1], f"print({lines[-1]})"]
    return Script(text, {**subject.given, **named})


# ------------------------------------------------------------------------------------------------ the tensors


def _finite(subject: Subject, arguments: Arguments) -> Iterator[Finding]:
    """Check that nothing is NaN or infinite."""
    for place, (name, x) in enumerate(zip(subject.form.names, arguments, strict=True)):
        if not x.is_floating_point() or bool(torch.isfinite(x).all()):
            continue
        bad = ~torch.isfinite(x)
        rows = torch.nonzero(bad.reshape(len(x), -1).any(dim=-1)).reshape(-1) if x.ndim else None
        small = tuple(y if rows is None or len(y) != len(x) else y[rows] for y in arguments)
        where = "" if rows is None else f", first in row {int(rows[0])}"
        yield _finding(
            subject, small, f"{int(bad.sum())} of {x.numel()} entries of {name} are NaN or infinite{where}", name,
            "look at the model from its first layer on, and at its inputs" if not place
            else "find them where the data is loaded; a mask must choose before the loss, as NaN * 0 is NaN",
            severity="warning" if place else "error", came="{0}", expected="finite numbers", shows=is_lost,
        )  # fmt: skip
        return


def _shapes(subject: Subject, arguments: Arguments) -> Iterator[Finding]:
    """Check that the loss takes the batch, and does not broadcast it."""
    prediction, target, *_ = arguments
    shapes = f"{subject.form.names[0]} {tuple(prediction.shape)}, {subject.form.names[1]} {tuple(target.shape)}"
    wrong_labels = _labels_outside(subject, arguments)
    if wrong_labels is not None:
        yield wrong_labels
        return
    try:
        subject(*arguments)
    except SubjectError as error:
        yield _finding(
            subject, arguments, f"raises for {shapes}: {error.cause}",
            (attempt(subject.call), "came"),
            "bring predictions and targets into the shapes and types that the loss takes", came="{0}",
            shows=lambda came: isinstance(came, Exception),
        )  # fmt: skip
        return
    if _of_labels(subject, arguments) or len(arguments) > 2 or prediction.shape == target.shape:
        return
    try:
        made = np.broadcast_shapes(prediction.shape, target.shape)
    except ValueError:
        return
    if made == tuple(prediction.shape) and prediction.ndim == target.ndim:
        return  # a target for a whole row, perhaps
    yield _finding(
        subject, arguments, f"{shapes} are broadcast to {made}: each prediction meets the targets of others",
        f"torch.broadcast_shapes({subject.form.names[0]}.shape, {subject.form.names[1]}.shape), "
        f"{subject.form.names[0]}.shape",
        "squeeze the prediction's last axis, or unsqueeze the target's: target.unsqueeze(-1)",
        severity="error" if subject.form.sure else "warning",
        came="values for {0}", expected="one for each of {1}",
    )  # fmt: skip


def _of_labels(subject: Subject, arguments: Arguments) -> bool:
    prediction, target, *_ = arguments
    kind = subject.form.kind
    rows = kind is not None and kind.rowwise and subject.form.spaces[1].has_classes
    return rows and not target.is_floating_point() and target.ndim == prediction.ndim - 1


def _classes(subject: Subject, prediction: Tensor) -> int:
    axis = 1 if prediction.ndim > 1 and (subject.form.axis in (1, -1)) else 0
    return prediction.shape[axis]


def _labels_outside(subject: Subject, arguments: Arguments) -> Finding | None:
    """Report labels that are no class."""
    if not _of_labels(subject, arguments):
        return None
    prediction, target, *_ = arguments
    classes = _classes(subject, prediction)
    counted = target[target != getattr(subject.thing, "ignore_index", -100)].long()
    outside = counted[(counted < 0) | (counted >= classes)]
    if not len(outside):
        return None
    first = int(counted.min()) == 1 and int(counted.max()) == classes
    rows = torch.isin(target, outside).reshape(len(target), -1).any(dim=-1) if target.ndim else ...
    return _finding(
        subject, (prediction[rows], target[rows]),
        "labels start at 1" if first else f"the label {int(outside[0])} is none of {classes} classes",
        f"{subject.form.names[1]}.unique()",
        "subtract 1: classes are counted from 0" if first
        else f"give the model as many outputs as there are classes, or mark what is to be ignored ({int(outside[0])})",
        came="the labels {0}", expected=f"labels from 0 to {classes - 1}",
        shows=lambda seen: bool(torch.isin(outside, seen).any()),
    )  # fmt: skip


def _targets(subject: Subject, arguments: Arguments) -> Iterator[Finding]:
    """Check that the targets are in the loss's set of values, and not all equal."""
    prediction, target, *_ = arguments
    sort = "error" if subject.form.sure else "note"
    name, space = subject.form.names[1], subject.form.spaces[1]
    if _of_labels(subject, arguments):
        yield from _label_counts(subject, arguments, _classes(subject, prediction))
        return
    if not (space.is_yes_or_no or space.is_sign) or not target.numel() or len(arguments) > 2:
        return
    values = target.double()
    seen = set(torch.unique(values)[:3].tolist())
    if space.is_yes_or_no and (float(values.min()) < 0 or float(values.max()) > 1):
        signs = seen <= SIGNS
        yield _finding(
            subject, arguments, f"{name} is {'-1 and 1' if signs else f'in [{values.min():g}, {values.max():g}]'}",
            f"{name}.unique()",
            "write (target + 1) / 2" if signs else "divide by the largest, or write (target > 0).to(prediction.dtype)",
            severity=sort, came="{0}", expected="0 and 1, or chances between",
            shows=lambda seen: seen.min() < 0 or seen.max() > 1,
        )  # fmt: skip
    elif space.is_sign and seen == ZERO_ONE:
        yield _finding(
            subject, arguments, f"{name} is 0 and 1 where the loss reads signs: a target of 0 says nothing",
            f"{name}.unique()",
            "write 2 * target - 1", severity=sort, came="{0}", expected="-1 and 1", shows=lambda seen: 0 in seen,
        )  # fmt: skip
    elif len(seen) == 1 and target.numel() >= ENOUGH:
        yield _finding(
            subject, arguments, f"every entry of {name} is {seen.pop():g}", f"{name}.unique()",
            "look whether the data is sorted by class, and shuffle it", severity="note",
            shows=lambda seen: len(seen) == 1,
        )  # fmt: skip


def _label_counts(subject: Subject, arguments: Arguments, classes: int) -> Iterator[Finding]:
    name, target = subject.form.names[1], arguments[1]
    counted = target[target != getattr(subject.thing, "ignore_index", -100)].long()
    seen = torch.unique(counted)
    missing = sorted(set(range(classes)) - set(seen.tolist()))
    if len(seen) == 1 and len(counted) >= ENOUGH:
        yield _finding(
            subject, arguments, f"every label of the batch is {int(seen[0])}", f"{name}.unique()",
            "look whether the data is sorted by class, and shuffle it",
            severity="warning" if classes > 2 and target.ndim == 1 else "note",
            came="the label {0} alone", expected=f"labels of {classes} classes", shows=lambda seen: len(seen) == 1,
        )  # fmt: skip
    elif missing and len(counted) >= 20 * classes:
        yield _finding(
            subject, arguments, f"class {missing[0]} never comes in {len(counted)} labels", f"{name}.unique()",
            "count labels from 0, and give the model no more outputs than there are classes",
            severity="note", came="the labels {0}", expected=f"all of {classes} classes",
            shows=lambda seen: missing[0] not in seen,
        )  # fmt: skip


def _in_unit(low: Tensor, high: Tensor, *sums: Tensor) -> bool:
    """Whether predictions are in [0, 1], with sums of 1 over a row."""
    return bool(low >= 0 and high <= 1) and all(bool(((x - 1).abs() <= 1e-3).all()) for x in sums)


def _outside(low: Tensor, high: Tensor) -> bool:
    return bool(low < 0 or high > 1)


def _uneven(low: Tensor, high: Tensor, sums: Tensor) -> bool:
    return bool(((sums - 1).abs() > 1e-2).any())


SUMS = "{0}.sum({1})"
#: space that is due, sums over a row as code, test of the least and largest prediction and the sums, message, repair
Rule = tuple[str, str, Callable[..., bool], str, str]
RULES: tuple[Rule, ...] = (
    ("is_logit", SUMS, _in_unit, "{0} is probabilities, whose rows sum to 1, where logits are due: the softmax is "
     "taken twice", "take the softmax out of the model, or keep it for evaluation alone"),
    ("is_logit", "", _in_unit, "every entry of {0} lies in [{1:.3g}, {2:.3g}] where logits are due: is a sigmoid taken "
     "twice?", "take the sigmoid (or ReLU) out of the model's end: the loss takes it itself"),
    ("is_log_probability", SUMS, _in_unit, "{0} is probabilities where log-probabilities are due",
     "take log_softmax instead of softmax"),
    ("is_log_probability", "{0}.exp().sum({1})", _uneven, "the rows of {0} are no log-probabilities: their "
     "exponentials do not sum to 1", "take log_softmax of the logits first"),
    ("is_probability", "", _outside, "{0} lies in [{1:.3g}, {2:.3g}] where probabilities are due",
     "take the sigmoid or softmax first, or better a loss of logits"),
    ("is_probability", SUMS, _uneven, "the rows of {0} do not sum to 1", "take the softmax over the classes' axis"),
)  # fmt: skip


def _space(subject: Subject, arguments: Arguments) -> Iterator[Finding]:
    """Check that the predictions are in the loss's space: logits, log-probabilities or probabilities."""
    prediction, kind, name = arguments[0].double(), subject.form.kind, subject.form.names[0]
    if kind is None or not prediction.numel() or not arguments[0].is_floating_point():
        return
    low, high = prediction.min(), prediction.max()
    axis = 1 if prediction.ndim > 1 and subject.form.axis in (1, -1) else -1
    rows = kind.rowwise and prediction.ndim > 1 and prediction.shape[axis] > 1
    for space, sums, test, message, repair in RULES:
        least = 1 if sums or space == "is_probability" else ENOUGH
        told = space == "is_probability" and sums and not kind.takes_labels  # its rows may be anything
        if not getattr(subject.space, space) or (sums and not rows) or prediction.numel() < least or told:
            continue
        sums = sums.format(name, axis)
        if test(low, high, *([eval(sums, {name: prediction})] if sums else [])):
            yield _finding(
                subject, arguments, message.format(name, float(low), float(high)),
                f"{name}.min(), {name}.max()" + (f", {sums}" if sums else ""), repair,
                severity="warning" if subject.form.sure else "note", came="numbers in [{0:.4g}, {1:.4g}]",
                expected=str(subject.space), shows=test,
            )  # fmt: skip
            return


# ---------------------------------------------------------------------------------------------- the gradients


def _gradients(subject: Subject, arguments: Arguments, prediction: Prediction, facts: list[str]) -> Iterator[Finding]:
    """Check that the gradient is finite, reaches most entries, and has a share from each declared term."""
    value, gradient = subject.gradient(*arguments)
    first, lines = subject.form.names[0], (f"result = {subject.call}", "result.sum().backward()")
    if not bool(torch.isfinite(value).all()) or not bool(torch.isfinite(gradient).all()):
        what = "gradient" if bool(torch.isfinite(value).all()) else "loss"
        yield _finding(
            subject, arguments, f"the {what} of the batch is not finite, and its tensors are",
            (*lines, f"result, {first}.grad"), "look at what the audit says of extreme_inputs and zeros_and_edges",
            grad=0, came="a loss of {0} with a gradient of {1}", expected="finite numbers",
            shows=lambda value, gradient: is_lost(value) or is_lost(gradient),
        )  # fmt: skip
        return
    still, rows = gradient == 0, ""
    if subject.form.kind is not None and subject.form.kind.rowwise and still.ndim > 1:
        axis = 1 if subject.form.axis in (1, -1) else -1
        still, rows = still.all(axis), f".all({axis})"  # a 0 for a single class is fine
    zero = float(still.double().mean()) if still.numel() else 0.0
    facts.append(
        f"own data: the loss is {float(value.double().mean()):.4g}, its gradient by {subject.form.names[0]} has the "
        f"norm {float(gradient.double().norm()):.4g} and is 0 at {zero:.0%} of "
        f"the {'rows' if still.ndim < gradient.ndim else 'entries'}"
    )
    if zero > 0.5:
        yield _finding(
            subject, arguments, f"the gradient is 0 at {zero:.0%} of the predictions",
            (*lines, f"({first}.grad == 0){rows}.double().mean()"),
            "look for a clamp, a rounding or a margin that all have passed, and at the scale of the predictions",
            severity="warning" if zero == 1 else "note", grad=0, came="0 at {0:.0%}", expected="most predictions learn",
            shows=lambda share: share > 0.5,
        )  # fmt: skip
    yield from _terms(subject, arguments, facts)
    yield from _parameters(subject, arguments, prediction, gradient, facts)


def _terms(subject: Subject, arguments: Arguments, facts: list[str]) -> Iterator[Finding]:
    """Check the share of each declared term in the gradient."""
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
        yield _finding(
            with_terms(subject), arguments, f"the term {least} has {norms[least] / total:.2%} of the gradient",
            (*norm_by(subject), f"{norm_of(subject, least)}, {' + '.join(norm_of(subject, name) for name in norms)}"),
            "weigh the terms by what they are to do, or sum and average them over the same axes",
            severity="note" if norms[least] else "warning", grad=0, came="{0:.4g} of {1:.4g}",
            expected="a share that matters", shows=lambda least, total: least < 0.01 * total,
        )  # fmt: skip


def _parameters(
    subject: Subject, arguments: Arguments, prediction: Prediction, gradient: Tensor, facts: list[str]
) -> Iterator[Finding]:
    """Check that the gradient by the model's parameters is finite, and report its norm."""
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
            "own_data", f"the gradient by {broken[0]} is not finite, and that by the predictions is",
            "look inside the model, at roots, logs and divisions", came="{0}", expected="finite numbers",
            shows=is_lost,
        )  # fmt: skip
