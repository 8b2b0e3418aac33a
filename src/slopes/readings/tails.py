"""Accurate forms of the compound primitives of `slopes.ops` in plain arithmetic, shared by the readings.

Libraries lose the normal tail: scipy's `ndtr` is off by 1,400 ulp, torch's loses all digits. So exp(−x²/2) is split, to
make its large argument exact; the Mills ratio is a polynomial, fitted by ``tools/fit_mills.py``; and a product that
underflows is rounded once, after all factors.

`r` is the reading's module; `x` has the dtype in which it computes. Sums (high, low) have about 106 bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import lru_cache
from math import inf
from types import ModuleType
from typing import Any

from slopes.constants import Array, Constant, sqrt2

# (x + 1.25) · Φ(−x) · exp(x²/2) as a polynomial in (x − 4)/(x + 4), lowest degree first
MILLS = (
    0.4956558668353369, -0.1393029077136396, 0.045094448559240455, 0.010673512219109902, -0.024481636401459606,
    0.01581307360938392, -0.004875488073307725, -0.0001259196390363821, 0.0006481010485170005, -0.00010581893980424432,
    -8.069116931792968e-05, 2.2407718894888704e-05, 1.2551256673541615e-05, -3.6387145581242496e-06,
    -2.448179043722239e-06, 4.5387225376186563e-07, 5.293122425233566e-07, -8.229997742137288e-09,
    -1.0907025059117782e-07, -2.0609246200651195e-08, 1.7283850389984626e-08, 7.945958768034648e-09,
    -9.555324604411362e-10, -1.32018210841957e-09, -2.478119687587931e-10,
)  # fmt: skip
MILLS_LOW = 5.9814649479347676e-18  #: rounding error of the first coefficient

DENSITY = Constant("1/sqrt(2*pi)", 0.3989422804014327, -2.4923272022777433e-17)  #: of the standard normal at 0


def confine(r: ModuleType, x: Array, most: Array) -> Array:
    return r.minimum(r.maximum(x, -most), most)


def minimum(r: ModuleType, own: Any, a: Array, b: Array) -> Array:
    """With its slope at ties; `own` is the type that is no number."""
    if not isinstance(b, own):
        return r.where(a > b, b, a)
    if not isinstance(a, own):
        return r.where(b >= a, a, b)
    return r.where((b < a) | (b != b), b, a)


def maximum(r: ModuleType, own: Any, a: Array, b: Array) -> Array:
    if not isinstance(b, own):
        return r.where(a < b, b, a)
    if not isinstance(a, own):
        return r.where(b <= a, a, b)
    return r.where((b > a) | (b != b), b, a)


def nonzero(r: ModuleType, x: Array) -> Array:
    """As in `ops`, also for parameters."""
    zero = x == 0
    return (1.0 if zero else x) if isinstance(zero, bool) else r.where(zero, 1.0, x)


def safe_divide(r: ModuleType, part: Array, whole: Array, nothing: float) -> Array:
    return r.where(whole == 0, nothing, part / nonzero(r, whole))


def decay(r: ModuleType, t: Array, times: Array) -> Array:
    """Rounded once among the subnormals; 0 where exp(t) underflows by far."""
    shift = r.DEEP[t.dtype]
    deep = r.exp(r.minimum(t + shift, 0.0))  # exactly 1 where exp(t) is normal
    return r.where(deep == 0, 0.0, times) * r.exp(r.maximum(t, -shift)) * deep


def gauss(r: ModuleType, x: Array) -> tuple[Array, Array]:
    """(t, d) with exp(−x²/2) = exp(t)·(1 + d) and an exact t."""
    step = r.SPLIT[x.dtype]
    h = r.rint(x * step) / step
    d = -(x - h) * (x + h) / 2
    return -h * h / 2, d * (1 + d * (0.5 + d / 6))


def normal_pdf(r: ModuleType, x: Array, times: Array) -> Array:
    a = r.minimum(r.where(x < 0, -x, x), 64.0)
    t, d = r.gauss(a)
    scale = times * DENSITY.high
    return r.decay(t, scale + scale * (d + DENSITY.low / DENSITY.high))


def normal_gate_slope(r: ModuleType, x: Array, times: Array) -> Array:
    return r.ndtr(x, times) + r.normal_pdf(x, times * x)


def ndtr(r: ModuleType, x: Array, times: Array) -> Array:
    left = x < 0
    a = r.minimum(r.where(left, -x, x), 64.0)
    u = (a - 4) / (a + 4)
    rest = MILLS[-1] * u
    for coefficient in MILLS[-2:0:-1]:
        rest = (rest + coefficient) * u
    q = rest + MILLS[0]
    q_low = rest - (q - MILLS[0]) + MILLS_LOW
    divisor = a + 1.25
    divisor_low = a - (divisor - 1.25)
    t, d = r.gauss(a)
    tail = r.where(left, times, 1.0) * (q / divisor)
    tail = r.decay(t, tail + tail * (d + q_low / q - divisor_low / divisor))
    return r.where(left, tail, times * (1 - tail))


def sigmoid(r: ModuleType, x: Array, times: Array, low: Array) -> Array:
    left = x < 0
    t = r.where(left, x, -x)  # autograd gives abs the slope 0 at 0
    small = r.exp(t)
    if type(low) is not float:
        correction = r.expm1(r.where(left, low, -low))
        small, times = small + small * correction, r.where(left, times + times * correction, times)
    if type(times) is float and times == 1.0:
        return r.where(left, small, 1.0) / (1 + small)
    return r.where(left, r.decay(t, times), times) / (1 + small)


def sigmoid_slope(r: ModuleType, x: Array, times: Array, low: Array) -> Array:
    return r.sigmoid(x, r.sigmoid(-x, times, -low), low)


def gate_slope(r: ModuleType, x: Array, y: Array, times: Array, low: Array, y_low: Array) -> Array:
    """Left of 0 by 1 + y − y·s, right by 1 + y·(1 − s)."""
    left = (1 + y) + (y_low - r.sigmoid(x, y + y_low, low))
    right = 1 + r.sigmoid(-x, y + y_low, -low)
    return r.sigmoid(x, times * r.where(x < 0, left, right), low)


def softplus(r: ModuleType, x: Array, beta: Array) -> Array:
    size = r.where(x < 0, x, -x)
    if type(beta) is float and beta == 1.0:
        return r.where(x < 0, 0.0, x) + r.log1p(r.exp(size))
    high, low = r.product(size, beta)
    small = r.exp(high)
    near = r.log1p(small + small * low) / beta
    far = r.decay(high, (1 + low) / beta)  # log1p(small) = small, subnormal before the division
    return r.where(x < 0, 0.0, x) + r.where(high < -r.DEEP[x.dtype], far, near)


def cubic(r: ModuleType, x: Array, a: Constant, b: Constant) -> tuple[Array, Array]:
    """To about 70 bits, clipped to [−32, 32]."""
    x = confine(r, x, 32.0)
    h = r.rint(x * 256) / 256  # 13 bits: h³ and its product with 14 bits of b are exact
    d = x - h
    a_high, b_high = split(a, 2.0**26), split(b, 2.0**17)
    linear, cube = a_high * h, b_high * (h * h * h)
    high = linear + cube
    low = two_sum_low(linear, cube, high)
    low = low + a * d + (a - a_high + a.low) * h
    return high, low + b * (d * (x * x + x * h + h * h)) + (b - b_high + b.low) * (h * h * h)


def sigmoid_less(r: ModuleType, x: Array, shift: Array) -> tuple[Array, Array]:
    """Right but for the exponential's rounding.

    Within 1 of the root digits would cancel: there it is shift·(1 − shift)·g / (1 + shift·g) with g = expm1(x − root).
    """
    share, rest = sigmoid_parts(r, x)
    if type(shift) is float and shift == 0.0:
        return share, rest
    far = share - shift
    far_low = two_sum_low(share, -shift, far) + rest
    root, root_low = r.log_odds(shift, x)
    gap = x - root
    near = (gap > -1) & (gap < 1)
    growth = r.expm1(r.where(near, gap, 0.0))
    growth_low = r.where(near, two_sum_low(x, -root, gap) - root_low, 0.0) * (1 + growth)
    part, other = shift * growth, 1 - shift
    part_low = two_product_low(shift, growth, part) + shift * growth_low
    high, low = divide(part, part_low, 1 + part, two_sum_low(1.0, part, 1 + part) + part_low)
    close = high * other
    close_low = two_product_low(high, other, close) + low * other + high * two_sum_low(1.0, -shift, other)
    return two_sum(r.where(near, close, far), r.where(near, close_low, far_low))


def sigmoid_mixture(r: ModuleType, x: Array, share: Array) -> tuple[Array, Array]:
    """By sigmoid(−x) + share·(1 − 2·sigmoid(−x))."""
    no, no_low = sigmoid_parts(r, -x)
    tilt = 1 - 2 * no
    part = share * tilt
    part_low = two_product_low(share, tilt, part) + share * (two_sum_low(1.0, -2 * no, tilt) - 2 * no_low)
    high = no + part
    return two_sum(high, two_sum_low(no, part, high) + (part_low + no_low))


def sigmoid_parts(r: ModuleType, x: Array) -> tuple[Array, Array]:
    """(high, low) of sigmoid(x), right but for the exponential's rounding.

    Near 0 that is exactly 1 + expm1, whose rounding error is smaller than x's.
    """
    left = x < 0
    small, low = r.exp_of_size(x)
    whole = 1 + small
    return divide(r.where(left, small, 1.0), r.where(left, low, 0.0), whole, small - (whole - 1) + low)


SQUARINGS = 16  #: so that a share of the exponent has a tiny square


def exp_parts(r: ModuleType, x: Array) -> tuple[Array, Array]:
    """By squaring the exponential of a share of x."""
    high = r.exp(x)
    near = r.absolute(x) < 10
    share = r.where(near, x, 0.0) / 2**SQUARINGS
    one = r.where(near, 1.0, 0.5)  # XLA would cancel a constant
    power = one + share
    low = (share - (power - one)) + r.expm1_less(share)
    for _ in range(SQUARINGS):
        square = power * power
        power, low = square, r.fma(power, power, -square) + low * (2 * power + low)
    return high, r.stop_gradient(r.where(near, (power - r.where(near, high, 0.0)) + low, 0.0))


def exp_of_size(r: ModuleType, x: Array) -> tuple[Array, Array]:
    """(high, low) of exp(−|x|); low is 0 for sizes above 1."""
    size = r.where(x < 0, x, -x)
    growth = r.expm1(r.maximum(size, -1.0))
    near = size > -1
    high = r.where(near, 1 + growth, r.exp(size))
    return high, r.where(near, growth - (high - 1), 0.0)


@lru_cache
def log_odds(p: float) -> tuple[float, float]:
    """(high, low) of log(p / (1 − p))."""
    if not 0 < p < 1:
        return (inf if p else -inf), 0.0
    with localcontext(prec=60):
        exact = Decimal(p).ln() - (1 - Decimal(p)).ln()
        return float(exact), float(exact - Decimal(float(exact)))


NOTHING = Constant("0", 0.0, 0.0)
EIGHTH = Constant("pi/4", 0.7853981633974483, 3.061616997868383e-17)
HELD = 1e4  #: beyond, every exponential is 0 or infinite
LARGEST_SINGLE = 2.0**128 - 2.0**104


def product(r: ModuleType, x: Array, a: Array) -> tuple[Array, Array]:
    x = confine(r, x, HELD / a)
    high = a * x
    return high, two_product_low(x, a, high)


def quotient(r: ModuleType, x: Array, a: Array) -> tuple[Array, Array]:
    x = confine(r, x, HELD * a)
    return divide(x, 0.0, a, 0.0)


def fma(r: ModuleType, x: Array, a: Array, c: Array) -> Array:
    """Rounded once but for the last bit."""
    near = confine(r, x, 1e290)  # larger halves would overflow
    rounded = a * near
    total = rounded + c
    return (a * x + c) + (two_sum_low(rounded, c, total) + two_product_low(near, a, rounded))


def two_product_low(a: Array, b: Array, total: Array) -> Array:
    """Rounding error of `total` = a · b in float64, or by the type's `product_low`."""
    own = getattr(type(total), "product_low", None)
    if own is not None:
        return own(a, b, total)
    (a_high, a_low), (b_high, b_low) = halves(a), halves(b)
    return (((a_high * b_high - total) + a_high * b_low) + a_low * b_high) + a_low * b_low


