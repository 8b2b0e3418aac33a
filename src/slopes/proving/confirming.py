"""Counterexamples, confirmed by exact arithmetic at single points."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from mpmath import mpf, workdps

from slopes.card import Activation
from slopes.proving.functions import NEAR, is_near, neighbours
from slopes.truth.oracle import Exactly, exact

DIGITS = 40
ROUNDING = 2.0**-53  #: a relative difference that float64 does not show
NOTHING = 1e-36  #: a relative difference that so many digits do not show


def is_refuted(card: Activation, claim: str, stated: Any, points: tuple[float, ...]) -> bool:
    """Whether the exact values, or slopes by calculus, at the points contradict the claim."""
    if any(math.isinf(x) for x in points):
        return True  # the card itself has given the value there
    with workdps(DIGITS):
        return CONTRADICTIONS[claim](exact(card, DIGITS), stated, points)


def differ_by_rounding_alone(card: Activation, points: tuple[float, ...]) -> bool:
    """Whether body and definition differ at the points, but by less than float64 shows."""
    oracle = exact(card, DIGITS)
    pairs = [(oracle(x), oracle.definition(x)) for x in points if math.isfinite(x)]
    with workdps(DIGITS):
        differences = [(abs(body - definition), abs(body)) for body, definition in pairs]
        differ = any(difference > size * NOTHING for difference, size in differences)
        return differ and all(difference <= size * ROUNDING for difference, size in differences)


def _range(oracle: Exactly, stated: Any, points: tuple[float, ...]) -> bool:
    value = oracle(points[0])
    return not stated[0] <= value <= stated[1]


def _zero(oracle: Exactly, stated: Any, points: tuple[float, ...]) -> bool:
    return bool(abs(oracle(0.0) - stated) > math.ulp(stated) / 2)


def _lipschitz(oracle: Exactly, stated: Any, points: tuple[float, ...]) -> bool:
    if len(points) == 1:
        return bool(abs(oracle.tangent(points[0])) > stated)
    (a, b), values = points, [oracle(x) for x in points]
    return bool(abs(values[1] - values[0]) > stated * abs(mpf(b) - mpf(a)))


def _monotone(oracle: Exactly, stated: Any, points: tuple[float, ...]) -> bool:
    values = [oracle(x) for x in sorted(points)]
    return any(before > after for before, after in pairwise(values))


def _convex(oracle: Exactly, stated: Any, points: tuple[float, ...]) -> bool:
    a, b, c = sorted(points)
    values = [oracle(x) for x in (a, b, c)]
    left, right = (values[1] - values[0]) / (mpf(b) - a), (values[2] - values[1]) / (mpf(c) - b)
    return bool(right < left)


def _symmetry(oracle: Exactly, stated: Any, points: tuple[float, ...]) -> bool:
    left, right = (oracle(x) for x in points)
    return bool(left != (right if stated == "even" else -right))


def _kinks(oracle: Exactly, stated: Any, points: tuple[float, ...]) -> bool:
    """Compare the slopes of the neighbours, and the line through them."""
    below, above = neighbours(points[0])
    left, right = (oracle.tangent(x) for x in (below, above))
    steepest = abs(left) + abs(right)
    is_jump = abs(oracle(above) - oracle(below)) > (above - below) * (1 + steepest) * 1e3
    is_kink = is_jump or abs(left - right) > 1e-9 * steepest
    return bool(is_kink) != (points[0] in stated)


def _slope_roots(oracle: Exactly, stated: Any, points: tuple[float, ...]) -> bool:
    """Look at the slope, and at its signs on both sides."""
    (x,) = points
    reach = NEAR * max(1.0, abs(x))
    is_root = oracle.tangent(x) == 0 or oracle.tangent(x - reach) * oracle.tangent(x + reach) <= 0
    return bool(is_root) != any(is_near(x, y) for y in stated)


CONTRADICTIONS: dict[str, Callable[[Exactly, Any, tuple[float, ...]], bool]] = {
    "range": _range,
    "zero": _zero,
    "lipschitz": _lipschitz,
    "monotone": _monotone,
    "convex": _convex,
    "symmetry": _symmetry,
    "kinks": _kinks,
    "slope_roots": _slope_roots,
}
