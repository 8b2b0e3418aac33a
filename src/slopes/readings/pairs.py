"""The reading of pairs: sums of two float32 arrays of JAX, with 46 bits, in place of float64, which JAX has on request.

A compiler may fuse a product with the sum that it goes into, so that two copies of it differ. So factors are cut in
halves, whose products are exact, and no product is used before it is summed up. XLA also takes (1 + x) − 1 for x, so
sums are held. The range is float32's, and so are slopes: by the high parts alone, as `low` is constant to autograd.
"""

from __future__ import annotations

import functools
import math
import operator
import sys
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from slopes.constants import Array, Constant
from slopes.readings import tails, textbook

_this = sys.modules[__name__]


class Pair:
    """high + low, unevaluated; `low` is at most half a unit in the last place of `high`."""

    __slots__ = ("high", "low")
    __array_ufunc__ = None  # for NumPy's scalars to use these operators
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, high: Any, low: Any) -> None:
        self.high, self.low = high, low

    @staticmethod
    def product_low(a: Array, b: Array, total: Array) -> float:
        """The rounding error of a product, which a pair has in itself."""
        return 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.high.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> Any:
        return self.high.dtype

    def __pos__(self) -> Pair:
        return self

    def __neg__(self) -> Pair:
        return Pair(-self.high, -self.low)

    def __add__(self, other: Any) -> Pair:
        return _add(self, pair(other))

    def __sub__(self, other: Any) -> Pair:
        return _add(self, -pair(other))

    def __rsub__(self, other: Any) -> Pair:
        return _add(pair(other), -self)

    def __mul__(self, other: Any) -> Pair:
        if isinstance(other, (int, float)) and abs(math.frexp(other)[0]) == 0.5:  # a power of 2
            return Pair(self.high * float(other), self.low * float(other))
        return _multiply(self, pair(other))

    def __truediv__(self, other: Any) -> Pair:
        if isinstance(other, (int, float)) and abs(math.frexp(other)[0]) == 0.5:
            return self * (1 / other)
        return _divide(self, pair(other))

    def __rtruediv__(self, other: Any) -> Pair:
        return _divide(pair(other), self)

    def __pow__(self, power: float) -> Any:
        if power == int(power) and abs(power) <= 8:
            result: Any = 1.0
            for _ in range(abs(int(power))):
                result = self * result
            return result if power >= 0 else 1 / result
        return exp(log(self) * power)

    __radd__, __rmul__ = __add__, __mul__

    def __lt__(self, other: Any) -> Any:
        other = pair(other)
        return (self.high < other.high) | ((self.high == other.high) & (self.low < other.low))

    def __gt__(self, other: Any) -> Any:
        return pair(other) < self

    def __eq__(self, other: object) -> Any:
        other = pair(other)
        return (self.high == other.high) & ~((self.low < other.low) | (self.low > other.low))

    def __ne__(self, other: object) -> Any:
        return ~(self == other)

    def __le__(self, other: Any) -> Any:
        return (self < other) | (self == other)

    def __ge__(self, other: Any) -> Any:
        return (self > other) | (self == other)


def pair(x: Any) -> Pair:
    """x as a pair; a number keeps its digits."""
    if isinstance(x, Pair):
        return x
    if isinstance(x, (bool, int, float)):
        with np.errstate(over="ignore"):
            high = np.float32(x)
            low = np.float32(x - float(high) + (x.low if type(x) is Constant else 0.0)) if np.isfinite(high) else 0
        return Pair(high, np.float32(low))
    return Pair(jnp.asarray(x, jnp.float32), np.float32(0))


def rounded(x: Any) -> Any:
    """The nearest array of float32; anything but a pair as it is."""
    return x.high if isinstance(x, Pair) else x


