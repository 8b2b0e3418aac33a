"""Means over seeds, and how sure one can be of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A mean and its interval; without an interval where one number is all there is."""

    mean: float
    low: float | None
    high: float | None


def estimate(values: Sequence[float]) -> Estimate:
    """Return the mean with Student's 95 % interval, which takes the values for independent and roughly normal."""
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2:
        return Estimate(mean, None, None)
    half = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Estimate(mean, mean - half, mean + half)


def overlap(a: Estimate, b: Estimate) -> bool:
    """Whether two intervals share a point; without intervals nothing can be told apart."""
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return True
    return a.low <= b.high and b.low <= a.high


def of_a_test_set(share: float, samples: int) -> float:
    """Half the width of the 95 % interval that a share has because the test set is a sample itself."""
    return 1.96 * math.sqrt(max(share * (1 - share), 0.0) / samples)
