"""Checks of a card at infinite arguments, and at awkward finite ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from slopes.auditing.cards.numerics import BEFORE, DTYPES
from slopes.auditing.cards.subject import Subject, spell
from slopes.auditing.evidence import is_lost
from slopes.auditing.report import Finding, Skip, about
from slopes.card import Loss, Map
from slopes.kinds.spaces import Space
from slopes.truth.oracle import limits_at_infinity

PART = 4096  #: combinations in one batch; the second derivatives of 97,336 take 700 MB
MANY = 2**15  #: largest number of combinations of all sizes
BETWEEN = (1e-30, 0.5, 3.0)  #: sizes that are left out of more
BESIDE = (1.0, 0.0, 0.25, -1.0)  #: numbers beside an infinite prediction, where their spaces admit them


@about(unless=BEFORE, once=True)
def limits(subject: Subject) -> Iterator[Finding]:
    """Check that values and slopes at ±inf are limits of the exact ones."""
    card: Any = subject.card
    if card.rowwise:
        raise Skip("rows have no limits")
    if isinstance(card, Loss) and not subject.is_ours:
        raise Skip("asked of losses of the catalogue alone: no prediction need be infinite")
    places = _at_infinity(card)
    if not places:
        return
    signs, *rests = np.array([(sign, *rest) for sign, rest in places]).T
    results = ("value", "slope") if card.slope_body else ("value",)
    wanted = {result: _limits(subject, result, signs, rests) for result in results}
    came = {dtype: _by_readings(subject, results, (signs * np.inf, *rests), dtype) for dtype in DTYPES}
    tried: Any = itertools.product(range(len(places)), results, DTYPES, ("NumPy", "torch"))
    for place, result, dtype, reading in tried:
        limit, number = wanted[result][place], came[dtype][reading][result][place]
        if limit is None or np.allclose(number, limit, rtol=4 * float(np.finfo(dtype).eps), atol=0):
            continue
        sign, rest = places[place]
        arguments = tuple(np.array(x, dtype) for x in (sign * np.inf, *rest))
        lines = [subject.call_of(result)] if reading == "NumPy" else [*subject.by_torch(result), "result"]
        yield subject.script(spell(arguments), *lines).finding(
            f"training computes wrong numbers at infinite ones: {np.dtype(dtype).name} {result} by "
            f"{reading} is {float(number)!r}, the limit is {limit!r}",
            "avoid 0 · inf and inf − inf: hold the argument, or multiply last",
            expected=f"{limit!r}",
            shows=lambda came, limit=limit: not np.isclose(float(came), limit, rtol=1e-6, atol=0),
        )


def _limits(subject: Subject, result: str, signs: Any, rests: list[Any]) -> list[float | None]:
    oracle = subject.oracle(result)
    return limits_at_infinity(lambda x: oracle(x, *rests, **subject.options), signs)


def _by_readings(subject: Subject, results: Sequence[str], arguments: tuple[Any, ...], dtype: Any) -> dict[str, Any]:
    """Results by NumPy and by torch, in a dtype."""
    given = tuple(x.astype(dtype) for x in arguments)
    by_numpy = {result: subject.call(result, given) for result in results}
    return {"NumPy": by_numpy, "torch": subject.results_by_torch(given)}


def _at_infinity(card: Any) -> list[tuple[float, tuple[float, ...]]]:
    """(sign of an infinite first argument, further arguments) that a card takes."""
    first, *spaces = card.kind.spaces(card.settings) if isinstance(card, Loss) else (None,)
    signs = [sign for sign in (1.0, -1.0) if first is None or first.low <= sign * np.inf <= first.high]
    others = [1.0 if _admits(space, 1.0) else space.fill for space in spaces]
    rests = {
        tuple(x if _admits(space, x) else other for space, other in zip(spaces, others, strict=True)) for x in BESIDE
    }
    return list(itertools.product(signs, sorted(rests)))


def _admits(space: Space, x: float) -> bool:
    inside = space.low < x <= space.high or (space.low == x and not space.open)
    return inside and (not space.is_sign or abs(x) == 1)


@about(unless=BEFORE, slow=True, once=True)
def no_nan(subject: Subject) -> Iterator[Finding]:
    """Check that awkward arguments give numbers, in second derivatives too."""
    for dtype in DTYPES:
        for arguments in itertools.chain([subject.inputs(dtype)], awkward(subject, dtype)):
            with np.errstate(all="ignore"):
                results = {name: subject.call(name, arguments) for name in ("value", "slope")}
                by_torch = subject.results_by_torch(arguments, second=True)
            results |= {f"torch {name}": result for name, result in by_torch.items()}
            for name, result in results.items():
                bad = np.isnan(result).reshape(len(result), -1).any(-1)
                if bad.any():
                    of_torch, worst = name.removeprefix("torch "), int(bad.argmax())
                    lines = [subject.call_of(name)] if of_torch == name else [*subject.by_torch(of_torch), "result"]
                    yield subject.script(spell(tuple(x[worst : worst + 1] for x in arguments)), *lines).finding(
                        f"training turns into NaN: {np.dtype(dtype).name} {name} is nan ({bad.sum()} of {bad.size} "
                        "points)",
                        "look for 0 / 0, inf − inf and 0 · inf, also in the branch that `where` does not take",
                        "note" if name == "torch second" else "error",
                        expected="a number",
                        shows=is_lost,
                    )


def _of_every_size(drawn: tuple[Any, ...], sizes: Any, dtype: Any) -> Iterator[tuple[Any, ...]]:
    largest = float(np.sqrt(np.finfo(dtype).max)) / 16  # squares of larger ones overflow
    for size in sizes:
        if abs(size) <= largest:
            yield tuple(np.array(size * x, dtype) for x in drawn)


def awkward(subject: Subject, dtype: Any) -> Iterator[tuple[Any, ...]]:
    """Yield every combination of awkward arguments, in parts: tiny, huge, equal, zero, at bounds, without area."""
    card: Any = subject.card
    real = Space("real", lambda rng, shape: rng.standard_normal(shape), is_real=True)
    if not isinstance(card, Loss):
        if not isinstance(card, Map):
            yield (np.array(_numbers(real, dtype), dtype),)
            return
        pairs = itertools.product(_rows(real, dtype), np.eye(4 // card.parts))
        yield tuple(np.array(column, dtype) for column in zip(*pairs, strict=True))
        return
    kind, spaces = card.kind, card.kind.spaces(card.settings)
    if kind.has_fixed_shape:
        yield from _of_every_size(kind.examples(card.settings).stress(subject.rng), _numbers(real, dtype), dtype)
        return
    if kind.batched:
        rows = _rows(spaces[0], dtype)
        if kind.coupled:  # distances and products in a batch are those in its negative
            rows = [row for row in rows if row[0] >= 0]
        batches = np.array([[row, row, row[::-1], -row[::-1]] for row in rows], dtype)
        for labels in ([0, 0, 1, 1], [2, 2, 2, 2], [0, 1, 2, 3]):
            if kind.coupled:
                yield from ((batch, np.array(labels)) for batch in batches)
            else:
                regions = np.eye(4, dtype=dtype)[labels] if spaces[1].is_yes_or_no else np.array(labels)
                yield batches, np.stack([regions] * len(batches))
        return
    for few in (False, True):
        choices = [
            (_rows if kind.rowwise and argument.row else _numbers)(space, dtype, few)
            for argument, space in zip(kind.arguments, spaces, strict=True)
        ]
        if math.prod(map(len, choices)) <= MANY:
            break
    combinations = itertools.product(*choices)
    while part := list(itertools.islice(combinations, PART)):
        yield tuple(np.array(column, dtype) for column in zip(*part, strict=True))


def _numbers(space: Space, dtype: Any, few: bool = False) -> list[float]:
    """Numbers of every size, or of a few, among them the space's bounds."""
    if space.is_sign:
        return [-1.0, 1.0]
    info = np.finfo(dtype)
    sizes = [0.0, float(info.smallest_subnormal), float(info.tiny), 1e-30, 1e-7, 0.5, 1.0, 3.0, 1e3, 1e20]
    sizes = [size for size in sizes if not (few and size in BETWEEN)]
    sizes.append(float(info.max))
    low, high = (float(np.clip(bound, -info.max, info.max)) for bound in (space.low, space.high))
    low = float(np.nextafter(dtype(low), dtype(np.inf))) if space.open else low
    return [x for x in dict.fromkeys([low, high, *sizes, *(-size for size in sizes)]) if low <= x <= high]


def _rows(space: Space, dtype: Any, few: bool = False) -> Sequence[Any]:
    """Rows of four: all alike, one apart, of both signs; distributions; boxes with and without area; falls."""
    if space.has_classes:
        return [np.full(4, 0.25), *np.eye(4), np.array([0.5, 0.5, 0, 0])]
    if space.has_corners:
        info = np.finfo(dtype)
        sizes = [0.0, float(info.smallest_subnormal), 1e-30, 1.0, 1e20, float(info.max) / 8]
        return [np.array([at, at, at + w, at + h]) for at in (0.0, 1.0) for w in sizes for h in sizes]
    if space.has_edges:
        return [np.array([0, 0, 0, 0, 1, -1, 0, 0, 0, 0])[at : at + 4] for at in range(1, 6)]
    values = _numbers(space, dtype, few)
    if space.falls:
        with np.errstate(over="ignore"):
            rows = [(top - fall * np.arange(4)).astype(dtype) for top in values for fall in values if fall > 0]
        return [row for row in rows if np.all(row[1:] < row[:-1]) and np.all(np.isfinite(row))]
    least = min(values, key=abs)
    return [*(np.full(4, x) for x in values), *(np.array([x, -x if -x in values else x, least, least]) for x in values)]
