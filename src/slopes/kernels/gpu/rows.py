"""Compile programs of rows for a GPU, and run them on its tensors."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch

from slopes import ops
from slopes.kernels.gpu import launching
from slopes.kernels.gpu.launching import FUSED, TYPES, compile_source
from slopes.kernels.printing.special_entries import split_special_entries
from slopes.kernels.printing.triton_rows import Tile, check_rows, print_triton_row_kernel
from slopes.readings.plain import HALF
from slopes.readings.program import Line, Program
from slopes.readings.trace import record

Tensor = torch.Tensor

ENTRIES = 2**10  #: of a tile of short rows
LARGEST = 2**12  #: entries of a tile; a longer row is read block by block
WARPS = 16  #: of the largest tile; with more than 8 numbers for a thread, many a kernel has too few registers


def tile_of(width: int, is_double: bool) -> Tile:
    """The tile for rows of this length; numbers of float64 take two registers."""
    largest, usual = (LARGEST // 2, ENTRIES // 2) if is_double else (LARGEST, ENTRIES)
    if width > largest:
        return Tile(1, largest, False)
    entries = 1 << max(width - 1, 0).bit_length()
    return Tile(max(usual // entries, 1), entries, True)


def count_warps(tile: Tile, is_double: bool) -> int:
    """Warps of a program of the kernel."""
    return max(tile.rows * tile.entries * WARPS // LARGEST * (2 if is_double else 1), 4)


class GpuRowKernel:
    """Kernel of a program, compiled for each GPU, length of rows and dtype when it is first needed there.

    Raises TraceError for a program with an operation that has no form for tiles.
    """

    takes_tensors = True

    def __init__(self, program: Program, numbers: Sequence[float], title: str) -> None:
        self.program, self.numbers, self.title = program, tuple(map(float, numbers)), title
        self._split = split_special_entries(program)
        check_rows(self._split)
        self._compiled: dict[Any, Any] = {}

    @property
    def inputs(self) -> list[Line]:
        return self.program.arrays

    @property
    def outputs(self) -> list[Line]:
        return self.program.results

    def tile(self, width: int) -> Tile:
        """The tile for rows of this length."""
        return tile_of(width, any(line.dtype == "float64" for line in self._split.lines))

    def source(self, width: int, is_coarse: bool, is_repeated: bool = False) -> str:
        """Source for rows of this length, whose half types are computed in float32 by coarse functions."""
        return print_triton_row_kernel(self._split, self.title, self.tile(width), is_coarse, is_repeated)

    def __call__(self, *tensors: Tensor) -> list[Tensor]:
        """Outputs for tensors on one GPU: rows on the last axis, or a number for each row.

        Entries get the dtype of the first tensor, numbers per row too, but float32 for a half type.
        """
        x = tensors[0]
        wide = torch.float32 if x.dtype in HALF else x.dtype
        results = [
            x.new_empty(x.shape[:-1], dtype=wide) if line.per == "row" else x.new_empty(x.shape)
            for line in self.outputs
        ]
        self._run([], _without_gaps(tensors), results)
        return results

    def repeat(self, factor: Tensor, results: list[Tensor], *tensors: Tensor) -> None:
        """Compute the results anew unless a factor, a number on the device, is 1: then they hold what they should."""
        self._run([factor], _without_gaps(tensors), results)

    def _run(self, factor: list[Tensor], given: list[Tensor], results: list[Tensor]) -> None:
        x, tensors = given[0], [*factor, *given, *results]
        if not x.numel():
            return
        width = x.shape[-1]
        count, tile = x.numel() // width, self.tile(width)
        is_aligned = all(tensor.data_ptr() % 16 == 0 for tensor in tensors) and width % 16 == 0
        key = (x.device.index, tile, is_aligned, len(factor), *(tensor.dtype for tensor in tensors))
        pointers: list[Any] = [tensor.data_ptr() for tensor in tensors]
        place = len(factor) + len(given)
        pointers[place:place] = self.numbers
        with torch.cuda.device(x.device):
            if key not in self._compiled:
                types = [TYPES[tensor.dtype] for tensor in tensors]
                self._compiled[key] = self.compile(width, types, is_aligned, is_repeated=bool(factor))
            self._compiled[key][(-(-count // tile.rows), 1, 1)](*pointers, count, width)

    def compile(
        self, width: int, types: Sequence[str], is_aligned: bool = True, capability: int | None = None,
        is_repeated: bool = False,
    ) -> Any:  # fmt: skip
        """Machine code for rows of a length, whose pointers have these types; see `compile_source`."""
        tile, is_coarse = self.tile(width), not FUSED.isdisjoint(types)
        kinds, place = [*types], is_repeated + len(self.inputs)
        kinds[place:place] = ["fp64"] * len(self.numbers)
        pointers = [place for place, kind in enumerate(kinds) if kind.startswith("*")]
        divisible = [*pointers, len(kinds) + 1] if is_aligned else []
        options = {"num_warps": count_warps(tile, "*fp64" in types), "enable_fp_fusion": is_coarse}
        source = self.source(width, is_coarse, is_repeated)
        return compile_source(source, (*kinds, "i64", "i32"), divisible, options, capability)


def _without_gaps(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [tensor.resolve_neg().contiguous() for tensor in tensors]


_have_run: dict[int, bool] = {}


def are_available(device: int) -> bool:
    """Whether a GPU runs kernels of rows and of losses; the first call tries one, unless a graph is captured."""
    if device not in _have_run:
        if not launching.is_available(device):
            _have_run[device] = False
        elif torch.cuda.is_current_stream_capturing():
            return False
        else:
            _have_run[device] = runs_a_kernel(torch.device("cuda", device))
    return _have_run[device]


def runs_a_kernel(device: torch.device) -> bool:
    """Whether a small kernel gives the right numbers there; if not, a warning tells why."""
    x = torch.linspace(-3, 3, 60, device=device).reshape(6, 10)
    program = record(lambda x: {"value": ops.log_softmax(x)}, ["x"], "float32", "float32", has_rows=True)
    try:
        (result,) = GpuRowKernel(program, (), "log_softmax")(x)
        if torch.allclose(result, torch.log_softmax(x, -1), atol=1e-5):
            return True
        problem = "a kernel gave wrong numbers"
    except Exception as error:  # no compiler, or a driver that Triton does not know
        problem = str(error)
    warnings.warn(f"slopes computes losses without kernels on this GPU, as Triton failed: {problem}", stacklevel=2)
    return False
