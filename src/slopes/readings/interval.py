"""The interval reading: bodies computed for all numbers of an interval at once, with both derivatives.

A `Jet` has bounds of a value and of its first and second derivative over the argument's interval. End points are
exact numbers of Arb and each operation rounds them outwards, so the bounds hold for every number in between. A
comparison of only some of them is undecided; `where` then gives the hull of both choices, and the jet remembers that
it may jump. End points may be left out: of x in (0, 1) it is decided that x > 0. A *limit* has the numbers that
approach p from one side, so that x > p is decided there as well.

Numbers are rational as long as they can be, so that the inverse of 1/6 is 6.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any, NoReturn, Self

from flint import arb, fmpq

from slopes.constants import Array, Constant
from slopes.readings import exact, tails, textbook

_this = sys.modules[__name__]

NEGATIVE, POSITIVE = arb.neg_inf(), arb.pos_inf()
_INF = float("inf")
LOW, HIGH, LIMIT = 1, 2, 4  #: bits of `Bounds.open`: an end left out; numbers that only approach bounds
KINK, JUMP = 1, 2  #: bits of `Jet.breaks`

LACKING = (
    "angle", "entry", "expected", "expected_log", "inner", "jaccard_steps", "joined", "levels", "one_hot", "ranks",
    "sum", "sum_others", "sum_pairs",
)  # fmt: skip


class IntervalError(Exception):
    """A body has no intervals."""


def __getattr__(name: str) -> NoReturn:
    if name in LACKING:
        raise IntervalError(f"it uses slopes.ops.{name}, which is not computed for intervals")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# ---------------------------------------------------------------------------------------------- bounds


def round_down(ball: Any) -> Any:
    """Return the lower end of a ball; −inf for NaN."""
    if ball.is_exact():
        return ball if ball == ball else NEGATIVE
    return ball.lower() if ball.is_finite() else NEGATIVE


def round_up(ball: Any) -> Any:
    """Return the upper end of a ball; inf for NaN."""
    if ball.is_exact():
        return ball if ball == ball else POSITIVE
    return ball.upper() if ball.is_finite() else POSITIVE


def _swapped(open_: int) -> int:
    return (0, HIGH, LOW, LOW | HIGH)[open_ & ~LIMIT] | open_ & LIMIT


class Bounds:
    """The numbers between two exact ends, which `open` may leave out; `rational` is a known single number.

    Those of a `LIMIT` approach one between the ends; they are certainly below `high` only if it is left out.
    """

    __slots__ = ("high", "low", "open", "rational")

    def __init__(self, low: Any, high: Any, open_: int = 0, rational: Any = None) -> None:
        self.low, self.high, self.open, self.rational = low, high, open_, rational

    def __repr__(self) -> str:
        brackets = "(" if self.open & LOW else "[", ")" if self.open & HIGH else "]"
        return f"{brackets[0]}{float(self.low)!r}, {float(self.high)!r}{brackets[1]}"

    def __neg__(self) -> Bounds:
        rational = None if self.rational is None else -self.rational
        return Bounds(-self.high, -self.low, _swapped(self.open), rational)

    def __add__(self, other: Bounds) -> Bounds:
        if other is ZERO:
            return self
        if self is ZERO:
            return other
        if self.rational is not None and other.rational is not None:
            return point(self.rational + other.rational)
        open_ = self.open & other.open if self.open & other.open & LIMIT else self.open | other.open
        return Bounds(round_down(self.low + other.low), round_up(self.high + other.high), open_)

    def __sub__(self, other: Bounds) -> Bounds:
        return self + -other

    def __mul__(self, other: Bounds) -> Bounds:
        if self.rational is not None:
            return other._scaled(self)
        if other.rational is not None:
            return self._scaled(other)
        limit = (self.open | other.open) & LIMIT
        if limit and any(a._may_vanish() and b._is_infinite() for a, b in ((self, other), (other, self))):
            return WHOLE  # an approach to 0 is no 0
        if self.low >= 0 and other.low >= 0:
            return Bounds(round_down(_product(self.low, other.low)), round_up(_product(self.high, other.high)), limit)
        products = [_product(a, b) for a in (self.low, self.high) for b in (other.low, other.high)]
        return Bounds(least([round_down(p) for p in products]), greatest([round_up(p) for p in products]), limit)

    def _scaled(self, by: Bounds) -> Bounds:
        """Product with a rational number; multiples of its divisor stay exact."""
        factor = by.rational
        if factor == 1:
            return self
        if factor == 0:
            return ZERO
        if self.rational is not None:
            return point(self.rational * factor)
        ends = self.low, self.high
        if by.low == by.high:
            ends = ends[0] * by.low, ends[1] * by.low
        else:
            above, below = arb(factor.p), arb(factor.q)
            ends = ends[0] * above / below, ends[1] * above / below
        if factor > 0:
            return Bounds(round_down(ends[0]), round_up(ends[1]), self.open)
        return Bounds(round_down(ends[1]), round_up(ends[0]), _swapped(self.open))

    def inverse(self) -> Bounds:
        if self.rational is not None and self.rational != 0:
            return point(1 / self.rational)
        if self.low > 0 or self.high < 0:
            return Bounds(round_down(1 / self.high), round_up(1 / self.low), _swapped(self.open))
        if self.low == 0 and self.high > 0:
            return Bounds(round_down(1 / self.high), POSITIVE, LOW if self.open & HIGH else 0)  # no limit has two ends
        if self.high == 0 and self.low < 0:
            return Bounds(NEGATIVE, round_up(1 / self.low), HIGH if self.open & LOW else 0)
        return WHOLE

    def absolute(self) -> Bounds:
        if self.low > 0 or (self.low == 0 and self.is_bounded(LOW)):
            return self
        if self.high < 0 or (self.high == 0 and self.is_bounded(HIGH)):
            return -self
        return Bounds(arb(0), greatest([-self.low, self.high]), self.open & LIMIT)

    def power(self, n: int) -> Bounds:
        """The nth power, for n > 0."""
        if self.rational is not None:
            return point(self.rational**n)
        base = self if n % 2 else self.absolute()
        return Bounds(round_down(base.low**n), round_up(base.high**n), base.open)

    def hull(self, other: Bounds) -> Bounds:
        limit = (self.open | other.open) & LIMIT
        return Bounds(least([self.low, other.low]), greatest([self.high, other.high]), limit)

    def is_bounded(self, end: int) -> bool:
        """Whether no number is beyond the end, as those of a limit may be."""
        return self.open & (end | LIMIT) != LIMIT

    def is_below(self, other: Bounds) -> bool:
        """Whether each number is less than each of the other."""
        return bool(self.high < other.low) or (self.is_at_most(other) and bool(self.open & HIGH or other.open & LOW))

    def is_at_most(self, other: Bounds) -> bool:
        """Whether each number is at most each of the other."""
        return bool(self.high < other.low) or (
            bool(self.high <= other.low) and self.is_bounded(HIGH) and other.is_bounded(LOW)
        )

    def _may_vanish(self) -> bool:
        return bool(self.low <= 0) and bool(self.high >= 0)

    def _is_infinite(self) -> bool:
        return bool(self.low == NEGATIVE) or bool(self.high == POSITIVE)

    def is_point(self) -> bool:
        return not self.open and bool(self.low == self.high)


def _product(a: Any, b: Any) -> Any:
    """An infinite end is a limit: times 0 it is 0."""
    return arb(0) if a == 0 or b == 0 else a * b


def least(ends: list[Any]) -> Any:
    low = ends[0]
    for end in ends[1:]:
        if end < low:
            low = end
    return low


def greatest(ends: list[Any]) -> Any:
    high = ends[0]
    for end in ends[1:]:
        if end > high:
            high = end
    return high


def point(rational: Any) -> Bounds:
    ball = arb(rational)
    return Bounds(round_down(ball), round_up(ball), 0, rational)


def around(ball: Any) -> Bounds:
    """Bounds of a ball."""
    return Bounds(round_down(ball), round_up(ball))


ZERO, ONE, WHOLE = point(fmpq(0)), point(fmpq(1)), Bounds(NEGATIVE, POSITIVE)


# ------------------------------------------------------------------------------------------ comparisons


class Truth:
    """Whether a comparison may hold, whether it must, and whether that may change with the variable."""

    __slots__ = ("may", "must", "varies")

    def __init__(self, may: bool, must: bool, varies: bool = True) -> None:
        self.may, self.must, self.varies = may, must, varies

    def __bool__(self) -> bool:
        if self.may and not self.must:
            raise IntervalError("it branches on a value; use slopes.ops.where")
        return self.must

    def __and__(self, other: Any) -> Self:
        other = _truth(other)
        return type(self)(self.may and other.may, self.must and other.must, self.varies or other.varies)

    def __or__(self, other: Any) -> Self:
        other = _truth(other)
        return type(self)(self.may or other.may, self.must or other.must, self.varies or other.varies)

    def __invert__(self) -> Self:
        return type(self)(not self.must, not self.may, self.varies)

    __rand__, __ror__ = __and__, __or__


def _truth(x: Any) -> Truth:
    return x if isinstance(x, Truth) else Truth(bool(x), bool(x), varies=False)


# ------------------------------------------------------------------------------------------------ jets


class Jet(textbook.Algebra):
    """Bounds of a value, its slope and its bend (second derivative), and how smooth they are.

    The slope is None for a constant, the bend if nobody asks for it. `breaks` has `KINK` where slopes of several pieces
    are joined, and `JUMP` where values are.
    """

    __slots__ = ("bend", "breaks", "slope", "value")
    __hash__ = None
    error = IntervalError

    def __init__(self, value: Bounds, slope: Bounds | None = None, bend: Bounds | None = None, breaks: int = 0) -> None:
        self.value, self.slope, self.bend, self.breaks = value, slope, bend, breaks

    def __repr__(self) -> str:
        return f"Jet({self.value}, {self.slope}, {self.bend}, breaks={self.breaks})"

    def __neg__(self) -> Jet:
        slope, bend = (None if part is None else -part for part in (self.slope, self.bend))
        return Jet(-self.value, slope, bend, self.breaks)

    def __abs__(self) -> Any:
        return absolute(self)

    def of(self, x: Any) -> Jet:
        return jet(x)

    def __add__(self, other: Any) -> Any:
        other = jet(other)
        value, breaks = self.value + other.value, self.breaks | other.breaks
        if other.slope is None:
            return Jet(value, self.slope, self.bend, breaks)
        if self.slope is None:
            return Jet(value, other.slope, other.bend, breaks)
        bend = None if self.bend is None or other.bend is None else self.bend + other.bend
        return Jet(value, self.slope + other.slope, bend, breaks)

    def __mul__(self, other: Any) -> Any:
        if other is self:
            return self**2
        other = jet(other)
        value, breaks = self.value * other.value, self.breaks | other.breaks
        if other.slope is None or self.slope is None:
            if other.slope is None and other.value.rational == 1:
                return self  # it may be a square
            factor, varied = (other.value, self) if other.slope is None else (self.value, other)
            slope, bend = (None if part is None else part * factor for part in (varied.slope, varied.bend))
            return Jet(value, slope, bend, breaks)
        slope = self.slope * other.value + self.value * other.slope
        if self.bend is None or other.bend is None:
            return Jet(value, slope, None, breaks)
        both = TWO * (self.slope * other.slope)
        return Jet(value, slope, self.bend * other.value + both + self.value * other.bend, breaks)

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Any) -> Any:
        return self * _inverse(jet(other))

    def __pow__(self, power: Any) -> Any:
        exponent = jet(power).value.rational
        if exponent is None or jet(power).slope is not None:
            return exp(log(self) * power)
        if exponent == 0:
            return jet(1)
        if exponent < 0:
            return _inverse(self ** jet(-power))
        if exponent.q != 1:
            return sqrt(self) if exponent == fmpq(1, 2) else exp(log(self) * power)
        n = int(exponent.p)
        if n == 1:
            return self
        x = self.value
        made = _chained(
            self,
            x.power(n),
            lambda: point(exponent) * x.power(n - 1),
            lambda _: point(exponent * (exponent - 1)) * (x.power(n - 2) if n > 2 else ONE),
        )
        return Square(made, self) if n == 2 else made

    def __rpow__(self, base: Any) -> Any:
        return exp(self * log(jet(base)))

    def __lt__(self, other: Any) -> Any:
        other = jet(other)
        a, b = self.value, other.value
        return Truth(not b.is_at_most(a), a.is_below(b), _varies(self, other))

    def __le__(self, other: Any) -> Any:
        other = jet(other)
        a, b = self.value, other.value
        return Truth(not b.is_below(a), a.is_at_most(b), _varies(self, other))

    def __gt__(self, other: Any) -> Any:
        return ~(self <= other)

    def __ge__(self, other: Any) -> Any:
        return ~(self < other)

    def __eq__(self, other: Any) -> Any:
        other = jet(other)
        a, b = self.value, other.value
        is_same = a.is_point() and b.is_point() and bool(a.low == b.low)
        return Truth(not a.is_below(b) and not b.is_below(a), is_same, _varies(self, other))


class Shifted(Jet):
    """The sum of a jet and a number that is constant: without that number it is the jet again."""

    __slots__ = ("number", "rest")
    __hash__ = None

    def __init__(self, rest: Jet, number: Jet) -> None:
        whole = rest + number
        super().__init__(whole.value, whole.slope, whole.bend, whole.breaks)
        self.rest, self.number = rest, number

    def __sub__(self, other: Any) -> Any:
        return self.rest if other is self.number else super().__sub__(other)

    def __rsub__(self, other: Any) -> Any:
        return -self.rest if other is self.number else super().__rsub__(other)

    def __lt__(self, other: Any) -> Any:
        return self.rest < 0 if other is self.number else super().__lt__(other)

    def __le__(self, other: Any) -> Any:
        return self.rest <= 0 if other is self.number else super().__le__(other)


class Square(Jet):
    """The square of a jet plus a constant, so that its root is a hyperbola."""

    __slots__ = ("base", "rest")
    __hash__ = None

    def __init__(self, whole: Jet, base: Jet, rest: Any = 0) -> None:
        super().__init__(whole.value, whole.slope, whole.bend, whole.breaks)
        self.base, self.rest = base, rest

    def __add__(self, other: Any) -> Any:
        other = jet(other)
        whole = super().__add__(other)
        return whole if other.slope is not None else Square(whole, self.base, other + self.rest)

    __radd__ = __add__


class Power(Jet):
    """The exponential of a jet, so that log1p of it is softplus."""

    __slots__ = ("exponent",)
    __hash__ = None

    def __init__(self, whole: Jet, exponent: Jet) -> None:
        super().__init__(whole.value, whole.slope, whole.bend, whole.breaks)
        self.exponent = exponent


def jet(x: Any) -> Jet:
    """Return a constant; floats mean their binary value."""
    return x if isinstance(x, Jet) else _constant(x)


def _varies(a: Jet, b: Jet) -> bool:
    return a.slope is not None or b.slope is not None


@lru_cache(maxsize=1024, typed=True)
def _constant(x: Any) -> Jet:
    kind = type(x)
    if kind is Constant:
        try:
            fraction = Fraction(x.text)
        except ValueError:
            return Jet(around(exact.number(x)))
    elif kind is Truth or isinstance(x, int):
        fraction = Fraction(bool(x) if kind is Truth else x)
    elif isinstance(x, float):
        if not abs(x) < _INF:
            return Jet(around(arb(x)))
        fraction = Fraction(x)
    else:
        raise IntervalError(f"it computes with {kind.__name__} beside its argument")
    return Jet(point(fmpq(fraction.numerator, fraction.denominator)))


HALF, TWO = point(fmpq(1, 2)), point(fmpq(2))


def constant(low: float, high: float) -> Jet:
    """Return an unknown number between two bounds."""
    return jet(low) if low == high else Jet(Bounds(arb(low), arb(high)))


def variable(low: float, high: float, open_: int = 0, order: int = 2) -> Jet:
    """Return the argument of a body, from `low` to `high`, with so many derivatives."""
    return Jet(Bounds(arb(low), arb(high), open_), ONE, ZERO if order > 1 else None)


def _chained(x: Jet, value: Bounds, first: Callable[[], Bounds], second: Callable[[Bounds], Bounds]) -> Jet:
    """The chain rule; `second` takes the first derivative."""
    if x.slope is None:
        return Jet(value, None, None, x.breaks)
    slope = first()
    if x.bend is None:
        return Jet(value, slope * x.slope, None, x.breaks)
    bend = second(slope)
    if x.slope is not ONE:
        bend, slope, outer = bend * x.slope.power(2), slope * x.slope, slope
        if x.bend is not ZERO:
            bend = bend + outer * x.bend
    return Jet(value, slope, bend, x.breaks)


def _inverse(x: Jet) -> Jet:
    inverse = x.value.inverse()
    made = _chained(x, inverse, lambda: -inverse.power(2), lambda _: TWO * inverse.power(3))
    is_safe = _is_above(x.value, 0) or _is_above(-x.value, 0)
    return made if is_safe else _broken(made, KINK | JUMP)


def _is_above(x: Bounds, least_value: int) -> bool:
    return bool(x.low > least_value) or (bool(x.low == least_value) and bool(x.open & LOW))


def _broken(x: Jet, breaks: int) -> Jet:
    return Jet(x.value, x.slope, x.bend, x.breaks | breaks)


# ---------------------------------------------------------------------------------- monotone functions


def _rising(function: Callable[[Any], Any], least_value: float, greatest_value: float) -> Callable[[Bounds], Bounds]:
    """Bounds of an increasing function with these limits at ±inf."""
    bottom, top = arb(least_value), arb(greatest_value)

    def bounds(x: Bounds) -> Bounds:
        low = bottom if x.low == NEGATIVE else round_down(function(x.low))
        high = top if x.high == POSITIVE else round_up(function(x.high))
        return Bounds(low if low > bottom else bottom, high if high < top else top, x.open)

    return bounds


def _peaked(function: Callable[[Any], Any], greatest_value: float = float("inf")) -> Callable[[Bounds], Bounds]:
    """Bounds of a positive even function that is greatest at 0."""
    top = arb(greatest_value)

    def bounds(x: Bounds) -> Bounds:
        size = x.absolute()
        low = arb(0) if size.high == POSITIVE else round_down(function(size.high))
        high = round_up(function(size.low))
        return Bounds(low if low > 0 else arb(0), high if high < top else top, x.open & LIMIT)

    return bounds


def _sigmoid_at(x: Any) -> Any:
    small = exact._exp(-abs(x))
    return 1 / (1 + small) if x >= 0 else small / (1 + small)


def _sigmoid_slope_at(x: Any) -> Any:
    small = exact._exp(-abs(x))
    return small / (1 + small) ** 2


_exp = _rising(exact._exp, 0, _INF)
_expm1 = _rising(exact._expm1, -1, _INF)
_sinh = _rising(exact._sinh, -_INF, _INF)
_log = _rising(exact._log, -_INF, _INF)
_log1p = _rising(lambda x: exact._log(1 + x) if x == -1 else x.log1p(), -_INF, _INF)
_sqrt = _rising(lambda x: x.sqrt(), 0, _INF)
_tanh = _rising(lambda x: x.tanh(), -1, 1)
_tanhshrink = _rising(lambda x: x - x.tanh(), -_INF, _INF)
_sigmoid = _rising(_sigmoid_at, 0, 1)
_softplus = _rising(lambda x: x + exact._exp(-x).log1p() if x > 0 else exact._exp(x).log1p(), 0, _INF)
# the negative of `lgamma_ratio`, its slope and the negative of its bend rise to 0
_lgamma_ratio = _rising(lambda x: (x + arb(0.5)).lgamma() - x.lgamma() - exact._log(x) / 2, -_INF, 0)
_lgamma_ratio_slope = _rising(lambda x: x.digamma() - (x + arb(0.5)).digamma() + 1 / (2 * x), -_INF, 0)
_lgamma_ratio_bend = _rising(lambda x: arb(2).zeta(x + arb(0.5)) - arb(2).zeta(x) + 1 / (2 * x * x), -_INF, 0)
_erf = _rising(lambda x: x.erf(), -1, 1)
_ndtr = _rising(lambda x: exact._erfc(-x / arb(2).sqrt()) / 2, 0, 1)
_sigmoid_slope = _peaked(_sigmoid_slope_at, 0.25)
_tanh_slope = _peaked(lambda x: 4 * _sigmoid_slope_at(2 * x), 1)
_density = _peaked(exact._density)
_erf_slope = _peaked(lambda x: 2 * exact._exp(-x * x) / arb.pi().sqrt())


def _cosh(x: Bounds) -> Bounds:
    size = x.absolute()
    return Bounds(round_down(exact._cosh(size.low)), round_up(exact._cosh(size.high)), x.open & LIMIT)


def _sine(x: Bounds) -> Bounds:
    """The ends' sines, but ±1 at odd multiples of π/2 in between."""
    if not (abs(x.low) < 1e15 and x.high - x.low < 3):
        return Bounds(arb(-1), arb(1))
    ends = around(x.low.sin()).hull(around(x.high.sin()))
    low, high = ends.low, ends.high
    first = int(((x.low / arb.pi()).mid() - 0.5).floor().mid().unique_fmpz())
    for turn in range(first - 1, first + 4):
        peak = (arb(turn) + arb(0.5)) * arb.pi()
        if not (peak < x.low or peak > x.high):
            low, high = (arb(-1), high) if turn % 2 else (low, arb(1))
    return Bounds(low if low > -1 else arb(-1), high if high < 1 else arb(1), x.open & LIMIT)


