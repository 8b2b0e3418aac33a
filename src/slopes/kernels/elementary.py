"""Elementary functions for kernels, in the arithmetic of their argument, float32 or float64.

Each is a straight line of operations on numbers, so that a loop of them vectorises: library functions do not, and
cost ten times as much. Their polynomials come from ``tools/fit_elementary.py``.
"""

from __future__ import annotations

import math
from typing import Any

from numba import njit

from slopes.kernels import coefficients
from slopes.kernels.machine import (
    divided_by_power,
    exponent_of,
    fma,
    nearest,
    number,
    polynomial,
    power_of_two,
    where,
    with_sign_of,
)  # fmt: skip

#: `contract` is left out, because error-free sums need each of their roundings; `fma` stands where one helps
OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}
inlined = njit(forceinline=True, **OPTIONS)

ZERO, HALF, ONE, TWO = number(0.0), number(0.5), number(1.0), number(2.0)
INFINITY, NAN = number(math.inf), number(math.nan)

LOG2_E = number(1.4426950408889634)
LOG2_HIGH = number(0.693145751953125, 0.6931471803691238)  # of so few digits that products with exponents are exact
LOG2_LOW = number(1.428606765330187e-06, 1.9082149292705877e-10)
LEAST, MOST = number(-193.0, -1455.0), number(89.0, 710.0)  #: beyond which exp is 0, even times the largest number
ENDED = number(-1445.125)
THIRD = number(0.3333333)
expm1_tail = polynomial(coefficients.EXPM1_SINGLE, coefficients.EXPM1_DOUBLE)
log_tail = polynomial(coefficients.LOG_SINGLE, coefficients.LOG_DOUBLE)
tanh_tail = polynomial(coefficients.TANH_SINGLE, coefficients.TANH_DOUBLE)


@inlined
def reduced(x):
    """(k, expm1(r)) with x = k·log(2) + r, |r| <= log(2)/2, for x confined to where exp has not ended."""
    x = where(x < LEAST(x), LEAST(x), x)
    x = where(x > MOST(x), MOST(x), x)
    k = nearest(x * LOG2_E(x))
    r = fma(k, -LOG2_LOW(x), fma(k, -LOG2_HIGH(x), x))
    return k, fma(r * r, expm1_tail(r), r)


@inlined
def factors(k):
    """(a, b), normal numbers with a·a·b = 2^k; for a k < 0 the first is below 1."""
    part = nearest(fma(k, THIRD(k), -THIRD(k)))
    return power_of_two(part), power_of_two(k - part - part)


@inlined
def exp(x):
    """The exponential."""
    k, growth = reduced(x)
    factor, rest = factors(k)
    return (growth + ONE(x)) * factor * factor * rest


@inlined
def decay(x, times, low):
    """(times + low) · exp(x) for x <= 0 and a low that is small beside times, and nothing where it is NaN."""
    k, growth = reduced(x)
    ended = x < ENDED(x)  # where 0 beats an infinite `times`
    factor, rest = factors(k)  # before the growth, lest a product overflow
    low = where(ended | (low != low), ZERO(x), low) * factor
    times = where(ended, ZERO(x), times) * factor
    total = times + fma(times, growth, fma(low, growth, low))
    return where(times == ZERO(x), times, total) * factor * rest  # which keeps the sign of 0


@inlined
def expm1(x):
    """exp(x) − 1."""
    k, growth = reduced(where(x < number_below(x), number_below(x), x))
    half = power_of_two(k - ONE(x))
    risen = TWO(x) * fma(half, growth, half - HALF(x))
    return where(abs(x) < TINY(x), x, risen)


number_below = number(-40.0)  #: where exp(x) − 1 is −1
TINY = number(1e-12, 1e-20)  #: up to which exp(x) − 1, tanh(x) and log(1 + x) are x


@inlined
def log_of_sum(u, low):
    """log(u + low) for a normal u > 0 and a low that is small beside it."""
    k = exponent_of(u)
    scale = power_of_two(where(k < FAR(u), -k, -FAR(u)))  # further out `low` no longer counts
    f = (divided_by_power(u, k) - ONE(u)) + low * scale
    s = f / (TWO(u) + f)
    z = s * s
    half = HALF(u) * f * f
    rest = s * (half + z * log_tail(z))
    return fma(k, LOG2_HIGH(u), f - (half - (rest + k * LOG2_LOW(u))))


FAR = number(126.0)


@inlined
def log(x):
    """The natural logarithm."""
    small = x < LEAST_NORMAL(x)
    value = log_of_sum(where(small, x * LIFT(x), x), ZERO(x)) - where(small, LOG_OF_LIFT(x), ZERO(x))
    value = where(x == ZERO(x), -INFINITY(x), where(x < ZERO(x), NAN(x), value))
    return where(x < INFINITY(x), value, x)


LEAST_NORMAL = number(1.1754943508222875e-38, 2.2250738585072014e-308)
LIFT = number(2.0**24, 2.0**54)
LOG_OF_LIFT = number(24 * math.log(2), 54 * math.log(2))


@inlined
def log1p(x):
    """log(1 + x)."""
    u = ONE(x) + x
    part = u - x  # of two_sum
    low = (ONE(x) - part) + (x - (u - part))
    value = where(abs(x) < TINY(x), x, log_of_sum(u, low))
    value = where(u == ZERO(x), -INFINITY(x), where(u < ZERO(x), NAN(x), value))
    return where(x < INFINITY(x), value, x)


@inlined
def tanh(x):
    """The hyperbolic tangent."""
    size = abs(x)
    near = where(size < NEAR(x), size, ZERO(x))
    square = near * near
    inner = fma(square * tanh_tail(square), near, near)
    outer = ONE(x) - TWO(x) / (exp(size + size) + ONE(x))
    return with_sign_of(where(size < NEAR(x), inner, outer), x)


NEAR = number(0.625)


@inlined
def sinh(x):
    """The hyperbolic sine."""
    size = abs(x)
    growth = expm1(where(size < ONE(x), size, ZERO(x)))
    inner = (growth + growth / (growth + ONE(x))) * HALF(x)
    root = exp(size * HALF(x))
    outer = HALF(x) * root * root - HALF(x) / (root * root)
    return with_sign_of(where(size < ONE(x), inner, outer), x)


@inlined
def sqrt(x):
    """The square root."""
    return math.sqrt(x)


@inlined
def sin(x):
    """The sine, by the C library."""
    return math.sin(x)


@inlined
def cos(x):
    """The cosine, by the C library."""
    return math.cos(x)
