"""Elementary functions for kernels, in the arithmetic of their argument, float32 or float64.

Each is a straight line, so that its loop vectorises; library functions cost ten times as much. `slopes.ops` says which
result each has, docstrings how.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from slopes.kernels.arithmetic import coefficients
from slopes.kernels.arithmetic.machine import (
    binary_logarithm,
    bits_of,
    divided_by_power,
    exponent_in,
    exponent_of,
    fma,
    is_odd,
    lowered_scales_in,
    nearest,
    negated_by_bit,
    number,
    polynomial,
    power_of_two,
    rounded_as,
    scales_in,
    upper_product,
    where,
    with_sign_of,
)

#: No `contract`: error-free sums need each rounding; `fma` stands where fusing helps.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True, "no_cfunc_wrapper": True}  # nothing calls C wrappers
#: of functions that kernels alone call
INNER = OPTIONS | {"no_cpython_wrapper": True}
inlined = njit(forceinline=True, **INNER)

ZERO, HALF, ONE, TWO = number(0.0), number(0.5), number(1.0), number(2.0)
QUARTER, THREE_HALVES = number(0.25), number(1.5)
INFINITY, NAN = number(math.inf), number(math.nan)

LOG2_HIGH = number(0.693145751953125, 0.6931471803691238)  # few digits: products with exponents are exact
LOG2_LOW = number(1.428606765330187e-06, 1.9082149292705877e-10)
MOST = number(89.0, 710.0)  #: exp is infinite from here on
LEAST = number(-104.0, -746.0)  #: exp is 0 below
HELD = number(-174.0, -1415.0)  #: `fall` clips x here, where exp(x) is 0 even times 2^102 (float64: 2^967)
ENDED = number(-1445.125)  #: exp is 0 below, times any number
exp_tail = polynomial(coefficients.EXP_SINGLE, coefficients.EXP_DOUBLE)
log_tail = polynomial(coefficients.LOG_SINGLE, coefficients.LOG_DOUBLE)
erf_tail = polynomial(coefficients.ERF_SINGLE, coefficients.ERF_DOUBLE)
tanhshrink_tail = polynomial(coefficients.TANHSHRINK_SINGLE, coefficients.TANHSHRINK_DOUBLE)
log1p_share = polynomial(coefficients.LOG1P_SINGLE, coefficients.LOG1P_DOUBLE)


@inlined
def clipped(x, low, high):
    x = where(x < low, low, x)
    return where(x > high, high, x)


@inlined
def reduced(x):
    """(r, k) with exp(x) = exp(r)·2^k and |r| <= log(2)/2; k as a `binary_logarithm`."""
    logarithm = binary_logarithm(x)
    k = exponent_in(logarithm)
    return fma(k, -LOG2_LOW(x), fma(k, -LOG2_HIGH(x), x)), logarithm


@inlined
def reduced_fall(x):
    return reduced(where(x < HELD(x), HELD(x), x))


@inlined
def reciprocal(divisor, low):
    """(u, d) with 1/(divisor + low) = u·(1 + d), for a small low."""
    inverse = ONE(divisor) / divisor
    return inverse, fma(-inverse, low, fma(-inverse, divisor, ONE(divisor)))


@inlined
def growth(r):
    """exp(r) − 1 for |r| <= log(2)/2."""
    return fma(r * r, exp_tail(r), r)


@inlined
def fall(x):
    """(g, scale, rest) with exp(x) = (1 + g)·scale·rest for x <= 0; the rest is 1 where exp(x) is normal."""
    r, logarithm = reduced_fall(x)
    scale, rest = scales_in(logarithm)
    return growth(r), scale, rest


@inlined
def exp(x):
    r, logarithm = reduced(clipped(x, LEAST(x), MOST(x)))
    half = power_of_two(nearest(exponent_in(logarithm) * HALF(x)))
    other = power_of_two(exponent_in(logarithm) - nearest(exponent_in(logarithm) * HALF(x)))
    return (growth(r) + ONE(x)) * half * other


@inlined
def decay(x, times, low=None):
    """A `low` of NaN is ignored."""
    g, scale, rest = fall(x)
    ended = x < ENDED(x)  # 0 beats an infinite `times`
    times = where(ended, ZERO(x), times)
    if low is None:
        total = times * (ONE(x) + g)
    else:
        low = where(ended | (low != low), ZERO(x), low)
        total = times + fma(times, g, fma(low, g, low))
        total = where(times == ZERO(x), times, total)  # for the sign of 0
    return total * scale * rest


@inlined
def low_of_exp(x):
    g, scale, rest = fall(x)
    return ((ONE(x) - (ONE(x) + g)) + g) * scale * rest


@inlined
def divisor_of_sigmoid(x, low):
    """(d, its rounding error, scale, rest): sigmoid(x + low) is 1/d for x >= 0, and scale·rest/d for x < 0.

    exp(−|x|) is 2^k·(1 + g). On the left its inverse is 2^−k·(1 + g) with g from −r, and 2^k leaves the sum: on both
    sides the divisor is a number without a rounding error.
    """
    left = x < ZERO(x)
    size = -abs(x)
    r, logarithm = reduced_fall(size)
    r = where(left, -r, r)
    if low is not None:
        r = r - low
    scale, rest = scales_in(logarithm)
    most = ONE(x) + scale
    other = fma(where(left, ONE(x), scale), growth(r), scale - (most - ONE(x)))
    whole = most + other
    return whole, (most - whole) + other, where(left, scale, ONE(x)), where(left, rest, ONE(x))


@inlined
def sigmoid(x, times=None, low=None):
    if times is None:
        if low is None:
            return sigmoid_by(x, ONE(x))
        return sigmoid_of_sum(x, low, ONE(x))
    return sigmoid_of_sum(x, low, where(x < ENDED(x), ZERO(x), times))


@inlined
def sigmoid_of_sum(x, low, times):
    whole, _, scale, rest = divisor_of_sigmoid(x, low)
    return times / whole * scale * rest


@inlined
def silu(x):
    return where(x > MANY(x), x, sigmoid_by(x, where(x < ENDED(x), ZERO(x), x)))


MANY = number(50.0, 90.0)  #: a quotient of a larger x would overflow


@inlined
def sigmoid_by(x, times):
    """`sigmoid` for a `times` of 1, or between x and 0 below 2^m; LOWERED rounds into the subnormals once."""
    _, _, _, whole, _ = lowered_divisor_of_sigmoid(x)
    return times / whole * LOWERED(x)


LOWERED = number(2.0**-64, 2.0**-512)  #: 2^−m
GONE_LEFT = number(-118.0, -780.0)  #: sigmoid is 0 here, times 1445 or less
GONE_RIGHT = number(130.0, 1000.0)  #: 1 − sigmoid is 0 here


@inlined
def lowered_divisor_of_sigmoid(x):
    """(g, scale, rest, 1 + e, its rounding error) with e = exp(−x) = (1 + g)·scale·rest.

    Scale and divisor are times 2^−m, so that none overflows.
    """
    r, logarithm = reduced(-clipped(x, GONE_LEFT(x), GONE_RIGHT(x)))
    scale, rest = lowered_scales_in(logarithm)
    g = growth(r)
    most = LOWERED(x) + scale
    other = fma(scale, g, (scale - most) + LOWERED(x))
    whole = most + other
    return g, scale, rest, whole, (most - whole) + other


@inlined
def sigmoid_fine(x, times, low=None):
    """With the quotient's rounding error, for a `times` that is rounded itself."""
    whole, whole_low, scale, rest = divisor_of_sigmoid(x, low)
    times = where(x < ENDED(x), ZERO(x), times)
    inverse = ONE(x) / whole
    share = times * inverse
    lost = fma(-share, whole_low, fma(-share, whole, times))
    total = fma(lost, inverse, share)
    return where(lost == lost, total, share) * scale * rest  # an infinite share has no error


