"""Fitness of a form, by the behaviour of losses of its kind.

A regression is least (or, with a wrong sign, greatest) where prediction and target agree. A loss of logits falls all
the way as the right logit rises, a loss of probabilities from 0 to 1. A loss of a margin depends on the product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from slopes.auditing.report import Skip
from slopes.auditing.subject import Subject, SubjectError
from slopes.kinds import Kind

BY_NAME = 0.3  #: fitness of a form that nothing but names can make certain


def fitness(subject: Subject) -> float:
    """Fitness from 0 to 1; 0.5 without a test."""
    kind = subject.form.kind
    test = next((test for holds, test in TESTS if kind is not None and holds(kind)), None)
    try:
        return 0.5 if test is None else test(subject)
    except (SubjectError, Skip):
        return 0.0


def along(subject: Subject, numbers: Sequence[float], target: float) -> Tensor:
    """Totals as the first prediction takes these numbers."""
    prediction, goal, *rest = subject.draw(1)
    goal = goal.clone()
    goal.reshape(-1)[0] = target
    came = []
    for number in numbers:
        moved = prediction.clone()
        moved.reshape(-1)[0] = number
        came.append(subject.total(moved, goal, *rest).detach().double())
    return torch.stack(came)


def _monotone(values: Tensor) -> int:
    """1 if values rise, −1 if they fall, else 0; equal neighbours are allowed."""
    if not bool(torch.isfinite(values).all()):
        return 0
    steps, size = torch.diff(values), float(values.max() - values.min())
    if size <= 1e-9 * float(values.abs().max()):
        return 0
    slack = 1e-9 * size
    return 1 if bool((steps >= -slack).all()) else -1 if bool((steps <= slack).all()) else 0


def _regression(subject: Subject) -> float:
    positive = subject.space.is_positive
    counts = not positive and subject.form.spaces[1].is_count  # the prediction is the log of a count
    targets = (0.5, 1.0, 3.0) if positive or counts else (-1.75, 0.5, 2.25)
    offsets = [-0.375, -0.25, -0.125, 0.0, 0.125, 0.25, 0.5, 1.0]
    for target in targets:
        truth = math.log(target) if counts else target
        values = along(subject, [truth + offset for offset in offsets], target)
        if not bool(torch.isfinite(values).all()) or float(values.max() - values.min()) == 0:
            return 0.0
        best, worst = (int(i) for i in (values.argmin(), values.argmax()))
        if offsets[best] != 0.0 and offsets[worst] != 0.0:
            return 0.0
    return 1.0


def _vectors(subject: Subject) -> float:
    first, second = subject.draw(1)
    shares = (0.0, 0.3, 1.0, -0.3, -1.0)
    at, *moved = (float(subject.total(second + s * (first - second), second).detach()) for s in shares)
    sides = (at, *moved[:2]), (at, *moved[2:])
    return 0.75 if all(a < b < c for a, b, c in sides) or all(a > b > c for a, b, c in sides) else 0.0


def _forecasts(subject: Subject) -> float:
    """0.9 if it is extreme where all predictions of a row are its target."""
    first, target = subject.draw(1)
    axis = subject.form.axis
    right = target.unsqueeze(axis).expand_as(first)
    shares = (0.0, 0.1, 0.3, 1.0, -0.1, -0.3, -1.0)
    at, *moved = (float(subject.total(right + share * (first - right), target).detach()) for share in shares)
    return 0.9 if all(at < value for value in moved) or all(at > value for value in moved) else 0.0


def _binary(subject: Subject) -> float:
    probabilities = subject.space.is_probability
    logits = [-12.0, -6.0, -2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 6.0, 12.0]
    numbers = [0.02, 0.2, 0.4, 0.6, 0.8, 0.98] if probabilities else logits
    rising, falling = (along(subject, numbers, target) for target in (1.0, 0.0))
    yes, no = _monotone(rising), _monotone(falling)
    may_be = probabilities or (_is_link(rising) and _is_link(falling.flip(0)) and not _clamps(subject))
    if yes * no != -1 or not may_be:
        return 0.0
    prediction, goal = subject.draw(1)
    yeses = goal.reshape(prediction.shape) == 1
    moved = (torch.where(yeses, x, prediction) for x in numbers)
    alike = [subject.total(x, goal).detach().double() for x in moved]
    return 1.0 if _monotone(torch.stack(alike)) == yes else 0.0  # not monotone if a quotient has a pole


def _is_link(values: Tensor) -> bool:
    """Whether losses at logits from -12 to 12, the right ones last, may be of logits.

    A loss that is linear, that jumps at 0 alone or that falls faster on the right side is of other predictions.
    """
    wrong, middle, right = (float((values[a] - values[b]).abs()) for a, b in ((0, 1), (1, -2), (-2, -1)))
    slack = 1e-9 * float(values.max() - values.min())
    is_linear = abs(wrong - right) <= slack and abs(middle - 2 * right) <= slack
    return len(set(values.tolist())) > 3 and not is_linear and right <= 10 * wrong + slack


def is_separable(subject: Subject) -> bool:
    """Whether the total is a sum of a number for each entry of the prediction."""
    if subject.form.kind is None or subject.form.kind.rowwise:
        return False
    prediction, *rest = subject.draw(1)
    one, other = prediction.clone(), prediction.clone()
    one.reshape(-1)[0] += 0.5
    other.reshape(-1)[1] += 0.5
    both = one + other - prediction
    base, *moved = (float(subject.total(x, *rest).detach()) for x in (prediction, one, other, both))
    return abs(moved[0] + moved[1] - moved[2] - base) <= 1e-9 * max(map(abs, (base, *moved)))


def _clamps(subject: Subject) -> bool:
    """Whether it changes only between 0 and 1, so that predictions are probabilities."""
    values = along(subject, [-12.0, -4.0, -1.0, 0.2, 0.5, 0.8, 2.0, 6.0, 12.0], 1.0)
    below, inside, above = values[:3], values[3:6], values[6:]
    return bool((below == below[0]).all() and (above == above[0]).all() and (torch.diff(inside) != 0).all())


def _margin(subject: Subject) -> float:
    numbers = [-3.0, -0.5, 0.25, 0.75, 2.0]
    up, down = (along(subject, [sign * x for x in numbers], sign) for sign in (1.0, -1.0))
    rest = float((up - down).abs().max())
    return 1.0 if _monotone(up) and rest <= 1e-9 * max(float(up.abs().max()), 1e-9) else 0.0


def _classification(subject: Subject) -> float:
    prediction, target = subject.draw(1)
    axis = subject.form.axis
    shifted = prediction + 1.0
    base = subject.total(prediction, target).detach()
    if not bool(torch.isfinite(base)):
        return 0.0
    if subject.space.is_probability:
        return 0.8 if _raises_with(subject, target) and _looks_at_the_truth_alone(subject, target) else 0.0
    change = float(subject.total(shifted, target).detach() - base)
    invariant = abs(change) <= 1e-9 * max(1.0, float(base.abs()))
    if subject.space.is_log_probability:
        fits = not invariant and _raises_with(subject, target) and _looks_at_the_truth_alone(subject, target)
        return 0.8 if fits else 0.0
    if subject.form.target == "rows" and not invariant:
        return 0.0
    return 1.0 if invariant and axis is not None and _raises_with(subject, target) else 0.0


def _raises_with(subject: Subject, target: Tensor) -> bool:
    """Whether the total is monotone as predictions go from right to wrong."""
    size = 1.0  # no larger, because smoothed targets have a best size
    right, wrong = subject.right(target, size), subject.right(subject.other(target), size)
    if right is None or wrong is None:
        return False
    if subject.space.is_probability:
        right, wrong = (0.9 * x + 0.1 / x.shape[subject.form.axis] for x in (right, wrong))
    shares = (0.0, 0.25, 0.5, 0.75, 1.0)
    return _monotone(torch.stack([subject.total(right + s * (wrong - right), target).detach() for s in shares])) != 0


def _looks_at_the_truth_alone(subject: Subject, target: Tensor) -> bool:
    """Whether the shares of wrong classes do not matter."""
    right = subject.right(target, 1.0)
    wrong = subject.right(subject.other(target), 1.0)
    third = subject.right(subject.other(subject.other(target)), 1.0)
    if right is None or wrong is None or third is None:
        return False
    shared = 0.5 * (wrong + third)
    one, two = (float(subject.total(0.6 * right + 0.4 * x, target).detach()) for x in (wrong, shared))
    return abs(one - two) <= 1e-9 * max(1.0, abs(one))


def _distribution(subject: Subject) -> float:
    prediction, target = subject.draw(1)
    base, once, twice = (float(subject.total(prediction + shift, target).detach()) for shift in (0.0, 1.0, 2.0))
    slack = 1e-9 * max(1.0, abs(base))
    if subject.space.is_logit:
        return 0.9 if abs(once - base) <= slack else 0.0
    if subject.space.is_log_probability:  # such losses are linear in them
        turned = float(subject.total(prediction.flip(subject.form.axis), target).detach())
        fits = abs(once - base) > slack and abs(twice - once - (once - base)) <= slack < abs(turned - base)
        return 0.9 if fits else 0.0
    other = target.roll(1, 0)
    shares = (0.5, 0.95, 1.0, 1.05)
    values = [float(subject.total(other + share * (target - other), target).detach()) for share in shares]
    return 0.6 if values[2] == min(values) < values[0] else 0.0  # so are losses of any positive numbers


def _logits(subject: Subject) -> float:
    """1 if a constant added to the logits of either changes nothing, and another student does."""
    student, teacher = subject.draw(1)
    base = subject.total(student, teacher).detach()
    slack = 1e-9 * max(1.0, float(base.abs()))
    shifted = ((student + 1.0, teacher), (student, teacher + 1.0))
    invariant = all(abs(float(subject.total(*given).detach() - base)) <= slack for given in shifted)
    return float(invariant and abs(float(subject.total(student.flip(0), teacher).detach() - base)) > slack)


def _boxes(subject: Subject) -> float:
    """1 if it is extreme where both boxes agree, and the unit of length does not matter."""
    first, second = subject.draw(1)
    moved = (float(subject.total(second + shift, second).detach()) for shift in (0.0, 0.1, 1.0))
    at, near, far = moved
    one, other = (float(subject.total(size * first, size * second).detach()) for size in (1.0, 4.0))
    return float((at < near < far or at > near > far) and abs(one - other) <= 1e-3 * abs(one))


def _triplets(subject: Subject) -> float:
    """1 if it rises with the distance to the positive and falls with the distance to the negative, or the reverse."""
    anchor, _, other = subject.draw(1)
    away = [anchor + size * (other - anchor) for size in (0.05, 0.2, 0.5, 1.0)]
    positive = torch.stack([subject.total(anchor, x, away[1]).detach().double() for x in away])
    negative = torch.stack([subject.total(anchor, away[1], x).detach().double() for x in away])
    return 1.0 if _monotone(positive) * _monotone(negative) == -1 else BY_NAME


def _pairs(subject: Subject) -> float:
    """1 if it rises with the distance of pairs that belong together and falls, but not forever, for other pairs."""
    first, second, _ = subject.draw(1)

    def totals(sign: float, shares: Sequence[float]) -> Tensor:
        target = _signs(subject, sign)
        moved = (first + share * (second - first) for share in shares)
        return torch.stack([subject.total(first, x, target).detach().double() for x in moved])

    *_, one, two, three = totals(-1.0, (1e2, 1e3, 1e4))
    ends = abs(float(three - two)) <= abs(float(two - one)) + 1e-3
    near = (0.0, 0.25, 0.5, 1.0)
    return 1.0 if ends and _monotone(totals(1.0, near)) * _monotone(totals(-1.0, near)) == -1 else BY_NAME


def _signs(subject: Subject, sign: float) -> Tensor:
    *_, target = subject.draw(1)
    return subject.form.lay_out(2, np.full(target.shape, sign))


def _ranking(subject: Subject) -> float:
    """1 if it is monotone in the difference, in the directions that the signs tell."""
    first, second, sign = subject.draw(1)
    values = []
    for v in (1.0, -1.0):
        target = _signs(subject, v)
        totals = [subject.total(second + s, second, target).detach().double() for s in (-2.0, -0.5, 0.25, 2.0)]
        values.append(_monotone(torch.stack(totals)))
    moved = float((subject.total(first + 1, second + 1, sign) - subject.total(first, second, sign)).detach().abs())
    return 1.0 if values[0] * values[1] == -1 and moved <= 1e-9 else BY_NAME


#: tests by the property of their kinds
TESTS: tuple[tuple[Callable[[Kind], bool], Callable[[Subject], float]], ...] = (
    (lambda kind: kind.compares_numbers, _regression),
    (lambda kind: kind.tells_yes_or_no and not kind.rowwise, _binary),
    (lambda kind: kind.is_margin, _margin),
    (lambda kind: kind.takes_labels, _classification),
    (lambda kind: kind.compares_logits, _logits),
    (lambda kind: kind.compares_boxes, _boxes),
    (lambda kind: kind.compares_distributions, _distribution),
    (lambda kind: kind.predicts_vectors, _vectors),
    (lambda kind: kind.has_one_target_for_a_row, _forecasts),
    (lambda kind: kind.compares_triplets, _triplets),
    (lambda kind: kind.compares_pairs and kind.rowwise, _pairs),
    (lambda kind: kind.compares_pairs, _ranking),
)
