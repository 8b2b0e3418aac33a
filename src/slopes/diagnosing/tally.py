"""Statistics of one activation over batches, which stay on the device until `Tally.layer`."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slopes.diagnosing.results import HALF, PERCENTILES, Layer
from slopes.models.units import classify_units, mark_flat

KEPT = 1024  #: values per batch for percentiles and for the share lost in half types


class Tally:
    def __init__(self, name: str, units: int) -> None:
        self.name, self.units = name, units
        self._counts: list[int] = []  # values in each call
        self._moments: list[Tensor] = []
        self._kept: list[Tensor] = []
        self._pulled: list[Tensor] = []  # like _kept, of gradients
        self._squares: list[Tensor] = []  # of the gradient's norm
        self._flat: Any = 0  # per unit, samples with a flat slope
        self._off: Any = 0  # the same, with an output near 0 too

    def add(self, x: Tensor, y: Tensor, function: Callable[[Tensor], Tensor], axis: int) -> None:
        """Add a call; the units lie along the axis of y."""
        slopes, values = slopes_of(function, x), y.detach()
        if values.dtype not in (torch.float32, torch.float64):
            values = values.float()
        others = [other for other in range(y.ndim) if other != axis % y.ndim] or None
        flat, off = mark_flat(values, slopes)
        if others is not None:
            flat, off = flat.sum(others), off.sum(others)
        self._flat, self._off = self._flat + flat, self._off + off
        variance, mean = torch.var_mean(values, correction=0)
        self._moments.append(torch.stack([mean, variance, *values.aminmax()]))
        self._counts.append(values.numel())
        self._kept.append(_some(values))
        self.follow(y)

    def follow(self, y: Tensor) -> None:
        """Record the gradient by the output, once the backward pass has it."""
        if y.requires_grad:
            y.register_hook(self._pull)  # type: ignore[no-untyped-call]

    def _pull(self, gradient: Tensor) -> None:
        gradient = gradient.detach().float()
        self._squares.append(torch.linalg.vector_norm(gradient).square())
        self._pulled.append(_some(gradient))

    def layer(self, batches: int) -> Layer:
        counts = np.array(self._counts)
        mean, variance, least, most = torch.stack(self._moments).double().cpu().numpy().T
        middle = (counts * mean).sum() / counts.sum()
        spread = (counts * (variance + (mean - middle) ** 2)).sum() / counts.sum()
        samples = int(counts.sum()) // self.units
        flat, off = _numbers([self._flat]), _numbers([self._off])
        dead, saturated = classify_units(flat, off, samples)
        kept, pulled = _numbers(self._kept), _numbers(self._pulled)
        finite = kept[np.isfinite(kept)]
        return Layer(
            name=self.name, units=self.units, samples=samples, mean=float(middle), std=math.sqrt(spread),
            least=float(least.min()), most=float(most.max()),
            percentiles=tuple(np.percentile(finite, PERCENTILES).tolist() if len(finite) else [math.nan] * 5),
            dead=float(dead.mean()), saturated=float(saturated.mean()), flat=float(flat.mean() / samples),
            off=float(off.mean() / samples),
            gradient=math.sqrt(_numbers(self._squares).sum() / batches) if self._squares else math.nan,
            lost={name: _lost(kept, *limits) for name, limits in HALF.items()},
            gradients_lost={name: _lost(pulled, *limits) for name, limits in HALF.items()},
        )  # fmt: skip


def slopes_of(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Derivative at each entry, without advancing the random state."""
    with torch.random.fork_rng([x.device] if x.is_cuda else []), torch.enable_grad():
        leaf = x.detach().requires_grad_()
        y = function(leaf.clone())  # a function may work in place
        (slopes,) = torch.autograd.grad(y, leaf, torch.ones_like(y), materialize_grads=True)
    return slopes


def _some(values: Tensor) -> Tensor:
    """Sample up to KEPT values from all over a tensor."""
    flat = values.reshape(-1)
    return flat[_places(flat.numel()).to(flat.device)] if flat.numel() > KEPT else flat.clone()


@functools.lru_cache(64)
def _places(count: int) -> Tensor:
    """KEPT indices below `count`: multiples of the golden ratio, which align with no shape."""
    return (torch.arange(KEPT, dtype=torch.float64) * ((math.sqrt(5) - 1) / 2) % 1 * count).long()


def _numbers(tensors: Sequence[Tensor]) -> np.ndarray:
    return torch.cat([t.reshape(-1) for t in tensors]).double().cpu().numpy() if tensors else np.empty(0)


def _lost(values: np.ndarray, largest: float, least: float) -> float:
    """Share of finite values that a type turns into inf or 0."""
    sizes = np.abs(values[np.isfinite(values)])
    return float(np.mean((sizes > largest) | ((sizes > 0) & (sizes <= least / 2)))) if len(sizes) else math.nan