@inlined
def bell_parts(x, low):
    """(e, 1/(1 + e)², its rounding error, g, scale, rest) with e = exp(−|x + low|) = (1 + g)·scale·rest."""
    size = -abs(x)
    r, logarithm = reduced_fall(size)
    if low is not None:
        r = r + where(x < ZERO(x), low, -low)
    scale, rest = scales_in(logarithm)
    g = growth(r)
    e = fma(scale, g, scale)
    whole = ONE(x) + e
    whole_low = ((ONE(x) - whole) + e) + fma(scale, g, scale - e)
    inverse, lack = reciprocal(whole, whole_low)
    square = inverse * inverse
    return e, square, fma(TWO(x) * square, lack, fma(inverse, inverse, -square)), g, scale, rest


@inlined
def sigmoid_slope(x, times=None, low=None):
    """By times·e/(1 + e)²."""
    _, square, square_low, g, scale, rest = bell_parts(x, low)
    value = square + fma(g, square, square_low)
    if times is not None:
        value = value * where(abs(x) > -ENDED(x), ZERO(x), times)
    return value * scale * rest


@inlined
def sigmoid_slope_beside(x):
    """By the exponential and divisor of `sigmoid`, in a loop with both."""
    g, scale, rest, whole, whole_low = lowered_divisor_of_sigmoid(x)
    inverse, lack = reciprocal(whole, whole_low)
    share = inverse * scale
    bell = share * inverse
    low = fma(TWO(x) * bell, lack, fma(share, inverse, -bell))
    return (bell + fma(g, bell, fma(g, low, low))) * rest * LOWERED(x)