def _cosine(x: Bounds) -> Bounds:
    return _sine(x + around(arb.pi() / 2))


def _expm1_less(x: Bounds) -> Bounds:
    ends = [exact._expm1(end) - end if abs(end) < _INF else POSITIVE for end in (x.low, x.high)]
    low = arb(0) if x.low <= 0 <= x.high else least([round_down(end) for end in ends])
    return Bounds(low if low > 0 else arb(0), greatest([round_up(end) for end in ends]), x.open & LIMIT)


def _normal_gate_slope(x: Bounds) -> Bounds:
    """The slope of x·ndtr(x) falls up to −√2, rises up to √2, and falls to 1."""
    ends = [_normal_gate_slope_at(x.low), _normal_gate_slope_at(x.high)]
    root = arb(2).sqrt()
    ends += [_normal_gate_slope_at(turn) for turn in (-root, root) if not (turn < x.low or turn > x.high)]
    return Bounds(least([round_down(end) for end in ends]), greatest([round_up(end) for end in ends]), x.open & LIMIT)


def _normal_gate_slope_at(x: Any) -> Any:
    """Far on the left, where both terms cancel, it lies between x and x + 1/|x| times the density."""
    if not abs(x) < _INF:
        return arb(1) if x > 0 else arb(0)
    density = exact._density(x)
    if x < -1e5:
        return (density * x).union(density * (x - 1 / x))
    return exact._erfc(-x / arb(2).sqrt()) / 2 + x * density


