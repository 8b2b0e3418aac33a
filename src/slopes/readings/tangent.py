"""Tangents: a value and its derivative in one direction, carried forward through a body.

The value is an array, a value of a trace, or a tangent again, and is computed by the reading of its own type: the slope
body of a card at a tangent gives the second derivative, as numbers or as lines of a program.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, NoReturn

from slopes.constants import Array, sqrt2
from slopes.readings import textbook

_this = sys.modules[__name__]


class TangentError(Exception):
    """A body uses something that has no tangent."""


def __getattr__(name: str) -> NoReturn:
    if name.startswith("__"):
        raise AttributeError(name)
    raise TangentError(f"it uses slopes.ops.{name}, whose second derivative is not known")


def _reading(x: Any) -> ModuleType:
    """The reading of a value."""
    if type(x).__module__ in ("slopes.readings.trace", __name__):
        return sys.modules[type(x).__module__]
    from slopes.readings import numpy

    return numpy


class Condition:
    """Comparison of values, by which `where` chooses values and slopes."""

    __slots__ = ("holds",)

    def __init__(self, holds: Any) -> None:
        self.holds = holds

    def __and__(self, other: Any) -> Condition:
        return Condition(self.holds & _holds(other))

    def __or__(self, other: Any) -> Condition:
        return Condition(self.holds | _holds(other))

    def __invert__(self) -> Condition:
        return Condition(~self.holds)

    __rand__, __ror__ = __and__, __or__


def _holds(x: Any) -> Any:
    return x.holds if isinstance(x, Condition) else x


def _comparing(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Condition]:
    return lambda self, other: Condition(compare(self.value, value_of(other)))


class Tangent(textbook.Algebra):
    """A value and its slope; None is the slope of a constant."""

    __slots__ = ("slope", "value")
    __hash__ = None
    error = TangentError

    def __init__(self, value: Any, slope: Any = None) -> None:
        self.value, self.slope = value, slope

    def of(self, x: Any) -> Tangent:
        return tangent(x)

    @property
    def ndim(self) -> int:
        return self.value.ndim  # type: ignore[no-any-return]

    @property
    def shape(self) -> Any:  # type: ignore[override]
        return self.value.shape

    @property
    def dtype(self) -> Any:  # type: ignore[override]
        return self.value.dtype

    def __getitem__(self, key: Any) -> Tangent:  # type: ignore[override]
        return Tangent(self.value[key], None if self.slope is None else self.slope[key])

    def __neg__(self) -> Tangent:
        return Tangent(-self.value, None if self.slope is None else -self.slope)

    def __abs__(self) -> Tangent:
        return absolute(self)

    def __add__(self, other: Any) -> Tangent:
        return Tangent(self.value + value_of(other), _total(self.slope, slope_of(other)))

    def __mul__(self, other: Any) -> Tangent:
        value = value_of(other)
        slope = _total(_scaled(self.slope, value), _scaled(slope_of(other), self.value))
        return Tangent(self.value * value, slope)

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Any) -> Tangent:
        value, slope = value_of(other), slope_of(other)
        quotient = self.value / value
        rest = None if slope is None else -(quotient * slope)
        total = _total(self.slope, rest)
        return Tangent(quotient, None if total is None else total / value)

    def __pow__(self, power: Any) -> Any:
        if slope_of(power) is not None:
            raise TangentError("it raises to a power that depends on the prediction")
        power = value_of(power)
        if self.slope is None:
            return Tangent(self.value**power)
        return Tangent(self.value**power, self.slope * (power * self.value ** (power - 1)))

    def __rpow__(self, base: Any) -> Any:
        if isinstance(base, (int, float)) and base > 0:
            return exp(self * math.log(base))
        raise TangentError("it raises an array to a power that depends on the prediction")

    __eq__, __ne__ = _comparing(operator.eq), _comparing(operator.ne)  # type: ignore[assignment]
    __lt__, __le__ = _comparing(operator.lt), _comparing(operator.le)
    __gt__, __ge__ = _comparing(operator.gt), _comparing(operator.ge)


def tangent(x: Any) -> Tangent:
    """Return x, or a constant."""
    return x if isinstance(x, Tangent) else Tangent(x)


def value_of(x: Any) -> Any:
    return x.value if isinstance(x, Tangent) else x


def slope_of(x: Any) -> Any:
    return x.slope if isinstance(x, Tangent) else None


def _total(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return b if a is None else a
    return a + b


def _scaled(slope: Any, by: Any) -> Any:
    return None if slope is None else slope * by


# --------------------------------------------------------------------------------------- primitives


def _chained(name: str, rise: Callable[[ModuleType, Any, Any], Any]) -> Callable[[Array], Tangent]:
    """A primitive of one argument; `rise` gives its derivative from (reading, argument, result)."""

    def apply(x: Array) -> Tangent:
        x = tangent(x)
        r = _reading(x.value)
        y = getattr(r, name)(x.value)
        return Tangent(y, None if x.slope is None else x.slope * rise(r, x.value, y))

    return apply


exp = _chained("exp", lambda r, x, y: y)
expm1 = _chained("expm1", lambda r, x, y: r.exp(x))
log = _chained("log", lambda r, x, y: 1 / x)
log1p = _chained("log1p", lambda r, x, y: 1 / (1 + x))
sqrt = _chained("sqrt", lambda r, x, y: 0.5 / y)
sin = _chained("sin", lambda r, x, y: r.cos(x))
cos = _chained("cos", lambda r, x, y: -r.sin(x))
sinh = _chained("sinh", lambda r, x, y: r.exp(x) - y)
tanh = _chained("tanh", lambda r, x, y: 4 * r.sigmoid_slope(2 * x, 1.0, 0.0))
tanhshrink = _chained("tanhshrink", lambda r, x, y: r.tanh(x) ** 2)
erf = _chained("erf", lambda r, x, y: r.normal_pdf(x * sqrt2, 2 * sqrt2))
expm1_less = _chained("expm1_less", lambda r, x, y: r.expm1(x))
absolute = _chained("absolute", lambda r, x, y: r.sign(x))


def sign(x: Array) -> Tangent:
    return Tangent(_reading(value_of(x)).sign(value_of(x)))


def parameter(name: str, value: Any, like: Array = None) -> Any:
    """A number, as the parameters of a sum's terms are."""
    return value


