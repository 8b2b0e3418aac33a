"""A compiled program of rows, run on matrices of any layout by several threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from slopes.kernels import pool
from slopes.readings.program import Line, Program

GRAIN = 2**15  #: entries for which a thread of its own is worth the time to wake it up


@dataclass(frozen=True)
class RowKernel:
    """A program of rows and its machine code."""

    program: Program
    function: Callable[..., None]
    works_in_place: bool
    """Whether it runs fast, too, where its output of entries takes the place of its first input."""

    @cached_property
    def inputs(self) -> list[Line]:
        """The program's lines that are inputs."""
        return [line for line in self.program.lines if line.operation == "input"]

    @cached_property
    def outputs(self) -> list[Line]:
        """The program's lines that are outputs."""
        return [self.program.lines[place] for _, place in self.program.outputs]

    def __call__(self, *arrays: Any, out: Sequence[Any] | None = None) -> list[Any]:
        """Return the program's outputs for its inputs; the first input has the rows.

        The inputs fit the program; an input of another dtype is converted. `out` has a writable array without gaps for
        each output, which may be one of the inputs.
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
        """Write the outputs: the arrays are the inputs and then the outputs, without gaps and of the program's dtypes.

        Those with a number for each entry are matrices, and the others have one axis.
        """
        count, width = arrays[0].shape
        grain = max(1, GRAIN // width)
        if 0 < count < 2 * grain:
            self.function(*arrays)
        else:
            pool.run(lambda start, stop: self.function(*[a[start:stop] for a in arrays]), count, grain)