GONE = number(1e4)  #: an infinite y is clipped here, where e is 0


@inlined
def gate_slope(x, y, low=None, y_low=None, times=None):
    """By a sum over (1 + e)², on the left times e."""
    if low is None:
        return plain_gate_slope(x, y)
    left = x < ZERO(x)
    e, square, square_low, g, scale, rest = bell_parts(x, low)
    y = clipped(y, -GONE(x), GONE(x))
    after = ONE(x) + y
    after_low = ONE(x) - (after - y) + y_low
    first, factor = where(left, after, ONE(x)), where(left, ONE(x), after)
    total = fma(e, factor, first)
    total_low = fma(e, factor, first - total) + where(left, ONE(x), e) * after_low
    value = total * square
    value_low = fma(total, square_low, fma(total_low, square, fma(total, square, -value)))
    value = value + fma(where(left, g, ZERO(x)), value, value_low)
    if times is not None:
        value = value * where(x < ENDED(x), ZERO(x), times)
    return value * where(left, scale, ONE(x)) * where(left, rest, ONE(x))


@inlined
def plain_gate_slope(x, y):
    """By (1 + e·(1 + y))/(1 + e)² with e = exp(−x), and the divisor of `sigmoid`."""
    g, scale, _, whole, whole_low = lowered_divisor_of_sigmoid(x)
    inverse, lack = reciprocal(whole, whole_low)
    y = clipped(y, -GONE(x), GONE(x))
    after = ONE(x) + y
    e = fma(scale, g, scale)
    total = fma(e, after, LOWERED(x))
    total_low = fma(e, after, LOWERED(x) - total)
    total_low = total_low + fma(fma(scale, g, scale - e), after, e * (ONE(x) - (after - y)))
    part = total * inverse
    part_low = fma(total, inverse, -part) + fma(total_low, inverse, TWO(x) * part * lack)
    value = part * inverse
    return (value + fma(part_low, inverse, fma(part, inverse, -value))) * LOWERED(x)


# --------------------------------------------------------------------------------- the normal distribution

MILLS_START = number(coefficients.MILLS_SINGLE[0], coefficients.MILLS_DOUBLE[0])
MILLS_RISE = number(coefficients.MILLS_SINGLE[1], coefficients.MILLS_DOUBLE[1])
mills_tail = polynomial(coefficients.MILLS_SINGLE[2:], coefficients.MILLS_DOUBLE[2:])
MILLS_LOW = number(coefficients.MILLS_SINGLE_LOW, coefficients.MILLS_DOUBLE_LOW)
DENSITY = number(0.3989422917366028, 0.3989422804014327)
DENSITY_LOW = number(-1.1335170144e-08, -2.4923272022777433e-17)
FOUR, EIGHT, BEND_OF_MILLS = number(4.0), number(8.0), number(8.76)
VANISHED = number(53.75)  #: exp(−x²/2) is 0 from here on, times any number


@inlined
def gauss_parts(x):
    """(g, scale, rest) with exp(−x²/2) = (1 + g)·scale·rest for |x| up to VANISHED."""
    square = x * x
    t = -HALF(x) * square
    r, logarithm = reduced_fall(t)
    scale, rest = scales_in(logarithm)
    return growth(fma(fma(x, x, -square), -HALF(x), r)), scale, rest


@inlined
def mills_ratio(a):
    """Φ(−a)·exp(a²/2) as (high, low) for a >= 0, by u·P(1 − 8u), u = 1/(a + 4), whose error counts 1 to 3.2 times."""
    divisor = a + FOUR(a)
    u, lack = reciprocal(divisor, a - (divisor - FOUR(a)))
    v = fma(-EIGHT(a), u, ONE(a))
    tail = mills_tail(v)
    rise = fma(v, tail, MILLS_RISE(a))
    rise_low = fma(v, tail, MILLS_RISE(a) - rise)
    share = fma(v, rise, MILLS_START(a))
    share_low = fma(v, rise_low, fma(v, rise, MILLS_START(a) - share) + MILLS_LOW(a))
    ratio = u * share
    return ratio, fma(u, share, -ratio) + fma(u, share_low, ratio * (lack * fma(BEND_OF_MILLS(a), u, ONE(a))))


