"""Elementary functions for kernels of half types: the namesakes of `slopes.kernels.arithmetic.elementary`.

They compute in float32 by the exponential and the root of the device, within about 2^-20 of the result, so that nearly
all results are rounded to a half type as the exact ones. Rounding errors that arguments bring along (`low`) do not
count. Quotients are products with a reciprocal, which is two instructions.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from slopes.kernels.arithmetic import coefficients
from slopes.kernels.gpu.loading import load
from slopes.kernels.gpu.machine import any_beyond, bits_of, is_odd, magic, number_of, snake_slope_far


def polynomial(numbers):
    """Coefficients are listed from the lowest degree."""
    text = repr(numbers[-1])
    for number in numbers[-2::-1]:
        text = f"({text}) * x + {number!r}".replace("+ -", "- ")
    source = f"import triton\nimport triton.language as tl\n\n@triton.jit\ndef polynomial(x):\n    return {text}\n"
    return load(source, "polynomial")


expm1_share = polynomial(coefficients.EXPM1_COARSE)
expm1_less_share = polynomial(coefficients.EXPM1_LESS_COARSE)
tanh_share = polynomial(coefficients.TANH_COARSE)
tanhshrink_share = polynomial(coefficients.TANHSHRINK_COARSE)
log1p_share = polynomial(coefficients.LOG1P_COARSE)
mills_share = polynomial(coefficients.MILLS_COARSE)
sin_squared_share = polynomial(coefficients.SIN_SQUARED_COARSE)
TWO_BY_PI = tl.constexpr(0.6366197723675814)
HALF_PI = tl.constexpr(coefficients.HALF_PI_SINGLE[0])
HALF_PI_LOW = tl.constexpr(coefficients.HALF_PI_SINGLE[1])
NEAR = tl.constexpr(65536.0)  # up to here the quarter turns are exact
LEAST = tl.constexpr(1e-45)  # x·σ(x) of a subnormal x is a little more than x / 2, which may be a tie
ENDED = tl.constexpr(-200.0)  # exp is 0 below, times any number


@triton.jit
def reciprocal(x):
    """1 / x for x >= 1."""
    root = tl.rsqrt(x)
    return root * root


@triton.jit
def signed_as(a, b):
    """a, which has no other sign than b but where it is 0, with the sign of b: one instruction."""
    return number_of(bits_of(a) | (bits_of(b) & -0x80000000), a)


@triton.jit
def divided(a, b):
    return a / b


@triton.jit
def sqrt(x):
    return tl.sqrt(x)


@triton.jit
def power(x, y):
    return libdevice.pow(x, y)


@triton.jit
def exp(x):
    return tl.exp(x)


@triton.jit
def decay(x, times, low=None):
    return signed_as(tl.where(x < ENDED, 0.0, times) * tl.exp(x), times)


@triton.jit
def expm1(x):
    near = x * expm1_share(x)
    return tl.where(tl.abs(x) < 0.25, near, tl.exp(x) - 1.0)


@triton.jit
def expm1_less(x):
    near = x * x * expm1_less_share(x)
    return tl.where(tl.abs(x) < 0.5, near, (tl.exp(x) - 1.0) - x)


@triton.jit
def sigmoid(x, times=None, low=None):
    e = tl.exp(tl.abs(x) * -1.0)
    share = tl.where(x < 0.0, e, 1.0) * reciprocal(1.0 + e)
    if times is not None:
        share = signed_as(tl.where(x < ENDED, 0.0, times) * share + LEAST, times)
    return share


@triton.jit
def sigmoid_fine(x, times, low=None):
    return sigmoid(x, times)


@triton.jit
def silu(x):
    return sigmoid(x, x)


@triton.jit
def sigmoid_slope(x, times=None, low=None):
    e = tl.exp(tl.abs(x) * -1.0)
    inverse = reciprocal(1.0 + e)
    slope = e * inverse * inverse
    if times is not None:
        slope = tl.where(tl.abs(x) > -ENDED, 0.0, times) * slope
    return slope


@triton.jit
def sigmoid_slope_beside(x):
    return sigmoid_slope(x)


@triton.jit
def gate_slope(x, y, low=None, y_low=None, times=None):
    """By a sum over (1 + e)² with e = exp(−|x|), on the left times e."""
    left = x < 0.0
    e = tl.exp(tl.abs(x) * -1.0)
    inverse = reciprocal(1.0 + e)
    y = tl.where(y > 1e4, 1e4, tl.where(y < -1e4, -1e4, y))  # an infinite y: e is 0
    after = 1.0 + y
    total = tl.where(left, after + e, e * after + 1.0)
    slope = tl.where(left, e, 1.0) * total * inverse * inverse
    if times is not None:
        slope = tl.where(x < ENDED, 0.0, times) * slope
    return slope


@triton.jit
def mills_ratio(a):
    """Φ(−a)·exp(a²/2) for a >= 0, by u·P(1 − 8u), u = 1/(a + 4)."""
    u = reciprocal(a + 4.0)
    return u * mills_share(1.0 - 8.0 * u)


@triton.jit
def ndtr(x, times=None):
    a = tl.abs(x)
    a = tl.where(a > 16.0, 16.0, a)
    below = mills_ratio(a) * tl.exp(-0.5 * a * a)
    share = tl.where(x < 0.0, below, 1.0 - below)
    if times is not None:
        share = signed_as(tl.where(x < -16.0, 0.0, times) * share + LEAST, times)
    return share


@triton.jit
def normal_gate_slope(x, times=None):
    a = tl.abs(x)
    a = tl.where(a > 16.0, 16.0, a)
    below = (mills_ratio(a) - 0.3989422804014327 * a) * tl.exp(-0.5 * a * a)
    slope = tl.where(x < 0.0, below, 1.0 - below)
    if times is not None:
        slope = times * slope
    return slope


@triton.jit
def softplus(x):
    e = tl.exp(tl.abs(x) * -1.0)
    return tl.where(x < 0.0, 0.0, x) + e * log1p_share(e - 0.5)


@triton.jit
def mish(x):
    """By n / (n + 2) with n = e·(e + 2), e = exp(x)."""
    e = tl.exp(tl.where(x > 20.0, 20.0, x))
    n = e * (e + 2.0)
    return tl.where(x < ENDED, ENDED, x) * (n * reciprocal(n + 2.0))


@triton.jit
def mish_slope(x):
    """By e·(e + 2 + 4x·(1 + e)/(n + 2))/(n + 2)."""
    x = tl.where(x > 20.0, 20.0, tl.where(x < ENDED, ENDED, x))
    e = tl.exp(x)
    inverse = reciprocal(e * (e + 2.0) + 2.0)
    return e * inverse * ((e + 2.0) + 4.0 * x * ((1.0 + e) * inverse))


@triton.jit
def with_sign(size, x):
    return tl.where(x < 0.0, size * -1.0, size)


@triton.jit
def tanh(x):
    near = x * tanh_share(x * x)
    q = tl.exp(-2.0 * tl.abs(x))
    far = (1.0 - q) * reciprocal(1.0 + q)
    return tl.where(tl.abs(x) < 0.44, near, with_sign(far, x))


@triton.jit
def softcap(x, cap):
    quotient = x * (1.0 / cap)
    return tl.where(tl.abs(quotient) < 1e-5, x, cap * tanh(quotient))


@triton.jit
def tanhshrink(x):
    square = x * x
    near = square * x * tanhshrink_share(square)
    q = tl.exp(-2.0 * tl.abs(x))
    far = (tl.abs(x) - 1.0) + 2.0 * q * reciprocal(1.0 + q)
    return tl.where(tl.abs(x) < 0.75, near, with_sign(far, x))


@triton.jit
def snake(x, a=None):
    """x + sin(a·x)² / a; a large x needs no sine."""
    angle = x
    if a is not None:
        angle = a * x
    n = angle * TWO_BY_PI + magic(angle)
    turns = n - magic(n)
    r = tl.fma(turns, -HALF_PI, angle)
    r = tl.fma(turns, -HALF_PI_LOW, r)
    square = r * r
    square = square * sin_squared_share(square)
    square = tl.where(is_odd(n), 1.0 - square, square)
    if a is not None:
        square = tl.where(tl.abs(angle) < 1e-10, angle * x, square * (1.0 / a))
    return signed_as(tl.where(tl.abs(angle) < 8192.0, x + square, x), x)


@triton.jit
def snake_slope(x, a=None):
    """1 + sin(2·a·x): twice the square of a sine, or 2 less that."""
    if a is None:
        angle, low = (x, x * 0.0)
    else:
        angle = a * x
        low = tl.fma(a, x, angle * -1.0)
    n = (angle * TWO_BY_PI + 0.5) + magic(angle)
    turns = (n - magic(n)) - 0.5
    r = tl.fma(turns, -HALF_PI, angle)
    r = tl.fma(turns, -HALF_PI_LOW, r)
    if a is not None:
        r = r + low
    square = r * r
    half = square * sin_squared_share(square)
    slope = tl.where(is_odd(n), 2.0 - 2.0 * half, 2.0 * half)
    if any_beyond(angle, NEAR):
        slope = tl.where(tl.abs(angle) > NEAR, snake_slope_far(angle, low), slope)
    return slope
