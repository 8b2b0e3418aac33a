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


def ulp(x: float, dtype: Any) -> float:
    info = np.finfo(dtype)
    return math.ldexp(1.0, max(math.frexp(x)[1] - info.nmant - 1, info.minexp - info.nmant))


def ulps(result: Any, exact: Any, dtype: Any) -> Any:
    """Error of each entry in ulps of the exact result; inf if only one of both is finite."""
    bound = float(np.finfo(dtype).max)

    def measure(came: Any, wanted: Any) -> float:
        if wanted != wanted or came != came:
            return 0.0 if wanted != wanted and came != came else np.inf
        if abs(wanted) > bound:
            return 0.0 if abs(came) >= bound and (came > 0) == (wanted > 0) else np.inf
        if abs(came) == np.inf:
            return np.inf
        return float(abs(float(came) - wanted) / ulp(float(wanted), dtype))

    with np.errstate(all="ignore"):
        return np.frompyfunc(measure, 2, 1)(np.asarray(result, dtype), exact).astype(float)


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
    unit = np.array([ulp(float(value), dtype) for value in exact[entries]])

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