# ------------------------------------------------------------------------------------------ primitives


def _function(
    value: Callable[[Bounds], Bounds], first: Callable[[Bounds, Bounds], Bounds],
    second: Callable[[Bounds, Bounds, Bounds], Bounds],
) -> Callable[[Array], Jet]:  # fmt: skip
    """A function of jets: `first` takes argument and value, `second` also the first derivative."""

    def apply(x: Array) -> Jet:
        x = jet(x)
        y = value(x.value)
        return _chained(x, y, lambda: first(x.value, y), lambda slope: second(x.value, y, slope))

    return apply


def _defined_from(least_value: int, breaks: int, function: Callable[[Array], Jet]) -> Callable[[Array], Jet]:
    def apply(x: Array) -> Jet:
        x = jet(x)
        if not x.value.low >= least_value:
            return Jet(WHOLE, WHOLE, WHOLE, x.breaks | KINK | JUMP)
        return function(x) if _is_above(x.value, least_value) else _broken(function(x), breaks)

    return apply


_exponential = _function(_exp, lambda x, y: y, lambda x, y, d: y)
expm1 = _function(_expm1, lambda x, y: _exp(x), lambda x, y, d: d)
expm1_less = _function(_expm1_less, lambda x, y: _expm1(x), lambda x, y, d: _exp(x))
log = _defined_from(0, KINK | JUMP, _function(_log, lambda x, y: x.inverse(), lambda x, y, d: -d.power(2)))
_log_of_more = _defined_from(
    -1, KINK | JUMP, _function(_log1p, lambda x, y: (ONE + x).inverse(), lambda x, y, d: -d.power(2))
)
_root = _defined_from(0, KINK, _function(_sqrt, lambda x, y: (TWO * y).inverse(), lambda x, y, d: -(TWO * d.power(3))))
sin = _function(_sine, lambda x, y: _cosine(x), lambda x, y, d: -y)
cos = _function(_cosine, lambda x, y: -_sine(x), lambda x, y, d: -y)
sinh = _function(_sinh, lambda x, y: _cosh(x), lambda x, y, d: y)
tanh = _function(_tanh, lambda x, y: _tanh_slope(x), lambda x, y, d: -(TWO * (y * d)))
tanhshrink = _function(_tanhshrink, lambda x, y: _tanh(x).power(2), lambda x, y, d: TWO * (_tanh(x) * _tanh_slope(x)))
lgamma_ratio = _defined_from(
    0,
    JUMP,
    _function(lambda x: -_lgamma_ratio(x), lambda x, y: _lgamma_ratio_slope(x), lambda x, y, d: -_lgamma_ratio_bend(x)),
)
erf = _function(_erf, lambda x, y: _erf_slope(x), lambda x, y, d: -(TWO * (x * d)))
_logistic = _function(_sigmoid, lambda x, y: _sigmoid_slope(x), lambda x, y, d: -(d * _tanh(HALF * x)))
_logistic_slope = _function(
    _sigmoid_slope,
    lambda x, y: -(y * _tanh(HALF * x)),
    lambda x, y, d: y * (ONE - point(fmpq(6)) * y),
)
_soft_hinge = _function(_softplus, lambda x, y: _sigmoid(x), lambda x, y, d: _sigmoid_slope(x))
_normal_cdf = _function(_ndtr, lambda x, y: _density(x), lambda x, y, d: -(x * d))
_normal_density = _function(_density, lambda x, y: -(x * y), lambda x, y, d: y * (x.power(2) - ONE))
_gate_slope = _function(
    _normal_gate_slope,
    lambda x, y: _density(x) * (TWO - x.power(2)),
    lambda x, y, d: x * _density(x) * (x.power(2) - point(fmpq(4))),
)


