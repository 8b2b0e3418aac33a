"""Proofs of the claims of a card, one function a claim."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Context
from typing import Any

from flint import arb

from slopes.proving.functions import Formula, derivative_of
from slopes.proving.numbers import is_near, middle
from slopes.proving.results import OPEN, PROVED, REFUTED
from slopes.proving.roots import Slope, find_roots
from slopes.proving.searching import HUGE, Cover, Steepness, Value, cover, find_greatest
from slopes.readings import parity
from slopes.readings.interval import JUMP, KINK, Bounds, Jet, point

DIGITS = 9  #: of a tightest bound that is suggested
SMALLEST = 1e-300  #: a least value that is approached, not reached, comes as near


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The status of a claim for one formula, with the reason and the evidence."""

    status: str
    reason: str = ""
    points: tuple[Any, ...] = ()
    left: tuple[float, float] | None = None
    tightest: Any = None


PROVEN = Outcome(status=PROVED)


def still_open(reason: str, left: tuple[float, float] | None = None, **more: Any) -> Outcome:
    """Return an open outcome, whose reason names the interval that is left."""
    where = f" in [{left[0]!r}, {left[1]!r}]" if left else ""
    return Outcome(status=OPEN, reason=reason + where, left=left, **more)


def refuted(reason: str, *points: Any, **more: Any) -> Outcome:
    return Outcome(status=REFUTED, reason=reason, points=points, **more)


# ---------------------------------------------------------------------------------- range and steepness


def prove_range(formula: Formula, claimed: tuple[float, float], effort: int) -> Outcome:
    """Bound the values from both sides; an activation's at infinity are NumPy's."""
    low, high = (float(end) for end in claimed)
    sides = [_bound(Value(formula, sign), sign * end, effort) for sign, end in ((-1, low), (1, high))]
    at_infinities = formula.line.values_at_infinities()
    ends = [value for _, value, _ in at_infinities]
    tightest = min([-sides[0].tightest, *ends]) + 0.0, max([sides[1].tightest, *ends]) + 0.0
    for side in sorted(sides, key=lambda side: side.status != REFUTED):
        if side.status == REFUTED:
            (x,) = side.points
            return refuted(f"its value is {float(formula.at(x).low)!r} at {x!r}", x, tightest=tightest)
        if side.status == OPEN:
            return replace(side, tightest=tightest)
    for x, value, _ in at_infinities:
        if not low <= value <= high:
            return refuted(f"its value at {x!r} is {value!r}", x, tightest=tightest)
    return Outcome(status=PROVED, tightest=tightest)


def prove_minimum(formula: Formula, claimed: float, effort: int) -> Outcome:
    """No value is less; for a single target, some value is as near as float64 shows."""
    least = _bound(Value(formula, -1), -float(claimed), effort)
    if least.status == REFUTED:
        (x,) = least.points
        return refuted(f"its value is {float(formula.at(x).low)!r} at {x!r}", x, tightest=-least.tightest)
    least = replace(least, tightest=-least.tightest + 0.0)
    if least.status == OPEN:
        return least
    if not formula.line.is_point:
        return least
    found = find_greatest(Value(formula, -1), -claimed, effort)
    reached = claimed + max(math.ulp(claimed) / 2, SMALLEST)
    if -found.upper > reached:
        return refuted(f"its least value is {float(-found.lower)!r}", *found.points, tightest=float(-found.lower))
    return least if -found.lower <= reached else still_open("its least value is not known")


def prove_lipschitz(formula: Formula, claimed: float, effort: int) -> Outcome:
    """Bound the slopes."""
    made = _bound(Steepness(formula), float(claimed), effort)
    if made.status != REFUTED:
        return made
    if len(made.points) == 1:
        return replace(made, reason=f"its slope is {made.reason} in size at {made.points[0]!r}")
    return replace(
        made, reason=f"it rises or falls by {made.reason} for 1 between {made.points[0]!r} and {made.points[1]!r}"
    )


def _bound(measure: Value | Steepness, claimed: float, effort: int) -> Outcome:
    found = find_greatest(measure, None if claimed == math.inf else claimed, effort)
    tightest = math.inf if not found.upper < HUGE else shorten_upwards(found.upper)
    if claimed == math.inf or found.upper <= claimed:
        return Outcome(status=PROVED, tightest=tightest)
    if found.lower > claimed:
        return refuted(f"{float(found.lower)!r}", *found.points, tightest=tightest)
    return still_open(f"exceeds the bound by at most {float(found.upper - claimed):.1e}", found.left, tightest=tightest)


def shorten_upwards(x: Any) -> float:
    """The number itself if it is a short one, else the next of so many digits."""
    nearest = float(x)
    if x == nearest and float(f"{nearest:.{DIGITS}g}") == nearest:
        return nearest
    above = nearest if x <= nearest else math.nextafter(nearest, math.inf)
    rounded = float(Context(prec=DIGITS, rounding=ROUND_CEILING).create_decimal(above))
    return rounded if x <= rounded else math.nextafter(rounded, math.inf)


