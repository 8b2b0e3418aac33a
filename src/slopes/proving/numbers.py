"""Float64 numbers: between two, beside one, near one."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

LARGEST = sys.float_info.max
INFINITIES = (-math.inf, math.inf)
NEAR = 1e-8


def is_near(x: float, y: float) -> bool:
    """Whether two numbers agree to eight digits, or decimal places below 1."""
    return abs(x - y) <= NEAR * max(1.0, abs(x))


def middle(low: float, high: float) -> float | None:
    """Return a short number between two, near half of the way or of the exponents; None between neighbours."""
    if not low < high:
        return None
    if low < 0 < high:
        return 0.0
    if high <= 0:
        mirrored = middle(-high, -low)
        return None if mirrored is None else -mirrored
    if low == 0 and high > 1:
        return 1.0
    if low > 0 and high > 4 * low:
        return math.ldexp(1.0, (math.frexp(low)[1] + math.frexp(high)[1]) // 2)
    half = low + (high - low) / 2
    if not low < half < high:
        return None
    step = math.ldexp(1.0, math.frexp(high - low)[1] - 2)
    short = round(half / step) * step if step > 0 and half / step < 2**52 else half
    return short if low < short < high else half


def neighbours(x: float) -> Iterator[float]:
    """Yield the next float64 numbers below and above, if they are finite."""
    for direction in (-math.inf, math.inf):
        other = math.nextafter(x, direction)
        if abs(other) < math.inf:
            yield other