def exp(x: Array) -> Array:
    return Power(_exponential(x), jet(x))


def log1p(x: Array) -> Array:
    return softplus(x.exponent, 1) if type(x) is Power else _log_of_more(x)


def sqrt(x: Array) -> Array:
    is_hyperbola = type(x) is Square and jet(x.rest).value.low > 0
    return root_of_square(x.base, x.rest) if is_hyperbola else _root(x)


def minimum(a: Array, b: Array) -> Array:
    a, b = jet(a), jet(b)
    first = a <= b
    if first.must or not first.may:
        return a if first.must else b
    lows, highs = [a.value.low, b.value.low], [a.value.high, b.value.high]
    limit = (a.value.open | b.value.open) & LIMIT
    return _joined(a, b, KINK * first.varies, Bounds(least(lows), least(highs), limit))


def maximum(a: Array, b: Array) -> Array:
    return -minimum(-jet(a), -jet(b))


def absolute(x: Array) -> Array:
    x = jet(x)
    negative = x < 0
    if negative.must or not negative.may:
        return -x if negative.must else x
    return _joined(x, -x, KINK * negative.varies, x.value.absolute())


def sign(x: Array) -> Array:
    x = jet(x)
    return where(x > 0, 1, where(x < 0, -1, 0))


def where(condition: Array, a: Array, b: Array) -> Array:
    condition, a, b = _truth(condition), jet(a), jet(b)
    if condition.must:
        return a
    if not condition.may:
        return b
    return _joined(a, b, (KINK | JUMP) * condition.varies, a.value.hull(b.value))


