"""Checks of rows' independence, and of degenerate batches."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from slopes.auditing.behaviour.batches import asked, close, is_library_loss, several
from slopes.auditing.behaviour.selection import selections
from slopes.auditing.evidence import attempt, is_lost
from slopes.auditing.form import Arguments
from slopes.auditing.report import Finding, Skip, about
from slopes.auditing.subject import Subject, SubjectError

ONE_ROW = "in a batch of one"


@about("loss", unless=("purity", "connectivity"), once=True, by_gradients=True)
def row_independence(subject: Subject) -> Iterator[Finding]:
    """Check that rows are independent, and that a softmax runs over classes."""
    subject = several(subject)
    wrong = _wrong_axis(subject)
    if wrong is not None:
        yield wrong
    if subject.batch_level:
        return
    arguments = subject.draw()
    first, *rest = arguments
    if not first.ndim or len(first) < 2:
        raise Skip("there is but one row")
    moved = torch.cat([first[:1], subject.draw(seed=1)[0][1:]])
    before, after = (subject.gradient(x, *rest)[1][0] for x in (first, moved))
    if not close(before, after):
        subject.notes["coupled"] = True
        name = subject.form.names[0]
        pair = arguments if len(first) < 4 else subject.draw(rows=2)
        other = torch.cat([pair[0][:1], subject.draw(seed=1, rows=len(pair[0]))[0][1:]])
        lines = [
            f"{subject.call}.sum().backward()", f"print({name}.grad[0])",
            f"{name} = {subject.spell(other, grad=True)}  # the same first row", f"{subject.call}.sum().backward()",
        ]  # fmt: skip
        yield subject.script(pair, *lines, f"{name}.grad[0]", grad=0).finding(
            "what training learns from a sample depends on the others in its batch: the gradient of a row depends on "
            "the predictions in other rows",
            "if it is to look at a batch as a whole (contrastive, overlap over a batch, the root of a mean), declare "
            "batch_level=True; else reduce over the last axis of each row before anything is divided or rooted",
            "note",
            came="a first row's gradient that changes from {0:.4g} to {1:.4g}",
            expected="the same, as its own prediction and target are",
            shows=lambda before, after: not close(before, after),
        )


def _wrong_axis(subject: Subject) -> Finding | None:
    """Find a softmax over rows, which numbers added to columns leave unchanged, or a norm, likewise by factors."""
    kind = subject.form.kind
    assert kind is not None
    if (kind.takes_labels or kind.compares_distributions) and subject.space.is_logit:
        return _found_wrong(subject, "adding", "softmax", "classes")
    if kind.compares_vectors:
        return _found_wrong(subject, "scaling", "norm or cosine", "entries of a vector")
    return None


def _found_wrong(subject: Subject, how: str, operation: str, over: str) -> Finding | None:
    arguments = subject.draw()
    axis = subject.form.axis % arguments[0].ndim
    if not subject.form.sure or arguments[0].ndim < 2:
        return None
    with contextlib.suppress(SubjectError, Skip):
        base = subject.total(*arguments)
        if not bool(torch.isfinite(base)):
            return None
        right = subject.total(*_shifted(arguments, axis, how))
        if close(base, right) or close(base, subject.total(subject.draw(seed=3)[0], *arguments[1:])):
            return None
        for place in range(arguments[0].ndim):
            unnoticed = place != axis and close(base, subject.total(*_shifted(arguments, place, how)))
            if unnoticed and _is_such(subject, arguments, place, how):
                small = arguments if place else subject.draw(rows=2)
                name = subject.form.names[0]
                moved = [subject.assign(_shifted(small, by, how))[0] for by in (place, axis)]
                changes = "adding a number to" if how == "adding" else "scaling"
                return subject.script(
                    small, f"print({subject.call})", moved[0], f"print({subject.call})", moved[1], subject.call
                ).finding(
                    f"training compares the wrong numbers: a {operation} runs over axis {place} of {name} "
                    f"{tuple(small[0].shape)}"
                    f"{', the batch' if place == 0 else ''}, not over the {over}",
                    f"give it the axis of the {over}: dim=1 in torch's layout (N, C, …), dim=-1 where they are last",
                    came=f"{changes} whole slices along axis {place} changes nothing; {changes} a row does",
                    expected=f"a loss that is not changed by {changes} a whole row",
                    shows=lambda base, wrong, right: close(base, wrong) and not close(base, right),
                )
    return None


def _is_such(subject: Subject, arguments: Arguments, place: int, how: str) -> bool:
    """Whether a softmax or cosine runs over that axis, rather than statistics of a batch, which may be meant.

    Its slices are independent, unlike correlations between columns. A softmax grows with its logits and its gradient
    does not, unlike a squared difference of centred values. A cosine changes under addition, unlike a correlation.
    """
    first, *rest = arguments
    if how == "scaling":
        if close(subject.total(*arguments), subject.total(*_shifted(arguments, place, "adding"))):
            return False
    else:
        value, slope = subject.gradient(*arguments)
        later, far = subject.gradient(100 * first, *rest)
        if not (later.sum() > 2 * value.sum() and far.abs().max() <= 10 * slope.abs().max()):
            return False
    across = next(axis for axis in range(first.ndim) if axis != place)
    moved = first + torch.where(torch.arange(first.shape[across]) == 0, 0.0, 1.0).to(first.dtype).reshape(
        [-1 if axis == across else 1 for axis in range(first.ndim)]
    ) * torch.sin(torch.arange(first.numel(), dtype=first.dtype)).reshape(first.shape)
    before, after = (subject.gradient(x, *rest)[1].select(across, 0) for x in (first, moved))
    return close(before, after)


def _shifted(arguments: Arguments, axis: int, how: str) -> Arguments:
    """Shift or scale each slice along the axis by its own number."""
    first = arguments[0]
    shape = list(first.shape)
    shape[axis] = 1
    rng = torch.Generator().manual_seed(7)
    by = torch.randint(1, 9, shape, generator=rng).to(first.dtype) / 4
    moved = first + by if how == "adding" else first * by
    return torch.round(moved, decimals=6), *arguments[1:]  # shorter in code


# ------------------------------------------------------------------------------------- degenerate batches


@about(
    "loss", once=True, by_gradients=True,
    unless=("purity", "shape_contract", "extreme_inputs", "zeros_and_edges", "row_independence", "reduction"),
)  # fmt: skip
def degenerate_batch(subject: Subject) -> Iterator[Finding]:
    """Check that value and gradient of degenerate batches are finite."""
    subject = several(subject)
    for case, arguments, options in _degenerate(subject):
        fault = _fault(subject, arguments, options)
        if fault is None:
            continue
        value, gradient = fault
        name = subject.form.names[0]
        bad = not bool(torch.isfinite(gradient).all())
        sure = bad or any(way.name in options and way.is_mask for way in selections(subject))
        severity = "error" if sure else "note"  # torch's convention: the mean of nothing is NaN
        if case == ONE_ROW and sure:  # one row has no spread
            severity = "note" if subject.batch_level or subject.notes.get("coupled") else "warning"
        lines = f"came = {subject.call_with(options)}", "came.sum().backward()", f"came, {name}.grad"
        finding = subject.script(arguments, *lines, grad=0, given=options).finding(
            f"training turns into NaN: {'the gradient' if bad else 'the value'} is "
            f"{_first_bad(gradient if bad else value)} {case}",
            "divide by max(count, 1) (mask.sum().clamp(min=1)), or return prediction.sum() * 0 where nothing counts",
            severity,
            came="a value of {0} and a gradient of {1:.4g}",
            expected="a finite value and gradient (0 where nothing counts), or an error",
            shows=lambda value, gradient, bad=bad: is_lost(gradient if bad else value),
        )
        yield asked(subject, finding)
    yield from (asked(subject, finding) for finding in _batch_of_one(subject))


def _degenerate(subject: Subject) -> Iterator[tuple[str, Arguments, dict[str, Any]]]:
    first, *rest = arguments = subject.draw(rows=min(2, subject.form.shape[0]))
    for way in selections(subject):
        if way.is_label or way.is_mask or not is_library_loss(subject):
            no = way.inverted if way.dtype == torch.bool else int(way.inverted)
            none = f"every label is {way.label}" if way.is_label else f"{way.name} is all {no}"
            shape = (len(first), *way.shape[1:])
            for case, count in ((none, 0), ("one entry counts", 1)):
                keep = (torch.arange(torch.Size(shape).numel()) < count).reshape(shape)
                yield f"where {case}", *way.keeping(keep, arguments)
    if rest:
        for case, target in _equal_targets(subject, rest[-1]):
            yield case, (*arguments[:-1], target), {}
    yield ONE_ROW, subject.draw(rows=1), {}


def _equal_targets(subject: Subject, target: Tensor) -> Iterator[tuple[str, Tensor]]:
    kind, space = subject.form.kind, subject.form.spaces[-1]
    if not target.is_floating_point():
        yield "where all labels are 0", torch.zeros_like(target)
        if kind is not None and kind.coupled:
            yield "where no two labels are alike", torch.arange(len(target))
    elif space.is_yes_or_no or space.is_sign:
        for number in (1.0, 0.0 if space.is_yes_or_no else -1.0):
            yield f"where all targets are {number:g}", torch.full_like(target, number)
    elif kind is not None and kind.compares_numbers:
        yield "where all targets are alike", torch.full_like(target, 0.5)


def _fault(subject: Subject, arguments: Arguments, options: dict[str, Any]) -> tuple[Tensor, Tensor] | None:
    """(value, gradient) if one is not finite; None otherwise, or if refused."""
    try:
        value, gradient = subject.gradient(*arguments, **options)
    except (SubjectError, Skip):
        return None
    fine = bool(torch.isfinite(gradient).all()) and bool(torch.isfinite(value).all())
    return None if fine else (value, gradient)


def _first_bad(x: Tensor) -> str:
    return str(x[~torch.isfinite(x)].reshape(-1)[0].item())


def _batch_of_one(subject: Subject) -> Iterator[Finding]:
    if subject.batch_level or "divisor" not in subject.notes:
        return
    row = subject.draw(rows=1)
    three = tuple(torch.cat([x] * 3) for x in row)
    try:
        copies = subject.total(*three)
    except SubjectError:
        return
    try:
        alone = subject.total(*row)
    except SubjectError as error:
        if isinstance(error.cause, (ValueError, TypeError, NotImplementedError, AssertionError)) and not (
            "target size" in str(error) or "batch_size" in str(error)
        ):
            return
        yield subject.script(row, attempt(subject.call), "came").finding(
            f"training stops at a last batch of one sample: it raises {type(error.cause).__name__}: "
            f"{str(error.cause).splitlines()[0][:90]}",
            "squeeze(-1) names the axis to take away; squeeze() takes the batch's too where it is 1",
            "warning",
            came=f"{type(error.cause).__name__}: {{0}}",
            expected="the value that it has among others",
        )
    if copies == 0 or not bool(torch.isfinite(copies)) or any(close(factor * alone, copies) for factor in (1.0, 3.0)):
        return
    lines = f"print({subject.call})", subject.called(each=".repeat_interleave(3, 0)")
    yield subject.script(row, *lines).finding(
        "training goes wrong in a last batch of one sample: its loss is another than that of three copies of its row",
        "squeeze(-1) names the axis to take away; squeeze() takes the batch's too where it is 1, and what is left "
        "is broadcast or read along another axis",
        came="{0} alone, {1} for three copies",
        expected="the same (a mean) or three times as much (a sum)",
        shows=lambda one, three: not any(close(factor * one.sum(), three.sum()) for factor in (1.0, 3.0)),
    )
