"""Errors of an activation at every float32 number: value and slope, by kernels, NumPy, torch, and PyTorch's own.

The exact results come from the card's kernel in float64, whose own errors Arb measures at random numbers first. Its
doubt is `MARGIN` times the largest of these errors; where an error is that near a threshold, Arb decides.
"""

from __future__ import annotations

import csv
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from slopes import __version__, catalogue, kernels
from slopes.accuracy.workers import use_one_thread
from slopes.card import Activation, Map
from slopes.constants import Array
from slopes.extras import require
from slopes.hints import did_you_mean
from slopes.kernels.compiling import load
from slopes.truth import libraries
from slopes.truth.oracle import Exactly
from slopes.whole import whole

NUMBERS = 2**32
PART = 2**24  #: numbers of a part, after which the file is written
CHUNK = 2**17  #: numbers at a time
SMALL = 2**11  #: numbers of an array or tensor that no kernel takes
READINGS = ("kernel", "torch kernel", "NumPy", "torch", "PyTorch")
RESULTS = ("value", "slope")
THRESHOLDS = (0.500001, 1.000001, 2.000001)  #: units in the last place; a tie is right on either side
CHECKED = 2**10  #: random numbers at which Arb checks the float64 kernel
MARGIN = 16.0
DIGITS = 25

#: counts errors above the thresholds, and lists numbers whose error is within reach of one
SOURCE = f'''\
"""A kernel that slopes has written: count errors in units in the last place."""

from math import inf

from numba import njit
from numpy import float64 as double
from slopes.kernels.arithmetic.elementary import OPTIONS

HALF, ONE, TWO = {", ".join(map(repr, THRESHOLDS))}
MOST = {float(np.finfo(np.float32).max)!r}


@njit(
    "void(float32[::1], float64[::1], float64[::1], float64[::1], int64[::1], int64[::1], float64[::1])", **OPTIONS
)
def kernel(results, exact, units, reach, counts, places, worst):
    for i in range(results.size):
        t, r = exact[i], double(results[i])
        error = abs(r - t) / units[i]
        if abs(t) > MOST:
            error = 0.0 if abs(r) >= MOST and (r > 0.0) == (t > 0.0) else inf
        elif error != error:
            error = 0.0 if t != t and r != r else inf
        elif not (abs(error - HALF) > reach[i] and abs(error - ONE) > reach[i] and abs(error - TWO) > reach[i]):
            places[counts[3]] = i
            counts[3] += 1
            continue
        counts[0] += error > HALF
        counts[1] += error > ONE
        counts[2] += error > TWO
        if error > worst[0]:
            worst[0] = error
            worst[1] = i
'''


@dataclass
class Count:
    """Errors of one result by one reading, at the first `numbers` float32 numbers in the order of their bits."""

    card: str
    result: str
    reading: str
    numbers: int = 0
    above_half: int = 0
    above_one: int = 0
    above_two: int = 0
    by_arb: int = 0  #: numbers at which Arb decided
    worst: float = 0.0  #: in units in the last place
    at: str = ""  #: the first number with that error
    versions: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """Card, result and reading."""
        return self.card, self.result, self.reading

    def __add__(self, further: Count) -> Count:
        """Count these numbers and further ones."""
        added = {
            name: getattr(self, name) + getattr(further, name)
            for name in ("numbers", "above_half", "above_one", "above_two", "by_arb")
        }
        return replace(max(self, further, key=lambda count: count.worst), **added)


def read_counts(path: str) -> list[Count]:
    """Counts in a file, none if there is no file."""
    if not os.path.exists(path):
        return []
    kinds = {field.name: {"int": int, "float": float}.get(str(field.type), str) for field in fields(Count)}
    with open(path, newline="", encoding="utf-8") as file:
        return [Count(**{name: kinds[name](text) for name, text in row.items()}) for row in csv.DictReader(file)]


def write_counts(path: str, counts: Sequence[Count]) -> None:
    """Write the file anew; an interrupt leaves the old one."""
    with whole(Path(path)) as name, open(name, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Count)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, counts))


