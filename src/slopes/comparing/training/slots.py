"""Modules that apply each network's own activation in a stack.

Under `torch.func.vmap` a module sees one network. So the vmap rule of a `Slot`'s Function takes the whole (network,
...) tensor, and splits it among the activations, whose networks are adjacent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch._C import _functorch as functorch

from slopes.card import Activation, Card
from slopes.comparing.plain import OWN
from slopes.comparing.training.kernels import activation_kernel
from slopes.models.inventory import ELEMENTWISE
from slopes.models.replacing import module_of

LEARNING_OR_DRAWING = (nn.PReLU, nn.RReLU)
FIXED = (nn.Identity, *(kind for kind in ELEMENTWISE if kind not in LEARNING_OR_DRAWING))


@cache
def sharing(activation: Any) -> bool:
    """Whether an activation can share a slot: it is element-wise, without random draws or parameters."""
    if isinstance(activation, Card):
        plain = type(activation) is Activation and activation.noise is None
        return plain and not any(isinstance(value, Tensor) for value in activation.settings.values())
    if activation is OWN:
        return False
    made = module_of(activation)
    return type(made) in FIXED or (type(made).__mro__[1] in FIXED and type(made).__module__ == "slopes.nn")


class Slot(nn.Module):
    """Stand-in for one activation in a stack; `groups` has each activation and its number of networks, in order."""

    def __init__(self, groups: Sequence[tuple[Any, int]]) -> None:
        super().__init__()
        self.values = [compute(activation) for activation, _ in groups]
        self.slopes = [slope_by(activation) for activation, _ in groups]
        self.sizes = [size for _, size in groups]

    def forward(self, x: Tensor) -> Tensor:
        return of_all(self.forward_all, x)

    def forward_all(self, x: Tensor) -> Tensor:
        """Apply to (network, ...), outside of vmap."""
        return _divided(x, self.values, self.sizes)

    def slope(self, x: Tensor) -> Tensor:
        return of_all(lambda whole: _divided(whole, self.slopes, self.sizes), x)


def of_all(whole: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a function, under vmap, to the whole (network, ...)."""
    return _OfAll.apply(x, whole)  # type: ignore[no-any-return, no-untyped-call]


class _OfAll(torch.autograd.Function):
    """Function that steps out of vmap; ordinary autograd follows its computation."""

    @staticmethod
    def forward(x: Tensor, whole: Any) -> Tensor:
        raise RuntimeError("an operation over all networks needs a stack")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Keep nothing, as only the vmap rule ever runs."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, whole: Any) -> tuple[Tensor, int]:
        stacked = x.expand(info.batch_size, *x.shape) if in_dims[0] is None else x.movedim(in_dims[0], 0)
        return whole(stacked), 0


def _divided(x: Tensor, functions: list[Callable[[Tensor], Tensor]], sizes: list[int]) -> Tensor:
    if len(functions) == 1:
        return functions[0](x)
    return torch.cat([function(part) for function, part in zip(functions, torch.split(x, sizes), strict=True)])


class _Known(torch.autograd.Function):
    """A card's body that saves its slope, so that backward is one product."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Any, slope: Any) -> Tensor:
        ctx.save_for_backward(slope(x).to(x.dtype))
        return value(x).to(x.dtype)  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return gradient * ctx.saved_tensors[0], None, None


def compute(activation: Any) -> Callable[[Tensor], Tensor]:
    """Cheapest function for an activation that shares a slot."""
    if not isinstance(activation, Activation):
        return module_of(activation)  # type: ignore[no-any-return]
    from slopes.readings import torch as reading

    kernel = activation_kernel(activation)
    value, slope = activation._bodies(activation._settings({}, reading))

    def computed(x: Tensor) -> Tensor:
        if x.dtype == torch.float32 and kernel is not None:
            return kernel(x)
        if slope is None or x.dtype not in (torch.float32, torch.float64) or not _tracked(x):
            return activation(x)  # type: ignore[no-any-return]
        return _Known.apply(x, value, slope)  # type: ignore[no-any-return, no-untyped-call]

    return computed


def _tracked(x: Tensor) -> bool:
    return torch.is_grad_enabled() and x.requires_grad


def slope_by(activation: Any) -> Callable[[Tensor], Tensor]:
    if isinstance(activation, Activation):
        return activation.slope
    return lambda x: pulled(module_of(activation), x)


def pulled(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Pull alternating signs back to x: each entry's slope up to a sign, or a sum over the row where entries mix."""
    if functorch.peek_interpreter_stack() is not None:  # autograd does not see through vmap
        value, pull_back = torch.func.vjp(lambda x: function(x.clone()), x)[:2]
        return pull_back(_alternating(value))[0]  # type: ignore[no-any-return]
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        value = function(leaf.clone())  # it may work in place
    if not value.requires_grad:
        return torch.zeros_like(x)
    return torch.autograd.grad(value, leaf, _alternating(value), materialize_grads=True)[0]


def _alternating(like: Tensor) -> Tensor:
    signs = torch.ones_like(like)
    signs[..., ::2] = -1
    return signs
