"""Weights of classes, by how many samples each has."""

from __future__ import annotations

import math
from typing import Any

from slopes import ops
from slopes.domains import plain, shown
from slopes.kinds.spaces import refuse

OWNER = "class_balanced_weights"


def class_balanced_weights(counts: Any, *, beta: float = 0.999) -> Any:
    """Return a weight for each class, the inverse of its effective number of samples, for a loss's `class_weight`.

    The counts (classes,) are numbers of samples above 0. The effective number of n samples is (1 − betaⁿ) / (1 − beta):
    a further sample adds less, the more there are, and beyond 1 / (1 − beta) hardly anything. With a beta of 0 all
    weights are 1, near 1 they are as the inverse of the counts. They sum to the number of classes, as in the authors'
    code. Raises TypeError for no array of numbers, ValueError for counts and a beta out of range.

    Source: Cui et al. (2019), "Class-Balanced Loss Based on Effective Number of Samples", arXiv:1901.05555.
    """
    beta = plain(beta)
    if isinstance(beta, bool) or not isinstance(beta, (int, float)) or not 0 <= beta < 1:
        raise ValueError(f"{OWNER}: beta must be a number >= 0 and < 1, got {shown(beta)}")
    r = ops.reading(counts)
    given = r.enter(counts, f"{OWNER}: counts")
    if given.ndim != 1 or not given.shape[0]:
        raise ValueError(f"{OWNER}: counts must be a row with a number for each class, got shape {tuple(given.shape)}")
    wide = r.widen(given)
    refuse(r, OWNER, "a count", given, ~((wide > 0) & (wide < math.inf)), "must be > 0 and finite")
    fall = math.log1p(beta - 1.0) if beta else -math.inf  # 1 − beta is exact for a beta from 1/2 on
    weights = -1.0 / ops.expm1(wide * fall)
    return r.narrow(weights * (given.shape[0] / ops.sum(weights)), r.result_dtype(given))
