"""Check of saturation: surely wrong predictions keep a gradient."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from slopes.auditing.behaviour.common import OVERLAP, cost, hard, print_steepest, severity_if_sure, skip_on_refusal
from slopes.auditing.fitness import fitness
from slopes.auditing.report import Finding, Skip, about
from slopes.auditing.subject import Subject, SubjectError

FAR = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 39.0, 40.0)


@about("loss", unless=("score_space", "direction", "extreme_inputs", "zeros_and_edges"))
@skip_on_refusal
def saturation(subject: Subject) -> Iterator[Finding]:
    if subject.declared.bounded:
        raise Skip("it is declared to saturate")
    kind = subject.form.kind
    assert kind is not None
    if kind.compares_numbers and subject.space.is_real and subject.form.spaces[1].is_real:
        yield from _of_residuals(subject)
    elif subject.space.is_logit or kind.is_margin:
        yield from _of_wrong_logits(subject)
    elif subject.space.is_probability and kind.tells_yes_or_no:
        yield from _of_small_chances(subject)
    else:
        raise Skip("its predictions are no logits")


def _slope(subject: Subject, *arguments: Tensor) -> float:
    """Largest entry of the gradient; NaN if the subject raises, which other checks report."""
    try:
        return float(subject.gradient(*arguments)[1].double().abs().max())
    except SubjectError:
        return math.nan


def _of_wrong_logits(subject: Subject) -> Iterator[Finding]:
    kind = subject.form.kind
    assert kind is not None
    if kind.is_margin:
        if fitness(subject) <= 0:
            raise Skip("it is no loss of the product of prediction and target")
        _, drawn, *others = subject.draw()
        goals, rest = [torch.full_like(drawn, sign) for sign in (1, -1)], tuple(others)
    else:
        target, rest = hard(subject)
        several = not subject.form.spaces[1].has_classes
        goals = [torch.full_like(target, value) for value in (1, 0)] if several else [target]
    for goal in goals:
        right = subject.right(goal, 0.5 if subject.form.spaces[1].has_classes else 1.0)  # 1 away from the other logits
        if right is None:
            raise Skip("no prediction is known to be wrong")
        slopes = [_slope(subject, -size * right, goal, *rest) for size in FAR]
        finding = _switched_off(subject, slopes, right, goal, rest)
        if finding is not None:
            yield finding
            return


def _switched_off(
    subject: Subject, slopes: list[float], right: Tensor, goal: Tensor, rest: tuple[Tensor, ...]
) -> Finding | None:
    near, last, far = slopes[FAR.index(5.0)], slopes[-2], slopes[-1]
    if not all(map(math.isfinite, slopes)) or near == 0 or far >= 0.1 * near:
        return None
    steepest = FAR[slopes.index(max(slopes))]
    dies = far == 0 or last / far > math.exp(0.9)  # a power of p, which dies more slowly, is a choice
    clamped = steepest >= 3 and dies  # a loss that is bounded by design is steepest near 0
    if not clamped and OVERLAP.search(subject.title):
        subject.facts.append(
            "it is bounded, as overlaps are: a prediction that is surely wrong has next to no gradient"
        )
        return None
    wrong = (-40.0 * right, goal, *rest)
    small = subject.smallest(
        wrong, lambda given: _slope(subject, *given) < 0.1 * _slope(subject, given[0] / 8, *given[1:])
    )
    where = "at logits of 40 on the wrong side" if subject.space.is_logit else "at a margin of −40"
    return print_steepest(subject, small, (small[0] / 8, *small[1:])).finding(
        f"training stops to correct surely wrong predictions: the gradient {where} is {far / near:.2g} of that at 5; "
        + ("a clamp or an epsilon switches it off" if clamped else "is it meant to be bounded?"),
        "compute it from logits (binary_cross_entropy_with_logits, cross_entropy, logsigmoid) instead of log(p + eps) "
        "or log(clamp(p))" if clamped
        else "declare bounded=True if it is to be; otherwise, confident mistakes are never corrected",
        severity_if_sure(subject) if clamped else "note",
        came="{0:.3g} where a logit is 40 off, {1:.3g} where it is 5 off", expected="at least a tenth",
        shows=lambda far, near: far < 0.1 * near,
    )  # fmt: skip


def _of_residuals(subject: Subject) -> Iterator[Finding]:
    _, target, *rest = subject.draw()
    near, far = (_slope(subject, target + size, target, *rest) for size in (1.0, 1e3))
    if math.isfinite(far) and near > 0 and far < 1e-3 * near:
        small = subject.smallest(
            (target + 1e3, target, *rest),
            lambda given: _slope(subject, *given) < 1e-3 * _slope(subject, given[1] + 1.0, *given[1:]),
        )
        yield print_steepest(subject, small, (small[1] + 1.0, *small[1:])).finding(
            "training learns nothing from an outlier, which has no gradient: is a residual clamped, or is it meant to "
            "be ignored?",
            "a clamp of the residual takes the gradient as well: a Huber loss bounds the slope and keeps it; declare "
            "bounded=True if it is to be robust",
            "note", came="{0:.3g} at a residual of 1000, {1:.3g} at 1", expected="more than a thousandth",
            shows=lambda far, near: far < 1e-3 * near,
        )  # fmt: skip


def _of_small_chances(subject: Subject) -> Iterator[Finding]:
    """Check that the cost goes on as a log from 1e-5 to 1e-12."""
    _, target, *rest = subject.draw()
    for value in (1, 0):
        goal = torch.full_like(target, value)

        def at(p: float, value: int = value) -> Tensor:
            return torch.full(target.shape, p if value else 1 - p, dtype=subject.form.dtype)

        costs = [cost(subject, at(p), goal, *rest) for p in (1e-3, 1e-5, 1e-12)]
        rise = (costs[1] - costs[0]) / math.log(100)
        if not all(map(math.isfinite, costs)) or rise < 0.1:
            continue  # it has no log
        reached = (costs[2] - costs[1]) / (rise * math.log(1e7))
        if reached > 0.9:
            continue
        wrong = (at(1e-12), goal, *rest)
        small = subject.smallest(wrong, lambda given: True)
        slope, first = _slope(subject, *small), subject.form.names[0]
        at_p = f"torch.full_like({first}, {'p' if value else '1 - p'})"
        lines = (
            f"result = {subject.call}", "result.sum().backward()",
            f"costs = [{subject.called(**{first: at_p})} for p in (1e-3, 1e-5)]",
            f"result, {first}.grad, costs[1] + 3.5 * (costs[1] - costs[0])",
        )  # fmt: skip
        yield subject.script(small, *lines, grad=0).finding(
            "training hardly corrects surely wrong predictions: a probability of 1e-12 for the truth costs less than "
            "its log says"
            + (", and has no gradient: a clamp" if slope == 0 else ": an epsilon inside the log"),
            "take logits and binary_cross_entropy_with_logits, or log p and log1p(−p) from log-sigmoids",
            "note",
            came="{0}, with a gradient of {1:.3g}", expected="{2}, as a logarithm goes on",
            shows=lambda came, gradient, due: came.sum() < 0.95 * due.sum(),
        )  # fmt: skip
        return
