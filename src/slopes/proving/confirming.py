"""Counterexamples, confirmed by exact arithmetic at single points."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from mpmath import mpf, workdps

from slopes.card import Loss
from slopes.proving.functions import Formula
from slopes.proving.lines import MARGIN, Line
from slopes.proving.numbers import NEAR, is_near, neighbours
from slopes.truth.oracle import exact

DIGITS = 40
ROUNDING = 2.0**-53  #: a relative difference that float64 does not show
NOTHING = 1e-36  #: a relative difference that so many digits do not show


class Oracle:
    """The exact values and slopes of a card along a line, at a single point of the box beside it."""

    def __init__(self, line: Line, of_definition: bool = False) -> None:
        card: Any = line.card
        self.oracle = exact(card._copy_with(body=card.textbook) if of_definition else card, DIGITS)
        self.line = next(iter(line.points()))
        self.options = {"reduction": "none"} if isinstance(card, Loss) else {}

    def _arguments(self, x: Any) -> tuple[Any, ...]:
        beside = tuple(mpf(low) for low, _ in self.line.beside)
        return self.line.arguments(mpf(x), beside, lambda a, b: a + b)

    def __call__(self, x: Any) -> Any:
        return self.oracle(*self._arguments(x), **self.options)

    def tangent(self, x: Any) -> Any:
        sign = self.line.beside[0][0] if self.line.variable == MARGIN else 1
        return sign * self.oracle.tangent(*self._arguments(x), **self.options)


def is_refuted(formula: Formula, claim: str, stated: Any, points: tuple[float, ...]) -> bool:
    """Whether the exact values, or slopes by calculus, at the points contradict the claim."""
    if any(math.isinf(x) for x in points):
        return True  # the card itself has given the value there
    with workdps(DIGITS):
        return CONTRADICTIONS[claim](Oracle(formula.line, formula.name == "definition"), stated, points)


def differ_by_rounding_alone(line: Line, points: tuple[float, ...]) -> bool:
    """Whether body and definition differ at the points, but by less than float64 shows."""
    body_of, definition_of = Oracle(line), Oracle(line, of_definition=True)
    with workdps(DIGITS):
        pairs = [(body_of(x), definition_of(x)) for x in points if math.isfinite(x)]
        differences = [(abs(body - definition), abs(body)) for body, definition in pairs]
        differ = any(difference > size * NOTHING for difference, size in differences)
        return differ and all(difference <= size * ROUNDING for difference, size in differences)


def _range(oracle: Oracle, stated: Any, points: tuple[float, ...]) -> bool:
    value = oracle(points[0])
    return not stated[0] <= value <= stated[1]


def _minimum(oracle: Oracle, stated: Any, points: tuple[float, ...]) -> bool:
    return bool(abs(oracle(points[0]) - stated) > math.ulp(stated) / 2)


def _zero(oracle: Oracle, stated: Any, points: tuple[float, ...]) -> bool:
    return bool(abs(oracle(0.0) - stated) > math.ulp(stated) / 2)


def _lipschitz(oracle: Oracle, stated: Any, points: tuple[float, ...]) -> bool:
    if len(points) == 1:
        return bool(abs(oracle.tangent(points[0])) > stated)
    (a, b), values = points, [oracle(x) for x in points]
    return bool(abs(values[1] - values[0]) > stated * abs(mpf(b) - mpf(a)))


def _monotone(oracle: Oracle, stated: Any, points: tuple[float, ...]) -> bool:
    values = [oracle(x) for x in sorted(points)]
    return any(before > after for before, after in pairwise(values))


def _convex(oracle: Oracle, stated: Any, points: tuple[float, ...]) -> bool:
    a, b, c = sorted(points)
    values = [oracle(x) for x in (a, b, c)]
    left, right = (values[1] - values[0]) / (mpf(b) - a), (values[2] - values[1]) / (mpf(c) - b)
    return bool(right < left)


def _symmetry(oracle: Oracle, stated: Any, points: tuple[float, ...]) -> bool:
    left, right = (oracle(x) for x in points)
    return bool(left != (right if stated == "even" else -right))


def _kinks(oracle: Oracle, stated: Any, points: tuple[float, ...]) -> bool:
    """Compare the slopes of the neighbours, and the line through them."""
    below, above = neighbours(points[0])
    left, right = (oracle.tangent(x) for x in (below, above))
    steepest = abs(left) + abs(right)
    is_jump = abs(oracle(above) - oracle(below)) > (above - below) * (1 + steepest) * 1e3
    is_kink = is_jump or abs(left - right) > 1e-9 * steepest
    return bool(is_kink) != (points[0] in stated)


def _slope_roots(oracle: Oracle, stated: Any, points: tuple[float, ...]) -> bool:
    """Look at the slope, and at its signs on both sides."""
    (x,) = points
    reach = NEAR * max(1.0, abs(x))
    is_root = oracle.tangent(x) == 0 or oracle.tangent(x - reach) * oracle.tangent(x + reach) <= 0
    return bool(is_root) != any(is_near(x, y) for y in stated)


CONTRADICTIONS: dict[str, Callable[[Oracle, Any, tuple[float, ...]], bool]] = {
    "range": _range,
    "minimum": _minimum,
    "zero": _zero,
    "lipschitz": _lipschitz,
    "monotone": _monotone,
    "convex": _convex,
    "symmetry": _symmetry,
    "kinks": _kinks,
    "slope_roots": _slope_roots,
}
