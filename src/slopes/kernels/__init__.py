"""Kernels: machine code for cards.

`program` records a body as a straight line of operations, `source` prints it as a loop, and `compute` compiles and runs
the loop. They raise TraceError for a body that is no such line. Functions that find kernels return None where there are
none or they do not pay.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from slopes.extras import require
from slopes.kernels import elementwise_losses, entries, gates, regions
from slopes.kernels.compiling import folder, is_available, load
from slopes.kernels.programs import are_worthwhile, has_rows, program, require_card, source
from slopes.kernels.rows import row_kernel
from slopes.readings.program import Line
from slopes.readings.trace import TraceError

if TYPE_CHECKING:
    from slopes.card import Card

__all__ = ["TraceError", "compile_all", "compute", "folder", "is_available", "program", "source"]


def compute(card: Card, output: str | Sequence[str], *arrays: Any, out: Any = None, **parameters: Any) -> Any:
    """Output of a card's kernel for NumPy arrays of one shape and dtype, float32 or float64.

    The arrays are the card's arguments, and for a "vjp" the cotangent. `out` gets the result; it may be an argument.
    Several outputs, as ("value", "slope"), take one pass and are tuples, as is `out`. A map or a loss of rows takes no
    `out`; its target may be labels.
    """
    if not is_available():
        require("a kernel", "numba")
    require_card("kernels.compute", card)
    if not arrays or not all(isinstance(a, (np.ndarray, np.generic)) for a in arrays):
        kinds = ", ".join(type(a).__name__ for a in arrays) or "none"
        raise TypeError(f"{card.name}: a kernel takes NumPy arrays, got {kinds}")
    outputs = (output,) if isinstance(output, str) else tuple(output)
    if has_rows(card):
        if out is not None:
            raise TypeError(f"{card.name}: a kernel of rows takes no out")
        results = _compute_rows(card.with_(**parameters), outputs, arrays)
    else:
        places = (out,) if isinstance(output, str) else out or (None,) * len(outputs)
        results = _compute_entries(card, outputs, arrays, places, parameters)
    return results[0] if isinstance(output, str) else tuple(results)


def _compute_entries(
    card: Card, outputs: tuple[str, ...], arrays: Sequence[Any], places: Sequence[Any], parameters: Mapping[str, Any]
) -> list[Any]:
    first = arrays[0]
    if any(a.dtype not in (np.float32, np.float64) or a.shape != first.shape or a.dtype != first.dtype for a in arrays):
        raise TypeError(f"{card.name}: a kernel takes arrays of one shape, all of float32 or all of float64")
    kernel = entries.prepare(card, outputs, "float32" if first.dtype == np.float32 else "float64", parameters)
    results = [np.empty_like(first) if place is None else place for place in places]
    for array in results:
        if array.dtype != first.dtype or array.shape != first.shape:
            raise ValueError(
                f"{card.name}: out must have the shape {first.shape} and the dtype {first.dtype} of the argument, "
                f"got {array.shape} and {array.dtype}"
            )
    entries.run(kernel, arrays, results)
    return results


def _compute_rows(card: Card, outputs: tuple[str, ...], arrays: Sequence[Any]) -> list[Any]:
    first = arrays[0]
    if first.dtype not in (np.float32, np.float64) or not first.ndim or not first.shape[-1]:
        raise TypeError(f"{card.name}: a kernel takes rows of float32 or float64, with at least one entry")
    labels = any(array.dtype.kind in "iu" for array in arrays)
    kernel = row_kernel(card, outputs, first.dtype.name, labels=labels)
    if len(kernel.inputs) != len(arrays):
        named = ", ".join(line.text for line in kernel.inputs)
        raise TypeError(f"{card.name}: takes {named}, got {len(arrays)} arrays")
    for line, array in zip(kernel.inputs, arrays, strict=True):
        _check_input(card.name, line, array, first)
    width = first.shape[-1]
    for line in kernel.program.lines:
        if line.operation == "constant" and line.dtype == "int64" and int(line.text) >= width:
            raise ValueError(f"{card.name}: a row has {width} entries, and no entry {line.text}")
    return kernel(*arrays)


def _check_input(owner: str, line: Line, array: Any, first: Any) -> None:
    *batch, width = first.shape
    shape = first.shape if line.per == "entry" else tuple(batch)
    is_label = line.dtype == "int64"
    if array.shape != shape or (array.dtype != first.dtype and not is_label):
        raise TypeError(
            f"{owner}: {line.text} must have the shape {shape} and hold {'integers' if is_label else first.dtype}, "
            f"got the shape {array.shape} and {array.dtype}"
        )
    if is_label and array.size and not 0 <= array.min() <= array.max() < width:
        raise ValueError(f"{owner}: labels must lie between 0 and {width - 1}")


def compute_if_suitable(card: Card, output: str, arrays: Sequence[Any], out: Any, parameters: Mapping[str, Any]) -> Any:
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
    """Compile the usual kernels of cards, and yield (card, number of its kernels)."""
    require("a kernel", "numba")
    for card in cards:
        yield card, sum(_compile_usual(card, dtype) for dtype in ("float32", "float64"))


def _compile_usual(card: Any, dtype: str) -> int:
    if card.family == "loss" and card.kind.has_regions:
        return regions.compile_usual(card, dtype)
    if card.family == "loss" and not card.rowwise:
        return elementwise_losses.compile_usual(card, dtype)
    count = 0
    for compile_kernel in _usual_kernels(card, dtype):
        with contextlib.suppress(TraceError):
            compile_kernel()
            count += 1
    return count


def _compile_entries(card: Card, outputs: tuple[str, ...], dtype: str) -> None:
    load(source(card, *outputs, dtype=dtype))


def _compile_gate(card: Card, output: str, dtype: str) -> None:
    gates.prepare_gate(card, output, dtype, {}).load()


def _usual_kernels(card: Any, dtype: str) -> Iterator[Callable[[], Any]]:
    if card.family == "gate":
        for output in ("value", "vjp"):
            yield partial(_compile_gate, card, output, dtype)
    elif card.family == "activation":
        for outputs in (("value",), ("slope",), ("vjp",), ("value", "slope")):
            yield partial(_compile_entries, card, outputs, dtype)
    else:
        takes_labels = card.family == "loss" and "class_weight" in card.kind.options
        for outputs in (("value",), ("vjp",) if card.family == "map" else ("value", "vjp")):
            for labels in (False, True) if takes_labels else (False,):
                yield partial(row_kernel, card, outputs, dtype, labels=labels)
        if getattr(card, "by_result", None) is not None:
            yield partial(row_kernel, card.by_result, ("vjp",), dtype)