def halves(x: Array) -> tuple[Array, Array]:
    """Halves of a float64, whose products are exact."""
    wide = x * 134217729.0
    high = wide - (wide - x)
    return high, x - high


def sin_of_line(r: ModuleType, x: Array, a: Array, shift: Constant) -> Array:
    """sin(a·x + shift) with unrounded product and sum; 0 where a·x is infinite."""
    line = a * x
    x = r.where((line == inf) | (line == -inf), 0.0, x)
    line = a * x
    scale = 2.0**-64  # larger halves would overflow
    low = 0.0 if type(a) is float and a == 1.0 else two_product_low(x * scale, a, line * scale) / scale
    far = (line > 2.0**53) | (line < -(2.0**53))  # `low` may be many turns, and the shift would be lost
    total = line + shift
    rest = low + (two_sum_low(line, shift, total) + shift.low)
    near = r.sin(total) * r.cos(rest) + r.cos(total) * r.sin(rest)
    low = low + 0 * line
    sine, cosine = (r.sin(line), r.cos(line)), (r.sin(low), r.cos(low))
    turned = math.sin(shift) * (cosine[1] * sine[1] - cosine[0] * sine[0])
    return r.where(far, turned + math.cos(shift) * (sine[0] * cosine[1] + sine[1] * cosine[0]), near)