def _joined(a: Jet, b: Jet, breaks: int, value: Bounds) -> Jet:
    if not breaks and a.slope is None and b.slope is None:
        return Jet(value, None, None, a.breaks | b.breaks)
    slopes = [ZERO if part.slope is None else part.slope for part in (a, b)]
    bends = [ZERO if part.slope is None else part.bend for part in (a, b)]
    bend = None if bends[0] is None or bends[1] is None else bends[0].hull(bends[1])
    return Jet(value, slopes[0].hull(slopes[1]), bend, a.breaks | b.breaks | breaks)


def sigmoid(x: Array, times: Array = 1, low: Array = 0) -> Array:
    return _logistic(jet(x) + low) * times


def sigmoid_slope(x: Array, times: Array = 1, low: Array = 0) -> Array:
    return times * _logistic_slope(jet(x) + low)


def ndtr(x: Array, times: Array = 1) -> Array:
    return times * _normal_cdf(x)


def normal_pdf(x: Array, times: Array = 1) -> Array:
    return times * _normal_density(x)


def normal_gate_slope(x: Array, times: Array = 1) -> Array:
    return times * _gate_slope(x)


def gate_slope(x: Array, y: Array, times: Array, low: Array, y_low: Array) -> Array:
    return sigmoid(x, times, low) * (1 + (y + y_low) * sigmoid(-x, 1, -jet(low)))


