"""Run the kernels of activations on tensors of a CPU: float32, float64 and, through float64, half types.

A result has its argument's memory format. An argument of another layout is computed in a copy: the result.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from slopes.kernels import pool
from slopes.kernels.entries import EntryKernel, prepare, run_flat
from slopes.kernels.programs import arithmetic_of, is_ours
from slopes.readings.numpy import round_to_odd
from slopes.readings.plain import HALF
from slopes.readings.trace import TraceError

Tensor = torch.Tensor
Make = Callable[[], EntryKernel]

BLOCK = 2**14  #: entries of half types at a time, too few for PyTorch to start threads
HUGE = 2**22  #: bytes for which NumPy asks for huge pages
PAGE = 2**21  #: bytes of a huge page; one that reached beyond a result would take memory for nothing
_ADVICE = 14  #: Linux's MADV_HUGEPAGE
_advise = ctypes.CDLL(None, use_errno=False).madvise if sys.platform == "linux" else None
if _advise is not None:
    _advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def empty_like(x: Tensor) -> Tensor:
    return advise(torch.empty_like(x))


def advise(result: Tensor) -> Tensor:
    """Put a large new tensor into huge pages, which the system hands out faster."""
    size = result.numel() * result.element_size()
    if size >= HUGE and _advise is not None:
        start = result.data_ptr()
        first, end = -(-start // PAGE) * PAGE, (start + size) // PAGE * PAGE
        _advise(first, end - first, _ADVICE)
    return result


def flat(x: Tensor) -> Tensor:
    x = x.detach()
    return x.view(-1) if x.is_contiguous() else x.as_strided((x.numel(),), (1,))


TYPES: dict[torch.dtype, Any] = {
    torch.float32: np.dtype(np.float32), torch.float64: np.dtype(np.float64), torch.int64: np.dtype(np.int64),
    torch.int16: np.dtype(np.int16),
}  # fmt: skip


def as_array(x: Tensor) -> Any:
    """Memory of a tensor without gaps as an array, which must not outlive it; `numpy()` would forbid resizing."""
    return np.frombuffer(_Memory.from_address(x.data_ptr()), TYPES[x.dtype], x.numel())


_Memory: Any = ctypes.c_byte * sys.maxsize  #: ctypes takes long to make a type for each size


def _run(kernel: EntryKernel, inputs: Sequence[Tensor], *results: Tensor) -> None:
    if results[0].dtype in HALF:
        _run_on_half_types(kernel, [flat(x) for x in inputs], flat(results[0]))
    else:
        run_flat(kernel, [as_array(x) for x in inputs], [as_array(x) for x in results])


def _run_on_half_types(kernel: EntryKernel, inputs: Sequence[Tensor], result: Tensor) -> None:
    is_inference = torch.is_inference_mode_enabled()  # other threads do not know it

    def compute(start: int, stop: int) -> None:
        with torch.inference_mode(is_inference), np.errstate(all="ignore"):
            for first in range(start, stop, BLOCK):
                part = slice(first, min(first + BLOCK, stop))
                place = np.empty(part.stop - first)
                kernel(*(x[part].double().numpy() for x in inputs), place)
                result[part] = torch.from_numpy(round_to_odd(place))

    pool.run(compute, result.numel(), kernel.grain)


def lies_as(result: Tensor, x: Tensor) -> bool:
    """Whether x has a result's layout and is no negated view."""
    return x.stride() == result.stride() and not x.is_neg()


def _value(make: Make, x: Tensor) -> Tensor:
    result = empty_like(x)
    if x.is_contiguous() and x.dtype not in HALF and not x.is_neg():
        kernel = make()
        pool.run_on_arrays(kernel, [as_array(x), as_array(result)], kernel.grain)
    else:
        _run(make(), [x if lies_as(result, x) else result.copy_(x)], result)
    return result


def _value_and_slope(make: Make, x: Tensor) -> tuple[Tensor, Tensor]:
    value, slope = torch.empty_like(x), torch.empty_like(x)
    if x.is_contiguous() and not x.is_neg():
        kernel = make()
        pool.run_on_arrays(kernel, [as_array(x), as_array(value), as_array(slope)], kernel.grain)
    else:
        _run(make(), [x if lies_as(value, x) else value.copy_(x)], value, slope)
    return value, slope


def _pull(make: Make, gradient: Tensor, x: Tensor) -> Tensor:
    result = empty_like(x)
    if not lies_as(result, gradient):
        gradient = result.copy_(gradient)
        x = x if lies_as(result, x) else torch.empty_like(result).copy_(x)
    elif not lies_as(result, x):
        x = result.copy_(x)
    _run(make(), [x, gradient], result)
    return result


class ActivationKernels(NamedTuple):
    """Functions of plain tensors, compiled when called."""

    value: Callable[[Tensor], Tensor]
    pull: Callable[[Tensor, Tensor], Tensor]
    """Takes a gradient and x."""
    value_and_slope: Callable[[Tensor], tuple[Tensor, Tensor]] | None
    """None where it would give a value other digits. Half types would round the slopes."""


def find(card: Any, parameters: Mapping[str, Any], dtype: torch.dtype) -> ActivationKernels | None:
    name = "float32" if dtype is torch.float32 else "float64"

    def preparing(*outputs: str) -> Make:
        make = partial(prepare, card, outputs, name, parameters)
        kernel = make()
        return (lambda: kernel) if is_ours(card) else make

    value, both = ("value",), ("value", "slope")
    is_alike = len({arithmetic_of(card.with_(**parameters), outputs, name) for outputs in (value, both)}) == 1
    try:
        return ActivationKernels(
            partial(_value, preparing(*value)),
            partial(_pull, preparing("vjp")),
            partial(_value_and_slope, preparing(*both)) if is_alike else None,
        )
    except TraceError:
        return None
