"""Dual numbers (value, slope): a body's derivative without a step or the card's own derivative."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any


def _comparing(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    return lambda self, other: bool(compare(self.value, _parts(other)[0]))


class Dual:
    """Compared by value."""

    __slots__ = ("slope", "value")

    def __init__(self, value: Any, slope: Any) -> None:
        self.value, self.slope = value, slope

    def __add__(self, other: Any) -> Dual:
        value, slope = _parts(other)
        return Dual(self.value + value, self.slope + slope)

    def __sub__(self, other: Any) -> Dual:
        value, slope = _parts(other)
        return Dual(self.value - value, self.slope - slope)

    def __mul__(self, other: Any) -> Dual:
        value, slope = _parts(other)
        return Dual(self.value * value, self.slope * value + self.value * slope)

    def __truediv__(self, other: Any) -> Dual:
        value, slope = _parts(other)
        quotient = self.value / value
        return Dual(quotient, (self.slope - quotient * slope) / value)

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


def _parts(x: Any) -> tuple[Any, Any]:
    return (x.value, x.slope) if type(x) is Dual else (x, 0)


def chain(x: Any, function: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Any:
    """function(x), for a dual by the chain rule."""
    if type(x) is not Dual:
        return function(x)
    value = function(x.value)
    return Dual(value, (value if slope is function else slope(x.value)) * x.slope)  # exp is its own slope
