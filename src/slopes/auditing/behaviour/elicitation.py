"""Check of the best constant prediction, which a loss elicits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from slopes.auditing.behaviour.common import OVERLAP, print_both, skip_on_refusal
from slopes.auditing.evidence import Script
from slopes.auditing.form import Arguments
from slopes.auditing.report import Finding, Skip, about
from slopes.auditing.subject import Subject

SKEWED = tuple(round(math.expm1(3 * i / 20) / 4, 2) for i in range(21))  #: mean 1.39, median 0.87


@about("loss", unless=("score_space", "direction", "saturation", "known_limits"))
@skip_on_refusal
def elicitation(subject: Subject) -> Iterator[Finding]:
    """Check the best constant prediction of a skewed sample, or of labels."""
    form, wanted = subject.form, subject.declared.elicits
    if len(form.spaces) != 2 or form.kind is None or subject.batch_level:
        raise Skip("it has no best constant prediction")
    if (form.spaces[1].is_yes_or_no or form.spaces[1].has_classes) and subject.space.tells_probability:
        _check_wanted(subject)
        if form.kind.takes_labels or not form.kind.rowwise:
            yield from _of_shares(subject)
    elif wanted is not None and wanted != "probability" and (subject.space.is_real or subject.space.is_positive):
        yield from _of_sample(subject, wanted)
    else:
        raise Skip("what it is to elicit was not declared")


def _check_wanted(subject: Subject) -> None:
    """Raise Skip unless the loss is to elicit shares of labels."""
    wanted = subject.declared.elicits
    if wanted not in (None, "probability", "mean"):
        raise Skip(f"labels have no {wanted}")
    if wanted is None and (not subject.form.sure or OVERLAP.search(subject.title)):
        raise Skip("it was not declared to elicit probabilities")


def functional(name: str) -> tuple[float, float]:
    """Bounds of a functional of SKEWED."""
    if name == "mean":
        mean = sum(SKEWED) / len(SKEWED)
        return mean, mean
    level = 0.5 if name == "median" else float(name.split()[-1])
    place = level * len(SKEWED)
    return SKEWED[max(math.ceil(place) - 1, 0)], SKEWED[min(math.floor(place), len(SKEWED) - 1)]


def _of_sample(subject: Subject, wanted: str) -> Iterator[Finding]:
    sample = torch.tensor(SKEWED, dtype=subject.form.dtype) + (0.1 if subject.space.is_positive else 0.0)
    offset = float(sample[0])
    first, target, *rest = subject.draw(rows=len(SKEWED))
    sample = sample.reshape(-1, *[1] * (target.ndim - 1)).expand(target.shape).contiguous()

    def at(x: float) -> float:
        return float(subject.total(torch.full_like(first, x), sample, *rest).detach().double())

    best = least(at, offset, offset + SKEWED[-1])
    low, high = functional(wanted)
    if low + offset - 0.02 <= best <= high + offset + 0.02:
        return
    small = torch.full_like(first, round(best, 3)), sample, *rest
    share = float((sample <= best + 1e-3).double().mean())
    place = "" if wanted == "mean" else f"the {share:.2g} quantile"
    yield _searched(subject, small, wanted).finding(
        f"training does not end at the {wanted} that is declared: the best constant prediction is "
        f"{place or format(best, '.4g')}",
        "a quantile q costs q · (t − p) where p is too low and (1 − q) · (p − t) where it is too high; a squared error "
        "elicits the mean, an absolute one the median",
        came="{0:.4g}", expected="{1:.4g}", shows=lambda best, wanted: abs(best - wanted) > 0.02,
    )  # fmt: skip


def _searched(subject: Subject, arguments: Arguments, wanted: str) -> Script:
    """Code that prints the best constant prediction and the declared functional."""
    first, target = arguments[:2]
    name, goal, *_ = subject.form.names
    library, dtype = ("np", "") if subject.form.numpy else ("torch", f", dtype={first.dtype}")
    functional = f"{library}.{wanted.split()[0]}({', '.join([goal, *wanted.split()[1:]])})"
    return subject.script(
        arguments,
        "costs = {}",
        f"for x in {library}.linspace({float(target.min())}, {float(target.max())}, 1001):",
        f"    {name} = {library}.full({tuple(first.shape)}, float(x){dtype})",
        f"    costs[float(x)] = float({subject.call}.sum())",
        f"min(costs, key=costs.get), {functional}",
    )


def _of_shares(subject: Subject) -> Iterator[Finding]:
    kind = subject.form.kind
    assert kind is not None
    share = 0.3
    if kind.rowwise:
        at, target = _two_classes(subject, share)
    else:
        drawn, goal, *_ = subject.draw(rows=10)
        target = torch.zeros_like(goal)
        target[:3] = 1

        def at(p: float) -> Tensor:
            return torch.full_like(drawn, p if subject.space.is_probability else math.log(p / (1 - p)))

    said = subject.declared.elicits is not None

    def costs(p: float) -> float:
        return float(subject.total(at(p), target).detach().double())

    best = round(least(costs, 0.02, 0.98), 4)
    if abs(best - share) <= (0.01 if said else 0.05) or not costs(best) < costs(share):
        return
    fact = f"the best constant prediction if {share:.0%} of the labels are positive is a probability of {best:.2g}"
    if not said:
        subject.facts.append(f"{fact}: read its outputs as scores, not as probabilities")
        return
    yield print_both(subject, (at(best), target), (at(share), target)).finding(
        f"training ends at wrong probabilities: {fact}",
        "proper are log loss and the squared error of probabilities; class weights, smoothing, powers (focal) and "
        "overlaps move the best probability: calibrate afterwards, or declare nothing",
        came="{0} at that probability, {1} at the labels' share",
        expected="the least cost at the labels' share", shows=lambda best, share: best.sum() < share.sum(),
    )  # fmt: skip


def _two_classes(subject: Subject, share: float) -> tuple[Callable[[float], Tensor], Tensor]:
    """(predictions as a function of p, labels with this share of class 0)."""
    if subject.space.is_cosine:
        raise Skip("cosines are no probabilities")
    drawn, target, *_ = subject.draw(rows=10)
    axis = subject.form.axis
    labels = (torch.arange(10) >= 10 * share).long().reshape(-1, *[1] * (drawn.ndim - 2))
    labels = labels.expand([n for i, n in enumerate(drawn.shape) if i != axis % drawn.ndim]).contiguous()
    if target.is_floating_point():
        rows = torch.nn.functional.one_hot(labels, drawn.shape[axis])
        labels = rows.movedim(-1, axis).to(target.dtype)

    def at(p: float) -> Tensor:
        rest = 1e-9
        row = torch.tensor([p, 1 - p, *[rest] * (drawn.shape[axis] - 2)], dtype=subject.form.dtype)
        row = row if subject.space.is_probability else torch.log(row)
        return row.expand(*drawn.movedim(axis, -1).shape).movedim(-1, axis).contiguous()

    return at, labels


def least(f: Callable[[float], float], low: float, high: float) -> float:
    """Minimiser, by grid and golden section; the middle of a flat minimum."""
    grid = [low + (high - low) * i / 40 for i in range(41)]
    values = [f(x) for x in grid]
    if not all(map(math.isfinite, values)):
        raise Skip("it is not finite for some constant predictions")
    places = [i for i, value in enumerate(values) if value <= min(values) + 1e-12 * (1 + abs(min(values)))]
    a, b = grid[max(places[0] - 1, 0)], grid[min(places[-1] + 1, 40)]
    if len(places) > 2:
        return (a + b) / 2
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(25):
        c, d = b - golden * (b - a), a + golden * (b - a)
        if f(c) < f(d):
            b = d
        else:
            a = c
    return (a + b) / 2