def snake(r: ModuleType, x: Array, a: Array) -> Array:
    """Where terms may cancel, (phase + sin²(phase)) / a with a phase of 106 bits."""
    line = a * x
    size = r.where(line < 0, -line, line)
    cancelling = (size > 0.5) & (size < 1e9)
    held = r.where(cancelling, x, 0.0)
    phase = a * held
    low = two_product_low(held, a, phase)
    sine = r.sin(phase)
    square, rest = sine * sine, r.cos(phase) * low
    total = phase + square
    rounded = two_sum_low(phase, square, total) + two_product_low(sine, sine, square) + rest * (2 * sine + rest)
    other = sin_of_line(r, x, a, NOTHING)
    ripple = r.where(line == 0, x, other / nonzero(r, a))  # sin(a·x) / a, or its limit
    return r.where(cancelling, (total + (rounded + low)) / nonzero(r, a), x + other * ripple)


def snake_slope(r: ModuleType, x: Array, a: Array) -> Array:
    """By a square, as the sum cancels."""
    return 2 * sin_of_line(r, x, a, EIGHTH) ** 2


def softcap(r: ModuleType, x: Array, cap: Array) -> Array:
    """x where x / cap may be subnormal."""
    scaled = confine(r, x, HELD * cap) / cap
    return r.where((scaled > -1e-9) & (scaled < 1e-9), x, cap * r.tanh(scaled))