def softplus(x: Array, beta: Array) -> Array:
    """Beta cancels from the slope."""
    x, beta = jet(x), jet(beta)
    y = x * beta
    if beta.slope is not None or y.slope is None:
        return _soft_hinge(y) / beta
    inner = Jet(y.value, x.slope, x.bend, x.breaks)
    made = _chained(
        inner, _softplus(y.value), lambda: _sigmoid(y.value), lambda _: beta.value * _sigmoid_slope(y.value)
    )
    return Jet(made.value * beta.value.inverse(), made.slope, made.bend, made.breaks)


def softcap(x: Array, cap: Array) -> Array:
    """The cap cancels from the slope."""
    x, cap = jet(x), jet(cap)
    if cap.slope is not None:
        return tanh(x / cap) * cap
    y = x.value * cap.value.inverse()
    value, slope = _tanh(y), _tanh_slope(y)
    return _chained(x, value * cap.value, lambda: slope, lambda _: -(TWO * (value * slope)) * cap.value.inverse())


def mish_slope(x: Array) -> Array:
    x = jet(x)
    if (x < 0).must:  # one product, whose sign does not depend on a sum of tiny numbers
        small = exp(x)
        left = (1 + x) + small * (1.5 + x + small * (1 + small / 4))
        return small * left / (1 + small * (2 + small * (2 + small * (1 + small / 4))))
    inner = softplus(x, 1)
    return tanh(inner) + x * (sigmoid_slope(2 * inner, 4) * sigmoid(x))


