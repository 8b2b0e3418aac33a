"""Run the kernels of element-wise losses on tensors of a CPU.

The forward computes and keeps the gradient, which the backward scales in place: each argument is read once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from slopes.kernels.elementwise_losses import ElementwiseLossKernel
from slopes.kernels.tensors.activations import as_array, empty_like, flat, lies_as

Tensor = torch.Tensor


def _aligned(x: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Entries of tensors in the memory order of x's result."""
    order = x if x.is_contiguous() else torch.empty_like(x, device="meta")
    return [flat(t if lies_as(order, t) else _copy(t, order.stride())) for t in tensors]


def _copy(x: Tensor, strides: tuple[int, ...]) -> Tensor:
    return torch.empty_strided(x.shape, strides, dtype=x.dtype).copy_(x.detach())


class LossOfTensors:
    """An element-wise loss of tensors of one shape, and its vjp by the first one.

    The tensors are the loss's arguments, then any weights. Without reduction there is no denominator. Autograd can
    differentiate `pull_back`.
    """

    def __init__(
        self, kernel: ElementwiseLossKernel, denominator: float | None, is_checked: bool,
        pull_back: Callable[..., Tensor],
    ) -> None:  # fmt: skip
        self._kernel, self._denominator, self._is_checked = kernel, denominator, is_checked
        self.keeps_gradient, self.pull_back = denominator is not None, pull_back

    def value(self, gradient: Tensor | None, *tensors: Tensor) -> Tensor | None:
        """Loss, and write its gradient; None if an argument is refused."""
        x = tensors[0]
        aligned = _aligned(x, tensors)  # owns the memory of `arrays`
        arrays = [as_array(t) for t in aligned]
        if self._denominator is None:
            if self._is_checked and not self._kernel.accepts(arrays):
                return None
            result = empty_like(x.detach())
            self._kernel(arrays, value=as_array(flat(result)))
            return result
        place = None if gradient is None else as_array(flat(gradient))
        value = self._kernel.reduce(arrays, self._denominator, place, self._is_checked)
        return None if value is None else torch.full((), value, dtype=x.dtype)

    def pull(self, incoming: Tensor, *tensors: Tensor) -> Tensor:
        x = tensors[0]
        gradient, aligned = empty_like(x.detach()), _aligned(x, tensors)
        place, arrays = as_array(flat(gradient)), [as_array(t) for t in aligned]
        if self._denominator is None and any(incoming.stride()):
            (cotangent,) = _aligned(x, [incoming])
            self._kernel([*arrays, as_array(cotangent)], vjp=place)
            return gradient
        number = incoming.reshape(-1)[0].item()  # perhaps expanded
        self._kernel(arrays, gradient=place, scale=number / (self._denominator or 1.0))
        return gradient
