"""Check of sample weights: each entry counts by its weight, once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


@about("loss", unless=("purity", "row_independence"))
@skip_on_refusal
def sample_weights(subject: Subject) -> Iterator[Finding]:
    """Check that weights of 1 change nothing, and that an entry's gradient is proportional to its weight."""
    if subject.form.numpy:
        raise Skip("it computes in NumPy, which has no gradients")
    subject = several(subject)
    way = next((way for way in selections(subject) if way.what == "weight"), None)
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


def _given(way: Selection, weight: Tensor) -> dict[str, Any]:
    return {way.name: weight}


def _is_coupled(subject: Subject, way: Selection) -> bool:
    """Whether an entry's gradient depends on other entries, so that weights need not be factors."""
    first, *rest = subject.draw()
    other = subject.draw(1)[0]
    moved = torch.cat([first[:1], other[1:]])
    ones = _given(way, torch.ones(way.shape, dtype=way.dtype))
    before, after = (subject.gradient(x, *rest, **ones)[1][:1] for x in (first, moved))
    return not close(before, after)


def _of_ones(subject: Subject, way: Selection) -> Finding | None:
    """Check that weights of 1 give the result without weights."""
    if way.name in subject.form.extra:
        return None
    arguments, ones = subject.draw(), _given(way, torch.ones(way.shape, dtype=way.dtype))
    try:
        plain, weighted = subject(*arguments), subject(*arguments, **ones)
    except SubjectError:
        return None
    if plain.shape != weighted.shape or close(plain, weighted):
        return None
    return _script(subject, arguments, [{}, ones]).finding(
        f"{way.name} of 1 everywhere changes the result",
        f"divide once: (loss * {way.name}).sum() / {way.name}.sum(), or the mean over the entries",
        "warning",
        came=f"{{1}} with {way.name} of 1",
        expected="{0}, as without",
        shows=lambda plain, weighted: not close(plain, weighted),
    )


def _not_linear(subject: Subject, way: Selection) -> Finding | None:
    """Check that the gradient by each entry is its weight times the gradient for weights of 1, up to one factor."""
    arguments, uneven, ones = subject.draw(), _uneven(way), torch.ones(way.shape, dtype=way.dtype)
    plain, weighted = (subject.gradient(*arguments, **_given(way, w))[1] for w in (ones, uneven))
    spread = way.spread(uneven, plain, subject.form.axis)
    if _is_multiple(weighted, spread * plain):
        return None
    if close(weighted, plain):
        what, severity = f"{way.name} weighs nothing: entries of 1/2 and of 2 count alike", "error"
    elif _is_multiple(weighted, spread**2 * plain):
        what, severity = f"an entry counts by the square of its {way.name}", "warning"
    else:
        what, severity = f"an entry's gradient is not proportional to its {way.name}", "warning"
    first = subject.form.names[0]
    calls = (subject.call_with(_given(way, ones)), subject.call_with(_given(way, uneven)))
    slopes = [f"torch.autograd.grad({call}.sum(), {first})[0]" for call in calls]
    again = f"{way.name} = {subject.spell(uneven)}"
    given = _given(way, ones)
    return subject.script(arguments, f"print({slopes[0]})", again, slopes[1], grad=0, given=given).finding(
        what,
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
    ones, doubled = (_given(way, torch.ones_like(uneven)), _given(way, 2 * torch.ones_like(uneven)))
    before, after = subject(*arguments, **ones), subject(*arguments, **doubled)
    by_weights = close(before, after)
    if before == 0 or not (by_weights or close(2 * before, after)) or by_weights == (declared == "weights"):
        return None
    return _script(subject, arguments, [ones, doubled]).finding(
        f"divisor={declared!r} is declared, and the weighted mean divides by "
        + ("the sum of the weights" if by_weights else "a count"),
        f"divide by what is declared, (loss * {way.name}).sum() / {way.name}.sum() for 'weights', or declare what it "
        "divides by",
        came=f"{{1}} with {way.name} of 2, {{0}} with {way.name} of 1",
        expected="the same" if declared == "weights" else "twice as much",
        shows=lambda before, after: close(before, after) == by_weights,
    )


def _script(subject: Subject, arguments: Arguments, options: list[Mapping[str, Any]]) -> Script:
    """Code that prints the results with two sets of options."""
    calls = [subject.call_with(given) for given in options]
    again = [f"{name} = {subject.spell(x)}" for name, x in options[1].items()]
    given = options[0] or None
    return subject.script(arguments, f"print({calls[0]})", *again, calls[1], given=given)
