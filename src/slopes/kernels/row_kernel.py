"""A compiled program of rows, run on matrices of any layout by several threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from slopes.kernels import pool
from slopes.readings.program import Line, Program

GRAIN = 2**15  #: entries that repay waking up another thread


@dataclass(frozen=True)
class RowKernel:
    """A program of rows and its machine code."""

    program: Program
    function: Callable[..., None]
    works_in_place: bool
    """Whether it runs fast, too, where its output of entries takes the place of its first input."""

    @cached_property
    def inputs(self) -> list[Line]:
        """Lines that are inputs."""
        return [line for line in self.program.lines if line.operation == "input"]

    @cached_property
    def outputs(self) -> list[Line]:
        """Lines that are outputs."""
        return [self.program.lines[place] for _, place in self.program.outputs]

    def __call__(self, *arrays: Any, out: Sequence[Any] | None = None) -> list[Any]:
        """Return the program's outputs for its inputs; the first input has the rows.

        Inputs of other dtypes are converted. `out` has a writable array without gaps for each output, which may be an
        input.
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
        """Run the kernel on inputs and outputs without gaps, of the program's dtypes.

        Arrays with a number per entry are matrices, the others have one axis.
        """
        count, width = arrays[0].shape
        grain = max(1, GRAIN // width)
        if 0 < count < 2 * grain:
            self.function(*arrays)
        else:
            pool.run(lambda start, stop: self.function(*[a[start:stop] for a in arrays]), count, grain)