# --------------------------------------------------------------------------------- values at single points


def prove_zero(formula: Formula, claimed: float, effort: int) -> Outcome:
    """The claimed number must be the nearest float64."""
    value, reach = formula.at(0.0), arb(math.ulp(claimed)) / 2
    if abs(value.low - claimed) <= reach and abs(value.high - claimed) <= reach:
        return PROVEN
    if value.low - claimed > reach or claimed - value.high > reach:
        return refuted(f"its value is {float(value.low)!r} at 0.0", 0.0, tightest=float(value.low))
    return still_open("its value at 0 is not known to half a unit in the last place")


# ------------------------------------------------------------------------------------ shapes of the curve


def prove_monotone(formula: Formula, claimed: bool, effort: int) -> Outcome:
    """The slope is at least 0 in each cell, and no neighbour of a joint is out of order."""
    made = cover(formula, _rises, _find_fall, JUMP, effort)
    joints = (x for x in made.joints if not _steps_up(formula, x))
    gaps = {*made.gaps, *(tuple(sorted((x, other))) for x in joints for other in formula.neighbours(x))}
    outcome = _shape(made, "its slope", lambda: _first_bad(sorted(gaps), lambda pair: _order(formula, *pair)))
    if outcome.status == PROVED:
        for x, value, last in formula.line.values_at_infinities():
            limit = float(formula.at(last).low)
            if not (value <= math.nextafter(limit, math.inf) if x < 0 else value >= math.nextafter(limit, -math.inf)):
                outcome = refuted(f"its value at {x!r} is {value!r}, and {limit!r} at {last!r}", x, last)
    return _negated(outcome, claimed, "it never falls")


def _rises(formula: Formula, low: float, high: float, jet: Jet) -> bool:
    return bool(formula.slope(low, high, jet).low >= 0)


def _find_fall(formula: Formula, low: float, high: float, jet: Jet) -> tuple[float, float, float] | None:
    half = middle(low, high)
    slope = None if half is None else formula.near(half).slope
    if half is None or slope is None or not slope.high < 0:
        return None
    return math.nextafter(half, low), half, math.nextafter(half, high)


def _steps_up(formula: Formula, x: float) -> bool:
    left, value, right = formula.limit(x, -1).value, formula.at(x), formula.limit(x, 1).value
    return bool(left.high <= value.low) and bool(value.high <= right.low)


def _order(formula: Formula, low: float, high: float) -> Outcome:
    rise = formula.at(high) - formula.at(low)
    if rise.low >= 0:
        return PROVEN
    if rise.high < 0:
        return refuted(f"it falls between {low!r} and {high!r}", low, high)
    return still_open("it is not known whether it falls", (low, high))


def prove_convex(formula: Formula, claimed: bool, effort: int) -> Outcome:
    """The bend is at least 0 in each cell; at a joint neither slopes of both sides nor of lines to neighbours fall."""
    made = cover(formula, _bends_up, _find_bend_down, KINK | JUMP, effort)
    joints = {x for x in made.joints if not _turns_up(formula, x)} | {x for gap in made.gaps for x in gap}
    around = {x for joint in joints for x in (joint, *formula.neighbours(joint)) if formula.low < x < formula.high}
    outcome = _shape(made, "its bend", lambda: _first_bad(sorted(around), lambda x: _turn(formula, x)))
    return _negated(outcome, claimed, "its slope never falls")


def _bends_up(formula: Formula, low: float, high: float, jet: Jet) -> bool:
    return jet.bend is not None and bool(jet.bend.low >= 0)


def _find_bend_down(formula: Formula, low: float, high: float, jet: Jet) -> tuple[float, float, float] | None:
    half = middle(low, high)
    if half is None or jet.bend is None or not jet.bend.high < 0:
        return None
    inner = math.nextafter(low, high), math.nextafter(high, low)  # the function may jump at the ends
    return (inner[0] if inner[0] < half else low), half, (inner[1] if inner[1] > half else high)


def _turns_up(formula: Formula, x: float) -> bool:
    left, right = formula.limit(x, -1).slope, formula.limit(x, 1).slope
    return formula.is_continuous(x) and left is not None and right is not None and bool(left.high <= right.low)


def _turn(formula: Formula, x: float) -> Outcome:
    """Compare the slopes of the lines from x to both neighbours."""
    below, above = formula.neighbours(x)
    middle_value = formula.at(x)
    left = _divided(middle_value - formula.at(below), arb(x) - arb(below))
    right = _divided(formula.at(above) - middle_value, arb(above) - arb(x))
    if left.high <= right.low:
        return PROVEN
    if right.high < left.low:
        return refuted(f"its slope falls at {x!r}", below, x, above)
    return still_open("it is not known whether its slope falls", (below, above))


def _divided(rise: Bounds, run: Any) -> Bounds:
    return rise * point(run.fmpq()).inverse()


