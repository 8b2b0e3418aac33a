"""Errors of an activation at every float32 number: value and slope, by kernels, NumPy, torch, and PyTorch's own.

The exact results come from the card's kernel in float64, whose own errors Arb measures at random numbers first. Its
doubt is `MARGIN` times the largest of these errors; where an error is that near a threshold, Arb decides.
"""

from __future__ import annotations

import ast
import csv
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from functools import cache, lru_cache, partial
from hashlib import sha256
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from slopes import __version__, catalogue, kernels
from slopes.accuracy.workers import use_one_thread
from slopes.card import Activation, Card, Map
from slopes.constants import Array
from slopes.extras import require
from slopes.hints import did_you_mean
from slopes.kernels.compiling import load
from slopes.truth import libraries
from slopes.truth.oracle import Exactly
from slopes.whole import whole

NUMBERS = 2**32
PART = 2**24  #: numbers of a part, after which the file is written
CHUNK = 2**16  #: numbers at a time
BLOCKS = {"NumPy": 2**13, "torch": 2**12 - 2**8}  #: numbers of an array or tensor that no kernel takes
READINGS = ("kernel", "torch kernel", "NumPy", "torch", "PyTorch")
RESULTS = ("value", "slope")
THRESHOLDS = (0.500001, 1.000001, 2.000001)  #: units in the last place; a tie is right on either side
CHECKED = 2**12  #: random bit patterns, and as many numbers of common sizes; Arb checks the float64 kernel there
SIZES = (0.0, 1.0, np.inf)  #: sizes of x times the slope that float64's errors may be proportional to
MARGIN = 16.0
DIGITS = 25

HOME = Path(kernels.__file__).parents[1]
#: modules of the functions that kernels call
ARITHMETIC = tuple(f"kernels/arithmetic/{name}.py" for name in ("coefficients", "elementary", "machine"))
#: modules that compute a reading beside the card's kernels
MODULES = {
    "kernel": (),
    "torch kernel": ("fast/entries.py", "fast/short.py"),
    "NumPy": ("readings/numpy.py", "readings/tails.py", "readings/textbook.py"),
    "torch": ("fast/entries.py", "fast/short.py", "readings/torch.py", "readings/tails.py"),
    "PyTorch": (),
}

