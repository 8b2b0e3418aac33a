"""Run the kernels of activations on tensors of a CPU, of float32, float64 and, through float32, of half types.

A result has the memory format of its argument. A tensor with gaps is copied to where its result belongs, and computed
there, as is a gradient that lies otherwise than the argument. So nothing is held but the result.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from slopes import kernels
from slopes.kernels import pool
from slopes.readings.eager import HALF

Tensor = torch.Tensor

BLOCK = 2**14  #: entries of half types that are computed at a time; so few that PyTorch starts no threads
HUGE = 2**22  #: bytes from which NumPy, too, asks for huge pages
_ADVICE = 14  #: MADV_HUGEPAGE of Linux
_advise = ctypes.CDLL(None, use_errno=False).madvise if sys.platform == "linux" else None
if _advise is not None:
    _advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def empty_like(x: Tensor) -> Tensor:
    """Return a tensor like x for a result; a large one in huge pages."""
    return advise(torch.empty_like(x))


def advise(result: Tensor) -> Tensor:
    """Return a new tensor; if it is large, in huge pages, of which the system need not hand out so many."""
    size = result.numel() * result.element_size()
    if size >= HUGE and _advise is not None:
        start = result.data_ptr()
        page = -(-start // 4096) * 4096
        _advise(page, start + size - page, _ADVICE)
    return result


def flat(x: Tensor) -> Tensor:
    """The entries of a tensor without gaps in the order of the memory."""
    x = x.detach()
    return x.view(-1) if x.is_contiguous() else x.as_strided((x.numel(),), (1,))


def as_array(x: Tensor) -> Any:
    """The same as an array, which must not outlive the tensor; after `numpy()` PyTorch could not resize it any more."""
    memory: Any = (ctypes.c_byte * (x.numel() * x.element_size())).from_address(x.data_ptr())
    return np.frombuffer(memory, np.float32 if x.dtype is torch.float32 else np.float64)


def _run(kernel: kernels.EntryKernel, inputs: Sequence[Tensor], result: Tensor) -> None:
    """Run a kernel on tensors without gaps and of one layout; the result may be one of them."""
    if result.dtype in HALF:
        _run_on_half_types(kernel, [flat(x) for x in inputs], flat(result))
        return
    kernels.run_flat(kernel, [as_array(x) for x in inputs], [as_array(result)])


def _run_on_half_types(kernel: kernels.EntryKernel, inputs: Sequence[Tensor], result: Tensor) -> None:
    is_inference = torch.is_inference_mode_enabled()  # which another thread does not know

    def compute(start: int, stop: int) -> None:
        with torch.inference_mode(is_inference):
            for first in range(start, stop, BLOCK):
                part = slice(first, min(first + BLOCK, stop))
                place = torch.empty(part.stop - first)
                kernel(*(x[part].float().numpy() for x in inputs), place.numpy())
                result[part] = place

    pool.run(compute, result.numel(), kernel.grain)


def lies_as(result: Tensor, x: Tensor) -> bool:
    """Whether x has the layout of a result, and its own numbers: a tensor may stand for those of another, negated."""
    return x.stride() == result.stride() and not x.is_neg()


def _value(prepare: Callable[[], kernels.EntryKernel], x: Tensor) -> Tensor:
    result = empty_like(x)
    if not lies_as(result, x):
        x = result.copy_(x)
    _run(prepare(), [x], result)
    return result


def _pull(prepare: Callable[[], kernels.EntryKernel], gradient: Tensor, x: Tensor) -> Tensor:
    result = empty_like(x)
    if not lies_as(result, gradient):
        gradient = result.copy_(gradient)
        x = x if lies_as(result, x) else torch.empty_like(result).copy_(x)
    elif not lies_as(result, x):
        x = result.copy_(x)
    _run(prepare(), [x, gradient], result)
    return result


def find(
    card: Any, parameters: Mapping[str, Any], dtype: torch.dtype
) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]] | None:
    """Return an activation's values, and a gradient times its slopes, as functions of plain tensors on a CPU.

    They compile when they are first called. None for a body that cannot be traced.
    """
    name = "float64" if dtype is torch.float64 else "float32"

    def preparing(output: str) -> Callable[[], kernels.EntryKernel]:
        prepare = partial(kernels.prepare, card, (output,), name, parameters)
        kernel = prepare()
        return (lambda: kernel) if kernels.is_ours(card) else prepare  # as a global that a body reads may change

    try:
        return partial(_value, preparing("value")), partial(_pull, preparing("vjp"))
    except kernels.TraceError:
        return None