def mish(r: ModuleType, x: Array) -> Array:
    """By a rational function of exp(−|x|)."""
    size = r.where(x < 0, x, -x)
    small = r.exp(size)
    tail = r.decay(size, r.where(x < 0, x * ((2 + small) / (2 + small * (2 + small))), x))
    return r.where(x < 0, tail, x - 2 * small * tail / (1 + 2 * small * (1 + small)))


def mish_slope(r: ModuleType, x: Array) -> Array:
    """Cancels only at its root."""
    x = r.double(x)
    size = r.where(x < 0, x, -x)
    small = r.exp(size)
    left = (1 + x) + small * (1.5 + x + small * (1 + small / 4))
    left = left / (1 + small * (2 + small * (2 + small * (1 + small / 4))))
    tail = r.decay(size, r.where(x < 0, left, x))
    whole = 1 + 2 * small * (1 + small)
    return r.where(x < 0, tail, (1 + 2 * small) / whole + 4 * small * tail * (1 + small) / (whole * whole))


def tanhshrink(r: ModuleType, x: Array) -> Array:
    """Up to 1.5 by tanh's continued fraction x / (1 + x²/(3 + x²/(5 + …)))."""
    near = confine(r, x, 1.5)
    square = near * near
    divisor = 25.0
    for odd in range(23, 1, -2):
        divisor = odd + square / divisor
    return r.where((x > -1.5) & (x < 1.5), near * square / (divisor + square), x - r.tanh(x))


