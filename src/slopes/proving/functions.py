"""A formula of one number, computed on intervals between float64 numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from slopes.proving.lines import Line
from slopes.proving.numbers import neighbours
from slopes.readings import interval
from slopes.readings.interval import HIGH, JUMP, LIMIT, LOW, Bounds, Jet


class Formula:
    """The body or the definition of a card along a line, with its parameters filled in."""

    def __init__(self, name: str, function: Callable[[Any], Any], line: Line) -> None:
        self.name, self._function, self.line = name, function, line
        self.low, self.high = line.low, line.high
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

    def cells(self) -> list[tuple[float, float]]:
        """Return the first cells of the whole line."""
        if self.low < 0 < self.high:
            return [(self.low, 0.0), (0.0, self.high)]
        return [(self.low, self.high)]

    def neighbours(self, x: float) -> list[float]:
        """Return the next float64 numbers below and above, if they are on the line."""
        return [other for other in neighbours(x) if self.low <= other <= self.high]

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
        """The ends of a cell with breaks; there are none inside."""
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


def formulas(line: Line) -> list[Formula]:
    """Return the body and, if there is another, the definition, as far as intervals can compute them.

    Raises ValueError with the reason if they can compute neither.
    """
    card = line.card
    bodies = {"body": card.body} | ({} if card.textbook is card.body else {"definition": card.textbook})
    made, reasons = [], []
    for name, body in bodies.items():
        formula = _formula(name, body, line)
        if isinstance(formula, Formula):
            made.append(formula)
        else:
            reasons.append(formula)
    if not made:
        raise ValueError(f"{card.name}: nothing can be proved of its body: {reasons[0]}")
    return made


def derivative_of(line: Line) -> Formula | None:
    """Return the card's own derivative, if it has one that intervals can compute."""
    slope = line.card.slope_body
    formula = None if slope is None else _formula("derivative", slope, line)
    return formula if isinstance(formula, Formula) else None


def _formula(name: str, body: Callable[..., Any], line: Line) -> Formula | str:
    """Return the formula, or the reason why there is none."""
    try:
        formula = Formula(name, line.function(interval, body), line)
        formula.between(line.low, line.high)
    except Exception as error:  # a user's body may do anything
        return f"{type(error).__name__}: {error}"
    return formula