def stop_gradient(x: Array) -> Any:
    return Tangent(value_of(x)) if isinstance(x, Tangent) else x


def with_slope_of(value: Array, form: Callable[[], Array]) -> Array:
    return Tangent(value_of(value), slope_of(form()))


def rounding_of_difference(x: Array, y: Array) -> Tangent:
    return Tangent(_reading(value_of(x)).rounding_of_difference(value_of(x), value_of(y)))


def double(x: Array) -> Array:
    r = _reading(x.value)
    return Tangent(r.double(x.value), None if x.slope is None else r.double(x.slope))


def double_for(x: Array, *parameters: Array) -> Array:
    return double(x)


zero_dimensional = just_above = textbook.unchanged


def where(condition: Array, a: Array, b: Array) -> Tangent:
    holds = _holds(condition)
    r = _reading(holds)
    value = r.where(holds, value_of(a), value_of(b))
    slopes = slope_of(a), slope_of(b)
    if slopes[0] is None and slopes[1] is None:
        return Tangent(value)
    return Tangent(value, r.where(holds, *(0.0 if slope is None else slope for slope in slopes)))


def minimum(a: Array, b: Array) -> Tangent:
    a, b = tangent(a), tangent(b)
    return where((a <= b) | (a != a), a, b)


def maximum(a: Array, b: Array) -> Tangent:
    a, b = tangent(a), tangent(b)
    return where((a >= b) | (a != a), a, b)


def sigmoid(x: Array, times: Array = 1.0, low: Array = 0.0) -> Tangent:
    """The argument's tangent includes its further digits."""
    z, t, rest = value_of(x), value_of(times), value_of(low)
    r = _reading(z if not isinstance(z, float) else t)
    total = _total(slope_of(x), slope_of(low))
    slope = None if total is None else total * r.sigmoid_slope(z, t, rest)
    if slope_of(times) is not None:
        slope = _total(slope, times.slope * r.sigmoid(z, 1.0, rest))
    return Tangent(r.sigmoid(z, t, rest), slope)


def sigmoid_slope(x: Array, times: Array = 1.0, low: Array = 0.0) -> Tangent:
    z, t, rest = value_of(x), value_of(times), value_of(low)
    r = _reading(z)
    y = r.sigmoid_slope(z, t, rest)
    total = _total(slope_of(x), slope_of(low))
    slope = None if total is None else total * (-y * r.tanh(0.5 * z))
    if slope_of(times) is not None:
        slope = _total(slope, times.slope * r.sigmoid_slope(z, 1.0, rest))
    return Tangent(y, slope)


