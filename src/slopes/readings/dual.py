"""Dual numbers (value, slope): a body's derivative without a step or the card's own derivative."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any


def _comparing(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    return lambda self, other: bool(compare(self.value, other.value if type(other) is Dual else other))


class Dual:
    """Compared by value. The slope may be an array, of the derivatives by several arguments."""

    __slots__ = ("slope", "value")

    def __init__(self, value: Any, slope: Any) -> None:
        self.value, self.slope = value, slope

    def __add__(self, other: Any) -> Dual:
        if type(other) is Dual:
            return Dual(self.value + other.value, self.slope + other.slope)
        return Dual(self.value + other, self.slope)

    def __sub__(self, other: Any) -> Dual:
        if type(other) is Dual:
            return Dual(self.value - other.value, self.slope - other.slope)
        return Dual(self.value - other, self.slope)

    def __mul__(self, other: Any) -> Dual:
        if type(other) is Dual:
            return Dual(self.value * other.value, self.slope * other.value + self.value * other.slope)
        return Dual(self.value * other, self.slope * other)

    def __truediv__(self, other: Any) -> Dual:
        if type(other) is Dual:
            quotient = self.value / other.value
            return Dual(quotient, (self.slope - quotient * other.slope) / other.value)
        return Dual(self.value / other, self.slope / other)

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: Any) -> Dual:
        return Dual(other, 0) - self

    def __rtruediv__(self, other: Any) -> Dual:
        return Dual(other, 0) / self

    def __pow__(self, power: Any) -> Dual:
        if power == 0:
            return Dual(self.value**power, 0 * self.slope)
        return Dual(self.value**power, power * self.value ** (power - 1) * self.slope)

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.slope)

    def __pos__(self) -> Dual:
        return self

    def __abs__(self) -> Dual:
        return -self if self.value < 0 else self

    __eq__, __ne__ = _comparing(operator.eq), _comparing(operator.ne)
    __lt__, __le__ = _comparing(operator.lt), _comparing(operator.le)
    __gt__, __ge__ = _comparing(operator.gt), _comparing(operator.ge)
    __hash__ = None  # type: ignore[assignment]


def chain(x: Any, function: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Any:
    """function(x), for a dual by the chain rule."""
    if type(x) is not Dual:
        return function(x)
    value = function(x.value)
    return Dual(value, (value if slope is function else slope(x.value)) * x.slope)  # exp is its own slope
