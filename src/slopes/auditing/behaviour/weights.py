"""Check of sample weights: each entry counts by its weight, once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from slopes.auditing.behaviour.batches import asked, close, several
from slopes.auditing.behaviour.common import skip_on_refusal
from slopes.auditing.behaviour.selection import Selection, selections
from slopes.auditing.evidence import Script
from slopes.auditing.form import Arguments
from slopes.auditing.report import Finding, Skip, about
from slopes.auditing.subject import Subject, SubjectError


@about("loss", unless=("purity", "row_independence"), by_gradients=True)
@skip_on_refusal
def sample_weights(subject: Subject) -> Iterator[Finding]:
    """Check that weights of 1 change nothing, and that an entry's gradient is proportional to its weight."""
    subject = several(subject)
    way = next((way for way in selections(subject) if way.is_weight), None)
    if way is None:
        raise Skip("it takes no sample weights")
    if subject.batch_level or _is_coupled(subject, way):
        raise Skip("it looks at a batch as a whole")
    finding = _of_ones(subject, way) or _not_linear(subject, way) or _divided(subject, way)
    if finding is not None:
        yield asked(subject, finding)


def _uneven(way: Selection) -> Tensor:
    """Weights between 1/2 and 2, without an order."""
    count = max(1, torch.Size(way.shape).numel())
    return (0.5 + 1.5 * (torch.arange(count) * 5 % 8) / 8).to(way.dtype).reshape(way.shape)


def _is_coupled(subject: Subject, way: Selection) -> bool:
    """Whether an entry's gradient depends on other entries, so that weights need not be factors."""
    first, *rest = subject.draw()
    other = subject.draw(1)[0]
    moved = torch.cat([first[:1], other[1:]])
    ones = torch.ones(way.shape, dtype=way.dtype)
    before, after = (_gradient(subject, way, ones, (x, *rest))[:1] for x in (first, moved))
    return not close(before, after)


def _gradient(subject: Subject, way: Selection, weight: Tensor, arguments: Arguments) -> Tensor:
    given, options = way.giving(weight, arguments)
    return subject.gradient(*given, **options)[1]


def _of_ones(subject: Subject, way: Selection) -> Finding | None:
    """Check that weights of 1 give the result without weights."""
    if way.name in subject.form.extra or way.place is not None:
        return None
    arguments, ones = way.giving(torch.ones(way.shape, dtype=way.dtype), subject.draw())
    try:
        plain, weighted = subject(*arguments), subject(*arguments, **ones)
    except SubjectError:
        return None
    if plain.shape != weighted.shape or close(plain, weighted):
        return None
    return _script(subject, way, arguments, {}, ones, ones[way.name]).finding(
        f"training takes steps of another size with weights that ask for nothing: {way.name} of 1 everywhere changes "
        "the result",
        f"divide once: (loss * {way.name}).sum() / {way.name}.sum(), or the mean over the entries",
        "warning",
        came=f"{{1}} with {way.name} of 1",
        expected="{0}, as without",
        shows=lambda plain, weighted: not close(plain, weighted),
    )


def _not_linear(subject: Subject, way: Selection) -> Finding | None:
    """Check that the gradient by each entry is its weight times the gradient for weights of 1, up to one factor."""
    arguments, uneven, ones = subject.draw(), _uneven(way), torch.ones(way.shape, dtype=way.dtype)
    plain, weighted = (_gradient(subject, way, w, arguments) for w in (ones, uneven))
    spread = way.spread(uneven, plain, subject.form.axis)
    if _is_multiple(weighted, spread * plain):
        return None
    if close(weighted, plain):
        message, severity = f"training ignores {way.name}: entries of 1/2 and of 2 count alike", "error"
    elif _is_multiple(weighted, spread**2 * plain):
        message, severity = (
            f"training overrates heavy samples: an entry counts by the square of its {way.name}",
            "warning",
        )
    else:
        told = "training weighs samples otherwise than asked: an entry's gradient is not proportional to its"
        message, severity = f"{told} {way.name}", "warning"
    first = subject.form.names[0]
    given, options = way.giving(ones, arguments)
    slope = f"torch.autograd.grad({subject.call_with(options)}.sum(), {first})[0]"
    again = f"{way.name} = {subject.spell(uneven)}"
    return subject.script(given, f"print({slope})", again, slope, grad=0, given=options).finding(
        message,
        f"multiply the loss of each entry by {way.name}, once, after every other step",
        severity,
        came="a gradient of {1}, where weights of 1 give {0}",
        expected=f"one that is proportional to {way.name}",
        shows=lambda plain, weighted: not _is_multiple(weighted, spread * plain),
    )


def _is_multiple(one: Tensor, other: Tensor) -> bool:
    size = (other * other).sum()
    return close(one, other * ((one * other).sum() / size) if size > 0 else other)


def _divided(subject: Subject, way: Selection) -> Finding | None:
    """Compare the divisor of the weighted mean with the declared one."""
    declared = subject.declared.divisor
    if declared is None or subject(*subject.draw()).ndim:
        return None
    arguments, uneven = subject.draw(), _uneven(way)
    (one, ones), (two, doubled) = (way.giving(torch.full_like(uneven, x), arguments) for x in (1, 2))
    before, after = subject(*one, **ones), subject(*two, **doubled)
    by_weights = close(before, after)
    if before == 0 or not (by_weights or close(2 * before, after)) or by_weights == (declared == "weights"):
        return None
    return _script(subject, way, one, ones, doubled, torch.full_like(uneven, 2)).finding(
        f"training takes steps of another size than declared: divisor={declared!r}, and the weighted mean divides by "
        + ("the sum of the weights" if by_weights else "a count"),
        f"divide by what is declared, (loss * {way.name}).sum() / {way.name}.sum() for 'weights', or declare what it "
        "divides by",
        came=f"{{1}} with {way.name} of 2, {{0}} with {way.name} of 1",
        expected="the same" if declared == "weights" else "twice as much",
        shows=lambda before, after: close(before, after) == by_weights,
    )


def _script(subject: Subject, way: Selection, arguments: Arguments, before: Any, after: Any, weight: Tensor) -> Script:
    """Code that prints the results with two sets of options, the second after the weights were set."""
    again = f"{way.name} = {subject.spell(weight)}"
    lines = f"print({subject.call_with(before)})", again, subject.call_with(after)
    return subject.script(arguments, *lines, given=before)