@inlined
def ndtr(x, times=None):
    a = where(abs(x) > VANISHED(x), VANISHED(x), abs(x))
    high, low = mills_ratio(a)
    return below_or_above(x, a, high, low, times)


@inlined
def normal_gate_slope(x, times=None):
    """By the Mills ratio less |x|/√2π, times exp(−x²/2)."""
    a = where(abs(x) > VANISHED(x), VANISHED(x), abs(x))
    ratio, ratio_low = mills_ratio(a)
    high = fma(-DENSITY(x), a, ratio)
    low = fma(-DENSITY_LOW(x), a, fma(-DENSITY(x), a, ratio - high) + ratio_low)
    return below_or_above(x, a, high, low, times)


@inlined
def below_or_above(x, a, high, low, times):
    """`times` (high + low)·exp(−a²/2) for x < 0, else `times` less that."""
    g, scale, rest = gauss_parts(a)
    if times is None:
        below = (high + fma(high, g, fma(low, g, low))) * scale * rest
        return where(x < ZERO(x), below, ONE(x) - below)
    factor = where(x < ZERO(x), where(abs(x) > VANISHED(x), ZERO(x), times), ONE(x))
    product = factor * high
    low = fma(factor, high, -product) + factor * low
    low = where(low == low, low, ZERO(x))  # NaN beside an infinite factor
    below = (product + fma(product, g, fma(low, g, low))) * scale * rest
    value = where(x < ZERO(x), below, fma(-below, times, times))
    return where((times == ZERO(x)) | (x > FULL(x)), times, value)  # for the sign of 0, and infinity


FULL = number(9.0, 39.0)  #: Φ is 1 from here on


@inlined
def normal_pdf(x, times):
    size = abs(x)
    times = where(size > VANISHED(x), ZERO(x), times)
    g, scale, rest = gauss_parts(where(size > VANISHED(x), VANISHED(x), size))
    high = times * DENSITY(x)
    low = fma(times, DENSITY(x), -high) + times * DENSITY_LOW(x)
    low = where(low == low, low, ZERO(x))
    return (high + fma(high, g, fma(low, g, low))) * scale * rest


@inlined
def sigmoid_of_two(x):
    """Within 2 ulp; shares the exponential and division with −x."""
    g, scale, rest = fall(-abs(x))
    small = fma(scale, g, scale)
    inverse = ONE(x) / (ONE(x) + small)
    return where(x < ZERO(x), small * inverse * rest, inverse)


@inlined
def softplus(x):
    g, scale, rest = fall(-abs(x))
    share = log1p_share(fma(scale, g, scale - HALF(x)))
    return where(x < ZERO(x), ZERO(x), x) + fma(share, g, share) * scale * rest


@inlined
def mish(x):
    """By x − x·c, with a rational c of e = exp(−|x|); on the left times e."""
    left = x < ZERO(x)
    g, scale, rest = fall(-abs(x))
    e = fma(scale, g, scale)
    both = fma(e, e, e)
    first, other = where(left, TWO(x), ONE(x)), where(left, both + e, TWO(x) * both)
    whole = first + other
    both_low = where(left, e + fma(e, e, -both), ZERO(x))
    whole_low = (first - whole) + other + where(left, (both - other) + e, ZERO(x)) + both_low
    part = where(left, both, TWO(x) * e * e)
    inverse = ONE(x) / whole
    c = part * inverse
    c = fma(fma(-c, whole_low, fma(-c, whole, part) + both_low), inverse, c)
    g = where(left, g, ZERO(x))
    times = where(x < ENDED(x), ZERO(x), x)
    total = fma(times, fma(-c, g, g) - c, times)
    return where(left, total * scale * rest, where(c == ZERO(x), x, total))


