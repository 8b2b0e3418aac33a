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
    def _inputs_and_outputs(self) -> tuple[list[Line], list[Line]]:
        lines = self.program.lines
        return [line for line in lines if line.operation == "input"], [
            lines[place] for _, place in self.program.outputs
        ]

    @cached_property
    def has_entries(self) -> list[bool]:
        """Whether each output has a number for each entry, and not for each row."""
        return [line.per != "row" for line in self._inputs_and_outputs[1]]

    def __call__(self, *arrays: Any, out: Sequence[Any] | None = None) -> list[Any]:
        """Return the program's outputs for its inputs, of which the first has the rows.

        The inputs fit the program; those of another dtype are converted. `out` has an array for each output, one that
        can be written to, without gaps; it may be one of the inputs.
        """
        rows = arrays[0]
        width, batch = rows.shape[-1], rows.shape[:-1]
        lines, places = self._inputs_and_outputs
        if out is None:
            out = [np.empty(batch if line.per == "row" else rows.shape, line.dtype) for line in places]
        flat = [
            np.ascontiguousarray(array, line.dtype).reshape((-1,) if line.per == "row" else (-1, width))
            for line, array in zip([*lines, *places], [*arrays, *out], strict=True)
        ]
        count, grain = flat[0].shape[0], max(1, GRAIN // width)
        if 0 < count < 2 * grain:
            self.function(*flat)
        else:
            pool.run(lambda start, stop: self.function(*[a[start:stop] for a in flat]), count, grain)
        return list(out)
