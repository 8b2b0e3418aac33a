"""A card's formula, computed on intervals between float64 numbers."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from slopes.card import Activation
from slopes.readings import interval
from slopes.readings.interval import HIGH, JUMP, LIMIT, LOW, Bounds, Jet

LARGEST = sys.float_info.max
NEAR = 1e-8


class Formula:
    """The body or the definition of an activation, with its parameters filled in."""

    def __init__(self, name: str, function: Callable[[Any], Any]) -> None:
        self.name, self._function = name, function
        self.evaluations = 0
        self.at = cache(self._at)
        self.limit = cache(self._limit)
        self.near = cache(self._near)

    def _compute(self, x: Jet) -> Jet:
        self.evaluations += 1
        made = interval.jet(self._function(x))
        if made.slope is None:
            return Jet(made.value, interval.ZERO, interval.ZERO, made.breaks)
        return made

    def between(self, low: float, high: float, open_: int = 0) -> Jet:
        """The jet of all numbers between two, which `open_` may leave out."""
        return self._compute(interval.variable(low, high, open_))

    def _at(self, x: float) -> Bounds:
        return self._compute(interval.jet(x)).value

    def _limit(self, x: float, side: int) -> Jet:
        return self._compute(interval.variable(x, x, LIMIT | (HIGH if side < 0 else LOW)))

    def _near(self, x: float) -> Jet:
        return self._compute(interval.variable(x, x))

    def is_continuous(self, x: float) -> bool:
        """Whether the limits from both sides are known to be the value at x."""
        value, sides = self.at(x), (self.limit(x, -1), self.limit(x, 1))
        ends = [end for side in sides for end in (side.value.low, side.value.high)]
        return all(bool(end == value.low) and bool(end == value.high) for end in ends)

    def joints(self, low: float, high: float, breaks: int) -> set[float]:
        """The ends of a cell at which there are breaks, as there are none inside."""
        ends = ((low, HIGH), (high, LOW))
        return {end for end, left_out in ends if self.between(low, high, left_out).breaks & breaks}

    def value(self, low: float, high: float, jet: Jet) -> Bounds:
        """The bounds of the values in (low, high), by its slope if that narrows them."""
        return jet.value if jet.breaks & JUMP else self._narrowed(low, high, jet.value, jet.slope, _value)

    def slope(self, low: float, high: float, jet: Jet) -> Bounds:
        """The bounds of the slopes in (low, high), by its bend if that narrows them."""
        wide = jet.slope or interval.ZERO
        return wide if jet.breaks else self._narrowed(low, high, wide, jet.bend, _slope)

    def _narrowed(
        self, low: float, high: float, wide: Bounds, change: Bounds | None, part: Callable[[Jet], Bounds]
    ) -> Bounds:
        if change is None:
            return wide
        if change.low >= 0:
            return _intersect(wide, part(self.limit(low, 1)).low, part(self.limit(high, -1)).high)
        if change.high <= 0:
            return _intersect(wide, part(self.limit(high, -1)).low, part(self.limit(low, 1)).high)
        if high - low > 4 or not (abs(change.low) < math.inf and abs(change.high) < math.inf):
            return wide
        middle = low + (high - low) / 2
        reach = interval.variable(low, high).value - interval.jet(middle).value
        linear = part(self.near(middle)) + change * reach
        return _intersect(wide, linear.low, linear.high)


def _value(jet: Jet) -> Bounds:
    return jet.value


def _slope(jet: Jet) -> Bounds:
    return jet.slope or interval.ZERO


def _intersect(wide: Bounds, low: Any, high: Any) -> Bounds:
    return Bounds(interval.greatest([wide.low, low]), interval.least([wide.high, high]))


def formulas(card: Activation) -> list[Formula]:
    """Return the body and, if there is another, the definition, as far as intervals can compute them.

    Raises ValueError with the reason if they can compute neither.
    """
    made, reasons = [], []
    bodies = {"body": card.body} | ({} if card.textbook is card.body else {"definition": card.textbook})
    for name, body in bodies.items():
        try:
            _, function, _ = card._twin(body=body).bind(interval, None, {})
            formula = Formula(name, function)
            formula.between(-LARGEST, LARGEST)
        except Exception as error:  # a user's body may do anything
            reasons.append(f"{type(error).__name__}: {error}")
        else:
            made.append(formula)
    if not made:
        raise ValueError(f"{card.name}: nothing can be proved of its body: {reasons[0]}")
    return made


def derivative_of(card: Activation) -> Formula | None:
    """Return the card's own derivative, if it has one that intervals can compute."""
    _, _, slope = card.bind(interval, None, {})
    if slope is None:
        return None
    formula = Formula("derivative", slope)
    try:
        formula.between(-LARGEST, LARGEST)
    except Exception:  # the slope of the body is looked at
        return None
    return formula


def is_near(x: float, y: float) -> bool:
    """Whether two numbers agree to eight digits, or decimal places below 1."""
    return abs(x - y) <= NEAR * max(1.0, abs(x))


def middle(low: float, high: float) -> float | None:
    """Return a short number between two, near half of the way or of the exponents; None between neighbours."""
    if low < 0 < high:
        return 0.0
    if high <= 0:
        mirrored = middle(-high, -low)
        return None if mirrored is None else -mirrored
    if low == 0 and high > 1:
        return 1.0
    if low > 0 and high > 4 * low:
        return math.ldexp(1.0, (math.frexp(low)[1] + math.frexp(high)[1]) // 2)
    half = low + (high - low) / 2
    if not low < half < high:
        return None
    step = math.ldexp(1.0, math.frexp(high - low)[1] - 2)
    short = round(half / step) * step if step > 0 and half / step < 2**52 else half
    return short if low < short < high else half


def neighbours(x: float) -> Iterator[float]:
    """Yield the next float64 numbers below and above, if they are finite."""
    for direction in (-math.inf, math.inf):
        other = math.nextafter(x, direction)
        if abs(other) < math.inf:
            yield other
