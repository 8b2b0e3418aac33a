"""Mathematical constants for the bodies of cards."""

from __future__ import annotations

from typing import Any

Array = Any  #: a NumPy array, torch tensor, exact number or symbol


class Constant(float):
    """A mathematical constant, which each reading resolves to its own digits.

    Its value is the nearest float64, `high`, plus `low`; the exact and the symbolic reading evaluate `text`.
    """

    __slots__ = ("high", "low", "text")
    high: float
    low: float
    text: str

    def __new__(cls, text: str, high: float, low: float) -> Constant:
        """Make the constant."""
        self = super().__new__(cls, high)
        self.text, self.high, self.low = text, high, low
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Constant, (self.text, float(self), self.low)


pi = Constant("pi", 3.141592653589793, 1.2246467991473532e-16)
sqrt2 = Constant("sqrt(2)", 1.4142135623730951, -9.667293313452913e-17)
log2 = Constant("log(2)", 0.6931471805599453, 2.3190468138462996e-17)
e = Constant("E", 2.718281828459045, 1.4456468917292502e-16)
