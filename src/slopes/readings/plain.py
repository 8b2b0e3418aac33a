"""Plain tensors: no transform, mode or compiler looks at the operations on them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import _C
from torch._C import _functorch as functorch
from torch.autograd import forward_ad

Tensor = torch.Tensor
TYPES = (Tensor, torch.nn.Parameter)
DTYPES = (torch.float32, torch.float64)
HALF = (torch.float16, torch.bfloat16)
ALL_DTYPES = DTYPES + HALF

#: modes that change no result, under which tensors are as plain as without
WATCHING: set[type] = set()

#: whether the running backward may need its graph again, and so must not write to saved tensors
keeps_graph: Callable[[], bool] = getattr(_C._autograd, "_get_current_graph_task_keep_graph", lambda: True)


def is_plain(x: Tensor, dtypes: tuple[torch.dtype, ...] = DTYPES, may_autocast: bool = False) -> bool:
    """Whether x is a dense CPU or GPU tensor of these dtypes, outside all modes and transforms.

    Autocast changes only matrix products in float32 and float64; under it half types need `may_autocast`.
    """
    return (
        not torch.compiler.is_dynamo_compiling()
        and type(x) in TYPES
        and x.dtype in dtypes
        and (x.is_cpu or x.is_cuda)
        and x.layout is torch.strided
        and not x.is_nested
        and forward_ad._current_level < 0
        and not _C._len_torch_dispatch_stack()
        and (not _C._is_torch_function_mode_enabled() or _is_only_watched())
        and (may_autocast or x.dtype in DTYPES or not _C._is_any_autocast_enabled())
        and not _C._is_tracing()
        and functorch.peek_interpreter_stack() is None
        and not functorch.is_functorch_wrapped_tensor(x)  # it outlives its transform
        and not functorch.is_legacy_batchedtensor(x)  # a gradient with is_grads_batched
    )


def _is_only_watched() -> bool:
    modes = range(_C._len_torch_function_stack())
    return all(type(_C._get_function_stack_at(place)) in WATCHING for place in modes)
