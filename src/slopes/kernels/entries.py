"""Kernels of element-wise cards, for arrays of any layout."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from slopes.kernels import pool
from slopes.kernels.compiling import load
from slopes.kernels.programs import is_ours, source_and_numbers

if TYPE_CHECKING:
    from slopes.card import Card

BLOCK = 2**15  #: entries at a time where a result overwrites its argument
GRAIN = 2**18  #: entries that repay waking up another thread


class EntryKernel:
    """The kernel of an element-wise card with its parameters, compiled at the first call.

    It takes the card's arguments, then the results: one-dimensional arrays without gaps.
    """

    def __init__(self, source: str, numbers: tuple[float, ...], arguments: int) -> None:
        self._source, self._numbers, self._arguments = source, numbers, arguments
        self._function: Callable[..., None] | None = None
        self.grain = find_grain(source)
        """Entries that repay waking up another thread."""

    def __call__(self, *arrays: Any) -> None:
        function = self._function
        if function is None:
            function = self._function = load(self._source)
        if self._numbers:
            function(*arrays[: self._arguments], *self._numbers, *arrays[self._arguments :])
        else:
            function(*arrays)


def find_grain(source: str) -> int:
    """Entries that a kernel computes in about 120 µs, by its loop; at most `GRAIN`."""
    lines = re.findall(r"^ {8}v\d+ = (\w+\()?", source, re.MULTILINE)
    functions = [line for line in lines if line and line[:-1] not in CHEAP]
    return min(max(2**22 // (2 + len(lines) + 15 * len(functions)), 2**14), GRAIN)


CHEAP = ("abs", "double", "fma", "nearest", "single", "where")  #: functions as fast as a sum


def prepare(card: Card, outputs: tuple[str, ...], dtype: str, parameters: Mapping[str, Any]) -> EntryKernel:
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
) -> EntryKernel:
    return _prepare(card, outputs, dtype, {name: value for name, value, _ in parameters})


def run(kernel: EntryKernel, arrays: Sequence[Any], results: Sequence[Any]) -> None:
    order: Literal["C", "F"] = "C" if results[0].flags.c_contiguous or not results[0].flags.f_contiguous else "F"
    inputs = [a.ravel(order) for a in arrays]  # a copy of another layout
    if not all(r.flags.c_contiguous if order == "C" else r.flags.f_contiguous for r in results):
        places = [np.empty(r.size, r.dtype) for r in results]
        run_flat(kernel, inputs, places)
        for result, place in zip(results, places, strict=True):
            result[...] = place.reshape(result.shape, order=order)
        return
    places = [r.reshape(-1, order=order) for r in results]
    run_flat(kernel, inputs, places)


def run_flat(kernel: EntryKernel, inputs: Sequence[Any], places: Sequence[Any]) -> None:
    """Run a kernel on flat arrays, in blocks where a loop would write what it reads: it does not vectorise."""
    compute: Callable[..., None] = kernel
    if any(np.may_share_memory(a, place) for a in inputs for place in places):
        inputs = [a if _are_same_or_apart(a, places) else a.copy() for a in inputs]
        compute = _in_blocks(kernel, len(places))
    pool.run_on_arrays(compute, [*inputs, *places], kernel.grain)


def _in_blocks(kernel: Callable[..., None], outputs: int) -> Callable[..., None]:
    """A kernel whose outputs, the last arguments, may be inputs."""

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
    """Whether an array starts with each place or is apart from it."""
    start = array.__array_interface__["data"][0]
    return all(
        start == place.__array_interface__["data"][0] or not np.may_share_memory(array, place) for place in places
    )
