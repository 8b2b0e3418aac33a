"""Errors in units in the last place (ulp), and the allowed number where terms cancel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from slopes.card import Loss
from slopes.kinds.spaces import Space
from slopes.truth.parts import Parts, split
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
    """Error of each entry in ulps of the exact result (numbers or `Parts`); inf if only one of both is finite."""
    info = np.finfo(dtype)
    came = np.asarray(result, dtype).astype(np.float64)
    high, low, exponent = parts = split(exact)
    unit = _unit_exponents(exponent, dtype)
    with np.errstate(all="ignore"):
        errors = abs(np.ldexp(came, -unit) - np.ldexp(high, exponent - unit) - np.ldexp(low, exponent - unit))
        wanted = np.ldexp(high, exponent)
        beyond = _is_beyond(parts, dtype)
        right = (abs(came) >= info.max) & ((came > 0) == (wanted > 0))
    errors = np.where(beyond, np.where(right, 0.0, np.inf), errors)
    absent = np.isnan(wanted), np.isnan(came)
    return np.where(absent[0] | absent[1], np.where(absent[0] & absent[1], 0.0, np.inf), errors)


def _is_beyond(parts: Parts, dtype: Any) -> Any:
    """Whether a number is larger than the dtype's largest; NaN is not."""
    most = np.finfo(dtype).max
    with np.errstate(all="ignore"):
        size = abs(np.ldexp(parts.high, parts.exponent))
    return (size > most) | ((size == most) & (parts.low * parts.high > 0))


def fits(parts: Parts, dtype: Any) -> Any:
    """Whether exact results are finite in a dtype."""
    return ~np.isnan(parts.high) & ~_is_beyond(parts, dtype)


def is_subnormal(parts: Parts, dtype: Any) -> Any:
    """Whether exact results are 0 or below the dtype's normal numbers."""
    return (parts.high == 0) | (parts.exponent <= np.finfo(dtype).minexp)


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

    An upper bound counts, also 0, as the definition ends there. A lower bound of 0 does not: numbers get ever finer
    towards it, so that errors are measured relative to the prediction itself.
    """
    if space.is_probability:
        return np.minimum(x, 1 - x) / 2
    if space.low == -np.inf and space.high < np.inf:
        return (space.high - x) / 2
    return (x - space.low) / 2 if -np.inf < space.low < 0 and space.open else None
