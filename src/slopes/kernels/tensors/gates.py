"""Run the kernels of gates on tensors of a CPU without gaps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import torch

from slopes.kernels.gates import GateKernel, find_gate_kernel
from slopes.kernels.programs import is_ours
from slopes.kernels.tensors.activations import advise, as_array
from slopes.readings import torch as reading
from slopes.readings.plain import is_plain

Tensor = torch.Tensor


class GateOfTensors:
    value_and_slope = None

    def __init__(
        self, value: GateKernel, find_vjp: Callable[[], GateKernel | None], plain: Callable[..., Tensor], x: Tensor,
        axis: int,
    ) -> None:  # fmt: skip
        self._value, self._find_vjp, self._plain, self._axis = value, find_vjp, plain, axis
        self._shape = list(x.shape)
        self._shape[axis] //= 2
        self._half = math.prod(self._shape[axis % x.ndim :])

    def value(self, x: Tensor) -> Tensor:
        result = advise(x.new_empty(self._shape))
        self._value(self._half, as_array(x), as_array(result))
        return result

    def pull(self, gradient: Tensor, x: Tensor) -> Tensor:
        kernel = self._find_vjp() if is_plain(gradient) else None
        if kernel is None:
            return self.pull_back(gradient, x)
        result = advise(torch.empty_like(x))
        gradient = gradient.contiguous().resolve_neg()
        kernel(self._half, as_array(x), as_array(gradient), as_array(result))
        return result

    def pull_back(self, gradient: Tensor, x: Tensor) -> Tensor:
        """Vjp that autograd can differentiate."""
        rows, pulled = x.movedim(self._axis, -1), gradient.movedim(self._axis, -1)
        return self._plain(rows, pulled).movedim(-1, self._axis).to(x.dtype)


def find(card: Any, parameters: Mapping[str, Any], x: Tensor, axis: int) -> GateOfTensors | None:
    settings = card._settings(parameters, reading, x)
    name = "float64" if x.dtype is torch.float64 else "float32"

    def find_kernel(output: str) -> GateKernel | None:
        return find_gate_kernel(card, output, name, parameters, x.numel())

    value = find_kernel("value")
    if value is None:
        return None
    find_vjp: Callable[[], GateKernel | None] = partial(find_kernel, "vjp")
    if is_ours(card):
        find_vjp = cache(find_vjp)
    return GateOfTensors(value, find_vjp, card._bodies(settings)[1], x, axis)
