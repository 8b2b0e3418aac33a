"""Helpers of forwards: checks of tensors, and PyTorch's result from a card's values."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from slopes.card import Card
from slopes.readings import torch as r

Compute = Callable[..., Any]  #: of module, card and forward's arguments; None stands for PyTorch's forward
REAL = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def fits(first: Any, *rest: Any) -> bool:
    """Whether tensors are dense, real, on one device, and of one dtype or made so by autocast."""
    tensors = [tensor for tensor in (first, *rest) if tensor is not None]
    if not all(
        isinstance(x, Tensor) and x.dtype in REAL and x.layout is torch.strided and not x.is_nested for x in tensors
    ):
        return False
    if all(x.dtype is first.dtype and x.device == first.device for x in tensors):
        return True
    narrow = all(x.dtype is not torch.float64 and x.device == first.device for x in tensors)
    return narrow and r.autocasts(first)


def settings_of(card: Card, module: torch.nn.Module, x: Any, *names: str) -> dict[str, Any] | None:
    """The card's parameters from the module's attributes; None if it refuses one for tensors like x."""
    try:
        return card._settings({name: getattr(module, name) for name in names}, r, x if isinstance(x, Tensor) else None)
    except (ValueError, TypeError):
        return None


def run_fast(
    run: Callable[..., Tensor | None], module: torch.nn.Module, names: tuple[str, ...], types: tuple[type, ...],
    *given: Any,
) -> Tensor | None:  # fmt: skip
    """Call `run` with the module's parameters; None if one has another type or is refused."""
    parameters = []
    for name in names:
        value = getattr(module, name)
        if type(value) not in types:
            return None
        parameters.append((name, value))
    try:
        return run(*given, tuple(parameters))
    except (ValueError, TypeError):
        return None


def with_contiguous_gradient(x: Tensor) -> Tensor:
    """x with a contiguous gradient, as PyTorch's kernels along an axis give it: a reshape's gradient copies others."""
    return x.flatten().reshape(x.shape)


def values_of(card: Card, settings: dict[str, Any], x: Tensor, *rest: Tensor) -> Tensor:
    """Unreduced values, in float32 or more, with the card's derivative.

    A parameter that is a tensor has the shape of x and becomes an argument.
    """
    arrays = {name: value for name, value in settings.items() if isinstance(value, Tensor)}
    plain = {name: value for name, value in settings.items() if name not in arrays}
    n = len(rest)

    def bind(body: Any) -> Any:
        return body and (lambda x, *a: body(x, *a[:n], **plain, **dict(zip(arrays, a[n:], strict=True))))

    dtype = torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype
    others = [t.to(dtype) if t.is_floating_point() else t for t in (*rest, *arrays.values())]
    values: Tensor = r.differentiable(bind(card.body), bind(card.slope_body), x, *others)
    return values


def reduced(module: Any, values: Tensor, input: Tensor, count: Any = None, dtype: Any = None) -> Tensor:
    """Reduce as PyTorch does; `count` is the divisor of a mean, by default the number of values."""
    dtype = dtype or r.result_dtype(input, loss=True)
    if module.reduction == "none":
        return values.to(dtype)
    total: Tensor = r.total(values)
    if module.reduction.endswith("mean"):
        total = total / (values.numel() if count is None else count)
    return total.to(dtype)


def composed(*tensors: Tensor | None) -> torch.dtype:
    """Dtype of a loss that PyTorch composes of operations, which autocast on a CPU leaves alone."""
    present = [tensor for tensor in tensors if tensor is not None]
    if present[0].device.type != "cpu":
        return r.result_dtype(present[0], loss=True)  # type: ignore[no-any-return]
    return functools.reduce(torch.promote_types, (tensor.dtype for tensor in present))
