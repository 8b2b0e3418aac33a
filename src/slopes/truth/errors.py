"""Errors in units in the last place (ulp), and the allowed number where terms cancel."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from slopes.card import Loss
from slopes.kinds.spaces import Space
from slopes.truth.samples import Samples

ULPS = 4.0  #: allowed error of a card, unless it claims more


def units(exact: Any, dtype: Any) -> Any:
    """Unit in the last place of each exact result."""
    with np.errstate(over="ignore"):
        return np.ldexp(1.0, _unit_exponents(split(exact)[2], dtype))


def _unit_exponents(exponent: Any, dtype: Any) -> Any:
    info = np.finfo(dtype)
    return np.maximum(exponent - info.nmant - 1, info.minexp - info.nmant)


def ulps(result: Any, exact: Any, dtype: Any) -> Any:
    """Error of each entry in ulps of the exact result; inf if only one of both is finite."""
    info = np.finfo(dtype)
    came = np.asarray(result, dtype).astype(np.float64)
    high, low, exponent = split(exact)
    unit = _unit_exponents(exponent, dtype)
    with np.errstate(all="ignore"):
        errors = abs(np.ldexp(came, -unit) - np.ldexp(high, exponent - unit) - np.ldexp(low, exponent - unit))
        wanted = np.ldexp(high, exponent)
        beyond = (abs(wanted) > info.max) | ((abs(wanted) == info.max) & (low * high > 0))
        right = (abs(came) >= info.max) & ((came > 0) == (wanted > 0))
    errors = np.where(beyond, np.where(right, 0.0, np.inf), errors)
    absent = np.isnan(wanted), np.isnan(came)
    return np.where(absent[0] | absent[1], np.where(absent[0] & absent[1], 0.0, np.inf), errors)


def split(exact: Any) -> tuple[Any, Any, Any]:
    """Split numbers of mpmath or floats into (high + low) · 2**exponent, where high is in [½, 1] or 0."""
    exact = np.asarray(exact)
    if exact.dtype != object:
        high, exponent = np.frexp(exact.astype(np.float64))
        return high, np.zeros_like(high), exponent.astype(int)
    with np.errstate(invalid="ignore"):
        high, low, exponent = np.frompyfunc(_split, 1, 3)(exact)
    return np.asarray(high, float), np.asarray(low, float), np.asarray(exponent, int)


def _split(x: Any) -> tuple[float, float, int]:
    is_negative, mantissa, exponent, bits = getattr(x, "_mpf_", (0, 0, 0, 0))
    if not mantissa:  # 0, inf and NaN; a float
        high, exponent = math.frexp(x)
        return high, 0.0, exponent
    excess = max(int(bits) - 53, 0)
    top, rest = mantissa >> excess, mantissa & ((1 << excess) - 1)
    sign = -1.0 if is_negative else 1.0
    high = sign * math.ldexp(top, excess - bits)
    low = sign * math.ldexp(rest >> max(excess - 53, 0), max(excess - 53, 0) - bits)
    # beyond these powers of 2 a number is inf or 0 in any format
    return high, low, min(max(int(exponent) + int(bits), -(2**20)), 2**20)


def peak(values: Any) -> tuple[int, ...]:
    """Place of the first largest entry, or of the first True."""
    return tuple(int(i) for i in np.unravel_index(int(np.nanargmax(values)), values.shape))


def allow_near_roots(samples: Samples, result: str, dtype: Any, exact: Any, errors: Any, allowed: Any) -> None:
    """Allow 4 eps of the terms near a root other than 0, where they cancel by nature.

    A root is near if 0 is no nearer, or within a unit or a quarter of a prediction. The size of the terms is the change
    of the result across the root: x·f′(x), or for a prediction the change over two of its units. A loss that is 0 at
    some distance and at twice that has a hinge, where terms cancel, too.
    """
    entries = np.nonzero(errors > allowed)
    if samples.card.rowwise or not entries[0].size:
        return
    space = samples.card.kind.space_of(samples.card.settings) if isinstance(samples.card, Loss) else None
    first, *rest = (argument[entries] for argument in samples.inputs(dtype))
    x, most = first.astype(float), float(np.finfo(float).max)
    bounded = None if space is None else distance_to_bound(space, x)
    reach = abs(x) if space is None else np.maximum(abs(x) / 4, 1.0) if bounded is None else bounded
    unit = units(exact[entries], dtype)

    def results(shares: Iterable[float]) -> Any:
        with np.errstate(over="ignore"):
            ends = [np.clip(x + share * reach, -most, most) for share in shares]
        return np.stack([samples.oracle(result)(end, *rest, **samples.options) for end in ends])

    for share in (1.0, 0.5, 0.125):  # the nearest counts; a convex function may have two roots within the farthest
        ends = results((-share, share))
        around = np.concatenate([exact[entries][None], ends])
        least, largest = np.min(around, axis=0), np.max(around, axis=0)
        crossed = np.asarray(least * largest < 0, dtype=bool)
        if space and bounded is None:  # at twice the distance there would be the bound
            flat = np.any((ends == 0) & (results((-2 * share, 2 * share)) == 0), axis=0)
            crossed |= np.asarray(flat & (around[0] != 0), dtype=bool)
        terms = (largest - least) / (share if space else 2 * share) * ULPS * float(np.finfo(dtype).eps)
        allowed[tuple(places[crossed] for places in entries)] = np.asarray(terms / unit, dtype=float)[crossed]
    if space is None:
        _allow_turns(samples, result, dtype, exact, entries, unit, allowed)


def _allow_turns(samples: Samples, result: str, dtype: Any, exact: Any, entries: Any, unit: Any, allowed: Any) -> None:
    """Allow 4 eps where numbers nearby have half or twice the result: it turns too fast for the digits of x."""
    first, *rest = (argument[entries] for argument in samples.inputs(dtype))
    beside = [first, first]
    for side in (-np.inf, np.inf) * 2:
        beside.append(np.nextafter(beside[-2], dtype(side), dtype=dtype))
    middle = exact[entries]
    others = np.stack([samples.oracle(result)(end, *rest, **samples.options) for end in beside[2:]])
    largest = np.maximum(abs(middle), np.max(abs(others), axis=0))
    turns = np.asarray(np.max(abs(others - middle), axis=0) > largest / 2, dtype=bool)
    chosen = tuple(places[turns] for places in entries)
    terms = largest * ULPS * float(np.finfo(dtype).eps) / unit
    allowed[chosen] = np.maximum(allowed[chosen], np.asarray(terms, dtype=float)[turns])


def distance_to_bound(space: Space, x: Any) -> Any:
    """Half the distance from each prediction to its space's bound, or None.

    A bound of 0 does not count, because numbers get ever finer towards it.
    """
    if space.is_probability:
        return np.minimum(x, 1 - x) / 2
    return (x - space.low) / 2 if -np.inf < space.low < 0 and space.open else None
