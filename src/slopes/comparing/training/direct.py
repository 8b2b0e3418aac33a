"""Direct evaluation of stacked chains of linear layers and activations, without vmap.

In small networks calls take most of the time, much of it in vmap. Only a `torch.nn.Sequential` of layers known here,
without hooks, is certain to give the same results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from slopes.comparing.training.dropout import OwnDropout
from slopes.comparing.training.slots import Slot

Stage = Callable[[dict[str, Tensor], Tensor], Tensor]


def stages(model: nn.Module) -> list[Stage] | None:
    """Steps of the model on (network, sample, ...); None where only vmap knows them."""
    names = {id(p): name for name, p in model.named_parameters()}
    made = [_stage(module, names) for module in _chain(model)]
    known = [stage for stage in made if stage is not None]
    return known if len(known) == len(made) else None


def _chain(model: nn.Module) -> Iterator[nn.Module | None]:
    """Yield the modules in the order of their calls; None where unknown."""
    if model._forward_hooks or model._forward_pre_hooks or model._backward_hooks or "forward" in vars(model):
        yield None
    elif isinstance(model, nn.Sequential) and type(model).forward is nn.Sequential.forward:
        for child in model:
            yield from _chain(child)
    else:
        yield model


def _stage(module: nn.Module | None, names: dict[int, str]) -> Stage | None:
    if isinstance(module, Slot):
        return lambda state, x: module.forward_all(x)
    if type(module) is nn.Linear:
        bias = None if module.bias is None else names[id(module.bias)]
        return partial(_linear, names[id(module.weight)], bias)
    if type(module) is nn.Flatten and (module.start_dim, module.end_dim) == (1, -1):
        return lambda state, x: x.flatten(2)
    if isinstance(module, OwnDropout):
        return lambda state, x: module.forward_all(x)
    return None


def _linear(weight: str, bias: str | None, state: dict[str, Tensor], x: Tensor) -> Tensor:
    rows = x.reshape(len(x), -1, x.shape[-1])
    out: Tensor = _Product.apply(rows, state[weight], None if bias is None else state[bias])  # type: ignore[no-untyped-call]
    return out.view(*x.shape[:-1], out.shape[-1])


class _Product(torch.autograd.Function):
    """x · weightᵀ + bias for each network, with gradients laid out as the weights."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.biased = bias is not None
        return torch.bmm(x, weight.mT) if bias is None else torch.baddbmm(bias.unsqueeze(1), x, weight.mT)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        by_x = torch.bmm(gradient, weight) if ctx.needs_input_grad[0] else None
        return by_x, torch.bmm(gradient.mT, x), gradient.sum(1) if ctx.biased else None
