"""What a loss's kernel divides by."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

A = TypeVar("A")


def counted(
    reduction: str, divisor: Any, size: int, weight: A | None, measure: Callable[[A], tuple[float, float, float]]
) -> tuple[A | None, float | None] | None:
    """(weight of each value, denominator of their sum), None for 1 or if unreduced; None if kernels cannot.

    `measure` gives the least weight, the largest one and their sum.
    """
    if reduction not in ("mean", "sum", "none") or (divisor is not None and reduction != "mean"):
        return None
    if reduction != "mean":
        return weight, 1.0 if reduction == "sum" else None
    if divisor is not None:
        return (weight, float(divisor)) if type(divisor) in (int, float) and 0 < divisor < math.inf else None
    if weight is None:
        return None, float(size)
    least, largest, total = measure(weight)
    return (weight, total or math.inf) if least >= 0 and largest < math.inf else None