@inlined
def mish_slope(x):
    """See `readings.tails.mish_slope`; near −0.3 all low parts count."""
    left = x < ZERO(x)
    g, scale, rest = fall(-abs(x))
    x = where(x < ENDED(x), ENDED(x), x)
    e = fma(scale, g, scale)
    e_low = fma(scale, g, scale - e)
    square = e * e
    inner = fma(QUARTER(x), e, ONE(x))
    inner_low = ((ONE(x) - inner) + QUARTER(x) * e) * e
    start, middle = ONE(x) + x, THREE_HALVES(x) + x
    rising = fma(inner, e, middle)
    rising_low = middle + fma(inner, e, -rising) + inner_low
    above = fma(rising, e, start)
    above_low = start + fma(rising, e, -above) + rising_low * e + fma(inner, e, rising) * e_low
    bend = fma(inner, e, TWO(x))
    bend_low = (TWO(x) - bend) + inner * e + inner_low
    other = where(left, fma(square, bend, TWO(x) * e), TWO(x) * fma(e, e, e))
    other_low = e_low * TWO(x) * fma(e, bend, ONE(x)) + square * bend_low + bend * fma(e, e, -square)
    whole = ONE(x) + other
    whole_low = (ONE(x) - whole) + other + where(left, other_low, ZERO(x))
    part = where(left, above, TWO(x) * square)
    inverse = ONE(x) / whole
    c = part * inverse
    lost = fma(-c, whole_low, fma(-c, whole, part) + where(left, above_low, ZERO(x)))
    c_low = lost * inverse
    right = fma(c + c_low, fma(TWO(x) * x * (ONE(x) + e), inverse, -ONE(x)), ONE(x))
    fallen = c + fma(c, g, fma(c_low, g, c_low))
    return where(left, fallen * scale * rest, where(c == ZERO(x), ONE(x), right))


@inlined
def expm1(x):
    r, logarithm = reduced(clipped(x, FALLEN(x), MOST(x)))
    half = power_of_two(exponent_in(logarithm) - ONE(x))
    risen = TWO(x) * fma(half, growth(r), half - HALF(x))
    return where(abs(x) < TINY(x), x, risen)


FALLEN = number(-40.0)  #: exp(x) − 1 is −1 here
TINY = number(1e-12, 1e-20)  #: up to here exp(x) − 1 and log(1 + x) are x


@inlined
def expm1_less(x):
    """By (2^k − 1)·(1 + r) − k·log(2) + 2^k·(exp(r) − 1 − r); r and k are those of `exp`, for a loop with both."""
    held = clipped(x, LEAST(x), MOST(x))
    r, logarithm = reduced(held)
    k = exponent_in(logarithm)
    half = power_of_two(nearest(k * HALF(x)))
    scale = half * power_of_two(k - nearest(k * HALF(x)))
    less = scale - ONE(x)
    start = fma(less, r, fma(k, -LOG2_HIGH(x), less))
    return (start + fma(k, -LOG2_LOW(x), scale * (r * r * exp_tail(r)))) + (held - x)


@inlined
def log_of_sum(u, low):
    """log(u + low) for a normal u > 0 and a small low."""
    k = exponent_of(u)
    scale = power_of_two(where(k < FAR(u), -k, -FAR(u)))  # beyond, `low` does not count
    f = (divided_by_power(u, k) - ONE(u)) + low * scale
    s = f / (TWO(u) + f)
    z = s * s
    half = HALF(u) * f * f
    rest = s * (half + z * log_tail(z))
    return fma(k, LOG2_HIGH(u), f - (half - (rest + k * LOG2_LOW(u))))


FAR = number(126.0)


@inlined
def log(x):
    small = x < LEAST_NORMAL(x)
    value = log_of_sum(where(small, x * LIFT(x), x), ZERO(x)) - where(small, LOG_OF_LIFT(x), ZERO(x))
    value = where(x == ZERO(x), -INFINITY(x), where(x < ZERO(x), NAN(x), value))
    return where(x < INFINITY(x), value, x)


LEAST_NORMAL = number(1.1754943508222875e-38, 2.2250738585072014e-308)
LIFT = number(2.0**24, 2.0**54)
LOG_OF_LIFT = number(24 * math.log(2), 54 * math.log(2))


@inlined
def log1p(x):
    u = ONE(x) + x
    part = u - x
    low = (ONE(x) - part) + (x - (u - part))
    value = where(abs(x) < TINY(x), x, log_of_sum(u, low))
    value = where(u == ZERO(x), -INFINITY(x), where(u < ZERO(x), NAN(x), value))
    return where(x < INFINITY(x), value, x)


@inlined
def tanh(x):
    falling = -abs(x * TWO(x))
    # as in `bell_parts`, for the slope beside it
    share, rest = tanh_of_half(where(falling < HELD(x), HELD(x), falling))
    return with_sign_of(share + rest, x)