def count_all(
    cards: Sequence[Any], path: str, readings: Sequence[str] = READINGS, workers: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Count]:  # fmt: skip
    """Count the errors of element-wise activations at all float32 numbers, and keep the counts in a file.

    Counts in the file are continued, and started anew where versions have changed. `progress` gets the parts done,
    their total, and a card's name.

    Raises TypeError for other cards, ValueError for an unknown reading. Needs ``slopes[torch,audit,fast]``.
    """
    require("slopes accuracy --exhaustive", "flint", "mpmath", "numba", "torch")
    _check(cards, readings)
    known = {count.key: count for count in read_counts(path)}
    jobs: list[Job] = []
    for card in cards:
        counts = [Count(card.name, *pair, versions=_versions()) for pair in _pairs(card, readings)]
        for count in counts:
            if count.key not in known or known[count.key].versions != count.versions:
                known[count.key] = count
        for start in range(0, NUMBERS, PART):
            due = tuple(count.key[1:] for count in counts if known[count.key].numbers <= start)
            if due:
                jobs.append((card, start, min(start + PART, NUMBERS), due))
    for done, (job, parts) in enumerate(zip(jobs, _run(jobs, workers), strict=True), 1):
        for part in parts:
            known[part.key] = known[part.key] + part
        write_counts(path, list(known.values()))
        if progress is not None:
            progress(done, len(jobs), job[0].name)
    return list(known.values())


def elementwise_activations() -> list[Activation]:
    """Return the activations of the catalogue that can be counted."""
    return [card for card in dict.fromkeys(catalogue.ACTIVATIONS.values()) if not isinstance(card, Map)]


def _check(cards: Sequence[Any], readings: Sequence[str]) -> None:
    for card in cards:
        if not isinstance(card, Activation) or isinstance(card, Map):
            raise TypeError(f"accuracy: --exhaustive takes element-wise activations, got {card.name}")
    for reading in readings:
        if reading not in READINGS:
            raise ValueError(f"accuracy: no reading {reading!r}; {did_you_mean(reading, READINGS)}")


def _pairs(card: Activation, readings: Sequence[str]) -> list[tuple[str, str]]:
    mine = [reading for reading in readings if reading != "PyTorch" or "torch" in card.same_as]
    return [(result, reading) for result in RESULTS for reading in mine]


def _versions() -> str:
    names = ("numpy", "scipy", "numba", "torch")
    return ", ".join([f"slopes {__version__}", *(f"{name} {version(name)}" for name in names), platform.machine()])


Job = tuple[Activation, int, int, tuple[tuple[str, str], ...]]  #: card, first number, the one after, (result, reading)


def _run(jobs: Sequence[Job], workers: int) -> Iterator[list[Count]]:
    if workers == 1:
        yield from map(count_part, jobs)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=use_one_thread) as pool:
        yield from pool.map(count_part, jobs)


def count_part(job: Job) -> list[Count]:
    """Count the errors at some of the numbers."""
    card, start, stop, due = job
    parts = {pair: Count(card.name, *pair, versions=_versions()) for pair in due}
    with np.errstate(all="ignore"):
        for first in range(start, stop, CHUNK):
            x = _numbers(first, min(first + CHUNK, stop))
            for result in dict.fromkeys(result for result, _ in due):
                truth = Truth(card, result, x)
                for reading in (reading for of, reading in due if of == result):
                    parts[result, reading] += truth.count(reading)
    return list(parts.values())


def _numbers(start: int, stop: int) -> Array:
    """Numbers in the order of their bits."""
    return np.arange(start, stop, dtype=np.uint64).astype(np.uint32).view(np.float32)