def _shape(made: Cover, quantity: str, settle: Callable[[], Outcome]) -> Outcome:
    if made.failed:
        return refuted(f"{quantity} is negative around {made.failed[1]!r}", *made.failed)
    if made.left:
        return still_open(f"the sign of {quantity} is not known", made.left)
    return settle()


def _first_bad(places: list[Any], judge: Callable[[Any], Outcome]) -> Outcome:
    """The first refutation among the outcomes, else the first that is open, else a proof."""
    outcomes = [outcome for outcome in map(judge, places) if outcome.status != PROVED]
    return min(outcomes, key=lambda outcome: outcome.status != REFUTED, default=PROVEN)


def _negated(outcome: Outcome, claimed: bool, words: str) -> Outcome:
    """The outcome of the opposite claim where False is claimed: a counterexample proves it."""
    if claimed or outcome.status == OPEN:
        return outcome
    return PROVEN if outcome.status == REFUTED else refuted(words)


# ------------------------------------------------------------------------------------------------ kinks


def prove_kinks(formula: Formula, claimed: tuple[float, ...], effort: int) -> Outcome:
    """Slopes of both sides differ at each kink, and elsewhere the formula is in one piece or its pieces agree."""
    kinks = {float(x) for x in claimed}
    made = cover(formula, lambda *_: True, lambda *_: None, KINK | JUMP, effort)
    if made.left or made.gaps:
        return still_open("it is not known where its slope jumps", made.left or made.gaps[0])
    return _first_bad(sorted(made.joints | kinks), lambda x: _kink(formula, x, x in kinks, made.joints))


def _kink(formula: Formula, x: float, is_claimed: bool, joints: set[float]) -> Outcome:
    left, right = formula.limit(x, -1), formula.limit(x, 1)
    differ = _differ(left.value, right.value) or _differ(left.slope, right.slope)
    if is_claimed:
        if differ:
            return PROVEN
        if x not in joints or _agree(left.slope, right.slope):
            return refuted(f"its slope does not jump at {x!r}", x)
        return still_open(f"it is not known whether its slope jumps at {x!r}")
    if differ:
        return refuted(f"its slope also jumps at {x!r}", x)
    if formula.is_continuous(x) and _agree(left.slope, right.slope):
        return PROVEN
    return still_open(f"it is not known whether its slope jumps at {x!r}")


def _differ(a: Bounds | None, b: Bounds | None) -> bool:
    return a is not None and b is not None and bool(a.high < b.low or b.high < a.low)


def _agree(a: Bounds | None, b: Bounds | None) -> bool:
    return a is not None and b is not None and bool(a.low == a.high) and bool(a.low == b.low) and bool(b.low == b.high)


# ------------------------------------------------------------------------------------ roots of the slope


def prove_slope_roots(formula: Formula, claimed: tuple[float, ...], effort: int) -> Outcome:
    """Each root is a claimed one, and each claimed one is a root, to eight digits."""
    made = find_roots(Slope(derivative_of(formula.line), formula), effort)
    if made.flat:
        low, high = made.flat
        return refuted(f"its slope is 0 in [{low!r}, {high!r}]", (low + high) / 2)
    roots = tuple(sorted(made.found))
    for root in roots:
        if not any(is_near(root, x) for x in claimed):
            return refuted(f"its slope is also 0 at {root!r}", root, tightest=roots)
    if made.left:
        return still_open("its slope may have a root", made.left, tightest=roots)
    for x in claimed:
        if not any(is_near(root, x) for root in roots):
            return refuted(f"its slope is not 0 at {x!r}", x, tightest=roots)
    return Outcome(status=PROVED, tightest=roots)


# --------------------------------------------------------------------------------------------- symmetry


def prove_symmetry(formula: Formula, claimed: str, effort: int) -> Outcome:
    """By the form of the formula; numbers can only refute it."""
    sign = -1 if claimed == "odd" else 1
    for x in (0.0, *(math.ldexp(1.0 + k / 8, exponent) for exponent in range(-30, 31) for k in range(8))):
        right, left = formula.at(x), formula.at(-x)
        if _differ(left if sign > 0 else -left, right):
            return refuted(f"its values are {float(left.low)!r} and {float(right.low)!r} at {-x!r} and {x!r}", -x, x)
    table = parity.Table()
    try:
        card: Any = formula.line.card
        body = card.textbook if formula.name == "definition" else card.body
        _, function, _ = card._copy_with(body=body).bind(parity, table.x, {})
        found = parity.find_parity(function, table.x)
    except parity.ParityError as error:
        return still_open(str(error))
    if found != claimed or (sign < 0 and not formula.at(0.0).low == formula.at(0.0).high == 0):
        return still_open("its form does not show the symmetry")
    return PROVEN


Prover = Callable[[Formula, Any, int], Outcome]

PROVERS: dict[str, Prover] = {
    "range": prove_range,
    "minimum": prove_minimum,
    "zero": prove_zero,
    "lipschitz": prove_lipschitz,
    "monotone": prove_monotone,
    "convex": prove_convex,
    "symmetry": prove_symmetry,
    "kinks": prove_kinks,
    "slope_roots": prove_slope_roots,
}