def _with_slopes(*slopes: Callable[..., Array]) -> Callable[[Callable[..., Pair]], Callable[..., Pair]]:
    """Give a function of pairs its slopes by each, functions of the high parts of the arguments and of the result."""

    def decorate(compute: Callable[..., Pair]) -> Callable[..., Pair]:
        @jax.custom_jvp  # type: ignore[untyped-decorator]
        @jax.jit  # type: ignore[untyped-decorator]
        def parts(*flat: Array) -> tuple[Array, Array]:
            result = compute(*map(Pair, flat[::2], flat[1::2]))
            return result.high, result.low

        def differentiate(primals: Any, tangents: Any) -> Any:
            high, low = parts(*primals)
            moves = zip(slopes, tangents[::2], strict=True)
            moved = [slope(*primals[::2], high) * move for slope, move in moves if not isinstance(move, SymbolicZero)]
            total = functools.reduce(operator.add, moved) if moved else 0.0
            return (high, low), (jnp.broadcast_to(total, high.shape).astype(high.dtype), jnp.zeros_like(low))

        parts.defjvp(differentiate, symbolic_zeros=True)

        @functools.wraps(compute)
        def function(*arguments: Any) -> Pair:
            flat = (part for x in map(pair, arguments) for part in (x.high, x.low))
            return Pair(*parts(*map(jnp.asarray, flat)))

        return function

    return decorate


def _normal(high: Array, low: Array) -> Pair:
    """The pair of a sum, whose parts may overlap; `low` counts as 0 where it is not finite."""
    low = jnp.where(abs(low) < inf, low, 0)
    total = _held(high + low)
    return Pair(total, low - (total - high))


def _cut(x: Array) -> tuple[Array, Array]:
    """(the first 12 bits of a float32, the others)."""
    bits = jax.lax.bitcast_convert_type(x, jnp.uint32) & np.uint32(0xFFFFF000)
    head = jax.lax.bitcast_convert_type(bits, jnp.float32)
    return head, x - head


def _held(total: Array) -> Array:
    """A sum that a compiler does not undo."""
    return jax.lax.reduce_precision(total, 8, 23)


TINY = 1e-28


def _two_product(a: Array, b: Array) -> tuple[Array, Array]:
    """(product, its rounding error); of a tiny product, whose parts would be subnormal, without the error."""
    plain = a * b
    (a_high, a_low), (b_high, b_low) = _cut(a), _cut(b)
    total = _held(a_high * b_high + (a_high * b_low + a_low * b_high + a_low * b_low))
    low = (((a_high * b_high - total) + a_high * b_low) + a_low * b_high) + a_low * b_low
    fits = (abs(plain) > TINY) & (abs(total) < inf)
    return jnp.where(fits, total, plain), jnp.where(fits, low, 0)


@_with_slopes(lambda x, y, _: 1.0, lambda x, y, _: 1.0)
def _add(x: Pair, y: Pair) -> Pair:
    total = _held(x.high + y.high)
    return _normal(total, tails.two_sum_low(x.high, y.high, total) + (x.low + y.low))


@_with_slopes(lambda x, y, _: y, lambda x, y, _: x)
def _multiply(x: Pair, y: Pair) -> Pair:
    high, low = _two_product(x.high, y.high)
    return _normal(high, low + (x.high * y.low + x.low * y.high))


@_with_slopes(lambda x, y, _: 1 / y, lambda x, y, quotient: -quotient / y)
def _divide(x: Pair, y: Pair) -> Pair:
    quotient = x.high / y.high
    back, back_low = _two_product(quotient, y.high)
    return _normal(quotient, (((x.high - back) - back_low) + (x.low - quotient * y.low)) / y.high)


# --------------------------------------------------------------------------------------- primitives

DEEP = {np.dtype(np.float32): 80.0}  #: exp(−80) is normal
double = double_for = just_above = zero_dimensional = textbook.unchanged


def widen(x: Array, like: Array | None = None) -> Pair:
    return pair(x)


def where(condition: Array, a: Array, b: Array) -> Pair:
    a, b = pair(a), pair(b)
    return Pair(jnp.where(condition, a.high, b.high), jnp.where(condition, a.low, b.low))


minimum, maximum = partial(tails.minimum, _this, Pair), partial(tails.maximum, _this, Pair)


def sign(x: Pair) -> Array:
    return jnp.sign(x.high)


def absolute(x: Pair) -> Array:
    return x * sign(x)


