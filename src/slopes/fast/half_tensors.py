"""Activations of plain tensors of half types on a CPU; see `slopes.fast.halves`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from slopes.constants import Array
from slopes.fast import halves

Tensor = torch.Tensor
LARGE = 2**12  #: entries from which a kernel is faster than NumPy

#: value(x), pull(gradient, x)
Functions = tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]


def functions(card: Any, settings: dict[str, Any], x: Tensor) -> Functions:
    """Functions of one of our cards for tensors of the dtype and about the size of x."""
    from slopes.kernels.programs import are_worthwhile

    find = _finder(card, settings, x)

    def value(x: Tensor) -> Tensor:
        return _as_tensor(find().find_values(_bits(x)), x)

    def pull(gradient: Tensor, x: Tensor) -> Tensor:
        slopes = torch.from_numpy(np.asarray(find().find("slope", _bits(x))))
        return (gradient.float() * slopes).to(x.dtype)

    if x.numel() < LARGE or not are_worthwhile(card, x.numel()):
        return value, pull
    from slopes.kernels.tensors import halves as tables

    def value_of_many(x: Tensor) -> Tensor:
        activation = find()
        return tables.values(activation.values, x) if activation.has_table("value", x.numel()) else value(x)

    def pull_of_many(gradient: Tensor, x: Tensor) -> Tensor:
        activation = find()
        if not activation.has_table("slope", x.numel()):
            return pull(gradient, x)
        return tables.pull(activation.table("slope"), gradient, x)

    return value_of_many, pull_of_many


def slope(card: Any, settings: dict[str, Any], x: Tensor) -> Tensor:
    """The slope at each entry."""
    activation = _finder(card, settings, x)()
    return _as_tensor(activation.narrow(activation.find("slope", _bits(x))), x)


def _finder(card: Any, settings: dict[str, Any], x: Tensor) -> Callable[[], halves.HalfActivation]:
    return halves.finder(card, str(x.dtype).removeprefix("torch."), settings)


def _bits(x: Tensor) -> Array:
    return x.detach().resolve_neg().view(torch.int16).numpy().view(np.uint16)


def _as_tensor(bits: Array, x: Tensor) -> Tensor:
    result = torch.empty_like(x)
    result.view(torch.int16).copy_(torch.from_numpy(np.asarray(bits).view(np.int16)))
    return result
