"""Functions of a row for kernels."""

from __future__ import annotations

import numpy as np
from numba import njit

from slopes.kernels.elementary import LEAST, ONE, OPTIONS, growth, inlined, reduced
from slopes.kernels.machine import exponent_in, larger, number, power_of_two, where

BLOCK = 1024  #: entries that are summed in their own dtype
SEARCHED = 256  #: entries of which the largest is found at a time

SHIFT, UNSHIFT = number(64.0), number(2.0**-64)


@inlined
def exp_of_difference(x):
    """exp(x) for x <= 0, which takes fewer operations than for any x: one power of 2 cannot overflow."""
    r, logarithm = reduced(where(x < LEAST(x), LEAST(x), x))
    return (growth(r) + ONE(x)) * power_of_two(exponent_in(logarithm) + SHIFT(x)) * UNSHIFT(x)


@njit(**OPTIONS)
def place_of_largest(row):
    """Where the first largest entry lies: first in which block, by a loop that vectorises."""
    largest, first = row[0], 0
    for start in range(0, row.size, SEARCHED):
        part = row[start : start + SEARCHED]
        most = part[0]
        for j in range(part.size):
            most = larger(most, part[j])
        if most > largest:
            largest, first = most, start
    part = row[first:]
    for j in range(part.size):
        if part[j] == largest:
            return first + j
    return 0


@njit(**OPTIONS)
def shiftable(row, place):
    """(a row, a number) whose difference is the row less its largest entry, 0 at that one unless it is −inf.

    They are the row and its entry, but where that is infinite: inf − inf would be NaN. So loops need no test.
    """
    largest = row[place]
    if largest == -np.inf:
        return row, row.dtype.type(0.0)
    if largest == np.inf:
        differences = row - largest
        differences[place] = 0.0
        return differences, row.dtype.type(0.0)
    return row, largest
