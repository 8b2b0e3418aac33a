"""Forwards of PyTorch's activations: the card of each, and attributes that are its parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from slopes.fast import tensors as fast
from slopes.nn.common import REAL, Compute, fits, run_fast, settings_of, values_of, with_contiguous_gradient
from slopes.readings import torch as r

#: modules that autocast runs in float32 on an accelerator
_WIDE = tuple(getattr(torch.nn, name) for name in ("Softmax", "Softmin", "Softmax2d", "LogSoftmax", "Softplus"))
_implicit: Callable[[str, int, int], int] = torch.nn.functional._get_softmax_dim  # type: ignore[attr-defined]


def _elementwise(*names: str) -> Compute:

    def compute(self: Any, card: Any, input: Any) -> Any:
        if isinstance(input, Tensor):
            inplace, kept = self.__dict__.get("inplace"), input
            if inplace:
                if fast.is_own(card, input, {name: getattr(self, name) for name in names}):
                    return None
                kept = input.clone() if r.wants_gradient(input) else input
            if names:
                result = run_fast(fast.run_activation, self, names, (float, int, str), card, kept)
            else:
                result = fast.run_activation(card, kept)
            if result is not None:
                return input.copy_(result) if inplace else result
        if not fits(input) or (settings := settings_of(card, self, input, *names)) is None:
            return None
        return _applied(self, card, settings, _autocast(self, input))

    return compute


def _applied(self: Any, card: Any, settings: dict[str, Any], input: Tensor) -> Tensor:
    inplace = getattr(self, "inplace", False)
    kept = input.clone() if inplace and r.wants_gradient(input) else input  # the gradient needs it
    result = values_of(card, settings, kept).to(input.dtype)
    return input.copy_(result) if inplace else result


def _softplus(self: Any, card: Any, input: Any) -> Any:
    """From a threshold of 20 on PyTorch's line is the card's value, rounded."""
    return _elementwise("beta")(self, card, input) if self.threshold >= 20 else None


def _autocast(module: torch.nn.Module, input: Tensor) -> Tensor:
    """The input, in float32 where autocast computes PyTorch's operation so."""
    device = input.device.type
    wide = isinstance(module, _WIDE) and device != "cpu" and r.autocasts(input)
    return input.float() if wide and input.dtype is not torch.float64 else input


def _along(legacy: str, before: Callable[[Tensor], Tensor] | None = None) -> Compute:
    """Forward of a map along `dim`; PyTorch's warning that dim is None calls it `legacy`."""

    def compute(self: Any, card: Any, input: Any) -> Any:
        if type(self.dim) is int and isinstance(input, Tensor):
            run = fast.run_map_of_rows if fast.may_have_row_kernel(input) else fast.run_map
            result = run(card, before(input) if before else input, self.dim)
            if result is not None:
                return result
        if not fits(input) or not input.numel() or not input.ndim:
            return None
        dim = _implicit(legacy, input.ndim, 5) if self.dim is None else self.dim
        if not -input.ndim <= dim < input.ndim:
            return None
        return _mapped(self, card, before(input) if before else input, dim)

    return compute


def _mapped(self: Any, card: Any, input: Tensor, dim: int) -> Tensor:
    """A row of only −inf gives NaN, as in PyTorch."""
    nothing = input.detach().amax(dim, keepdim=True) == -math.inf
    mapped: Tensor = card(with_contiguous_gradient(_autocast(self, input)), axis=dim)
    return mapped if r.is_concrete(nothing) and not bool(nothing.any()) else mapped.masked_fill(nothing, math.nan)


def _halves(self: Any, card: Any, input: Any) -> Any:
    if not fits(input) or not input.numel() or not -input.ndim <= self.dim < input.ndim or input.shape[self.dim] % 2:
        return None
    result = fast.run_map(card, input, self.dim)
    return card(input, axis=self.dim) if result is None else result


def _channels(self: Any, card: Any, input: Any) -> Any:
    """PReLU, with one weight or one per channel, on axis 1; PyTorch's is as good for plain tensors."""
    if isinstance(input, Tensor) and fast.is_plain(input, REAL) and fast.is_plain(self.weight, (input.dtype,)):
        return None
    count = self.weight.numel()
    if not fits(input, self.weight) or self.weight.ndim > 1 or r.autocasts(input):
        return None
    if count != 1 and (input.ndim < 2 or input.shape[1] != count):
        return None
    weight = self.weight.reshape((-1, *(1,) * (input.ndim - 2)) if count > 1 else ()).expand(input.shape)
    return _applied(self, card, {"weight": weight}, input)


def _drawn(self: Any, card: Any, input: Any) -> Any:
    """RReLU; in training PyTorch draws the slopes, for seeds to have the same effect."""
    if not fits(input):
        return None
    slope: Any = (self.lower + self.upper) / 2
    if self.training:
        slope = torch.empty_like(input)
        torch.ops.aten.rrelu_with_noise(input.detach(), slope, self.lower, self.upper, True)
    return _applied(self, card, {"negative_slope": slope}, input)


def _planes(self: Any, card: Any, input: Any) -> Any:
    """Softmax2d, of each pixel."""
    if not fits(input) or input.ndim not in (3, 4) or not input.numel():
        return None
    result = None if fast.may_have_row_kernel(input) else fast.run_map(card, input, -3)
    return _mapped(self, card, input, -3) if result is None else result


ACTIVATIONS: dict[str, tuple[str, Compute]] = {
    "ReLU": ("relu", _elementwise()),
    "LeakyReLU": ("leaky_relu", _elementwise("negative_slope")),
    "RReLU": ("leaky_relu", _drawn),
    "PReLU": ("prelu", _channels),
    "Threshold": ("threshold", _elementwise("threshold", "value")),
    "Hardtanh": ("hard_tanh", _elementwise("min_val", "max_val")),
    "ReLU6": ("relu6", _elementwise()),
    "ELU": ("elu", _elementwise("alpha")),
    "Sigmoid": ("sigmoid", _elementwise()),
    "LogSigmoid": ("log_sigmoid", _elementwise()),
    "Tanh": ("tanh", _elementwise()),
    "Softplus": ("softplus", _softplus),
    "GELU": ("gelu", _elementwise("approximate")),
    "SiLU": ("silu", _elementwise()),
    "Mish": ("mish", _elementwise()),
    "SELU": ("selu", _elementwise()),
    "CELU": ("celu", _elementwise("alpha")),
    "Softsign": ("softsign", _elementwise()),
    "Hardsigmoid": ("hard_sigmoid", _elementwise()),
    "Hardswish": ("hard_swish", _elementwise()),
    "Softshrink": ("softshrink", _elementwise("lambd")),
    "Hardshrink": ("hardshrink", _elementwise("lambd")),
    "Tanhshrink": ("tanhshrink", _elementwise()),
    "GLU": ("glu", _halves),
    "Softmax": ("softmax", _along("softmax")),
    "Softmin": ("softmax", _along("softmin", torch.neg)),
    "Softmax2d": ("softmax", _planes),
    "LogSoftmax": ("log_softmax", _along("log_softmax")),
}