def snake(x: Array, a: Array) -> Array:
    x, a = jet(x), jet(a)
    if a == 0:
        return x
    wave = x + sin(x * a) ** 2 / a
    return _chained(
        x,
        wave.value,
        lambda: ONE + _sine(TWO * (x.value * a.value)),
        lambda _: TWO * (a.value * _cosine(TWO * (x.value * a.value))),
    )


def rational(x: Array, numerator: Any, denominator: Any, order: int) -> Array:
    """Each derivative by its own form, which is bounded where x is not."""
    x, kink = jet(x), KINK if order == 0 else KINK | JUMP
    beyond = (x > 1) | (x < -1)
    far = Truth(beyond.must, beyond.must, varies=False)
    value, first, second = (
        tails.rational(_this, Jet(x.value), numerator, denominator, order + k, closely=False, far=far).value
        for k in range(3)
    )
    made = _chained(x, value, lambda: first, lambda _: second)
    return _broken(made, kink) if (x == 0).may else made


def root_of_square(x: Array, b: Array) -> Array:
    x, b = jet(x), jet(b)
    if b.slope is not None or not b.value.low > 0:
        return _root(x**2 + b)
    value = _sqrt(x.value.power(2) + b.value)
    inverse = value.inverse()
    return _chained(x, value, lambda: _ratio_to_root(x.value, b.value), lambda _: b.value * inverse.power(3))


