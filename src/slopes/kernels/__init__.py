"""Kernels: machine code for cards, printed from a trace of their bodies.

`program` records a card as a straight-line program (`slopes.readings.trace`), `source` prints it as a loop for Numba,
and `compute` compiles the loop and runs it on NumPy arrays. Large arrays use kernels by themselves where Numba is
installed (``pip install 'slopes[fast]'``).
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from slopes.extras import require
from slopes.kernels import pool
from slopes.kernels.compiling import folder, load
from slopes.kernels.compiling import is_available as is_available
from slopes.kernels.printing.entries import print_kernel
from slopes.kernels.printing.rows import print_row_kernel, reads_inputs_last
from slopes.kernels.printing.special_entries import split_special_entries
from slopes.kernels.row_kernel import RowKernel
from slopes.readings.program import Program
from slopes.readings.trace import TraceError, record

if TYPE_CHECKING:
    from slopes.card import Card

__all__ = ["TraceError", "compile_all", "compute", "folder", "program", "source"]

#: Activations whose value is off by more than 2 ulp in float32 arithmetic, or whose slope by more than 2.5 ulp and an
#: eps of its terms. Their kernels compute in float64 and round once, which takes three times as long. So do kernels of
#: losses, bound parameters and users' cards, whose errors in float32 are unknown.
WIDE = {"value": ("squareplus",), "slope": ("softsign", "squareplus", "tanhshrink")}

#: Gates with measured errors in float32 arithmetic; the others compute in float64.
GATES = ("glu", "swiglu", "geglu", "reglu")

BLOCK = 2**15  #: entries computed at a time where a result overwrites its argument
GRAIN = 2**17  #: entries that repay waking up another thread


def program(
    card: Card,
    *outputs: str,
    dtype: str = "float64",
    arithmetic: str | None = None,
    inputs: Sequence[str] = (),
    labels: bool = False,
    **parameters: Any,
) -> Program:
    """Return the program of a card's value and derivative, or of the named outputs.

    Outputs are "value", "slope" and "vjp", which takes the cotangent as a further input: one per value. A gate has a
    slope for each half, "slope_gate" and "slope_value", and so "vjp_gate" and "vjp_value"; a map has no slope. Inputs
    and outputs have the dtype; `arithmetic` names another one to compute in. Parameters are literals, or if `inputs`
    names them, inputs after the card's arguments. With `labels` the target of a loss of rows is an integer per row.

    Raises TraceError for a body that is no straight line of operations on entries, and of sums and picks on rows.
    """
    _require_card("kernels.program", card)
    for name in inputs:
        if name not in card.parameters:
            raise TypeError(f"{card.name}: no parameter {name!r} to be an input")
    known = ("value", *_derivatives(card))
    for name in outputs:
        if name not in known:
            raise ValueError(f"{card.name}: unknown output {name!r}; a program of it has {', '.join(known)}")
    settings = card.with_(**parameters).settings
    names = card._arguments
    chosen = outputs or (known if card.slope_body is not None else known[:1])
    if not outputs and card.family != "map":
        chosen = tuple(name for name in chosen if not name.startswith("vjp"))
    pulled = [name for name in chosen if name.startswith("vjp")]
    cotangent = ["cotangent"] if pulled else []
    has_rows = _has_rows(card)

    def compute(*given: Any) -> dict[str, Any]:
        arguments, rest = given[: len(names)], given[len(names) :]
        bound = {**settings, **dict(zip(inputs, rest, strict=False))}
        results: dict[str, Any] = {}
        if "value" in chosen:
            results["value"] = card.body(*arguments, **bound)
        if set(chosen) - {"value"}:
            if card.slope_body is None:
                raise TraceError("it has no derivative of its own")
            if card.family == "map":
                results["vjp"] = card.slope_body(*arguments, rest[-1], **bound)
            else:
                slopes = card.slope_body(*arguments, **bound)
                slopes = slopes if isinstance(slopes, tuple) else (slopes,)
                results.update(zip(_derivatives(card), slopes, strict=False))
                for name in pulled:
                    by = rest[-1][..., None] if has_rows else rest[-1]
                    results[name] = by * results[name.replace("vjp", "slope")]
        return {name: results[name] for name in chosen}

    kinds = dict.fromkeys(inputs, "call")
    if has_rows and card.family == "loss":
        kinds |= {argument.name: "row" for argument in card.kind.arguments if not argument.row}  # type: ignore[attr-defined]
        kinds["cotangent"] = "row"
    if labels:
        if not has_rows or "target" not in names:
            raise TypeError(f"{card.name}: takes no labels")
        kinds["target"] = "label"
    try:
        return record(compute, [*names, *inputs, *cotangent], dtype, arithmetic, per=kinds, has_rows=has_rows)
    except TraceError as error:
        raise TraceError(f"{card.name} cannot be traced: {error}") from error.__cause__


def _require_card(function: str, card: Any) -> None:
    from slopes.card import Card

    if not isinstance(card, Card):
        raise TypeError(f"{function} takes a card, such as slopes.silu, got {type(card).__name__}")


def _derivatives(card: Card) -> tuple[str, ...]:
    """Outputs of a card beside its value."""
    if card.family == "gate":
        return tuple(f"{output}_{name}" for output in ("slope", "vjp") for name in card._arguments)
    if card.family == "map":
        return ("vjp",)
    return "slope", "vjp"


def source(card: Card, *outputs: str, dtype: str = "float32", labels: bool = False) -> str:
    """Return the Python module of a card's kernel for arrays of a dtype; arguments as in `program`.

    Raises TraceError for a body that is no straight line of operations.
    """
    _require_card("kernels.source", card)
    if _has_rows(card):
        recorded = program(card, *outputs, dtype=dtype, arithmetic=arithmetic_of(card, outputs, dtype), labels=labels)
        return _printed(recorded, card.name, True)
    if labels:
        raise TypeError(f"{card.name}: takes no labels")
    return source_and_numbers(card, outputs, dtype, {})[0]


def source_and_numbers(
    card: Card, outputs: tuple[str, ...], dtype: str, parameters: Mapping[str, Any]
) -> tuple[str, tuple[float, ...]]:  # fmt: skip
    """Return (source of an element-wise card's kernel, numbers that it takes after the card's arguments).

    The numbers are the card's parameters, unless all have their default: one kernel then serves a whole schedule.
    """
    settings, defaults = card._settings(parameters), card._root.settings
    numbers = {name: value for name, value in settings.items() if _is_number(value)}
    choices = {name: value for name, value in settings.items() if isinstance(value, (bool, str, type(None)))}
    if len(numbers) + len(choices) < len(settings):
        raise TraceError(f"{card.name} cannot be traced: a parameter is an array")
    changed = {name: value for name, value in settings.items() if value != defaults[name]}
    write, root = _write_once if is_ours(card) else _write, card._root
    if not any(name in numbers for name in changed):
        return write(root, outputs, dtype, tuple(changed.items()), ()), ()
    try:
        bound = tuple((name, value) for name, value in changed.items() if name in choices)
        return write(root, outputs, dtype, bound, tuple(numbers)), tuple(map(float, numbers.values()))
    except TraceError:  # the body branches on a parameter
        return write(root, outputs, dtype, tuple(changed.items()), ()), ()


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _write(
    card: Card, outputs: tuple[str, ...], dtype: str, bound: tuple[tuple[str, Any], ...], inputs: tuple[str, ...]
) -> str:  # fmt: skip
    card = card.with_(**dict(bound))
    arithmetic = "float64" if inputs else arithmetic_of(card, outputs, dtype)
    recorded = program(card, *outputs, dtype=dtype, arithmetic=arithmetic, inputs=inputs)
    return _printed(recorded, card.name, False, inputs)


_write_once = lru_cache(maxsize=1024)(_write)  # our bodies do not change


@lru_cache(maxsize=1024)
def _printed(recorded: Program, title: str, has_rows: bool, scalars: tuple[str, ...] = ()) -> str:
    if has_rows:
        return print_row_kernel(split_special_entries(recorded), title)
    return print_kernel(recorded, title, scalars)


def _has_rows(card: Card) -> bool:
    """Whether the body takes rows; a gate's takes two entries."""
    return card.rowwise and card.family != "gate"