SHIFT = 10  #: from here on the series has 16 digits
#: log(Γ(z)·√z / Γ(z + ½)) as 1/z times powers of 1/z²
LGAMMA_RATIO = (1 / 8, -1 / 192, 1 / 640, -17 / 14336, 31 / 18432, -691 / 180224, 5461 / 425984, -929569 / 15728640)


def lgamma_ratio(r: ModuleType, x: Array) -> Array:
    """By a series at x, or up to 10 at x + 10: Γ(x) / Γ(x + ½) is (x + ½) / x times the quotient at x + 1."""
    small, far = x < 1, x > SHIFT
    near = r.where(far, 1.0, x)
    ratio = (near + 0.5) / r.where(small, 1.0, near)
    for step in range(1, SHIFT):
        ratio = ratio * ((near + step + 0.5) / (near + step))
    z = r.where(far, x, near + SHIFT)
    series, square = 0.0, 1 / (z * z)
    for coefficient in reversed(LGAMMA_RATIO):
        series = series * square + coefficient
    shifted = r.log(ratio * ratio * r.where(small, 1.0, near) / (near + SHIFT)) - r.log(r.where(small, near, 1.0))
    return r.where(far, 0.0, shifted / 2) + series / z


def erf(r: ModuleType, x: Array) -> Array:
    """Up to 3/4 by its Taylor series; beyond, 1 − 2·Φ(−√2·|x|)."""
    near = confine(r, x, 0.75)
    square, series = near * near, 0.0
    for n in range(15, -1, -1):
        series = series * square + (-1) ** n / (math.factorial(n) * (2 * n + 1))
    size = r.where(x < 0, x, -x)
    far = 1 - 2 * r.ndtr(size * sqrt2, 1.0)
    return r.where((x > -0.75) & (x < 0.75), 2 * sqrt2 * DENSITY * near * series, r.where(x < 0, -far, far))


class DoubleDouble:
    """high + low, unevaluated, of float64: about 106 bits."""

    __slots__ = ("high", "low")

    def __init__(self, high: Array, low: Array = 0.0) -> None:
        self.high, self.low = high, low

    def __add__(self, other: DoubleDouble) -> DoubleDouble:
        high = self.high + other.high
        return DoubleDouble(high, two_sum_low(self.high, other.high, high) + (self.low + other.low))

    def __sub__(self, other: DoubleDouble) -> DoubleDouble:
        return self + DoubleDouble(-other.high, -other.low)

    def __mul__(self, other: DoubleDouble) -> DoubleDouble:
        high = self.high * other.high
        return DoubleDouble(
            high, two_product_low(self.high, other.high, high) + (self.high * other.low + self.low * other.high)
        )

    def __truediv__(self, other: DoubleDouble) -> DoubleDouble:
        return DoubleDouble(*divide(self.high, self.low, other.high, other.low))


