"""Branch and bound over all finite float64 numbers."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flint import arb

from slopes.proving.functions import Formula
from slopes.proving.numbers import middle
from slopes.readings.interval import (
    HIGH,
    JUMP,
    LOW,
    NEGATIVE,
    POSITIVE,
    Bounds,
    Jet,
    greatest,
    least,
    round_down,
    round_up,
)

TIGHT = 1e-9  #: a relative distance of bounds that is small enough for a tightest bound
REFINED, FEW = 2000, 100  #: most evaluations for a tight bound once the claim is decided; few if it is of a box
SAME = 1e-25  #: a relative distance of bounds below that no further cell would decide a claim

FAR = 64.0  #: cells of numbers so many times larger or smaller than 1, in powers of two, come one split later
HUGE = 1e300  #: numbers beyond it count as unbounded

Interval = tuple[float, float]


@dataclass
class Greatest:
    """Bounds of a greatest number, over all float64 numbers."""

    lower: Any  #: reached at `points`
    upper: Any  #: exceeded nowhere
    points: tuple[float, ...]
    left: tuple[float, float] | None  #: where the claimed number might be exceeded yet


class Value:
    """The value of a formula, or its negative, as the number whose greatest one is looked for."""

    def __init__(self, formula: Formula, sign: int) -> None:
        self.formula, self.sign = formula, sign

    def upper(self, low: float, high: float) -> Any:
        jet = self.formula.between(low, high, LOW | HIGH)
        bounds = self.formula.value(low, high, jet)
        return bounds.high if self.sign > 0 else -bounds.low

    def at(self, x: float) -> Bounds:
        value = self.formula.at(x)
        return value if self.sign > 0 else -value

    def across(self, low: float, high: float) -> Bounds | None:
        """None: there is no number between neighbours."""

    def take_joints(self) -> set[float]:
        return set()


class Steepness:
    """The absolute slope of a formula; where it might jump, that of the line through two neighbours."""

    def __init__(self, formula: Formula) -> None:
        self.formula = formula
        self.joints: set[float] = set()

    def upper(self, low: float, high: float) -> Any:
        jet = self.formula.between(low, high)
        if jet.breaks:
            is_joined, jet = jet.breaks & JUMP, self.formula.between(low, high, LOW | HIGH)
            if jet.breaks & JUMP:
                return POSITIVE
            if is_joined:
                self.joints |= self.formula.joints(low, high, JUMP)
        return self.formula.slope(low, high, jet).absolute().high

    def at(self, x: float) -> Bounds | None:
        jet = self.formula.near(x)
        return None if jet.breaks or jet.slope is None else Bounds(jet.slope.absolute().low, NEGATIVE)

    def across(self, low: float, high: float) -> Bounds | None:
        rise = (self.formula.at(high) - self.formula.at(low)).absolute()
        run = arb(high) - arb(low)
        return Bounds(round_down(rise.low / run), round_up(rise.high / run))

    def take_joints(self) -> set[float]:
        """Return the ends of cells where the formula may jump, and forget them."""
        joints, self.joints = self.joints, set()
        return {x for x in joints if not self.formula.is_continuous(x)}


def find_greatest(measure: Value | Steepness, claimed: float | None, effort: int) -> Greatest:
    """Bound the greatest number until it is known whether it exceeds the claimed one, and then to nine digits."""
    start, refined = measure.formula.evaluations, FEW if measure.formula.line.beside else REFINED
    search, most = _Search(measure), start + effort
    for cell in measure.formula.cells():
        for point in cell:
            search.look_at(point)
        search.add(*cell)
    while search.cells and not search.is_settled(claimed):
        if measure.formula.evaluations > (start + refined if search.is_decided(claimed) else most):
            break
        search.split()
    left = None
    if claimed is not None and search.cells and not search.cells[0].upper <= claimed:
        left = search.cells[0].low, search.cells[0].high
    return Greatest(search.lower, search.upper, search.points, left)


@dataclass(slots=True)
class _Cell:
    low: float
    high: float
    upper: Any

    def __lt__(self, other: _Cell) -> bool:
        """Among equal ones a narrow cell comes first, because it reaches the bound soon."""
        if self.upper == other.upper:
            return self.high - self.low < other.high - other.low
        return bool(self.upper > other.upper)


class _Search:
    """A heap of cells, the one with the greatest upper bound first."""

    def __init__(self, measure: Value | Steepness) -> None:
        self.measure = measure
        self.cells: list[_Cell] = []
        self.lower = NEGATIVE
        self.points: tuple[float, ...] = ()
        self._highest = NEGATIVE  #: an upper bound of the numbers outside the cells

    @property
    def upper(self) -> Any:
        return greatest([self._highest, *(cell.upper for cell in self.cells[:1])])

    def add(self, low: float, high: float) -> None:
        heapq.heappush(self.cells, _Cell(low, high, self.measure.upper(low, high)))
        for joint in self.measure.take_joints():
            for other in self.measure.formula.neighbours(joint):
                self._keep(self.measure.across(*sorted((joint, other))), (joint, other))

    def look_at(self, x: float) -> None:
        self._keep(self.measure.at(x), (x,))

    def split(self) -> None:
        cell = heapq.heappop(self.cells)
        half = middle(cell.low, cell.high)
        if half is None:
            between = self.measure.across(cell.low, cell.high)
            if between is not None:
                self._keep(Bounds(between.low, least([between.high, cell.upper])), (cell.low, cell.high))
            return
        self.look_at(half)
        self.add(cell.low, half)
        self.add(half, cell.high)

    def _keep(self, bounds: Bounds | None, points: tuple[float, ...]) -> None:
        if bounds is None:
            return
        if bounds.low > self.lower:
            self.lower, self.points = bounds.low, points
        self._highest = greatest([self._highest, bounds.high])

    def is_settled(self, claimed: float | None) -> bool:
        upper, size = self.upper, abs(self.lower) + 1e-290
        if self.lower > HUGE:
            return True
        gap = upper - self.lower
        if not gap <= TIGHT * size:
            return False
        return claimed is None or self.is_decided(claimed) or bool(gap <= SAME * size)

    def is_decided(self, claimed: float | None) -> bool:
        return claimed is not None and (bool(self.upper <= claimed) or bool(self.lower > claimed))


# ------------------------------------------------------------------------------- properties of each cell


@dataclass
class Cover:
    """Cells in that a property holds, and the numbers between them where it is yet to be shown."""

    joints: set[float]  #: ends of cells, where pieces meet
    gaps: list[Interval]  #: neighbouring numbers with a joint between them
    failed: tuple[float, float, float] | None = None  #: three numbers of a cell that show that it does not hold
    left: Interval | None = None  #: where it is unknown


Test = Callable[[Formula, float, float, Jet], bool]
Search = Callable[[Formula, float, float, Jet], tuple[float, float, float] | None]


def cover(formula: Formula, holds: Test, find_failure: Search, breaks: int, effort: int) -> Cover:
    """Split the line until a property holds in each cell, in which the formula has none of the breaks."""
    made, most = Cover(set(), []), formula.evaluations + effort
    cells = [(0.0, 0, *cell) for cell in formula.cells()]
    while cells:
        _, depth, low, high = heapq.heappop(cells)
        half = middle(low, high)
        jet = formula.between(low, high)
        is_joined = bool(jet.breaks & breaks)
        if is_joined:
            jet = formula.between(low, high, LOW | HIGH)
        if not jet.breaks & breaks:
            if holds(formula, low, high, jet):
                if is_joined:
                    made.joints |= formula.joints(low, high, breaks)
                continue
            made.failed = find_failure(formula, low, high, jet)
            if made.failed:
                return made
        if half is None:
            made.gaps.append((low, high))
        elif formula.evaluations > most:
            made.left = low, high
            return made
        else:
            later = depth + 1 + abs(math.frexp(half)[1]) / FAR
            for part in ((low, half), (half, high)):
                heapq.heappush(cells, (later, depth + 1, *part))
    return made