def is_ours(card: Card) -> bool:
    """Whether a card is the library's, so that its body does not change."""
    return card.__module__.startswith(("slopes.activations.", "slopes.losses."))


def arithmetic_of(card: Card, outputs: Sequence[str], dtype: str) -> str:
    """Return the dtype in which a card's kernel computes outputs of a dtype."""
    if _has_rows(card) and is_ours(card):
        return dtype
    if card.family == "loss" or not is_ours(card) or any(map(_is_number, card.bound.values())):
        return "float64"
    if card.family == "gate":
        return dtype if card._root.name in GATES else "float64"
    wide = any(card._root.name in WIDE.get(output, WIDE["slope"]) for output in outputs or ("value", "slope"))
    return "float64" if wide else dtype


class EntryKernel:
    """The kernel of an element-wise card with its parameters, compiled at the first call.

    It takes one-dimensional arrays without gaps: the card's arguments, then one for each result.
    """

    def __init__(self, source: str, numbers: tuple[float, ...], arguments: int) -> None:
        self._source, self._numbers, self._arguments = source, numbers, arguments
        self._function: Callable[..., None] | None = None
        self.grain = find_grain(source)
        """The entries for which a thread of its own is worth the time to wake it up."""

    def __call__(self, *arrays: Any) -> None:
        function = self._function
        if function is None:
            function = self._function = load(self._source)
        if self._numbers:
            function(*arrays[: self._arguments], *self._numbers, *arrays[self._arguments :])
        else:
            function(*arrays)