def rational(
    r: ModuleType, x: Array, numerator: Any, denominator: Any, order: int, closely: bool = True, far: Any = None
) -> Array:
    """By Taylor coefficients of both polynomials at x; beyond 1, where powers overflow, of F / x**rise at 1/x.

    Terms of the numerator, and of derivatives, may cancel; `closely`, numbers are pairs.
    """
    number: Callable[..., Any] = DoubleDouble if closely else lambda high, low=0.0: high
    far = (x > 1) | (x < -1) if far is None else far
    size, sign = r.where(far, x, 1.0), r.sign(x)
    high, low = r.where(far, 1 / size, x), 0.0
    if closely:
        splits = (size < 2.0**900) & (size > -(2.0**900))  # halves of larger numbers overflow
        _, low = divide(1.0, 0.0, r.where(splits, size, 1.0), 0.0)
        low = r.where(far & splits, low, 0.0)

    def picked(coefficients: Any) -> list[Any]:
        return [number(r.where(far, *pair)) for pair in zip(coefficients[::-1], coefficients, strict=True)]

    at = number(high, low)
    p = taylor(picked([*numerator]), at, order)
    q = taylor(picked([1.0, *map(abs, denominator)]), number(r.absolute(high), low * sign), order)
    quotient: list[Any] = []
    for k, term in enumerate(p):
        for j in range(k):
            by_size = quotient[j] * q[k - j]
            term = term - (by_size * number(sign) if (k - j) % 2 else by_size)
        quotient.append(term / q[0])
    rise = len(numerator) - 1 - len(denominator)
    weighted = []  # the derivative of x**rise · f(1/x), by the Taylor coefficients of f
    for k, term in enumerate(quotient):
        weight = (-1) ** k * math.perm(order, k) * math.prod(range(rise - k, rise - order, -1))
        weighted.append(term * number(float(weight)))
    near, result = quotient[order], taylor(weighted, at, 0)[0]
    if closely:
        near, result = near.high + near.low, result.high + result.low
    for _ in range(abs(rise - order)):
        result = result * size if rise > order else result / size
    return r.where(far, result * sign if len(denominator) % 2 else result, math.factorial(order) * near)


def taylor(coefficients: list[Any], at: Any, order: int) -> list[Any]:
    """Taylor coefficients of a polynomial up to the order, by Horner's rule."""
    terms: list[Any] = []
    for coefficient in reversed(coefficients):
        below = [coefficient, *terms]
        terms = [term * at + other for term, other in zip(terms, below, strict=False)] + below[len(terms) : order + 1]
    return terms + [at - at] * (order + 1 - len(terms))


def root_of_square(r: ModuleType, x: Array, b: Array) -> Array:
    """Beyond √b by x plus a small term."""
    other = b**0.5
    large, small = r.where(x > other, x, other), r.where(x > other, other, x)
    ratio = small / large
    return r.where(x > other, x + b / large / (1 + r.sqrt(1 + ratio * ratio)), r.sqrt(small * small + b))


def expm1_less(r: ModuleType, x: Array) -> Array:
    """From −1 on by the series of exp."""
    near = r.maximum(x, -1.0)
    return r.where(x > -1, near * near * exp_series(near, 3) / 2, r.exp(x) - 1 - x)


def exp_series(x: Array, first: int) -> Array:
    """1 + x/first·(1 + x/(first + 1)·(1 + …)) for |x| <= 1, of exp's Taylor series."""
    series = 1 + x / 19
    for n in range(18, first - 1, -1):
        series = 1 + x * series / n
    return series


def inverse(a: float) -> tuple[float, float]:
    return divide(1.0, 0.0, a, a.low if type(a) is Constant else 0.0)


def fits_single(number: float) -> bool:
    """Whether float32 has the size of the number."""
    return number == 0 or 2.0**-150 < abs(number) <= LARGEST_SINGLE or abs(number) == inf


def is_single(a: float) -> bool:
    wide = a * 536870913.0
    return a == 0 or (a == wide - (wide - a) and 2.0**-100 < abs(a) < 2.0**100)


def divide(a: Array, a_low: Array, b: Array, b_low: Array) -> tuple[Array, Array]:
    """(high, low) of (a + a_low) / (b + b_low)."""
    high = a / b
    back = high * b
    return high, ((a - back) - two_product_low(high, b, back) + (a_low - high * b_low)) / b


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """(rounded sum, rounding error) of a + b, for a small b."""
    high = a + b
    return high, b - (high - a)


def split(value: float, step: float) -> float:
    return round(value * step) / step


def two_sum_low(a: Array, b: Array, total: Array) -> Array:
    """Rounding error of `total` = a + b."""
    part = total - a
    return (a - (total - part)) + (b - part)


