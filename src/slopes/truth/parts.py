"""Exact results: balls that become numbers of mpmath, or pairs of floats, with which NumPy compares them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

SMALLEST = 5e-324
LEAST, MOST = 1e-270, 1e300  #: between them, two floats hold a number


def bits_of(digits: int) -> int:
    """Bits that a ball must have right for so many digits."""
    from slopes.readings.exact import BITS

    return int(digits * BITS) + 4


class Balls:
    """Balls of Arb that have so many digits; an index gives numbers of mpmath."""

    def __init__(self, balls: Any, digits: int) -> None:
        self.balls, self.digits = np.asarray(balls), digits
        self.shape = self.balls.shape

    def __getitem__(self, index: Any) -> Any:
        from slopes.readings.exact import number, to_mpmath

        bits = 2 * bits_of(self.digits)

        def public(x: Any) -> Any:
            return to_mpmath(number(0) if x.contains(0) and abs(x) < SMALLEST else x, bits)

        return np.asarray(np.frompyfunc(public, 1, 1)(self.balls[index]))[()]


class Parts(NamedTuple):
    """Numbers (high + low) · 2**exponent as arrays, where high is in [½, 1) or 0, and low is below its last place."""

    high: Any
    low: Any
    exponent: Any


def split(exact: Any) -> Parts:
    """Split balls, numbers of mpmath or floats; `Parts` are returned."""
    if isinstance(exact, Parts):
        return exact
    if isinstance(exact, Balls):
        return Parts(*_arrays(_split_ball, exact.balls))
    exact = np.asarray(exact)
    if exact.dtype != object:
        high, exponent = np.frexp(exact.astype(np.float64))
        return Parts(high, np.zeros_like(high), exponent.astype(int))
    return Parts(*_arrays(_split, exact))


def _arrays(split: Callable[[Any], tuple[float, float, int]], exact: Any) -> tuple[Any, Any, Any]:
    with np.errstate(all="ignore"):
        high, low, exponent = (
            np.asarray(x) for x in np.frompyfunc(lambda x: _split_ordinary(x) or split(x), 1, 3)(exact)
        )
        high, further = np.frexp(high.astype(float))
        return high, np.ldexp(low.astype(float), -further), exponent.astype(int) + further


def _split_ordinary(x: Any) -> tuple[float, float, int] | None:
    """Split a number that is neither tiny nor huge; None for others."""
    high = float(x)
    return (high, float(x - high), 0) if LEAST < abs(high) < MOST else None


def _split(x: Any) -> tuple[float, float, int]:
    is_negative, mantissa, exponent, bits = getattr(x, "_mpf_", (0, 0, 0, 0))
    if not mantissa:  # 0, inf and NaN; a float
        high, exponent = math.frexp(x)
        return high, 0.0, exponent
    return _split_integer(-mantissa if is_negative else mantissa, int(exponent), int(bits))


def _split_ball(x: Any) -> tuple[float, float, int]:
    if not x.is_finite():
        return math.nan if x.is_nan() else math.copysign(math.inf, x > 0 or -1), 0.0, 0
    if x.contains(0) and abs(x) < SMALLEST:
        return 0.0, 0.0, 0
    mantissa, exponent = map(int, x.mid().man_exp())
    return _split_integer(mantissa, exponent, mantissa.bit_length())


def _split_integer(mantissa: int, exponent: int, bits: int) -> tuple[float, float, int]:
    size, sign = abs(mantissa), -1.0 if mantissa < 0 else 1.0
    excess = max(bits - 53, 0)
    rest = size & ((1 << excess) - 1)
    further = max(excess - 53, 0)
    high = math.ldexp(size >> excess, excess - bits)
    low = math.ldexp(rest >> further, further - bits)
    # beyond these powers of 2 a number is inf or 0 in any format
    return sign * high, sign * low, min(max(exponent + bits, -(2**20)), 2**20)