class Truth:
    """Exact results at numbers that follow one another, as far as float64 tells them."""

    def __init__(self, card: Any, result: str, x: Array) -> None:
        self.card, self.result, self.x = card, result, x
        beyond = np.nextafter(x[-1:], np.float32(np.copysign(np.inf, x[-1])))
        exact = _by_float64(card, result, np.concatenate([x, beyond]))
        self.exact = exact[:-1]
        self.units = units_of(self.exact)
        self.reach = doubt_of(card, result) * terms_of(self.exact, exact[1:]) / self.units

    def count(self, reading: str) -> Count:
        """Count the errors of a reading."""
        results = compute(self.card, self.result, reading, self.x)
        counts, places, worst = np.zeros(4, np.int64), np.empty(self.x.size, np.int64), np.zeros(2)
        load(SOURCE)(results, self.exact, self.units, self.reach, counts, places, worst)
        errors = self._decide(places[: counts[3]], results)
        above = [int(count + np.sum(errors > limit)) for count, limit in zip(counts, THRESHOLDS, strict=False)]
        place = int(worst[1])
        if errors.size and max(errors) > worst[0]:
            place = int(places[np.argmax(errors)])
            worst[0] = float(max(errors))
        at = repr(float(self.x[place])) if worst[0] else ""
        return Count(
            self.card.name, self.result, reading, self.x.size, above[0], above[1], above[2], int(counts[3]),
            float(worst[0]), at, _versions(),
        )  # fmt: skip

    def _decide(self, places: Array, results: Array) -> Array:
        """Errors at some places by Arb, in units, as numbers of mpmath."""
        import mpmath

        if not places.size:
            return np.empty(0)
        exact = exact_results(self.card, self.result, self.x[places])
        with mpmath.workdps(2 * DIGITS):
            came = [mpmath.mpf(float(result)) for result in results[places]]
            return abs(np.array(came, dtype=object) - exact) / self.units[places]


def units_of(exact: Array) -> Array:
    """Unit in the last place of float32 of each float64."""
    exponents = ((exact.view(np.int64) >> 52) & 2047) - 23
    return (np.clip(exponents, 1023 - 149, 1023 + 104) << 52).view(np.float64)


def terms_of(exact: Array, following: Array) -> Array:
    """Size of each result and of x times its slope, by the result at the next number: float64's errors are as large."""
    return abs(exact) + abs(following - exact) * 2.0**23


@lru_cache
def doubt_of(card: Any, result: str) -> float:
    """`MARGIN` times the largest error of the float64 kernel that Arb finds, in `terms_of` the exact result."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, CHECKED, dtype=np.uint32)
    sizes = np.exp2(rng.uniform(-20, 7, CHECKED)) * rng.choice([-1, 1], CHECKED)
    x = np.concatenate([bits.view(np.float32), sizes.astype(np.float32)])
    x = x[np.isfinite(x) & (abs(x) < np.finfo(np.float32).max)]
    pairs = np.stack([x, np.nextafter(x, np.copysign(np.float32(np.inf), x))], axis=-1)
    came = _by_float64(card, result, pairs.ravel()).reshape(-1, 2)
    exact = exact_results(card, result, x)
    terms = terms_of(came[:, 0], came[:, 1])
    usual = np.isfinite(terms) & (abs(came[:, 0]) > 1e-300)
    errors = abs(came[usual, 0] - exact[usual]) / terms[usual]
    return MARGIN * max(float(max(errors)), 2.0**-53)


def exact_results(card: Any, result: str, x: Array) -> Array:
    """Exact results as numbers of mpmath."""
    oracle = Exactly(card, DIGITS)
    return np.asarray((oracle if result == "value" else oracle.slope)(x.astype(np.float64)))


def _by_float64(card: Any, result: str, x: Array) -> Array:
    return np.asarray(kernels.compute(card, result, x.astype(np.float64)))


def compute(card: Any, result: str, reading: str, x: Array) -> Array:
    """Results of a reading for float32 numbers."""
    if reading == "kernel":
        return np.asarray(kernels.compute(card, result, x))
    if reading == "PyTorch":
        value, slope = libraries.call(card, "torch", (x,), slope=result == "slope")
        return value if result == "value" else np.zeros_like(x) if slope is None else slope
    if reading == "torch kernel":
        return _by_torch(card, result, x)
    function = {"NumPy": card if result == "value" else card.slope, "torch": lambda x: _by_torch(card, result, x)}
    return np.concatenate([function[reading](x[start : start + SMALL]) for start in range(0, x.size, SMALL)])


def _by_torch(card: Any, result: str, x: Array) -> Array:
    import torch

    tensor = torch.from_numpy(x)
    if result == "value":
        return card(tensor).numpy()
    value = card(tensor.requires_grad_())
    (slope,) = torch.autograd.grad(value, tensor, torch.ones_like(value))
    return slope.numpy()
