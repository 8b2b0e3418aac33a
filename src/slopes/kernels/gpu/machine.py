"""Functions of the arithmetic of a GPU, for kernels: the namesakes of `slopes.kernels.arithmetic.machine`.

Error-free sums need quotients, roots and negations of float32 as IEEE 754 defines them; Triton's own differ.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice


@triton.jit
def divided(a, b):
    """a / b, rounded to nearest."""
    if a.dtype == tl.float32:
        return tl.div_rn(a, b)
    else:
        return a / b


@triton.jit
def negated(x):
    """−x, with the sign of 0: Triton's own is 0 − x."""
    return x * -1.0


@triton.jit
def sqrt(x):
    if x.dtype == tl.float32:
        return tl.sqrt_rn(x)
    else:
        return tl.sqrt(x)


@triton.jit
def bits_of(x):
    if x.dtype == tl.float32:
        return x.to(tl.int32, bitcast=True)
    else:
        return x.to(tl.int64, bitcast=True)


@triton.jit
def number_of(bits, x):
    """The number of these bits in the dtype of x."""
    return bits.to(x.dtype, bitcast=True)


@triton.jit
def shifted(bits):
    """Bits of an integer, moved to where a number has its exponent."""
    if bits.dtype == tl.int32:
        return bits << 23
    else:
        return bits << 52


@triton.jit
def magic(x):
    """A sum with it has the nearest integer in its low bits."""
    return tl.full([], 12582912.0 if x.dtype == tl.float32 else 6755399441055744.0, x.dtype)


@triton.jit
def one_bits(x):
    return bits_of(tl.full([], 1.0, x.dtype))


@triton.jit
def with_sign_of(a, b):
    if a.dtype == tl.float32:
        return number_of((bits_of(a) & 0x7FFFFFFF) | (bits_of(b) & -0x80000000), a)
    else:
        return number_of((bits_of(a) & 0x7FFFFFFFFFFFFFFF) | (bits_of(b) & -0x8000000000000000), a)


@triton.jit
def nearest(x):
    """Round half to even; a number beyond the first constant has no fraction."""
    most = tl.full([], 4194304.0 if x.dtype == tl.float32 else 2251799813685248.0, x.dtype)
    rounded = (x + magic(x)) - magic(x)
    return tl.where(tl.abs(x) < most, with_sign_of(rounded, x), x)


@triton.jit
def power_of_two(k):
    """2^k for an integral float k of the normal range."""
    return number_of(shifted(bits_of(k + magic(k))) + one_bits(k), k)


@triton.jit
def binary_logarithm(x):
    return tl.fma(x, tl.full([], 1.4426950408889634, x.dtype), magic(x))


@triton.jit
def exponent_in(logarithm):
    return logarithm - magic(logarithm)


@triton.jit
def scales_in(logarithm):
    one = one_bits(logarithm)
    power = shifted(bits_of(logarithm)) + one
    least = bits_of(
        tl.full([], 2.0**-126 if logarithm.dtype == tl.float32 else 2.2250738585072014e-308, logarithm.dtype)
    )
    scale = tl.where(power < least, least, power)
    return number_of(scale, logarithm), number_of(power - scale + one, logarithm)


@triton.jit
def lowered_scales_in(logarithm):
    if logarithm.dtype == tl.float32:
        least = tl.full([], 12582912.0 + 1 - 127 + 64, tl.float32)
    else:
        least = tl.full([], 6755399441055744.0 + 1 - 1023 + 512, tl.float64)
    power = shifted(bits_of(logarithm))
    scale = shifted(bits_of(tl.where(logarithm < least, least, logarithm)))
    rest = power - scale + one_bits(logarithm)
    lowered = tl.full([], 2.0**-64 if logarithm.dtype == tl.float32 else 2.0**-512, logarithm.dtype)
    return number_of(scale + bits_of(lowered), logarithm), number_of(rest, logarithm)


@triton.jit
def exponent_of(x):
    if x.dtype == tl.float32:
        return ((bits_of(x) - 0x3F3504F3) >> 23).to(tl.float32)
    else:
        return ((bits_of(x) - 0x3FE6A09E667F3BCD) >> 52).to(tl.float64)


@triton.jit
def divided_by_power(x, k):
    return number_of(bits_of(x) - shifted(bits_of(k + magic(k))), x)


@triton.jit
def is_odd(n):
    return (bits_of(n) & 1) != 0


@triton.jit
def negated_if_odd(x, n):
    return tl.where((bits_of(n) & 1) != 0, negated(x), x)


@triton.jit
def negated_by_second(x, n):
    return tl.where((bits_of(n) & 2) != 0, negated(x), x)


@triton.jit
def any_beyond(x, most):
    """Whether an entry is larger in size, as one value for the block; NaN is not."""
    return tl.max((tl.abs(x) > most).to(tl.int32), axis=0) > 0


@triton.jit
def power(x, y):
    """x^y, by way of float64, as the library's power of float32 may be off by 4 ulp."""
    return libdevice.pow(x.to(tl.float64), y.to(tl.float64)).to(x.dtype)


@triton.jit
def sin_far(x):
    """In float64, by the library's reduction of large numbers."""
    return tl.sin(x.to(tl.float64)).to(x.dtype)


@triton.jit
def cos_far(x):
    return tl.cos(x.to(tl.float64)).to(x.dtype)


@triton.jit
def snake_slope_far(x, low):
    """(sin(x + low) + cos(x + low))²; 1 at infinity."""
    wide, rest = x.to(tl.float64), low.to(tl.float64)
    sine, cosine = tl.sin(wide), tl.cos(wide)
    root = (sine + cosine) * tl.cos(rest) + (cosine - sine) * tl.sin(rest)
    return tl.where(tl.abs(wide) == float("inf"), 1.0, root * root).to(x.dtype)
