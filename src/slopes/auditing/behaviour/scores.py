"""Check of the space of scores: logits, probabilities or log-probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from slopes.auditing.behaviour.common import OVERLAP, cost, hard, print_cost, severity_if_sure, skip_on_refusal
from slopes.auditing.form import Arguments
from slopes.auditing.report import Finding, Skip, about
from slopes.auditing.subject import Subject


@about("loss")
@skip_on_refusal
def score_space(subject: Subject) -> Iterator[Finding]:
    """Check by certain, right predictions that no link is missing or applied twice."""
    target, rest = hard(subject)
    right = subject.right(target, 50.0)
    if right is None:
        raise Skip("no prediction is known to be right")
    arguments = (right, target, *rest)
    at = cost(subject, *arguments)
    declared = subject.declared.space or ""
    if not math.isfinite(at):
        if declared:
            yield _of_space(
                subject, arguments,
                f"training turns into NaN as predictions get right: the loss of certain, right {declared} is {at}",
                f"it was declared to take {declared}; give it what its formula wants, or change that",
                "error",
            )  # fmt: skip
        return
    if not subject.space.is_logit:
        if declared and (at < -1e-3 or at > max(1e-3, 0.05 * _worst(subject, target, rest))):
            yield _of_space(
                subject, arguments,
                f"training does not end at right predictions: {subject.space} that are certain and right cost {at:.4g}",
                _wrong_link(subject, at), "error",
            )  # fmt: skip
        return
    yield from _of_logits(subject, arguments, at)


def _of_logits(subject: Subject, arguments: Arguments, at: float) -> Iterator[Finding]:
    right, target, *rest = arguments
    wrong = cost(subject, -right, target, *rest)
    if not _settled(subject, arguments, at, wrong):
        if subject.declared.space and at < -1e-3 and cost(subject, 10 * right, target, *rest) < 5 * at:
            yield _of_space(
                subject, arguments,
                f"training never ends: the loss falls without bound as right logits grow, to {at:.4g} for logits of 50",
                "it wants log-probabilities: use cross_entropy, or give it log_softmax of the logits", "error",
            )  # fmt: skip
    elif _minus_the_chance(subject, arguments, at):
        yield _of_space(
            subject, arguments,
            "training hardly learns from wrong predictions: the loss is minus the probability of the right class, not "
            "minus its log",
            "nll_loss and kl_div want log-probabilities: log_softmax in place of softmax",
            severity_if_sure(subject, "warning"),
        )  # fmt: skip
    elif at > max(1e-3, 0.05 * wrong) and not _covers_nothing(subject, wrong):
        yield _of_space(
            subject, arguments,
            f"training is slow and never gets the loss near 0: logits that are certain and right still cost {at:.4g}, "
            "and no larger ones cost less",
            "a softmax or sigmoid is applied twice: give the loss the logits themselves", severity_if_sure(subject),
        )  # fmt: skip


def _covers_nothing(subject: Subject, wrong: float) -> bool:
    """Whether wrong predictions have no overlap; behind two links half would be left."""
    left = 0.9 if subject.form.spaces[1].has_classes else 0.75
    return bool(OVERLAP.search(subject.title)) and wrong > left


def _settled(subject: Subject, arguments: Arguments, at: float, wrong: float) -> bool:
    """Whether larger logits change no cost, as behind two links."""
    right, target, *rest = arguments
    farther = cost(subject, 10 * right, target, *rest), cost(subject, -10 * right, target, *rest)
    return all(abs(x - y) <= 1e-6 * (1 + abs(y)) for x, y in zip(farther, (at, wrong), strict=True))


def _minus_the_chance(subject: Subject, arguments: Arguments, at: float) -> bool:
    axis = subject.form.axis
    if at > -1e-3 or not subject.form.spaces[1].has_classes:
        return False
    _, target, *rest = arguments
    mild = subject.right(target, 0.75)
    assert mild is not None
    chance = float(torch.softmax(mild, axis).amax(axis).mean())
    return abs(cost(subject, mild, target, *rest) - at * chance) <= 1e-6 * abs(at)


def _worst(subject: Subject, target: Tensor, rest: tuple[Tensor, ...]) -> float:
    """Cost of almost surely wrong predictions."""
    right = subject.right(target, 16.0)
    assert right is not None
    wrong = right.roll(1, subject.form.axis) if subject.form.spaces[1].has_classes else 1 - right
    if subject.space.is_log_probability:
        return cost(subject, wrong, target, *rest)
    came = cost(subject, 1e-7 + (1 - 2e-7) * wrong, target, *rest)
    return came if math.isfinite(came) else 16.0


def _wrong_link(subject: Subject, at: float) -> str:
    if at < 0:
        return "nll_loss and kl_div want log-probabilities: take the log first"
    return f"a link is applied to {subject.space} again, as cross_entropy does: it wants logits"


def _of_space(subject: Subject, arguments: Arguments, message: str, repair: str, severity: str) -> Finding:
    seen = cost(subject, *arguments)
    small = subject.smallest(arguments, lambda given: _alike(cost(subject, *given), seen))
    return print_cost(subject, small).finding(
        message, repair, severity,
        expected="0, or next to it, for a prediction that is certain and right",
        shows=lambda came: _alike(float(came), seen),
    )  # fmt: skip


def _alike(x: float, y: float) -> bool:
    return not math.isfinite(y) or abs(x - y) <= 0.5 * abs(y)