def stop_gradient(x: Any) -> Any:
    x = pair(x)
    return Pair(jax.lax.stop_gradient(x.high), jax.lax.stop_gradient(x.low))


def with_slope_of(value: Pair, form: Any) -> Pair:
    """The low part has no slope."""
    smooth = pair(form()).high
    change = smooth - jax.lax.stop_gradient(smooth)
    held = stop_gradient(value)
    return Pair(held.high + jnp.where(change == change, change, 0.0), held.low)


@_with_slopes(lambda x, root: 0.5 / root)
def sqrt(x: Pair) -> Pair:
    root = jnp.sqrt(x.high)
    square, low = _two_product(root, root)
    return _normal(root, (((x.high - square) - low) + x.low) / (2 * jnp.where(root == 0, 1.0, root)))


LN2 = 0.693359375, -0.00021219444005469058  #: two parts of it, the first of 9 bits


def _exp_parts(x: Pair) -> tuple[Array, Pair]:
    """(k, e) with exp(x) = (1 + e)·2^k, and k = 0 near 0; e has 33 bits."""
    k = jnp.rint(x.high * 1.4426950408889634)
    rest = Pair(x.high - k * LN2[0], x.low) - Pair(k, np.float32(0)) * LN2[1]
    z = rest.high
    fourth = z * z * (1 / 24 + z * (1 / 120 + z * (1 / 720 + z * (1 / 5040 + z * (1 / 40320 + z / 362880)))))
    return k, rest + rest * rest * (rest * pair(1 / 6) + fourth + 0.5)


def _times_power(x: Pair, k: Array) -> Pair:
    """x·2^k, in two steps, as 2^k may overflow; both are exact unless the result is subnormal."""
    first = jnp.floor(k / 2)
    for part in (first, k - first):
        bits = (part.astype(jnp.int32) + 127) << 23
        power = jax.lax.bitcast_convert_type(bits, jnp.float32)
        x = Pair(x.high * power, x.low * power)
    return x


@_with_slopes(lambda x, power: power)
def exp(x: Pair) -> Pair:
    k, e = _exp_parts(maximum(minimum(x, 100.0), -120.0))
    return _times_power(1 + e, k)


@_with_slopes(lambda x, power: jnp.exp(x))
def expm1(x: Pair) -> Pair:
    k, e = _exp_parts(maximum(minimum(x, 100.0), -120.0))
    return where(k == 0, e, _times_power(1 + e, k) - 1)


@_with_slopes(lambda x, _: 1 / x)
def log(x: Pair) -> Pair:
    """By a step of Newton's method, for y with exp(y) = x."""
    near = jnp.log(x.high)
    near = jnp.where(abs(near) < inf, near, 0.0)
    inside = (x.high > 0) & (x.high < inf)
    held = where(inside, x, 1.0)
    rest = held * exp(Pair(-near, np.float32(0))) - 1
    return where(inside, near + (rest - rest * rest / 2), jnp.log(x.high))


@_with_slopes(lambda x, _: 1 / (1 + x))
def log1p(x: Pair) -> Pair:
    inside = (x.high > -1) & (x.high < inf)
    held = where(inside, x, 0.0)
    near = jnp.log1p(held.high)
    power = expm1(Pair(near, np.float32(0)))
    rest = (held - power) / (1 + power)
    return where(inside, near + (rest - rest * rest / 2), jnp.log1p(x.high))


@_with_slopes(lambda x, _: _tanh_slope(x))
def tanh(x: Pair) -> Pair:
    left = x < 0
    power = expm1(2 * maximum(where(left, x, -x), -20.0))
    size = -power / (2 + power)
    return where(left, -size, where(x == 0, x, size))


def _tanh_slope(x: Array) -> Array:
    power = jnp.exp(2 * jnp.where(x < 0, x, -x))
    return 4 * power / ((1 + power) * (1 + power))


#: pi/2 in three parts of float32
QUARTER = np.float32(1.5707963705062866), np.float32(-4.371138828673793e-08), np.float32(-1.7151245100058038e-15)
FAR = 1e6  #: from here on phases are reduced by JAX's own functions