def find_grain(source: str) -> int:
    """Return the number of entries that a kernel computes in about 30 µs, estimated from its loop."""
    lines = re.findall(r"^ {8}v\d+ = (\w+\()?", source, re.MULTILINE)
    functions = [line for line in lines if line and line[:-1] not in CHEAP]
    return max(2**20 // (2 + len(lines) + 15 * len(functions)), 2**14)


CHEAP = ("abs", "double", "fma", "nearest", "single", "where")  #: functions as fast as a sum


def prepare(card: Card, outputs: tuple[str, ...], dtype: str, parameters: Mapping[str, Any]) -> EntryKernel:
    """Return the kernel of an element-wise card, or raise TraceError."""
    if is_ours(card):
        with contextlib.suppress(TypeError):  # an array is no key; `_prepare` refuses unknown names
            listed = tuple([(name, value, repr(value)) for name, value in parameters.items()])  # 0.0 equals -0.0
            return _prepare_once(card, outputs, dtype, listed)
    return _prepare(card, outputs, dtype, parameters)


def _prepare(card: Card, outputs: tuple[str, ...], dtype: str, parameters: Mapping[str, Any]) -> EntryKernel:
    text, numbers = source_and_numbers(card, outputs, dtype, parameters)
    return EntryKernel(text, numbers, len(card._arguments))


@lru_cache(maxsize=1024)
def _prepare_once(
    card: Card, outputs: tuple[str, ...], dtype: str, parameters: tuple[tuple[str, Any, str], ...]
) -> EntryKernel:  # fmt: skip
    return _prepare(card, outputs, dtype, {name: value for name, value, _ in parameters})


def compute(card: Card, output: str | Sequence[str], *arrays: Any, out: Any = None, **parameters: Any) -> Any:
    """Return an output of a card's kernel for NumPy arrays of one shape and dtype, float32 or float64.

    The arrays are the card's arguments, and for a "vjp" the cotangent. The result is written to `out` if given, which
    may be one of them. Several outputs, as ("value", "slope"), are computed in one pass; the result and `out` are then
    tuples. A map or a loss of rows takes no `out`; its target may hold labels, as integers.

    Raises TraceError for a body that is no straight line of operations.
    """
    if not is_available():
        require("a kernel", "numba")
    _require_card("kernels.compute", card)
    if not arrays or not all(isinstance(a, (np.ndarray, np.generic)) for a in arrays):
        kinds = ", ".join(type(a).__name__ for a in arrays) or "none"
        raise TypeError(f"{card.name}: a kernel takes NumPy arrays, got {kinds}")
    first = arrays[0]
    if _has_rows(card):
        if out is not None:
            raise TypeError(f"{card.name}: a kernel of rows takes no out")
        card = card.with_(**parameters)
        results = _compute_rows(card, (output,) if isinstance(output, str) else tuple(output), arrays)
        return results[0] if isinstance(output, str) else tuple(results)
    if any(a.dtype not in (np.float32, np.float64) or a.shape != first.shape or a.dtype != first.dtype for a in arrays):
        raise TypeError(f"{card.name}: a kernel takes arrays of one shape, all of float32 or all of float64")
    outputs = (output,) if isinstance(output, str) else tuple(output)
    # A user's body is traced at each call: it may read a global that has changed.
    kernel = prepare(card, outputs, "float32" if first.dtype == np.float32 else "float64", parameters)
    given = (out,) if isinstance(output, str) else out or (None,) * len(outputs)
    results = [np.empty_like(first) if array is None else array for array in given]
    for array in results:
        if array.dtype != first.dtype or array.shape != first.shape:
            raise ValueError(
                f"{card.name}: out must have the shape {first.shape} and the dtype {first.dtype} of the argument, "
                f"got {array.shape} and {array.dtype}"
            )
    _run(kernel, arrays, results)
    return results[0] if isinstance(output, str) else tuple(results)


def _compute_rows(card: Card, outputs: tuple[str, ...], arrays: Sequence[Any]) -> list[Any]:
    first = arrays[0]
    if first.dtype not in (np.float32, np.float64) or not first.ndim or not first.shape[-1]:
        raise TypeError(f"{card.name}: a kernel takes rows of float32 or float64, with at least one entry")
    labels = any(array.dtype.kind in "iu" for array in arrays)
    kernel = row_kernel(card, outputs, first.dtype.name, labels=labels)
    lines = [line for line in kernel.program.lines if line.operation == "input"]
    if len(lines) != len(arrays):
        raise TypeError(f"{card.name}: takes {', '.join(line.text for line in lines)}, got {len(arrays)} arrays")
    *batch, width = first.shape
    for line, array in zip(lines, arrays, strict=True):
        shape = first.shape if line.per == "entry" else tuple(batch)
        is_label = line.dtype == "int64"
        if array.shape != shape or (array.dtype != first.dtype and not is_label):
            numbers = "integers" if is_label else first.dtype
            raise TypeError(
                f"{card.name}: {line.text} must have the shape {shape} and hold {numbers}, "
                f"got the shape {array.shape} and {array.dtype}"
            )
        if is_label and array.size and not 0 <= array.min() <= array.max() < width:
            raise ValueError(f"{card.name}: labels must lie between 0 and {width - 1}")
    for line in kernel.program.lines:
        if line.operation == "constant" and line.dtype == "int64" and int(line.text) >= width:
            raise ValueError(f"{card.name}: a row has {width} entries, and no entry {line.text}")
    return kernel(*arrays)


def row_kernel(
    card: Card,
    outputs: tuple[str, ...],
    dtype: str,
    *,
    labels: bool = False,
    arithmetic: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> RowKernel:
    """Return the kernel of a card of rows, with parameters as literals, or raise TraceError.

    The arithmetic is by default the dtype itself for our cards, and float64 for others.
    """
    if arithmetic is None:
        arithmetic = arithmetic_of(card, outputs, dtype)
    listed = tuple((card.settings if settings is None else settings).items())
    if is_ours(card):
        return _row_kernel_of_ours(card._root, outputs, dtype, labels, arithmetic, listed)
    return _make_row_kernel(card, outputs, dtype, labels, arithmetic, listed)


def _make_row_kernel(
    card: Card, outputs: tuple[str, ...], dtype: str, labels: bool, arithmetic: str, settings: tuple[Any, ...]
) -> RowKernel:
    recorded = program(card, *outputs, dtype=dtype, arithmetic=arithmetic, labels=labels, **dict(settings))
    text = _printed(recorded, card.name, True)
    return RowKernel(recorded, load(text), not reads_inputs_last(text))


_row_kernel_of_ours = lru_cache(maxsize=1024)(_make_row_kernel)


def _run(kernel: EntryKernel, arrays: Sequence[Any], results: Sequence[Any]) -> None:
    order: Literal["C", "F"] = "C" if results[0].flags.c_contiguous or not results[0].flags.f_contiguous else "F"
    inputs = [a.ravel(order) for a in arrays]  # a copy where an array has gaps or another order
    if not all(r.flags.c_contiguous if order == "C" else r.flags.f_contiguous for r in results):
        places = [np.empty(r.size, r.dtype) for r in results]
        run_flat(kernel, inputs, places)
        for result, place in zip(results, places, strict=True):
            result[...] = place.reshape(result.shape, order=order)
        return
    places = [r.reshape(-1, order=order) for r in results]
    run_flat(kernel, inputs, places)


def run_flat(kernel: EntryKernel, inputs: Sequence[Any], places: Sequence[Any]) -> None:
    """Run a kernel on one-dimensional arrays without gaps, on several threads if they are large.

    Results may overwrite inputs: as a loop that writes where it reads does not vectorise, it then goes block by block.
    An input that overlaps a result otherwise is copied.
    """
    compute: Callable[..., None] = kernel
    if any(np.may_share_memory(a, place) for a in inputs for place in places):
        inputs = [a if _are_same_or_apart(a, places) else a.copy() for a in inputs]
        compute = _in_blocks(kernel, len(places))
    pool.run_on_arrays(compute, [*inputs, *places], kernel.grain)


def _in_blocks(kernel: Callable[..., None], outputs: int) -> Callable[..., None]:
    """Return a form of a kernel whose outputs, the last arguments, may be its inputs."""

    def compute(*arrays: Any) -> None:
        inputs, places = arrays[:-outputs], arrays[-outputs:]
        size = places[0].size
        blocks = [np.empty(min(BLOCK, size), place.dtype) for place in places]
        for start in range(0, size, BLOCK):
            part = slice(start, min(start + BLOCK, size))
            room = [block[: part.stop - start] for block in blocks]
            kernel(*(a[part] for a in inputs), *room)
            for place, block in zip(places, room, strict=True):
                place[part] = block

    return compute


def _are_same_or_apart(array: Any, places: Sequence[Any]) -> bool:
    """Whether an array without gaps starts where each place does, or shares no memory with it."""
    start = array.__array_interface__["data"][0]
    return all(
        start == place.__array_interface__["data"][0] or not np.may_share_memory(array, place) for place in places
    )


LARGE_FOR_A_USER = 2**17  #: as a user's body is traced at each call


def are_worthwhile(card: Card, size: int) -> bool:
    """Whether kernels are available and arrays of this size gain by them."""
    return is_available() and (size >= LARGE_FOR_A_USER or is_ours(card))


def are_literals(settings: Mapping[str, Any]) -> bool:
    return all(value is None or isinstance(value, (bool, int, float, str)) for value in settings.values())


def compute_if_suitable(
    card: Card, output: str, arrays: Sequence[Any], out: Any, parameters: Mapping[str, Any]
) -> Any:  # fmt: skip
    """Return an output of a card's kernel; None where arrays, parameters or the body have none."""
    first = arrays[0]
    if any(a.dtype not in (np.float32, np.float64) or a.dtype != first.dtype for a in arrays):
        return None
    if not are_worthwhile(card, first.size):
        return None
    try:
        return compute(card, output, *arrays, out=out, **parameters)
    except TraceError:
        return None


def compile_all(cards: Iterable[Card]) -> Iterator[tuple[Card, int]]:
    """Compile the kernels of cards for float32 and float64, and yield (card, number of its kernels)."""
    require("a kernel", "numba")
    for card in cards:
        count = 0
        if card.family == "activation":
            for dtype in ("float32", "float64"):
                usual: tuple[tuple[str, ...], ...] = (("value",), ("slope",), ("vjp",), ("value", "slope"))
                for outputs in usual:
                    with contextlib.suppress(TraceError):
                        load(source(card, *outputs, dtype=dtype))
                        count += 1
        elif card.family == "loss" and card.kind.has_regions:  # type: ignore[attr-defined]
            from slopes.kernels import regions

            for dtype in ("float32", "float64"):
                count += regions.compile_usual(card, dtype)  # type: ignore[arg-type]
        elif _has_rows(card):
            together = [("value",), ("vjp",)] if card.family == "map" else [("value",), ("value", "vjp")]
            targets = (False, True) if card.family == "loss" and "class_weight" in card.kind.options else (False,)  # type: ignore[attr-defined]
            for dtype, outputs, labels in itertools.product(("float32", "float64"), together, targets):
                with contextlib.suppress(TraceError):
                    row_kernel(card, outputs, dtype, labels=labels)
                    count += 1
        elif card.family == "gate":
            from slopes.kernels import gates

            for dtype, output in itertools.product(("float32", "float64"), ("value", "vjp")):
                with contextlib.suppress(TraceError):
                    gates.prepare_gate(card, output, dtype, {}).load()
                    count += 1
        elif card.family == "loss":
            from slopes.kernels import elementwise_losses

            for dtype in ("float32", "float64"):
                count += elementwise_losses.compile_usual(card, dtype)  # type: ignore[arg-type]
        yield card, count
