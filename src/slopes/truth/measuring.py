"""Errors of a card's readings and of its peers, in ulps of the exact results."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from slopes.card import Card, Loss, Map, Sum
from slopes.kernels.compiling import is_available
from slopes.kernels.programs import LARGE_FOR_A_USER
from slopes.loading import describe
from slopes.truth import libraries
from slopes.truth.errors import ULPS, allow_near_roots, distance_to_bound, is_subnormal, peak, ulps
from slopes.truth.grid import COARSER, FORMATS, RESULTS, Grid, variants
from slopes.truth.parts import Parts

#: measured readings; kernels on large arrays
OURS = ("NumPy", "torch", "NumPy kernel", "torch kernel")
OF_PEERS = ("float64", "float32")  #: formats for peers and second derivatives
FLUSHED = 16.0  #: below this times the least normal number, results may lose digits on JAX
MUCH = 1000.0  #: ulps above which `beyond` counts


@dataclass(frozen=True)
class Figure:
    """Errors of one result of one implementation over the grid."""

    card: str
    result: str  #: "value", "slope" or "second"
    dtype: str
    library: str  #: "slopes", or a peer
    reading: str  #: of slopes: one of `OURS`
    worst: float  #: largest error in ulps, as counted on the page; inf where a number is lost
    median: float
    raw: float  #: largest error in plain ulps, even where terms cancel
    points: int  #: measured results
    beyond: int  #: errors above `MUCH`
    lost: int  #: results that are infinite or NaN where the exact ones are numbers
    flushed: int  #: subnormal numbers taken for 0, which are no errors here
    at: tuple[str, ...]  #: arguments of the worst error
    entry: tuple[int, ...]  #: its entry, if the result is a row
    came: str
    exact: str
    settings: str = ""  #: parameters that differ from their defaults


@dataclass(frozen=True)
class Failure:
    card: str
    call: str
    message: str


def measure_card(card: Card, against: Sequence[str], label: str) -> tuple[list[Figure], list[Failure]]:
    """Measure a card in every format and away from the defaults, and its peers."""
    figures: list[Figure] = []
    failures: dict[tuple[str, str], Failure] = {}  # each fault once for all formats
    for item in _measure(_grids(card, label), against, OURS):
        if isinstance(item, Figure):
            figures.append(item)
        else:
            failures.setdefault((item.call.partition(",")[0], item.message), item)
    return figures, list(failures.values())


def measure_densely(card: Card) -> list[Figure | Failure]:
    """Measure by NumPy and torch at a thousand inputs more: in float64, and in float32 where that gives other numbers.

    Float32 results that are those of float64, but for half of the allowed error, need no exact ones: the float64 grid
    has numbers of all sizes of float32, where it is held against exact results.
    """
    chosen = (entry for entry in _grids(card, card.name, dense=True) if entry[0].form in OF_PEERS)
    grids = ((_differing(grid), results, settings) for grid, results, settings in chosen if not grid.second)
    return _measure(grids, (), OURS[:2])


def measure_on_jax(card: Card, form: str, against: Sequence[str] = (), **options: Any) -> list[Figure | Failure]:
    """Measure values and slopes of arrays of JAX; a subnormal argument, which counts as 0, may be refused by a loss."""
    grid = Grid(card, form, **options)
    if isinstance(card, Loss) and not card.rowwise:
        tiny = np.finfo(grid.dtype).tiny
        grid = grid.where(np.all([(x == 0) | (abs(x) >= tiny) for x in grid.arguments], axis=0))
    return _measure([(grid, RESULTS[:2], "")], against, ("JAX",))


def _differing(grid: Grid) -> Grid:
    """Part of a float32 grid whose results, by NumPy or torch, are not those of float64; another grid as it is."""
    if grid.form != "float32":
        return grid
    same = np.ones(len(grid.arguments[0]), dtype=bool)
    doubles = tuple(x.astype(np.float64) if x.dtype.kind == "f" else x for x in grid.arguments)
    with np.errstate(all="ignore"):
        for reading in OURS[:2]:
            try:
                came, wanted = (_by_reading(grid, reading, arguments) for arguments in (grid.arguments, doubles))
            except Exception:  # it is reported when the whole grid is measured
                return grid
            for result in came.keys() & wanted.keys():
                if came[result].shape != same.shape or wanted[result].shape != same.shape:
                    return grid
                same &= ulps(came[result], wanted[result], np.float32) <= ULPS / 2
                same &= np.isfinite(wanted[result])
    return grid.where(~same)


Entry = tuple[Grid, Sequence[str], str]  #: with the results to measure, and the parameters away from their defaults


def _grids(card: Card, label: str, dense: bool = False) -> Iterator[Entry]:
    for form in FORMATS:
        yield Grid(card, form, label, dense=dense), RESULTS[:2], ""
        second = Grid(card, form, label, second=True)
        if form in OF_PEERS and not second.together:  # in those every entry is moved in turn
            yield second, RESULTS[2:], ""
    for settings in [] if card.rowwise else variants(card):
        for form in OF_PEERS:
            rounded = {name: float(FORMATS[form](v)) if isinstance(v, float) else v for name, v in settings.items()}
            listed = " & ".join(f"{name}={value!r}" for name, value in settings.items())
            yield Grid(card.with_(**rounded), form, label, thin=True, dense=dense), RESULTS[:2], listed


def _measure(grids: Iterable[Entry], against: Sequence[str], readings: Sequence[str]) -> list[Figure | Failure]:
    items: list[Figure | Failure] = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for grid, results, settings in grids:
            for item in _at(grid, results, () if settings else against, readings):
                if isinstance(item, Figure):
                    items.append(replace(item, settings=settings))
                else:
                    items.append(replace(item, call=", ".join(filter(None, (item.call, settings)))))
    return items


def _at(
    grid: Grid, results: Sequence[str], against: Sequence[str], readings: Sequence[str] = OURS
) -> Iterator[Figure | Failure]:
    came: dict[str, dict[tuple[str, str], Any]] = {result: {} for result in results}
    named = libraries_of(grid.card, against) if grid.form in OF_PEERS and "value" in results else []
    for library, reading in [*(("slopes", reading) for reading in readings), *((library, "") for library in named)]:
        try:
            for result, array in _results(grid, library, reading).items():
                if result in results:
                    came[result][library, reading] = array
        except Exception as error:
            yield Failure(grid.label, f"{library} ({reading})" if reading else library, describe(error))
    for result, arrays in came.items():
        try:
            yield from _figures(grid, result, arrays)
        except Exception as error:
            yield Failure(grid.label, f"exact {result}", describe(error))


def libraries_of(card: Card, against: Sequence[str]) -> list[str]:
    return [
        library
        for library, peer in card.same_as.items()
        if library in against and not card.switched and all(name in peer.same for name in card.bound)
    ]


def _results(grid: Grid, library: str, reading: str) -> dict[str, Any]:
    arguments = grid.arguments
    if reading.endswith("kernel"):
        return _by_kernel(grid, reading)
    if reading:
        return _by_reading(grid, reading)
    cotangent = arguments[1] if isinstance(grid.card, Map) else None
    given = arguments[:1] if isinstance(grid.card, Map) else arguments
    value, slope = libraries.call(grid.card, library, given, slope=True, cotangent=cotangent)
    return {"value": value} if slope is None else {"value": value, "slope": slope}


def _by_reading(grid: Grid, reading: str, arguments: tuple[Any, ...] | None = None) -> dict[str, Any]:
    """Results by NumPy, torch or JAX, at the grid's own arguments or others."""
    if reading == "JAX":
        return grid.results_by_jax(grid.arguments if arguments is None else arguments)
    if reading == "NumPy":
        results = () if grid.form == "bfloat16" else ("value", "slope")
        given = grid.arguments if arguments is None else arguments
        return {result: np.asarray(grid.call(result, given)) for result in results}
    try:
        import torch  # noqa: F401
    except ImportError:
        return {}
    return grid.by_torch(arguments)


