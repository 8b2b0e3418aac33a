"""Compile the source of Triton kernels for the GPU of a tensor, and launch them.

Triton keeps machine code in a folder of its own.
"""

from __future__ import annotations

import importlib.util
import os
import re
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch

from slopes.kernels.gpu.loading import load
from slopes.kernels.printing.triton import BLOCK

Tensor = torch.Tensor

TYPES = {
    torch.float32: "*fp32", torch.float64: "*fp64", torch.float16: "*fp16", torch.bfloat16: "*bf16",
    torch.int64: "*i64",
}  # fmt: skip
#: float64, and a sine far from 0, need more registers than 4 warps have, so that each thread gets fewer entries
MANY_REGISTERS = re.compile(r"\btl\.float64\b|_far\(|\bsnake_slope\(")
POWERS = re.compile(r"\bpower\(")  #: which need twice as many again
#: products and sums of half types are fused; error-free sums need each rounding
FUSED = {"*fp16", "*bf16"}
LEAST_CAPABILITY = (8, 0)
_lock = threading.RLock()


@lru_cache
def is_available(device: int) -> bool:
    """Whether Triton can be imported, and compiles for this GPU."""
    if torch.version.cuda is None or importlib.util.find_spec("triton") is None:
        return False
    if os.environ.get("TRITON_INTERPRET", "0").strip() not in ("", "0"):
        return False
    return torch.cuda.get_device_capability(device) >= LEAST_CAPABILITY


def compile_for(source: str, types: Sequence[str], capability: int | None = None, is_aligned: bool = True) -> Any:
    """Machine code of a kernel whose pointers and numbers have these types.

    By default it is for the GPU that is current, else for one of the capability, such as 90, which need not be there.
    """
    places = [place for place, kind in enumerate(types) if kind.startswith("*")] if is_aligned else []
    options = {"num_warps": count_warps(source), "enable_fp_fusion": not FUSED.isdisjoint(types)}
    return compile_source(source, (*types, "i64"), places, options, capability)


def compile_source(
    source: str, types: Sequence[str], divisible: Sequence[int], options: dict[str, Any], capability: int | None
) -> Any:
    """Machine code of a function whose arguments have these types, those in some places being multiples of 16."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    function = load(source)
    signature = dict(zip(function.arg_names, types, strict=True))
    target = None if capability is None else GPUTarget("cuda", capability, 32)
    ast = ASTSource(function, signature, {}, {(place,): [["tt.divisibility", 16]] for place in divisible})
    return triton.compile(ast, target=target, options=options)


def count_warps(source: str) -> int:
    return 16 if POWERS.search(source) else 8 if MANY_REGISTERS.search(source) else 4


class GpuKernel:
    """A kernel of pointers, numbers and a size, compiled for each GPU when it is first needed there."""

    def __init__(self, source: str, arguments: int) -> None:
        self._source, self._arguments = source, arguments
        self._compiled: dict[Any, Any] = {}

    def __call__(self, numbers: tuple[float, ...], *tensors: Tensor) -> None:
        """Compute the last tensors from the first ones, all of one size, without gaps and in one order."""
        first, arguments = tensors[0], self._arguments
        device, size = first.get_device(), first.numel()
        if torch.cuda.current_device() != device:
            with torch.cuda.device(device):
                self(numbers, *tensors)
            return
        pointers = [tensor.data_ptr() for tensor in tensors]
        key = device, first.dtype, not any([pointer & 15 for pointer in pointers])
        compiled = self._compiled.get(key) or self._compile(key, len(numbers), len(tensors))
        if size:
            compiled[(-(-size // BLOCK), 1, 1)](*pointers[:arguments], *numbers, *pointers[arguments:], size)

    def prepare(self, x: Tensor, numbers: int, count: int) -> None:
        """Compile and load for the GPU and dtype of a tensor, with so many numbers and pointers."""
        with torch.cuda.device(x.get_device()):
            compiled = self._compile((x.get_device(), x.dtype, True), numbers, count)
            _ = compiled[1, 1, 1]  # Triton loads the machine code when it is asked for a grid

    def _compile(self, key: tuple[int, torch.dtype, bool], numbers: int, count: int) -> Any:
        _, dtype, is_aligned = key
        types = [TYPES[dtype]] * count
        types[self._arguments : self._arguments] = ["fp64"] * numbers
        with _lock:
            if key not in self._compiled:
                self._compiled[key] = compile_for(self._source, types, is_aligned=is_aligned)
        return self._compiled[key]


@lru_cache(maxsize=1024)
def gpu_kernel(source: str, arguments: int) -> GpuKernel:
    """The kernel of a source that takes its numbers after so many pointers."""
    return GpuKernel(source, arguments)
