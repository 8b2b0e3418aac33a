"""Overlap losses of plain CPU tensors from compiled kernels.

The forward of a mean or sum computes the gradient, too. Torch operations compute a second backward, and that of an
unreduced loss.
"""

from __future__ import annotations

from typing import Any

import torch

from slopes.fast.entries import LARGE_FOR_A_LOSS, UnfitError, apply_compiled_loss
from slopes.readings import torch as reading
from slopes.readings.plain import is_plain

Tensor = torch.Tensor


class _Regions:
    def __init__(self, card: Any, reduction: str, options: dict[str, Any], kernel: Any, shape: tuple[int, int]) -> None:
        self.card, self.reduction, self.options = card, reduction, options
        self.kernel, self.shape = kernel, shape
        self.keeps_gradient = reduction != "none"

    def value(self, gradient: Tensor | None, x: Tensor, target: Tensor) -> Tensor | None:
        """Loss, and write a gradient; None if a target is no probability."""
        from slopes.kernels.tensors.activations import as_array, flat

        arrays = [None if a is None else as_array(flat(a)).reshape(self.shape) for a in (x, target, gradient)]
        count = self.shape[0] if self.reduction == "mean" else 1
        values = self.kernel.compute(arrays[0], arrays[1], 1 / count, arrays[2])
        if values is None:
            return None
        if self.reduction == "none":
            return torch.from_numpy(values).reshape(x.shape[:2])
        return torch.full((), float(values.sum(dtype="float64")) / count, dtype=x.dtype)

    def pull(self, incoming: Tensor, x: Tensor, target: Tensor) -> Tensor:
        """No kernel gives the vjp alone."""
        return self.pull_back(incoming, x, target)

    def pull_back(self, incoming: Tensor, x: Tensor, target: Tensor) -> Tensor:
        batch, value, slope = self.card._enter(
            reading, (x, target), reduction="sum", weight=None, mask=None, divisor=None, options=dict(self.options)
        )
        batch.coefficient = incoming / self.shape[0] if self.reduction == "mean" else incoming
        pulled: Tensor = batch.pull_back(self.card.name, value, slope)
        return pulled


def _is_constant_like(target: Any, x: Tensor) -> bool:
    """Whether the target is a dense real tensor of the shape of x, without a gradient."""
    if type(target) is not Tensor or target.shape != x.shape or not target.is_cpu or target.is_complex():
        return False
    return target.layout is torch.strided and not (torch.is_grad_enabled() and target.requires_grad)


def _has_no_gaps(x: Tensor) -> bool:
    return is_plain(x) and x.is_contiguous() and not x.is_neg()


def run_regions(card: Any, reduction: str, tensors: tuple[Tensor, ...], options: dict[str, Any]) -> Tensor | None:
    x, target = tensors
    if not is_plain(x) or not x.is_cpu or x.numel() < LARGE_FOR_A_LOSS or reduction not in ("mean", "sum", "none"):
        return None
    if not _is_constant_like(target, x):
        return None
    target = target if target.is_floating_point() else target.to(x.dtype)
    if not all(_has_no_gaps(t) and t.dtype is x.dtype for t in (x, target)):
        return None
    from slopes.kernels.regions import find_region_kernel

    found = find_region_kernel(card, options, tuple(x.shape), str(x.dtype).removeprefix("torch."))
    if found is None:
        return None
    regions = _Regions(card, reduction, options, *found)
    if not (torch.is_grad_enabled() and x.requires_grad):
        return regions.value(None, x, target)
    try:
        return apply_compiled_loss(regions, x, target)
    except UnfitError:
        return None