@inlined
def softcap(x, cap):
    """By the low part of x / cap, too; x where the quotient may be subnormal."""
    size, inverse = abs(x), ONE(x) / cap
    held = where(size > cap * ENOUGH(x), cap * ENOUGH(x), size)
    high = held * inverse
    low = fma(held, inverse, -high) + held * (fma(-inverse, cap, ONE(x)) * inverse)
    share, rest = tanh_of_half(high * -TWO(x))
    rest = fma(-low, fma(-share, share, ONE(x)), rest)
    value = cap * share
    value = value + fma(cap, rest, fma(cap, share, -value))
    return with_sign_of(where(size < cap * NEARLY(x), size, value), x)


NEARLY = number(1e-5, 1e-9)  #: tanh(x) is x up to here


@inlined
def tanh_of_half(x):
    """tanh(x / 2) for x <= 0 as (high, low), by (exp(x) − 1) / (1 + exp(x)).

    In float64 the numerator's rounding counts: the square must be right to 4 ulp.
    """
    r, logarithm = reduced(x)
    scale, _ = scales_in(logarithm)
    g = growth(r)
    fallen = fma(scale, g, scale - ONE(x))
    whole = TWO(x) + fallen
    whole_low = fallen - (whole - TWO(x))
    inverse = ONE(x) / whole
    share = fallen * inverse
    rest = fma(-share, whole_low, fma(-share, whole, fallen))
    fine = rest + fma(scale, g, (scale - ONE(x)) - fallen)
    rest = where(IS_DOUBLE(x) > ZERO(x), fine, rest)
    return share, rest * inverse


IS_DOUBLE = number(0.0, 1.0)
ENOUGH = number(20.0, 40.0)  #: tanh is 1 from here on


@inlined
def tanhshrink(x):
    """Near 0 by a polynomial; elsewhere |x| − 1 + 2·q / (1 + q), q = exp(−2|x|)."""
    size = abs(x)
    near = where(size < TURN(x), size, ZERO(x))
    square = near * near
    tail = tanhshrink_tail(square)
    share = fma(square, tail, THIRD(x))
    share_low = fma(square, tail, THIRD(x) - share) + THIRD_LOW(x)
    risen = square * share
    bent = fma(square, -BEND(x), ONE(x)) * share  # about the slope of square·share
    risen_low = fma(square, share, -risen) + fma(near, near, -square) * bent + square * share_low
    cube = near * risen
    cube_low = fma(near, risen, -cube)
    r, logarithm = reduced(where(size > ENOUGH(x), ENOUGH(x), size) * -TWO(x))
    scale, _ = scales_in(logarithm)
    small = fma(scale, growth(r), scale)
    far = (size - ONE(x)) + TWO(x) * small / (ONE(x) + small)
    return with_sign_of(where(size < TURN(x), cube + fma(near, risen_low, cube_low), far), x)


TURN, BEND = number(1.2), number(0.4)
THIRD, THIRD_LOW = number(1 / 3), number(-9.934107e-09, 1.850371707708594e-17)


@inlined
def erf(x):
    """Near 0 by a polynomial; elsewhere 1 − 2·Φ(−√2·|x|)."""
    size = abs(x)
    near = where(size < EDGE(x), size, ZERO(x))
    square = near * near
    close = fma(near, RISE(x), near * fma(square, erf_tail(square), RISE_LOW(x)))
    far = fma(-TWO(x), ndtr(-SQRT2(x) * size), ONE(x))
    return with_sign_of(where(size < EDGE(x), close, far), x)


EDGE, SQRT2 = number(0.75), number(1.4142135623730951)
RISE, RISE_LOW = number(1.1283791670955126), number(-5.863538342219759e-08, 1.533545961316588e-17)  #: slope of erf at 0


@inlined
def sinh(x):
    size = abs(x)
    growth = expm1(where(size < ONE(x), size, ZERO(x)))
    inner = (growth + growth / (growth + ONE(x))) * HALF(x)
    root = exp(size * HALF(x))
    outer = HALF(x) * root * root - HALF(x) / (root * root)
    return with_sign_of(where(size < ONE(x), inner, outer), x)


@inlined
def sqrt(x):
    return math.sqrt(x)


# ----------------------------------------------------------------------------- functions with a period
#
# Near 0 three numbers that sum to π/2 remove the quarter turns; farther out many digits of 1/π.