def _turned(x: Pair, quarters: int) -> Pair:
    """The sine of x and a number of right angles."""
    far = abs(x.high) > FAR
    held = where(far, 0.0, x)
    k = jnp.rint(held.high * 0.6366197723675814)
    angle = held
    for part in QUARTER:
        angle = angle - Pair(k, np.float32(0)) * Pair(part, np.float32(0))
    square = angle * angle
    z = square.high
    fifth = z * (1 / 120 + z * (-1 / 5040 + z * (1 / 362880 - z / 39916800)))
    sine = angle + angle * square * (fifth - pair(1 / 6))
    sixth = z * (-1 / 720 + z * (1 / 40320 + z * (-1 / 3628800 + z / 479001600)))
    cosine = 1 - square / 2 + square * square * (pair(1 / 24) + sixth)
    place = (k.astype(jnp.int32) + quarters) & 3
    near = where((place & 1) == 0, sine, cosine)
    near = where(place > 1, -near, near)
    own = (jnp.sin, jnp.cos)[quarters]
    other = (jnp.cos, lambda x: -jnp.sin(x))[quarters]
    return where(far, own(x.high) * jnp.cos(x.low) + other(x.high) * jnp.sin(x.low), near)


@_with_slopes(lambda x, _: cos(x).high)
def sin(x: Pair) -> Pair:
    return _turned(x, 0)


@_with_slopes(lambda x, _: -sin(x).high)
def cos(x: Pair) -> Pair:
    return _turned(x, 1)


def fma(x: Pair, a: Array, c: Array) -> Array:
    return x * a + c


def product(x: Pair, a: Array) -> tuple[Pair, float]:
    return tails.confine(_this, x, tails.HELD / a) * a, 0.0


def quotient(x: Pair, a: Array) -> tuple[Pair, float]:
    return tails.confine(_this, x, tails.HELD * a) / a, 0.0


def cubic(x: Pair, a: Constant, b: Constant) -> tuple[Pair, float]:
    x = tails.confine(_this, x, 32.0)
    return x * (a + x * x * b), 0.0


def log_odds(p: Array, like: Array) -> tuple[Array, Array]:
    return tails.log_odds(p) if isinstance(p, (int, float)) else (log(pair(p)) - log1p(-pair(p)), 0.0)


def snake(x: Pair, a: Array) -> Pair:
    line, x_held = _line(x, a)
    ripple = sin(line) / tails.nonzero(_this, a)
    return x + sin(line) * where(line == 0, x_held, ripple)


def snake_slope(x: Pair, a: Array) -> Pair:
    """By a square, as the sum cancels; a large phase would lose the shift by an eighth of a turn."""
    line, _ = _line(x, a)
    far = abs(line.high) > FAR
    root, both = sin(where(far, 0.0, line) + tails.EIGHTH), sin(line) + cos(line)
    return where(line == 0, 1.0, where(far, both * both, 2 * root * root))


def _line(x: Pair, a: Array) -> tuple[Pair, Pair]:
    """(a·x, x), both 0 where the product is infinite."""
    is_finite = abs((x * a).high) < inf
    x = where(is_finite, x, 0.0)
    return x * a, x


sigmoid, softplus = partial(tails.sigmoid, _this), partial(tails.softplus, _this)
sigmoid_slope, gate_slope = partial(tails.sigmoid_slope, _this), partial(tails.gate_slope, _this)
sigmoid_less, sigmoid_mixture = partial(tails.sigmoid_less, _this), partial(tails.sigmoid_mixture, _this)
exp_of_size, decay = partial(tails.exp_of_size, _this), partial(tails.decay, _this)
mish, mish_slope = partial(tails.mish, _this), partial(tails.mish_slope, _this)
softcap, tanhshrink = partial(tails.softcap, _this), partial(tails.tanhshrink, _this)
expm1_less, root_of_square = partial(tails.expm1_less, _this), partial(tails.root_of_square, _this)
lgamma_ratio, rational = partial(tails.lgamma_ratio, _this), partial(tails.rational, _this, closely=False)
overlap_slopes, rounding_of_difference = partial(tails.overlap_slopes, _this), tails.rounding_of_difference