def _ratio_to_root(x: Bounds, b: Bounds) -> Bounds:
    """x / √(x² + b), which rises with x."""
    near_low, near_high = b.high if x.low > 0 else b.low, b.low if x.high > 0 else b.high
    low, high = (end / (end * end + b_end).sqrt() for end, b_end in ((x.low, near_low), (x.high, near_high)))
    return Bounds(greatest([arb(-1), round_down(low)]), least([arb(1), round_up(high)]), x.open)


def sigmoid_less(x: Array, shift: Array) -> tuple[Array, int]:
    return sigmoid(x) - shift, 0


def sigmoid_mixture(x: Array, share: Array) -> tuple[Array, int]:
    return share * sigmoid(x) + (1 - jet(share)) * sigmoid(-jet(x)), 0


def xlogy(x: Array, y: Array) -> Array:
    return where(jet(x) == 0, 0, x * log(y))


def xlog1py(x: Array, y: Array) -> Array:
    return where(jet(x) == 0, 0, x * log1p(y))


def ratio(x: Array, y: Array) -> Array:
    return where(jet(x) == 0, 0, x / jet(y))


class Row(textbook.Algebra):
    """A row of a first entry that moves and constant others; functions of rows give its first entry."""

    __slots__ = ("first", "others")
    error = IntervalError

    def __init__(self, first: Array, others: tuple[Any, ...]) -> None:
        self.first, self.others = jet(first), tuple(map(jet, others))

    def of(self, x: Any) -> Jet:
        return jet(x)

    def __neg__(self) -> Row:
        return Row(-self.first, tuple(-x for x in self.others))

    def __add__(self, number: Any) -> Row:
        return Row(self.first + number, tuple(x + number for x in self.others))

    def __mul__(self, number: Any) -> Row:
        return Row(self.first * number, tuple(x * number for x in self.others))

    def __truediv__(self, number: Any) -> Row:
        return Row(self.first / number, tuple(x / number for x in self.others))

    __radd__, __rmul__ = __add__, __mul__


def _of_row(function: Callable[[Row], Array]) -> Callable[[Array], Array]:
    def apply(x: Array) -> Array:
        if type(x) is not Row:
            raise IntervalError(f"it uses slopes.ops.{function.__name__.strip('_')}, which takes a row")
        return function(x)

    return apply


def _logit_of_first(x: Row) -> Any:
    """log(p / (1 − p)) for the first entry's softmax p."""
    total = jet(0)
    for other in x.others:
        total = total + exp(other)
    return x.first - log(total)


@_of_row
def softmax(x: Row) -> Array:
    return _logistic(_logit_of_first(x))


@_of_row
def softmax_complement(x: Row) -> Array:
    return _logistic(-_logit_of_first(x))


@_of_row
def log_softmax(x: Row) -> Array:
    return -_soft_hinge(-_logit_of_first(x))


@_of_row
def softmax_logit(x: Row) -> Array:
    return _logit_of_first(x)


@_of_row
def top(x: Row) -> Array:
    largest = x.others[0]
    for other in x.others[1:]:
        largest = maximum(largest, other)
    return where(x.first >= largest, 1, 0)


@_of_row
def above_simplex_threshold(x: Row) -> Array:
    """A piece for each number of others above the threshold, the largest first; pieces meet at rational numbers."""
    others = sorted((other.value.rational for other in x.others if other.value.rational is not None), reverse=True)
    if len(others) < len(x.others):
        raise IntervalError("slopes.ops.above_simplex_threshold takes a row of rational numbers beside x")
    sums = [fmpq(0)]
    for other in others:
        sums.append(sums[-1] + other)

    def piece(n: int) -> Any:
        return (x.first * n + _rational(1 - sums[n])) / (n + 1)

    above = piece(len(others))
    for n in range(len(others) - 1, -1, -1):
        above = where(x.first >= _rational((n + 2) * others[n] - sums[n + 1] + 1), piece(n), above)
    alone = max((sums[n] - 1) / n for n in range(1, len(sums)))  # the threshold of the others
    return where(x.first <= _rational(alone), x.first - _rational(alone), above)


def _rational(x: Any) -> Jet:
    return Jet(point(x))


enter, quiet, differentiable, narrow, result_dtype = textbook.CALL
zero_dimensional = double = double_for = just_above = stop_gradient = with_slope_of = widen = textbook.unchanged
wants_gradient, product, quotient, fma = textbook.wants_no_gradient, textbook.product, textbook.quotient, textbook.fma
rounding_of_difference = textbook.rounding_of_difference
cubic, decay, mish = textbook.cubic, partial(textbook.decay, _this), partial(textbook.mish, _this)
snake_slope = partial(textbook.snake_slope, _this)
parameter = partial(textbook.number_or_choice, lambda value, like: jet(value), TypeError)


def isnan(x: Array) -> Truth:
    return Truth(False, False)


exp_parts = partial(textbook.exp_parts, _this)