def rounding_of_difference(x: Array, y: Array) -> Array:
    return two_sum_low(x, -y, x - y)


def softmax_parts(r: ModuleType, x: Array) -> tuple[Array, Array, Array, Array]:
    """(mask of the largest entry, x less that entry, powers, sum of the other powers).

    Without the largest's 1 the sum keeps the digits of log(softmax) and 1 − softmax near 1.
    """
    top, shifted = r.shift_by_top(x)
    powers = r.exp(shifted)
    return top, shifted, powers, r.sum(r.where(top, 0.0, powers))


def softmax(r: ModuleType, x: Array) -> Array:
    _, _, powers, others = softmax_parts(r, x)
    return powers / (1 + others)


def softmax_complement(r: ModuleType, x: Array) -> Array:
    top, _, powers, others = softmax_parts(r, x)
    return r.where(top, others, 1 + others - powers) / (1 + others)


def softmax_pulled(r: ModuleType, x: Array, cotangent: Array) -> Array:
    p = r.softmax(x)
    return p * (cotangent * r.softmax_complement(x) - r.sum_others(p * cotangent, x))


def softmax_sums(r: ModuleType, x: Array) -> tuple[Array, Array, Array, Array]:
    """(whole, rest, and the sum of each), with softmax(x) = (whole + rest) / the sum of both sums.

    Near the largest entry `whole` is 1, and `rest` has all digits of the difference.
    """
    _, shifted = r.shift_by_top(x)
    near = shifted > -1
    whole = r.widen(near, like=shifted)
    rest = r.where(near, r.expm1(r.maximum(shifted, -1.0)), r.exp(shifted))
    return whole, rest, r.sum(whole), r.sum(rest)


def softmax_closely(r: ModuleType, x: Array) -> Array:
    """Rounded once but for the exponential of entries far from the largest."""
    whole, rest, wholes, rests = softmax_sums(r, x)
    size, total = whole + rest, nonzero(r, wholes + rests)
    high, low = divide(size, rest - (size - whole), total, rests - (total - wholes))
    return high + low


def softmax_pulled_closely(r: ModuleType, x: Array, cotangent: Array) -> Array:
    """p·(c − Σ p·c); terms of `whole` cancel exactly, as the cotangent's first digits have room for their sum."""
    whole, rest, wholes, rests = softmax_sums(r, x)
    room = r.sum(r.absolute(cotangent)) * r.SPLIT[x.dtype]
    first = (cotangent + room) - room
    last = cotangent - first
    exact = first * wholes - r.sum(whole * first)
    gap = exact + ((last * wholes - r.sum(whole * last)) + (cotangent * rests - r.sum(rest * cotangent)))
    size, total = whole + rest, wholes + rests
    square = total * total + 2 * total * (rests - (total - wholes))
    return (gap * size + gap * (rest - (size - whole))) / nonzero(r, square)


def overlap_slopes(
    r: ModuleType, over: Array, missed: Array, right: Array, alpha: Array, beta: Array, power: Array
) -> tuple[Array, Array]:
    """In sums (high, low), which take no time: a region has few of them."""

    def times(x: Array, low: Array, a: Array) -> tuple[Array, Array]:
        if type(a) is float and a == 1.0:
            return x, low
        high = a * x
        return high, two_product_low(a, x, high) + a * low

    def add(x: Array, x_low: Array, y: Array, y_low: Array) -> tuple[Array, Array]:
        high = x + y
        return high, two_sum_low(x, y, high) + (x_low + y_low)

    wrong = add(*times(over, 0.0, alpha), *times(missed, 0.0, beta))
    high, low = add(*wrong, right, 0.0)
    is_empty, total = high == 0, (nonzero(r, high), low)
    index, index_low = divide(*wrong, *total)
    is_plain = type(power) is float and power == 1.0
    steep = 1.0 if is_plain else r.where(index == 0, 0.0, nonzero(r, index) ** (power - 1))

    def slope(part: Array, part_low: Array) -> Array:
        high, low = times(*divide(*divide(part, part_low, *total), *total), power)
        if not is_plain:
            low = low + high * (power - 1) * safe_divide(r, index_low, index, 0.0)
        low = r.where(low == low, low, 0.0)  # halves of large numbers overflow
        high = steep * high + steep * low
        return r.where(is_empty | (high == inf), 0.0, high)

    return slope(*times(right, 0.0, alpha)), slope(*add(*wrong, *times(right, 0.0, beta)))


