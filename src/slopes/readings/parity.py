"""The parity reading: whether a body is an odd or an even function, by its form alone.

The body runs on x and on −x, for a number x > 0 of which nothing else is known. A `Signed` is plus or minus an
expression; expressions of the same form have the same place in a table. A sign moves out of products, odd functions and
the branches of a `where`, so that an odd body gives one expression with both signs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any, NoReturn

from slopes.constants import Array, Constant
from slopes.readings import textbook

_this = sys.modules[__name__]


class ParityError(Exception):
    """A body has operations whose parity is not known."""


def __getattr__(name: str) -> NoReturn:
    if name.startswith("_"):
        raise AttributeError(name)
    raise ParityError(f"nothing is known of the parity of slopes.ops.{name}")


class Table:
    """The expressions of one run by their form, and those that are positive."""

    def __init__(self) -> None:
        self.places: dict[tuple[Any, ...], int] = {}
        self.positive: set[int] = set()
        self.x = self.signed(1, ("x",), positive=True)
        self.zero = self.signed(1, ("constant", "0"))

    def signed(self, sign: int, form: tuple[Any, ...], positive: bool = False) -> Signed:
        place = self.places.setdefault(form, len(self.places))
        if positive:
            self.positive.add(place)
        return Signed(self, sign, place)

    def constant(self, x: Any) -> Signed:
        if not x or x != x:
            return self.zero if x == x else self.signed(1, ("constant", "nan"))
        text = x.text if type(x) is Constant else str(Fraction(abs(x))) if abs(x) < float("inf") else "inf"
        return self.signed(1 if x > 0 else -1, ("constant", text), positive=True)


class Signed(textbook.Algebra):
    """Plus or minus the expression at a place of the table."""

    __slots__ = ("place", "sign", "table")
    __hash__ = None
    error = ParityError

    def __init__(self, table: Table, sign: int, place: int) -> None:
        self.table, self.sign, self.place = table, sign, place

    @property
    def key(self) -> tuple[int, int]:
        return (0 if self.is_zero else self.sign, self.place)

    @property
    def is_zero(self) -> bool:
        return self.place == self.table.zero.place

    @property
    def known_sign(self) -> int | None:
        if self.is_zero:
            return 0
        return self.sign if self.place in self.table.positive else None

    def of(self, x: Any) -> Signed:
        return x if type(x) is Signed else self.table.constant(x)

    def __neg__(self) -> Signed:
        return Signed(self.table, -self.sign, self.place)

    def __abs__(self) -> Any:
        return absolute(self)

    def __add__(self, other: Any) -> Signed:
        a, b = sorted((self, self.of(other)), key=lambda x: x.place)
        if a.is_zero or b.is_zero:
            return b if a.is_zero else a
        if a.place == b.place and a.sign != b.sign:
            return self.table.zero
        signs = (a.known_sign, b.known_sign)
        form = ("add", a.place, b.place, a.sign * b.sign)
        return self.table.signed(a.sign, form, positive=signs[0] == signs[1] and signs[0] is not None)

    def __mul__(self, other: Any) -> Any:
        other = self.of(other)
        one = self.table.constant(1).place
        if self.is_zero or other.is_zero:
            return self.table.zero
        for factor, rest in ((self, other), (other, self)):
            if factor.place == one:
                return Signed(self.table, factor.sign * rest.sign, rest.place)
        form = ("multiply", *sorted((self.place, other.place)))
        return self.table.signed(self.sign * other.sign, form, positive=_are_known(self, other))

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Any) -> Signed:
        other = self.of(other)
        if other.is_zero:
            raise ParityError("it divides by 0")
        if self.is_zero:
            return self
        form = ("divide", self.place, other.place)
        return self.table.signed(self.sign * other.sign, form, positive=_are_known(self, other))

    def __pow__(self, power: Any) -> Signed:
        if isinstance(power, (int, float)) and float(power).is_integer():
            positive = self.place in self.table.positive
            sign = self.sign if power % 2 else 1
            return self.table.signed(sign, ("power", self.place, float(power)), positive)
        return _other("power", self, power)

    def __lt__(self, other: Any) -> Any:
        return _compare("<", self, self.of(other))

    def __le__(self, other: Any) -> Any:
        return _compare("<=", self, self.of(other))

    def __gt__(self, other: Any) -> Any:
        return _compare("<", self.of(other), self)

    def __ge__(self, other: Any) -> Any:
        return _compare("<=", self.of(other), self)

    def __eq__(self, other: Any) -> Any:
        a, b = self, self.of(other)
        if a.key == b.key:
            return Condition(self.table, True)
        if None not in (a.known_sign, b.known_sign) and a.known_sign != b.known_sign:
            return Condition(self.table, False)
        return Condition(self.table, ("==", min(tuple(sorted((x.key, y.key))) for x, y in ((a, b), (-a, -b)))))


def _are_known(a: Signed, b: Signed) -> bool:
    return a.place in a.table.positive and b.place in b.table.positive


class Condition:
    """The outcome of a comparison: True, False, or a form of its own."""

    __slots__ = ("form", "table")

    def __init__(self, table: Table, form: Any) -> None:
        self.table, self.form = table, form

    def of(self, x: Any) -> Condition:
        return x if type(x) is Condition else Condition(self.table, bool(x))

    def __invert__(self) -> Condition:
        if isinstance(self.form, bool):
            return Condition(self.table, not self.form)
        return Condition(self.table, self.form[1] if self.form[0] == "not" else ("not", self.form))

    def __and__(self, other: Any) -> Condition:
        other = self.of(other)
        for one, two in ((self, other), (other, self)):
            if isinstance(one.form, bool):
                return two if one.form else one
        return Condition(self.table, ("and", *sorted((self.form, other.form), key=repr)))

    def __or__(self, other: Any) -> Condition:
        return ~(~self & ~self.of(other))

    __rand__, __ror__ = __and__, __or__

    def __bool__(self) -> bool:
        if not isinstance(self.form, bool):
            raise ParityError("it branches on a value; use slopes.ops.where")
        return self.form


def _compare(sign: str, a: Signed, b: Signed) -> Condition:
    """Whether a < b or a <= b, which is the same of −b and −a."""
    if a.key == b.key:
        return Condition(a.table, sign == "<=")
    first, second = a.known_sign, b.known_sign
    if first is not None and second is not None and (first != second or first == 0):
        return Condition(a.table, first < second or (first == second and sign == "<="))
    return Condition(a.table, (sign, min((a.key, b.key), ((-b).key, (-a).key))))


def where(condition: Array, a: Array, b: Array) -> Array:
    form, table = condition.form, condition.table
    if isinstance(form, bool):
        return a if form else b
    a, b = (x if type(x) is Signed else table.constant(x) for x in (a, b))
    if a.key == b.key:
        return a
    sign = b.sign if a.is_zero else a.sign
    positive = a.known_sign == b.known_sign and a.known_sign is not None
    parts = tuple((0 if x.is_zero else x.sign * sign, x.place) for x in (a, b))
    return table.signed(sign, ("where", form, *parts), positive=positive)


def minimum(a: Array, b: Array) -> Array:
    a, b = (b.of(a), b) if type(b) is Signed else (a, a.of(b))
    first = a <= b
    if isinstance(first.form, bool):
        return a if first.form else b
    positive = a.known_sign == b.known_sign == 1
    return a.table.signed(1, ("minimum", *sorted((a.key, b.key))), positive=positive)


def maximum(a: Array, b: Array) -> Array:
    return -minimum(-a, -b)


def absolute(x: Array) -> Array:
    return Signed(x.table, 1, x.place) if x.place in x.table.positive else x.table.signed(1, ("absolute", x.place))


def sign(x: Array) -> Array:
    return x if x.is_zero else x.table.constant(x.sign) if x.known_sign else x.table.signed(x.sign, ("sign", x.place))


def _odd(name: str) -> Callable[..., Array]:
    def apply(x: Array, *rest: Array) -> Array:
        places = tuple(x.of(other).key for other in rest)
        return x if x.is_zero else x.table.signed(x.sign, (name, x.place, *places), positive=x.known_sign is not None)

    return apply


def _even(name: str) -> Callable[..., Array]:
    return lambda x, *rest: x.table.signed(1, (name, x.place, *(x.of(other).key for other in rest)))


def _other(name: str, x: Signed, *rest: Any) -> Signed:
    positive = name in ("exp", "sigmoid", "ndtr")
    return x.table.signed(1, (name, x.key, *(x.of(other).key for other in rest)), positive=positive)


tanh, sinh, erf, tanhshrink = _odd("tanh"), _odd("sinh"), _odd("erf"), _odd("tanhshrink")
softcap = _odd("softcap")
cos, root_of_square = _even("cos"), _even("root_of_square")
exp, expm1, log, log1p, sqrt, softplus = (
    partial(_other, name) for name in ("exp", "expm1", "log", "log1p", "sqrt", "softplus")
)


lgamma_ratio = partial(_other, "lgamma_ratio")


def sin(x: Array) -> Array:
    """No sign is known of it."""
    return x if x.is_zero else x.table.signed(x.sign, ("sin", x.place))


def sigmoid(x: Array, times: Array, low: Array) -> Array:
    return _other("sigmoid", x + low) * times


def sigmoid_slope(x: Array, times: Array, low: Array) -> Array:
    return x.table.signed(1, ("sigmoid_slope", (x + low).place), positive=True) * times


def ndtr(x: Array, times: Array) -> Array:
    return _other("ndtr", x) * times


def normal_pdf(x: Array, times: Array) -> Array:
    return x.table.signed(1, ("normal_pdf", x.place), positive=True) * times


enter, quiet, differentiable, narrow, result_dtype = textbook.CALL
zero_dimensional = double = double_for = just_above = stop_gradient = with_slope_of = widen = textbook.unchanged
wants_gradient, product, quotient, fma = textbook.wants_no_gradient, textbook.product, textbook.quotient, textbook.fma
rounding_of_difference = textbook.rounding_of_difference
cubic, decay = textbook.cubic, partial(textbook.decay, _this)
parameter = partial(textbook.number_or_choice, lambda value, like: like.of(value), ParityError)


def find_parity(body: Callable[[Any], Any], x: Signed) -> str | None:
    """Return "odd" or "even" if the body has that form for all x > 0, else None."""
    right, left = (x.of(body(argument)) for argument in (x, -x))
    if left.key == right.key:
        return "even"
    return "odd" if left.key == (-right).key else None
