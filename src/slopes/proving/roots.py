"""Roots of the slope: where they are, and that there are no others."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from slopes.proving.functions import Formula
from slopes.proving.numbers import middle
from slopes.proving.searching import Interval
from slopes.readings.interval import HIGH, LOW, ZERO, Bounds, Jet


@dataclass
class Roots:
    """The roots of a slope, each as the float64 next to it, and the interval in which others may be."""

    found: set[float] = field(default_factory=set)
    flat: Interval | None = None  #: where the slope is 0 everywhere
    left: Interval | None = None


class Slope:
    """The slope of an activation: its derivative where it has one, else the slope of its body."""

    def __init__(self, derivative: Formula | None, body: Formula) -> None:
        self.derivative, self.body = derivative, body

    def between(self, low: float, high: float, open_: int = 0) -> tuple[Bounds, Bounds, int]:
        """Bounds of the slope and of its change, and their breaks."""
        if self.derivative is not None:
            jet = self.derivative.between(low, high, open_)
            return jet.value, jet.slope or ZERO, jet.breaks
        return self._of_body(self.body.between(low, high, open_))

    def at(self, x: float) -> Bounds:
        return self.derivative.at(x) if self.derivative is not None else self._of_body(self.body.near(x))[0]

    def is_root(self, x: float) -> bool:
        """Whether x is a root, or the only one between its neighbours is as near as float64 numbers come."""
        bounds, around = self.at(x), tuple(self.body.neighbours(x))
        if _is_zero(bounds) or _sign(bounds) or len(around) < 2:
            return _is_zero(bounds)
        _, change, breaks = self.between(around[0], around[1])
        signs = [_sign(self.at(end)) for end in around]
        return not breaks and _sign(change) != 0 and signs[0] * signs[1] < 0

    @staticmethod
    def _of_body(jet: Jet) -> tuple[Bounds, Bounds, int]:
        return jet.slope or ZERO, jet.bend or ZERO, jet.breaks


def find_roots(slope: Slope, effort: int) -> Roots:
    """Split the line until each cell has a slope without a root, or one that rises or falls through it."""
    made, count = Roots(), 0
    cells = deque(slope.body.cells())
    while cells:
        low, high = cells.popleft()
        count += 1
        bounds = _undecided(made, slope, low, high)
        if bounds is None:
            continue
        half = middle(low, high)
        if _is_zero(bounds) and half is not None:
            made.flat = low, high
            return made
        if half is None or count > effort:
            made.left = low, high
            return made
        cells += [(low, half), (half, high)]
    return made


def _undecided(made: Roots, slope: Slope, low: float, high: float) -> Bounds | None:
    """Bounds of the slope in a cell; None once the cell's roots are known."""
    bounds, change, breaks = slope.between(low, high)
    if _sign(bounds):
        return None
    zeros = {end for end in (low, high) if slope.is_root(end)}
    made.found |= zeros
    is_monotone = not breaks and bool(_sign(change))
    if breaks or zeros:
        bounds, _, _ = slope.between(low, high, LOW | HIGH)
    if _sign(bounds) or (is_monotone and (zeros or _add_root(made, slope, low, high))):
        return None
    return bounds


def _sign(bounds: Bounds) -> int:
    """1 or −1 if all numbers have that sign, else 0."""
    if bounds.low > 0 or (bounds.low == 0 and bounds.open & LOW):
        return 1
    return -1 if bounds.high < 0 or (bounds.high == 0 and bounds.open & HIGH) else 0


def _is_zero(bounds: Bounds) -> bool:
    return bool(bounds.low == 0) and bool(bounds.high == 0)


def _add_root(made: Roots, slope: Slope, low: float, high: float) -> bool:
    """Add the one root that a strictly monotone slope may have; return False if signs at the ends are unknown."""
    signs = [_sign(slope.at(end)) for end in (low, high)]
    if 0 in signs:
        return False
    if signs[0] != signs[1]:
        made.found.add(_bisect(slope, low, high, signs[0]))
    return True


def _bisect(slope: Slope, low: float, high: float, sign: int) -> float:
    half = middle(low, high)
    while half is not None:
        found = _sign(slope.at(half))
        if found == 0:
            return half
        low, high = (half, high) if found == sign else (low, half)
        half = middle(low, high)
    return low if abs(slope.at(low).low) < abs(slope.at(high).low) else high