def log_softmax(r: ModuleType, x: Array) -> Array:
    _, shifted, _, others = softmax_parts(r, x)
    return shifted - r.log1p(others)


def top(r: ModuleType, x: Array) -> Array:
    return r.where(r.shift_by_top(x)[0], r.where(x == x, 1.0, x), 0.0)


def above_simplex_threshold(r: ModuleType, x: Array) -> Array:
    """t is −1 where no entry counts. First the largest is subtracted: a large common part costs digits."""
    _, x = r.shift_by_top(x)
    z = r.descending(x)
    places = r.arange(x.shape[-1], x) + 1
    inside = 1 + places * z > r.cumsum(z)
    count = r.sum(r.where(inside, 1.0, r.where(inside, z, 0.0)))
    return x - (r.sum(r.where(inside, z, 0.0)) - 1) / r.maximum(count, 1.0)


def jaccard_steps(r: ModuleType, order: Array, target: Array, weight: Array) -> Array:
    """No step is a difference of nearly equal losses."""
    places = r.places(order)
    part, size = r.picked(target, places), r.picked(weight, places)
    strange = size * (1 - part)
    region = r.sum(size * part)
    union = region + r.cumsum(strange)
    before = r.joined(region, union)[..., :-1]
    left = r.reversed(r.cumsum(r.reversed(size * part)))
    steps = safe_divide(r, size, union, 0.0) * (part + (1 - part) * safe_divide(r, left, before, 1.0))
    return r.picked(steps, r.places(-places))


def softmax_logit(r: ModuleType, x: Array) -> Array:
    """At the top, the others are summed relative to the second largest."""
    top, shifted, powers, others = softmax_parts(r, x)
    below = r.maximum(r.where(top, -1e30, shifted), -1e30)  # −inf would give inf − inf
    second, under = r.shift_by_top(below)
    rest = r.sum(r.where(second | top, 0.0, r.exp(under)))
    rivals = r.sum(r.where(second, below, 0.0)) + r.log1p(rest)
    return r.where(top, -rivals, shifted - r.log1p(r.where(top, 0.0, others - powers)))


def sum_pairs(r: ModuleType, term: Callable[..., Array], *rows: Array) -> Array:
    values = term(*(row[..., :, None] for row in rows), *(row[..., None, :] for row in rows))
    like = rows[0]
    same = r.one_hot(r.arange(like.shape[-1], like), like=like) == 1
    return r.sum(r.sum(r.where(same, 0.0, values))[..., 0])[..., 0]


def levels(r: ModuleType, given: Array, like: Array) -> tuple[Array, Array]:
    """1 − level is taken before a level is rounded to the dtype."""
    if given is None:
        count = like.shape[-1]
        middle = r.widen(r.arange(count, like), like=like) + 0.5
        return middle / count, (count - middle) / count
    if isinstance(given, tuple):
        return r.row(given, like), r.row(tuple(1 - level for level in given), like)
    if isinstance(given, (int, float)):
        return given, 1 - given
    return r.widen(given, like=like), r.widen(1 - given, like=like)


def ranks(r: ModuleType, x: Array) -> tuple[Array, Array]:
    """The mean of an entry's places where equal ones are ordered forwards and backwards; it takes no pairs."""

    def larger_or_before(x: Array) -> Array:
        return r.inverted(r.places(x))

    forwards, backwards = larger_or_before(x), r.reversed(larger_or_before(r.reversed(x)))
    high = r.widen(forwards + backwards + 1, like=x) / 2
    return x.shape[-1] - high, high


def sum_others(r: ModuleType, values: Array, x: Array) -> Array:
    top, _ = r.shift_by_top(x)
    return r.where(top, r.sum(r.where(top, 0.0, values)), r.sum(values) - values)