TWO_BY_PI = number(2 / math.pi)
MAGIC = number(12582912.0, 6755399441055744.0)  #: a sum with it has the nearest integer in its low bits
HALF_PI, HALF_PI_MIDDLE, HALF_PI_LOW = (
    number(*parts) for parts in zip(coefficients.HALF_PI_SINGLE, coefficients.HALF_PI_DOUBLE, strict=True)
)
NEAR = number(2.0**16, 2.0**30)  #: up to here they suffice, and the nearest quarter turn is certain
#: up to here quarter turns can be counted; beyond, a squared sine is at most two units in the last place of x
COUNTABLE = number(2.0**22 + 0.5, 2.0**51 + 0.5)
WORDS = np.array((0, *coefficients.INVERSE_OF_PI), dtype=np.uint64)
negated_if_odd, negated_by_second = negated_by_bit(0), negated_by_bit(1)
sin_tail = polynomial(coefficients.SIN_SINGLE, coefficients.SIN_DOUBLE)
cos_tail = polynomial(coefficients.COS_SINGLE, coefficients.COS_DOUBLE)
sin_squared_tail = polynomial(coefficients.SIN_SQUARED_SINGLE, coefficients.SIN_SQUARED_DOUBLE)


@inlined
def is_near(x):
    """True at NaN, not at infinity."""
    return not (abs(x) > NEAR(x))


@inlined
def without_quarter_turns(turns, x):
    """x − turns·π/2, within half an ulp for |x| up to NEAR."""
    return fma(turns, -HALF_PI_LOW(x), fma(turns, -HALF_PI_MIDDLE(x), fma(turns, -HALF_PI(x), x)))


@inlined
def sin_near(x):
    n = fma(x, TWO_BY_PI(x), MAGIC(x))
    r = without_quarter_turns(n - MAGIC(x), x)
    return where(x == ZERO(x), x, sin_after_turns(r, n))  # for the sign of 0


@inlined
def sin_after_turns(r, n):
    """sin(r + n·π/2) for an integer n in a sum with MAGIC."""
    return negated_by_second(where(is_odd(n), cos_of_eighth(r), sin_of_eighth(r)), n)


@inlined
def cos_near(x):
    n = fma(x, TWO_BY_PI(x), MAGIC(x))
    return cos_after_turns(without_quarter_turns(n - MAGIC(x), x), n)


@inlined
def cos_after_turns(r, n):
    return negated_by_second(where(is_odd(n), -sin_of_eighth(r), cos_of_eighth(r)), n)


@inlined
def sin_of_eighth(r):
    """sin(r) for |r| up to about π/4."""
    square = r * r
    return fma(square * r, sin_tail(square), r)


@inlined
def cos_of_eighth(r):
    square = r * r
    whole = fma(-HALF(r), square, ONE(r))
    return whole + fma(square * square, cos_tail(square), fma(-HALF(r), square, ONE(r) - whole))


@inlined
def snake_slope_near(x, a=None):
    if a is None:
        return snake_slope_of_angle(x, None)
    return snake_slope_of_angle(a * x, fma(a, x, -(a * x)))


@inlined
def snake_slope_of_angle(x, low):
    n = fma(x, TWO_BY_PI(x), HALF(x)) + MAGIC(x)
    r, rest = split_quarter_turns((n - MAGIC(x)) - HALF(x), x)
    if low is not None:
        total = r + low
        part = total - r
        r, rest = total, ((r - (total - part)) + (low - part)) + rest
    return snake_slope_after_turns(r, rest, n)


@inlined
def split_quarter_turns(turns, x):
    """(r, rest) that sum to x − turns·π/2 for an x near 0, to twice the digits of r."""
    first = fma(turns, -HALF_PI(x), x)
    less = turns * HALF_PI_MIDDLE(x)
    r = first - less
    part = r - first
    rest = (first - (r - part)) - (less + part) - fma(turns, HALF_PI_MIDDLE(x), -less)
    return r, fma(turns, -HALF_PI_LOW(x), rest) + (x - fma(turns, HALF_PI(x), first))


@inlined
def snake_slope_after_turns(r, low, n):
    """1 + sin(2·(r + low) + (n − ½)·π): twice the square of a sine, or 2 less that; the square magnifies errors."""
    square = fma(r, r, TWO(r) * r * low)
    half = fma(square * square, sin_squared_tail(square), square)
    return where(is_odd(n), TWO(r) - TWO(r) * half, TWO(r) * half)


@inlined
def snake(x, a=None):
    if a is None:
        return snake_of_angle(x, None)
    angle = a * x
    size = abs(angle)
    value = snake_of_angle(angle, fma(a, x, -angle)) / where(a == ZERO(x), ONE(x), a)
    return where((size > TINY(x) * TINY(x)) & (size < INFINITY(x)), value, where(size == size, x, size))


