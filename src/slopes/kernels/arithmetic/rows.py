"""Functions of a row for kernels."""

from __future__ import annotations

import numpy as np
from numba import njit

from slopes.kernels.arithmetic import coefficients
from slopes.kernels.arithmetic.elementary import LEAST, LOG2_HIGH, LOG2_LOW, ONE, OPTIONS, inlined
from slopes.kernels.arithmetic.machine import (
    RAISE,
    add_in_any_order,
    equal_among,
    fma,
    largest_of,
    lowest_bit,
    number,
    polynomial,
    raised_exponent_in,
    raised_logarithm,
    raised_power_in,
    stand_apart,
    where,
)

BLOCK = 1024  #: entries summed in their dtype

LOWERED = number(2.0**-RAISE)
exp_share = polynomial(coefficients.EXP_SHARE_SINGLE, coefficients.EXP_SHARE_DOUBLE)


@inlined
def exp_of_difference(x):
    """exp(x) for x <= 0, where one power of 2 cannot overflow."""
    x = where(x < LEAST(x), LEAST(x), x)
    logarithm = raised_logarithm(x)
    k = raised_exponent_in(logarithm)
    r = fma(k, -LOG2_LOW(x), fma(k, -LOG2_HIGH(x), x))
    return fma(exp_share(r), r, ONE(x)) * raised_power_in(logarithm) * LOWERED(x)


def _searching(count):
    """Search for the first largest of `count` entries or more."""
    largest_here, compared = largest_of(count), min(count, 64)
    equal_here = equal_among(compared)

    @njit(**OPTIONS)
    def search(row):
        largest, first = row.dtype.type(-np.inf), 0
        for start in range(0, row.size - count + 1, count):
            most = largest_here(row, start)
            if most > largest:
                largest, first = most, start
        most = largest_here(row, row.size - count)  # the rest, and some again
        if most > largest:
            largest, first = most, row.size - count
        for start in range(first, first + count, compared):
            bits = equal_here(row, start, largest)
            if bits:
                return start + lowest_bit(bits)
        return 0

    return search


search_by_8, search_by_32, search_by_128 = map(_searching, (8, 32, 128))


@njit(**OPTIONS)
def place_of_largest(row):
    """Index of the first largest; 0 if all are NaN or −inf."""
    if row.size >= 128:
        return search_by_128(row)
    if row.size >= 32:
        return search_by_32(row)
    if row.size >= 8:
        return search_by_8(row)
    largest, place = row.dtype.type(-np.inf), 0
    for j in range(row.size):
        if row[j] > largest:
            largest, place = row[j], j
    return place


@njit(**OPTIONS)
def sort(row):
    """Shell's sort by Knuth's gaps: machine code with NumPy's sort cannot be kept on disk."""
    gap = 1
    while gap < row.size // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for j in range(gap, row.size):
            x, k = row[j], j
            while k >= gap and row[k - gap] > x:
                row[k] = row[k - gap]
                k -= gap
            row[k] = x
        gap //= 3


@njit(**OPTIONS)
def count_below(ordered, x, or_equal):
    low, high = 0, ordered.size
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < x or (or_equal and ordered[middle] == x):
            low = middle + 1
        else:
            high = middle
    return low


FEW = 1024  #: entries that are compared with each other in less time than they are sorted


@njit(**OPTIONS)
def fill_ranks(row, ranks):
    """How many entries are larger than each, and half of its equals, itself among them."""
    if row.size <= FEW:
        for j in range(row.size):
            twice = np.int32(0)
            for k in range(row.size):
                twice += np.int32(row[k] > row[j]) + np.int32(row[k] >= row[j])
            ranks[j] = twice / 2
        return
    ordered = row.copy()
    sort(ordered)
    for j in range(row.size):
        twice_smaller = count_below(ordered, row[j], False) + count_below(ordered, row[j], True)
        ranks[j] = row.size - twice_smaller / 2


@njit(**OPTIONS)
def sum_of(block):
    stand_apart()
    total = block.dtype.type(0.0)
    for j in range(block.size):
        total = add_in_any_order(total, block[j])
    return total


@njit(**OPTIONS)
def shiftable(row, place):
    """(row, largest entry), or others with the same difference where inf − inf would be NaN: loops need no test."""
    largest = row[place]
    if largest == -np.inf:
        return row, row.dtype.type(0.0)
    if largest == np.inf:
        differences = row - largest
        differences[place] = 0.0
        return differences, row.dtype.type(0.0)
    return row, largest