def softplus(x: Array, beta: Array = 1.0) -> Tangent:
    r = _reading(x.value)
    if slope_of(beta) is not None:
        raise TangentError("it takes a softplus whose beta depends on the prediction")
    beta = value_of(beta)
    slope = None if x.slope is None else x.slope * r.sigmoid(beta * x.value, 1.0, 0.0)
    return Tangent(r.softplus(x.value, beta), slope)


def decay(x: Array, times: Array) -> Tangent:
    z, t = value_of(x), value_of(times)
    r = _reading(z)
    y = r.decay(z, t)
    slope = None if slope_of(times) is None else times.slope * r.exp(z)
    return Tangent(y, _total(_scaled(slope_of(x), y), slope))


def xlogy(x: Array, y: Array) -> Tangent:
    a, b = value_of(x), value_of(y)
    r = _reading(a if not isinstance(a, float) else b)
    slope = None if slope_of(y) is None else y.slope * r.ratio(a, b)
    if slope_of(x) is not None:
        slope = _total(slope, x.slope * r.log(b))
    return Tangent(r.xlogy(a, b), slope)


def xlog1py(x: Array, y: Array) -> Tangent:
    a, b = value_of(x), value_of(y)
    r = _reading(a if not isinstance(a, float) else b)
    slope = None if slope_of(y) is None else y.slope * r.ratio(a, 1 + b)
    if slope_of(x) is not None:
        slope = _total(slope, x.slope * r.log1p(b))
    return Tangent(r.xlog1py(a, b), slope)


def ratio(x: Array, y: Array) -> Tangent:
    x, y = tangent(x), tangent(y)
    return where(x == 0, 0.0, x / where(x == 0, 1.0, y))


def fma(x: Array, a: Array, c: Array) -> Tangent:
    result: Tangent = tangent(x) * a + c
    return result


def sigmoid_less(x: Array, shift: Array) -> tuple[Array, float]:
    return sigmoid(x) - shift, 0.0


def sigmoid_mixture(x: Array, share: Array) -> tuple[Array, float]:
    return share * sigmoid(x) + (1 - share) * sigmoid(-x), 0.0


product, quotient = textbook.product, textbook.quotient
mish, softcap = partial(textbook.mish, _this), partial(textbook.softcap, _this)
root_of_square = partial(textbook.root_of_square, _this)


# ------------------------------------------------------------------------------- rows: the last axis


def sum(x: Array) -> Tangent:
    r = _reading(x.value)
    return Tangent(r.sum(x.value), None if x.slope is None else r.sum(x.slope))


def entry(x: Array, place: int) -> Tangent:
    return Tangent(x.value[..., place], None if x.slope is None else x.slope[..., place])


def softmax(x: Array) -> Tangent:
    r = _reading(x.value)
    p = r.softmax(x.value)
    return Tangent(p, None if x.slope is None else p * (x.slope - r.sum(p * x.slope)))


def softmax_complement(x: Array) -> Tangent:
    slope = softmax(x).slope
    return Tangent(_reading(x.value).softmax_complement(x.value), None if slope is None else -slope)


def log_softmax(x: Array) -> Tangent:
    r = _reading(x.value)
    slope = None if x.slope is None else x.slope - r.sum(r.softmax(x.value) * x.slope)
    return Tangent(r.log_softmax(x.value), slope)


def softmax_logit(x: Array) -> Tangent:
    r, slope = _reading(x.value), log_softmax(x).slope
    return Tangent(r.softmax_logit(x.value), None if slope is None else slope / r.softmax_complement(x.value))


def sum_others(values: Array, x: Array) -> Tangent:
    values = tangent(values)
    r = _reading(values.value)
    slope = None if values.slope is None else r.sum(values.slope) - values.slope
    return Tangent(r.sum_others(values.value, value_of(x)), slope)


def expected(values: Array, target: Array) -> Tangent:
    r, at = _reading(values.value), value_of(target)
    if values.slope is None:
        return Tangent(r.expected(values.value, at), None)
    slope = r.where(values.value == values.value, values.slope, values.slope)  # of a sum it is one number for all
    return Tangent(r.expected(values.value, at), r.expected(slope, at))


def expected_log(values: Array, target: Array) -> Tangent:
    r, at = _reading(values.value), value_of(target)
    slope = None if values.slope is None else r.expected(values.slope / values.value, at)
    return Tangent(r.expected_log(values.value, at), slope)


def one_hot(target: Array, like: Array) -> Tangent:
    return target if isinstance(target, Tangent) else Tangent(_reading(like.value).one_hot(target, like.value))


def top(x: Array) -> Tangent:
    return Tangent(_reading(x.value).top(x.value))


exp_parts = partial(textbook.exp_parts, _this)