#: functions of both kernels: the scale makes errors units in the last place of float32, and float64's own errors are as
#: large as the terms, the result and x times its slope, which the result at the next number tells, up to `most`
HEAD = f'''\
"""A kernel that slopes has written: errors in units in the last place."""

from math import inf

from numba import njit
from numpy import float64 as double, uint64
from slopes.kernels.arithmetic.elementary import OPTIONS, clipped, inlined
from slopes.kernels.arithmetic.machine import bits_of, power_of_two, where

HALF, ONE, TWO = {", ".join(map(repr, THRESHOLDS))}
MOST = {float(np.finfo(np.float32).max)!r}


@inlined
def scale_of(t):
    exponent = double((bits_of(t) >> uint64(52)) & uint64(2047)) - 1046.0
    return power_of_two(-clipped(exponent, -149.0, 104.0))


@inlined
def terms_of(t, following, most):
    change = abs(following - t) * 8388608.0
    return abs(t) + where(change < most, change, most)
'''
#: gives scales and terms
MEASURE = f"""\
{HEAD}

@njit("void(float64[::1], float64[::1], float64, float64[::1], float64[::1])", **OPTIONS)
def kernel(exact, following, most, scales, terms):
    for i in range(exact.size):
        scales[i] = scale_of(exact[i])
        terms[i] = terms_of(exact[i], following[i], most)
"""
#: Counts errors above the thresholds, and lists numbers whose error is within reach of one. `exact` has one number more
#: than `results`. A block is counted anew, one by one, if it has such a number, an infinity, NaN, or the worst so far.
COUNT = f"""\
{HEAD}
BLOCK = 1024


@inlined
def error_of(result, t, following, doubt, most):
    scale = scale_of(t)
    error = abs(double(result) - t) * scale
    reach = doubt * terms_of(t, following, most) * scale
    return error, (abs(error - HALF) > reach) & (abs(error - ONE) > reach) & (abs(error - TWO) > reach)


@njit("void(float32[::1], float64[::1], float64, float64, int64[::1], int64[::1], float64[::1])", **OPTIONS)
def kernel(results, exact, doubt, most, counts, places, worst):
    for start in range(0, results.size, BLOCK):
        found, due = results[start : start + BLOCK], exact[start : start + BLOCK + 1]  # places from 0 vectorise
        record = worst[0]
        half = one = two = plain = worse = 0
        for i in range(found.size):
            error, is_far = error_of(found[i], due[i], due[i + 1], doubt, most)
            half += error > HALF
            one += error > ONE
            two += error > TWO
            worse += error > record
            plain += is_far & (abs(due[i]) <= MOST)
        if worse or plain < found.size:
            half = one = two = 0
            for i in range(found.size):
                r, t = double(found[i]), due[i]
                error, is_far = error_of(found[i], t, due[i + 1], doubt, most)
                if abs(t) > MOST:
                    error = 0.0 if abs(r) >= MOST and (r > 0.0) == (t > 0.0) else inf
                elif error != error:
                    error = 0.0 if t != t and r != r else inf
                elif not is_far:
                    places[counts[3]] = start + i
                    counts[3] += 1
                    continue
                half += error > HALF
                one += error > ONE
                two += error > TWO
                if error > worst[0]:
                    worst[0] = error
                    worst[1] = start + i
        counts[0] += half
        counts[1] += one
        counts[2] += two
"""


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
    code: str = ""  #: `digest_of` the reading

    @property
    def is_stale(self) -> bool:
        """Whether the code has changed since the count."""
        card = catalogue.CARDS.get(self.card)
        return card is None or self.code != digest_of(card, self.reading)

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

    Counts in the file are continued, and started anew where versions or code have changed. `progress` gets the
    parts done, their total, and a card's name.

    Raises TypeError for other cards, ValueError for an unknown reading. Needs ``slopes[torch,audit,fast]``.
    """
    require("slopes accuracy --exhaustive", "flint", "mpmath", "numba", "torch")
    _check(cards, readings)
    known = {count.key: count for count in read_counts(path)}
    jobs: list[Job] = []
    for card in cards:
        counts = [_start(card, *pair) for pair in _pairs(card, readings)]
        for count in counts:
            old = known.get(count.key)
            if old is None or (old.versions, old.code) != (count.versions, count.code):
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


def _start(card: Activation, result: str, reading: str) -> Count:
    return Count(card.name, result, reading, versions=_versions(), code=digest_of(card, reading))


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
    return ", ".join([f"slopes {__version__}", *(f"{name} {_version(name)}" for name in names), platform.machine()])


_version = cache(metadata.version)  # reading it takes as long as 100,000 errors


@cache
def digest_of(card: Card, reading: str) -> str:
    """Digest of the code of a reading and of the exact results: printed kernels, functions they call, other modules."""
    outputs = (("value",), ("slope",), ("vjp",), ("value", "slope"))
    sources = [kernels.source(card, *names, dtype=dtype) for names in outputs for dtype in ("float32", "float64")]
    peer = card.same_as["torch"].same if reading == "PyTorch" else ""
    texts = [*map(_without_imports, sources), peer, *called_by(sources, _texts(ARITHMETIC)), *_texts(MODULES[reading])]
    return sha256("\0".join(texts).encode()).hexdigest()[:12]


def _without_imports(source: str) -> str:
    """A kernel's text but for its imports, which name functions of all kernels."""
    return "\n".join(line for line in source.splitlines() if not line.startswith(("from ", "import ")))


def _texts(modules: Sequence[str]) -> list[str]:
    return [(HOME / module).read_text(encoding="utf-8") for module in modules]


def called_by(sources: Sequence[str], modules: Sequence[str]) -> list[str]:
    """Return the definitions in the text of modules whose names the sources use, directly or by one another."""
    definitions = _definitions(tuple(modules))
    due = set().union(*(_used(node) for source in sources for node in ast.parse(source).body))
    found: set[str] = set()
    while due:
        name = due.pop()
        if name not in found:
            found.add(name)
            due.update(*(used for _, used in definitions.get(name, ())))
    return sorted({text for name in found for text, _ in definitions.get(name, ())})


@cache
def _definitions(modules: tuple[str, ...]) -> dict[str, list[tuple[str, set[str]]]]:
    """(text, names that it uses) of each definition, by name."""
    definitions: dict[str, list[tuple[str, set[str]]]] = {}
    for module in modules:
        lines = module.splitlines()
        for node in ast.parse(module).body:
            first = min(each.lineno for each in (node, *getattr(node, "decorator_list", ())))
            for name in _defined(node):
                definitions.setdefault(name, []).append(("\n".join(lines[first - 1 : node.end_lineno]), _used(node)))
    return definitions


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef):
        return {node.name}
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}