def _by_kernel(grid: Grid, reading: str) -> dict[str, Any]:
    """Results by kernels, on arrays that repeat the grid until they are large."""
    first = grid.arguments[0]
    if not is_available() or grid.together or grid.second:
        return {}
    times = -(-LARGE_FOR_A_USER // first.size)
    repeated = tuple(np.concatenate([x] * times) for x in grid.arguments)
    if reading == "torch kernel":
        return {result: array[: len(first)] for result, array in grid.by_torch(repeated).items()}
    if grid.form not in OF_PEERS:
        return {}
    return {result: np.asarray(grid.call(result, repeated))[: len(first)] for result in ("value", "slope")}


def _figures(grid: Grid, result: str, came: dict[tuple[str, str], Any]) -> Iterator[Figure | Failure]:
    if not came:
        return
    exact, parts = grid.exact(result, grid.dtype), grid.parts(result, grid.dtype)
    measured = ~np.isnan(parts.high)
    errors = {}
    for (library, reading), array in came.items():
        if array.shape == exact.shape:
            errors[library, reading] = ulps(array, parts, grid.dtype) / COARSER.get(grid.form, 1.0)
        else:
            yield Failure(grid.label, library, f"{result} of shape {array.shape}, not {exact.shape}")
    plain = np.broadcast_to(ULPS * (1 + np.asarray(grid.conditioning(result, grid.dtype))), exact.shape)
    largest = np.max([np.where(measured, error, 0.0) for error in errors.values()], axis=0, initial=0.0)
    allowed = plain.copy()
    allow_near_roots(grid, result, grid.dtype, exact, largest, allowed)
    jumps = _jumps(grid, result, largest > allowed)
    for (library, reading), error in errors.items():
        off = error > plain  # smaller errors count plainly: no implementation's figures depend on another's
        gone = _flushed(grid, came[library, reading], parts, reading)
        flushed = measured & ~(off & jumps) & (error >= (0.5 if reading == "JAX" else 1.0)) & gone
        counted = measured & ~flushed & ~(off & jumps)
        if counted.any():
            scaled = np.where(counted, error * ULPS / np.where(off, allowed, plain), -1.0)
            index = peak(scaled)
            yield Figure(
                grid.label, result, grid.form, library, reading,
                worst=float(scaled[index]), median=float(np.median(scaled[counted])),
                raw=float(np.max(error[counted])), points=int(counted.sum()), beyond=int((scaled > MUCH).sum()),
                lost=int(np.isinf(error[counted]).sum()), flushed=int(flushed.sum()),
                at=_shown(grid, result, index), entry=index[1:] if grid.card.rowwise else (),
                came=_number(came[library, reading][index]), exact=_exactly(exact[index]),
            )  # fmt: skip


def _flushed(grid: Grid, came: Any, parts: Parts, reading: str) -> Any:
    """Mask of results where the machine took a subnormal number for 0; on JAX a factor or a term, too."""
    tiny = float(np.finfo(grid.dtype).tiny)
    gone = is_subnormal(parts, grid.dtype) & (came == 0)
    if reading == "JAX":
        wanted = np.ldexp(parts.high, parts.exponent)
        gone |= (abs(wanted) < FLUSHED * tiny) & (abs(came) < FLUSHED * tiny)
    x = grid.arguments[0]
    if grid.card.rowwise or len(grid.arguments) > 1 or not (x == 0).any():
        return gone
    return gone | ((abs(x) < tiny) & (came == came[x == 0][0]))


def _jumps(grid: Grid, result: str, suspects: Any) -> Any:
    """Mask of suspects where the exact result jumps, so that no value is right or wrong.

    The gap between the two sides does not shrink with the step. A sum jumps where a term does: far off, another term
    may change by more than the gap.
    """
    if isinstance(grid.card, Sum):
        parts = (_jumps(grid.of_term(term.card), result, suspects) for term in grid.card.terms.values())
        return functools.reduce(np.logical_or, parts)
    from slopes.readings.exact import Exact, precision

    found = np.zeros(suspects.shape, dtype=bool)
    if grid.card.rowwise or not suspects.any():
        return found
    first, *rest = (argument[suspects] for argument in grid.arguments)
    space = grid.card.kind.space_of(grid.card.settings) if isinstance(grid.card, Loss) else None
    bounded = None if space is None else distance_to_bound(space, first.astype(float))
    farthest = np.inf if bounded is None else bounded
    gaps = []
    for step in (1e-15, 1e-25):  # both longer than the steps that find slopes
        with precision(100):
            x = Exact(first)
            move = Exact(np.minimum(np.maximum(abs(first).astype(float), 1e-10) * step, farthest))
            ends = x - move, x + move
        left, right = (np.asarray(grid.oracle(result)(end, *rest, **grid.options)) for end in ends)
        gaps.append(abs(right - left))
    found[suspects] = np.asarray((gaps[1] > 0) & (gaps[0] < 2 * gaps[1]), dtype=bool)
    return found


def _shown(grid: Grid, result: str, index: tuple[int, ...]) -> tuple[str, ...]:
    arguments = grid.arguments if result == "slope" or not isinstance(grid.card, Map) else grid.arguments[:1]
    return tuple(_number(x[index]) if not grid.card.rowwise else _list(x[index[0]]) for x in arguments)


def _list(row: Any) -> str:
    return f"[{', '.join(_list(entry) for entry in row)}]" if np.ndim(row) else _number(row)


def _number(x: Any) -> str:
    return str(np.asarray(x)[()])


def _exactly(x: Any) -> str:
    """Format 17 digits; beyond binary exponents of ±10,000 a number is 0 or inf."""
    import mpmath

    if x != 0 and not -10_000 < mpmath.mag(x) < 10_000:
        return ("-" if x < 0 else "") + ("0" if abs(x) < 1 else "inf")
    return str(mpmath.nstr(x, 17))
