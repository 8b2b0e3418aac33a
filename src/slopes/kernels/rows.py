"""Kernels of cards of rows, for matrices of any layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from slopes.kernels import pool
from slopes.kernels.compiling import load
from slopes.kernels.printing.rows import reads_inputs_last
from slopes.kernels.programs import arithmetic_of, is_ours, print_program, program
from slopes.readings.program import Line, Program, lift_constants
from slopes.readings.trace import TraceError

if TYPE_CHECKING:
    from slopes.card import Card
    from slopes.kernels.gpu.rows import GpuRowKernel

GRAIN = 2**17  #: entries that repay waking up another thread


@dataclass(frozen=True)
class RowKernel:
    program: Program
    function: Callable[..., None]
    works_in_place: bool
    """Whether it is as fast where its output of entries overwrites its first input."""
    numbers: tuple[Any, ...] = ()
    """Array of the program's inputs per call, if it has any."""
    takes_tensors: ClassVar[bool] = False

    @cached_property
    def inputs(self) -> list[Line]:
        """The inputs that are arrays."""
        return self.program.arrays

    @cached_property
    def outputs(self) -> list[Line]:
        return self.program.results

    def __call__(self, *arrays: Any, out: Sequence[Any] | None = None) -> list[Any]:
        """Outputs for rows and other inputs, converted to the program's dtypes.

        `out` has a writable array without gaps for each, which may be an input.
        """
        rows = arrays[0]
        width, batch = rows.shape[-1], rows.shape[:-1]
        if out is None:
            out = [np.empty(batch if line.per == "row" else rows.shape, line.dtype) for line in self.outputs]
        flat = [
            np.ascontiguousarray(array, line.dtype).reshape((-1,) if line.per == "row" else (-1, width))
            for line, array in zip([*self.inputs, *self.outputs], [*arrays, *out], strict=True)
        ]
        self.run(flat)
        return list(out)

    def run(self, arrays: list[Any]) -> None:
        """Run on inputs and outputs without gaps: matrices, or one axis for numbers per row."""
        count, width = arrays[0].shape
        grain = max(1, GRAIN // width)
        if 0 < count < 2 * grain:
            self.function(*arrays, *self.numbers)
        else:
            pool.run(lambda start, stop: self.function(*[a[start:stop] for a in arrays], *self.numbers), count, grain)


def row_kernel(
    card: Card, outputs: tuple[str, ...], dtype: str, *, labels: bool = False, arithmetic: str | None = None,
    settings: Mapping[str, Any] | None = None, language: str = "numba",
) -> RowKernel | GpuRowKernel:  # fmt: skip
    if arithmetic is None:
        arithmetic = arithmetic_of(card, outputs, dtype)
    listed = tuple((card.settings if settings is None else settings).items())
    if is_ours(card):
        found = _row_kernel_of_ours(card._root, outputs, dtype, labels, arithmetic, listed, language)
        if isinstance(found, TraceError):
            raise found.with_traceback(None)
        return found
    return _make_row_kernel(card, outputs, dtype, labels, arithmetic, listed, language)


def _make_row_kernel(
    card: Card, outputs: tuple[str, ...], dtype: str, labels: bool, arithmetic: str, settings: tuple[Any, ...],
    language: str,
) -> RowKernel | GpuRowKernel:  # fmt: skip
    recorded = program(card, *outputs, dtype=dtype, arithmetic=arithmetic, labels=labels, **dict(settings))
    if language == "triton":
        from slopes.kernels.gpu.rows import GpuRowKernel

        return GpuRowKernel(*_lifted(recorded, card, dict(settings)), card._root.name)
    return compile_rows(recorded, card, dict(settings))


def _lifted(recorded: Program, card: Card, settings: Mapping[str, Any]) -> tuple[Program, tuple[float, ...]]:
    """(program, its numbers), the same for all numbers that parameters may have, such as a schedule's."""
    return (recorded, ()) if settings == card._root.settings else lift_constants(recorded)


def compile_rows(recorded: Program, card: Card, settings: Mapping[str, Any]) -> RowKernel:
    """Kernel of a program of a card; one serves all numbers that parameters may have."""
    recorded, numbers = _lifted(recorded, card, settings)
    text = print_program(recorded, card._root.name, True)
    given = (np.array(numbers),) if numbers else ()
    return RowKernel(recorded, load(text), not reads_inputs_last(text), given)


@lru_cache(maxsize=1024)
def _row_kernel_of_ours(*given: Any) -> RowKernel | GpuRowKernel | TraceError:
    """The kernel, or the reason that there is none, so that no call traces in vain."""
    try:
        return _make_row_kernel(*given)
    except TraceError as error:
        return error
