"""Checks of masks, sample weights and ignored labels: hidden entries are not read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from torch import Tensor

from slopes.auditing.behaviour.batches import asked, close, several
from slopes.auditing.behaviour.selection import Selection, keep_two_thirds, selections
from slopes.auditing.form import Arguments
from slopes.auditing.report import Finding, Skip, about
from slopes.auditing.subject import Subject, SubjectError

JUNK = (0.0, 1e6, float("nan"), float("inf"))  #: values to hide behind a mask


@about("loss", unless=("purity", "sample_weights"), once=True, by_gradients=True)
def mask_independence(subject: Subject) -> Iterator[Finding]:
    subject = several(subject)
    ways = selections(subject)
    if not ways:
        raise Skip("it takes no mask, sample weights or ignored label")
    for way in ways:
        for finding in _findings(subject, way):
            if finding is not None:
                yield asked(subject, finding)


def _findings(subject: Subject, way: Selection) -> Iterator[Finding | None]:
    leak = _leaks(subject, way)
    if leak is not None:  # what is hidden may be meant to count elsewhere
        yield leak
        return
    yield from _junk(subject, way)
    yield _thins(subject, way)


def _masked(subject: Subject, way: Selection, arguments: Arguments) -> tuple[Arguments, dict[str, Any], Tensor]:
    keep = keep_two_thirds((len(arguments[0]), *way.shape[1:]))
    return *way.keeping(keep, arguments), keep


def _with_a_gradient(subject: Subject) -> Arguments:
    """First of a few draws with a gradient that is not 0 everywhere; a region without positives may have none."""
    rows = min(2, subject.form.shape[0])
    for seed in range(8):
        arguments = subject.draw(seed, rows=rows)
        if bool(subject.gradient(*arguments)[1].any()):
            return arguments
    return subject.draw(rows=rows)


def _leaks(subject: Subject, way: Selection) -> Finding | None:
    arguments, options, keep = _masked(subject, way, _with_a_gradient(subject))
    _, gradient = subject.gradient(*arguments, **options)
    hidden = ~way.spread(keep, gradient, subject.form.axis)
    if not bool((gradient[hidden] != 0).any()):
        return None
    name, place = subject.form.names[0], tuple(torch.nonzero(hidden & (gradient != 0))[0].tolist())
    unread = False
    if way.is_mask:
        everything, all_options = way.keeping(torch.ones_like(keep), arguments)
        unread = close(subject.gradient(*everything, **all_options)[1], gradient)
    lines = f"{subject.call_with(options)}.sum().backward()", f"{name}.grad{list(place)}"
    return subject.script(arguments, *lines, grad=0, given=options).finding(
        f"training learns from entries that {way.name} hides: "
        + ("it is not read" if unread else "they have a gradient"),
        f"multiply every term by {way.name} before the sum, and divide by the count of what is left",
        "error" if unread or way.is_label else "note",  # it may weigh both sides
        came=f"{{0:.4g}} where {way.name} says that nothing counts",
        expected="exactly 0",
        shows=lambda gradient: gradient != 0,
    )


def _junk(subject: Subject, way: Selection) -> Iterator[Finding]:
    """Check that numbers in hidden entries change no bit."""
    arguments, options, keep = _masked(subject, way, _with_a_gradient(subject))
    value, gradient = subject.gradient(*arguments, **options)
    if not bool(torch.isfinite(value).all()):
        return
    for place, number, finite in _hidden_numbers(subject, way, arguments, keep.ndim):
        x = arguments[place]
        hidden = torch.where(way.spread(keep, x, subject.form.axis), x, number)
        changed = (*arguments[:place], hidden, *arguments[place + 1 :])
        try:
            after, slope = subject.gradient(*changed, **options)
        except (SubjectError, Skip):
            continue
        finite = finite and bool(torch.isfinite(after).all()) and bool(torch.isfinite(slope).all())
        if not (torch.equal(after, value) and torch.equal(slope, gradient)):
            name, prediction = subject.form.names[place], subject.form.names[0]
            kept = torch.equal(after, value)
            call = subject.call_with(options)
            seen = f"torch.autograd.grad({call}.sum(), {prediction})[0]" if kept else call
            again = subject.assign(changed, grad=0)[place]
            yield subject.script(arguments, f"print({seen})", again, seen, grad=0, given=options).finding(
                f"training depends on numbers that {way.name} hides: {number:g} there in {name} changes the "
                f"{'gradient' if kept else 'result'}",
                "0 · NaN is NaN: put a valid number in with torch.where (x = torch.where(mask, x, 0)) before the loss "
                "is computed, or take the entries that count, x[mask]",
                "error" if finite else "warning" if place else "note",  # a network's output is seldom NaN
                came="{1}",
                expected="{0}, as with any other number there",
            )
    return None


def _hidden_numbers(
    subject: Subject, way: Selection, arguments: Arguments, ndim: int
) -> Iterator[tuple[int, float, bool]]:
    """Yield (place of an argument, number to hide there, whether it is finite and possible)."""
    numbers = JUNK if way.is_mask else JUNK[:2]
    for number, place in product(numbers, reversed(range(len(arguments)))):
        x, space = arguments[place], subject.form.spaces[place]
        if not x.is_floating_point() or place == way.place or x.ndim < ndim:
            continue
        finite = number in JUNK[:2]
        yield place, space.other if finite and not space.is_unbounded else number, finite


def _thins(subject: Subject, way: Selection) -> Finding | None:
    if not way.is_mask or subject.batch_level:
        return None
    arguments = subject.draw(rows=min(2, subject.form.shape[0]))
    axis = 1 if len(way.shape) > 1 else 0
    shape = list((len(arguments[0]), *way.shape[1:]))
    shape[axis] *= 3
    longer = tuple(torch.cat([x, x, x], axis) if x.ndim > axis else x for x in arguments)
    keep = (
        torch.arange(shape[axis]).reshape([-1 if place == axis else 1 for place in range(len(shape))])
        < shape[axis] // 3
    )
    arguments, all_count = way.keeping(torch.ones(len(arguments[0]), *way.shape[1:], dtype=torch.bool), arguments)
    padded, options = way.keeping(keep.expand(shape), longer)
    try:
        before, after = subject(*arguments, **all_count), subject(*padded, **options)
    except SubjectError:
        return None
    if before.ndim or before == 0 or not bool(torch.isfinite(after)) or close(before, after):
        return None
    call = subject.call_with(options)
    again = [*subject.assign(padded), *(f"{name} = {subject.spell(x)}" for name, x in options.items())]
    effect, fault = "takes steps of another size", "changes the result"
    if close(3 * after, before):
        effect, fault = "takes smaller steps the more padding a batch has", "thins the mean"
    return subject.script(arguments, f"print({call})", *again, call, given=all_count).finding(
        f"training {effect}: padding that {way.name} hides {fault}",
        f"divide by what counts: (loss * {way.name}).sum() / {way.name}.sum().clamp(min=1), not .mean()",
        "warning",
        came="{1} with two hidden entries beside each that counts",
        expected="{0}, as without them",
        shows=lambda before, after: not close(before, after),
    )
