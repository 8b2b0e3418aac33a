"""Run the kernels of element-wise losses on tensors of a CPU.

The forward computes the loss and its gradient in one pass, and keeps the gradient for the backward, which scales it in
place. So nothing is held but the arguments and one gradient, and each argument is read once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from slopes.kernels.elementwise_losses import ElementwiseLossKernel
from slopes.kernels.tensors import as_array, empty_like, flat, lies_as

Tensor = torch.Tensor


def _aligned(x: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    """The entries of tensors of one shape, in the order in which a result for x has them in memory."""
    order = x if x.is_contiguous() else torch.empty_like(x, device="meta")
    return [flat(t if lies_as(order, t) else _copy(t, order.stride())) for t in tensors]


def _copy(x: Tensor, strides: tuple[int, ...]) -> Tensor:
    return torch.empty_strided(x.shape, strides, dtype=x.dtype).copy_(x.detach())


def reduced(kernel: ElementwiseLossKernel, reduction: str, is_checked: bool, *tensors: Tensor) -> Tensor | None:
    """Return the loss; None if arguments are to be checked, and the kind refuses one."""
    x = tensors[0]
    aligned = _aligned(x, tensors)  # held, as its arrays do not hold it
    arrays = [as_array(t) for t in aligned]
    if reduction == "none":
        if is_checked and not kernel.accepts(arrays):
            return None
        result = empty_like(x.detach())
        kernel(arrays, value=as_array(flat(result)))
        return result
    value = kernel.reduce(arrays, reduction, is_checked=is_checked)
    return None if value is None else torch.full((), value, dtype=x.dtype)


def reduced_with_gradient(
    kernel: ElementwiseLossKernel, reduction: str, is_checked: bool, *tensors: Tensor
) -> tuple[Tensor | None, Tensor]:
    """Return the mean or sum, None where `reduced` gives None, and its gradient by the first argument."""
    x = tensors[0]
    gradient, aligned = empty_like(x.detach()), _aligned(x, tensors)
    arrays = [as_array(t) for t in aligned]
    value = kernel.reduce(arrays, reduction, as_array(flat(gradient)), is_checked)
    return None if value is None else torch.full((), value, dtype=x.dtype), gradient


def pulled(kernel: ElementwiseLossKernel, reduction: str, incoming: Tensor, *tensors: Tensor) -> Tensor:
    """Return the gradient by the first argument, times the incoming one."""
    x = tensors[0]
    gradient, aligned = empty_like(x.detach()), _aligned(x, tensors)
    place, arrays = as_array(flat(gradient)), [as_array(t) for t in aligned]
    if reduction == "none" and any(incoming.stride()):
        (cotangent,) = _aligned(x, [incoming])
        kernel([*arrays, as_array(cotangent)], vjp=place)
        return gradient
    scale = incoming.reshape(-1)[0].item() if reduction == "none" else incoming.item()  # one number, perhaps expanded
    kernel(arrays, gradient=place, scale=scale / x.numel() if reduction == "mean" else scale)
    return gradient