@inlined
def snake_of_angle(x, low):
    """x + low + sin(x + low)²; a large x needs few digits of the sine."""
    n = fma(x, TWO_BY_PI(x), MAGIC(x))
    turns = n - MAGIC(x)
    r = fma(turns, -HALF_PI_MIDDLE(x), fma(turns, -HALF_PI(x), x))
    one = where(is_odd(n), ONE(x), ZERO(x))
    start = x + one
    rest = x - (start - one)
    if low is not None:
        r, rest = r + low, rest + low
    signed, square = negated_if_odd(r, n), r * r
    value = fma(signed, r, start) + fma(signed * r * square, sin_squared_tail(square), rest)
    return where((abs(x) <= COUNTABLE(x)) & (x != ZERO(x)), value, x)


@njit(**OPTIONS)
def without_turns(x, has_half):
    """Reduce a float64 far from 0 to (r, low, n): r + low + n·π/2, or (n − ½)·π/2, is x less whole turns; NaN at ±inf.

    |r| is at most π/4, n an integer in a sum with MAGIC. The mantissa times 192 bits of 1/π, from the first that makes
    no whole turns, is a part of a turn in 128 bits.
    """
    bits = bits_of(x)
    exponent = (bits >> np.uint64(52)) & np.uint64(0x7FF)
    mantissa = (bits & np.uint64((1 << 52) - 1)) | np.uint64(1 << 52)
    first = exponent - np.uint64(1012)
    place, shift = np.int64(first >> np.uint64(6)), first & np.uint64(63)
    high = word_from(place, shift) * mantissa + upper_product(word_from(place + 1, shift), mantissa)
    middle = word_from(place + 1, shift) * mantissa
    low = middle + upper_product(word_from(place + 2, shift), mantissa)
    high += np.uint64(low < middle)
    if x < 0.0:
        low = ~low + np.uint64(1)
        high = ~high + np.uint64(low == np.uint64(0))
    if has_half:
        high += EIGHTH_TURN
    turns = (high + EIGHTH_TURN) >> np.uint64(62)
    high -= turns << np.uint64(62)
    sign = 1.0
    if high >> np.uint64(63) != np.uint64(0):
        sign = -1.0
        low = ~low + np.uint64(1)
        high = ~high + np.uint64(low == np.uint64(0))
    # the last 11 bits join the low word, which counts where the others are 0
    start = np.float64(high & ~np.uint64(0x7FF))
    last = np.float64(high & np.uint64(0x7FF)) + np.float64(low) * 2.0**-64
    part = start + last
    part_low = last - (part - start)
    r = part * HALF_PI(x)
    r_low = fma(part, HALF_PI(x), -r) + (part * HALF_PI_MIDDLE(x) + part_low * HALF_PI(x))
    scale = sign * 2.0**-62
    return r * scale + 0.0 * x, r_low * scale, np.float64(turns) + MAGIC(x)


EIGHTH_TURN = np.uint64(1 << 61)


@inlined
def word_from(place, shift):
    """64 bits of 1/π from a bit within a word on."""
    return (WORDS[place] << shift) | ((WORDS[place + 1] >> np.uint64(1)) >> (np.uint64(63) - shift))


@inlined
def sin(x):
    if is_near(x):
        return sin_near(x)
    r, low, n = without_turns(np.float64(x), False)
    return rounded_as(sin_after_turns(r + low, n), x)


@inlined
def cos(x):
    if is_near(x):
        return cos_near(x)
    r, low, n = without_turns(np.float64(x), False)
    return rounded_as(cos_after_turns(r + low, n), x)


@inlined
def snake_slope(x, a=None):
    angle = x if a is None else a * x
    if is_near(angle):
        return snake_slope_near(x, a)
    if abs(angle) == math.inf:
        return ONE(x)
    r, r_low, n = without_turns(np.float64(angle), True)
    if a is None:
        return rounded_as(snake_slope_after_turns(r, r_low, n), x)
    low = fma(a, x, -angle)
    if not is_near(low):
        low, rest, turns = without_turns(low, False)
        r_low, n = r_low + rest, n + (turns - MAGIC(low))
    total = r + low  # perhaps more than a quarter turn
    more = fma(total, TWO_BY_PI(total), MAGIC(total))
    part = total - r
    r_low = ((r - (total - part)) + (low - part)) + r_low
    r, rest = split_quarter_turns(more - MAGIC(more), total)
    rest = rest + r_low  # not small where many turns have cancelled
    total = r + rest
    return snake_slope_after_turns(total, (r - total) + rest, n + (more - MAGIC(more)))