def _used(node: ast.stmt) -> set[str]:
    """Names and attributes that a statement uses; an import uses none."""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}
    return names | {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


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
    parts = {pair: _start(card, *pair) for pair in due}
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
    return (np.arange(stop - start, dtype=np.uint32) + np.uint32(start)).view(np.float32)


class Truth:
    """Exact results at numbers that follow one another, and at the next one, as far as float64 tells them."""

    def __init__(self, card: Any, result: str, x: Array) -> None:
        self.card, self.result, self.x = card, result, x
        wide = np.empty(x.size + 1)
        wide[:-1] = x
        wide[-1] = np.nextafter(x[-1], np.float32(np.copysign(np.inf, x[-1])))
        self.exact = _by_float64(card, result, wide)
        self.doubt, self.most = doubt_of(card, result)

    def count(self, reading: str) -> Count:
        """Count the errors of a reading."""
        results = compute(self.card, self.result, reading, self.x)
        counts, places, worst = np.zeros(4, np.int64), np.empty(self.x.size, np.int64), np.zeros(2)
        load(COUNT)(results, self.exact, self.doubt, self.most, counts, places, worst)
        errors = self._decide(places[: counts[3]], results)
        above = [int(count + np.sum(errors > limit)) for count, limit in zip(counts, THRESHOLDS, strict=False)]
        place = int(worst[1])
        if errors.size and max(errors) > worst[0]:
            place = int(places[np.argmax(errors)])
            worst[0] = float(max(errors))
        at = repr(float(self.x[place])) if worst[0] else ""
        return replace(
            _start(self.card, self.result, reading), numbers=self.x.size, above_half=above[0], above_one=above[1],
            above_two=above[2], by_arb=int(counts[3]), worst=float(worst[0]), at=at,
        )  # fmt: skip

    def _decide(self, places: Array, results: Array) -> Array:
        """Errors at some places by Arb, in units, as numbers of mpmath."""
        import mpmath

        if not places.size:
            return np.empty(0)
        exact = exact_results(self.card, self.result, self.x[places])
        scales, _ = measure(self.exact[places], self.exact[places + 1], self.most)
        with mpmath.workdps(2 * DIGITS):
            came = [mpmath.mpf(float(result)) for result in results[places]]
            return abs(np.array(came, dtype=object) - exact) * scales


def measure(exact: Array, following: Array, most: float) -> tuple[Array, Array]:
    """Scales and terms of exact results, by these and those at the next number; see `HEAD`."""
    scales, terms = np.empty((2, exact.size))
    load(MEASURE)(np.ascontiguousarray(exact), np.ascontiguousarray(following), most, scales, terms)
    return scales, terms


@lru_cache
def doubt_of(card: Any, result: str) -> tuple[float, float]:
    """`MARGIN` times the largest error of the float64 kernel that Arb finds, in terms, and the `most` of these.

    `most` is the first of `SIZES` that leaves no error large: far out, a sine is as exact as elsewhere.
    """
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, CHECKED, dtype=np.uint32)
    sizes = np.exp2(rng.uniform(-20, 7, CHECKED)) * rng.choice([-1, 1], CHECKED)
    x = np.concatenate([bits.view(np.float32), sizes.astype(np.float32)])
    x = x[np.isfinite(x) & (abs(x) < np.finfo(np.float32).max)]
    pairs = np.stack([x, np.nextafter(x, np.copysign(np.float32(np.inf), x))], axis=-1)
    came = _by_float64(card, result, pairs.ravel().astype(np.float64)).reshape(-1, 2)
    usual = np.isfinite(came).all(axis=-1) & (abs(came[:, 0]) > 1e-300)
    came = came[usual]
    errors = abs(came[:, 0] - exact_results(card, result, x[usual]))
    largest = 0.0
    for most in SIZES:
        largest = max(float(max(errors / measure(came[:, 0], came[:, 1], most)[1])), 2.0**-53)
        if largest < 2.0**-50:
            break
    return MARGIN * largest, most


def exact_results(card: Any, result: str, x: Array) -> Array:
    """Exact results as numbers of mpmath."""
    oracle = Exactly(card, DIGITS)
    return np.asarray((oracle if result == "value" else oracle.slope)(x.astype(np.float64)))


def _by_float64(card: Any, result: str, x: Array) -> Array:
    return np.asarray(kernels.compute(card, result, x))


def compute(card: Any, result: str, reading: str, x: Array) -> Array:
    """Results of a reading for float32 numbers."""
    if reading == "kernel":
        return np.asarray(kernels.compute(card, result, x))
    if reading == "PyTorch":
        value, slope = libraries.call(card, "torch", (x,), slope=result == "slope")
        return value if result == "value" else np.zeros_like(x) if slope is None else slope
    if reading == "torch kernel":
        return _by_torch(card, result, x)
    block, function = BLOCKS[reading], card if result == "value" else card.slope
    if reading == "torch":
        function = partial(_by_torch, card, result)
    return np.concatenate([function(x[start : start + block]) for start in range(0, x.size, block)])


def _by_torch(card: Any, result: str, x: Array) -> Array:
    import torch

    tensor = torch.from_numpy(x)
    if result == "value":
        return card(tensor).numpy()
    value = card(tensor.requires_grad_())
    (slope,) = torch.autograd.grad(value, tensor, torch.ones_like(value))
    return slope.numpy()
