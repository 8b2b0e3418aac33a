"""Statistics of one activation over batches, which stay on the device until `Tally.layer`."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from slopes.diagnosing.results import HALF, PERCENTILES, Layer
from slopes.models.units import classify_units, count_flat

KEPT = 1024  #: values per batch for percentiles and for the share lost in half types
MOST = 4 * KEPT  #: of calls that are judged together
WAITING = 2**17  #: most entries of small calls that are judged together


class Tally:
    def __init__(self, name: str, units: int) -> None:
        self.name, self.units = name, units
        self._waiting: list[tuple[Tensor, Tensor]] = []  # inputs and outputs of calls with one state
        self._function: Callable[[Tensor], Tensor] = torch.relu  # that made them, with the next two
        self._axis, self._state = 0, None
        self._gradients: list[Tensor] = []  # by outputs
        self._counts: list[int] = []  # values in each call
        self._moments: list[Tensor] = []
        self._kept: list[Tensor] = []
        self._pulled: list[Tensor] = []  # like _kept, of gradients
        self._squares: list[Tensor] = []  # of the gradient's norm
        self._flat: Any = 0  # per unit, samples with a flat slope
        self._off: Any = 0  # the same, with an output near 0 too

    def add(self, x: Tensor, y: Tensor, function: Callable[[Tensor], Tensor], axis: int, state: Any = None) -> None:
        """Add a call; the units lie along the axis of y.

        Calls of an equal `state`, unless it is None, are judged together: Python takes most of the time of small ones.
        """
        axis %= max(y.ndim, 1)
        if self._waiting and not (state == self._state and axis == self._axis and are_alike(x, self._waiting[0][0])):
            self._judge()
        waits = state is not None and axis != 0 and y.numel() < WAITING
        self._waiting.append((x, y.detach().clone() if waits else y.detach()))
        self._function, self._axis, self._state = function, axis, state
        if not waits or len(self._waiting) * y.numel() >= WAITING:
            self._judge()
        self.follow(y)

    def _judge(self) -> None:
        """Take the calls that wait into the statistics."""
        if not self._waiting:
            return
        x, values = (torch.cat(part) if len(part) > 1 else part[0] for part in zip(*self._waiting, strict=True))
        batches = len(self._waiting)
        self._waiting.clear()
        with torch._C.DisableTorchFunction():
            slopes = slopes_of(self._function, x)
        if values.dtype not in (torch.float32, torch.float64):
            values = values.float()
        flat, off = count_flat(values, slopes, [other for other in range(values.ndim) if other != self._axis])
        self._flat, self._off = self._flat + flat, self._off + off
        mean = values.mean()
        variance = (values - mean).square_().mean()  # `var_mean` takes ten times as long on a CPU
        self._moments.append(torch.stack([mean, variance, *values.aminmax()]))
        self._counts.append(values.numel())
        self._kept.append(_some(values, min(batches * KEPT, MOST)))

    def follow(self, y: Tensor) -> None:
        """Record the gradient by the output, once the backward pass has it."""
        if y.requires_grad:
            y.register_hook(self._pull)  # type: ignore[no-untyped-call]

    def _pull(self, gradient: Tensor) -> None:
        waits = gradient.ndim > 0 and gradient.numel() < WAITING
        gradient = gradient.detach().clone() if waits else gradient.detach()
        if self._gradients and not are_alike(gradient, self._gradients[0]):
            self._judge_gradients()
        self._gradients.append(gradient)
        if not waits or len(self._gradients) * gradient.numel() >= WAITING:
            self._judge_gradients()

    def _judge_gradients(self) -> None:
        if not self._gradients:
            return
        count = len(self._gradients)
        gradients = (torch.cat(self._gradients) if count > 1 else self._gradients[0]).float()
        self._gradients.clear()
        self._squares.append(torch.linalg.vector_norm(gradients).square())
        self._pulled.append(_some(gradients, min(count * KEPT, MOST)))

    def layer(self, batches: int) -> Layer:
        self._judge()
        self._judge_gradients()
        counts = np.array(self._counts)
        mean, variance, least, most = torch.stack(self._moments).double().cpu().numpy().T
        with np.errstate(invalid="ignore"):  # of numbers that are not finite
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
            percentiles=_percentiles(finite),
            dead=float(dead.mean()), saturated=float(saturated.mean()), flat=float(flat.mean() / samples),
            off=float(off.mean() / samples),
            gradient=math.sqrt(_numbers(self._squares).sum(dtype=float) / batches) if self._squares else math.nan,
            lost=_lost(kept), gradients_lost=_lost(pulled),
        )  # fmt: skip


def slopes_of(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Derivative at each entry, without advancing the random state."""
    with (
        torch.random.fork_rng([x.device] if x.is_cuda else []),
        torch.enable_grad(),
        saved_tensors_hooks(_itself, _itself),  # a checkpoint saves no tensors of it
    ):
        leaf = x.detach().requires_grad_()
        y = function(leaf.clone())  # a function may work in place
        (slopes,) = torch.autograd.grad(y, leaf, torch.ones_like(y), materialize_grads=True)
    return slopes


def _itself(x: Tensor) -> Tensor:
    return x


def are_alike(a: Tensor, b: Tensor) -> bool:
    """Whether `torch.cat` can join them."""
    return a.shape[1:] == b.shape[1:] and a.ndim == b.ndim and a.dtype == b.dtype and a.device == b.device


def _some(values: Tensor, most: int) -> Tensor:
    """Sample up to `most` values from all over a tensor."""
    flat = values.reshape(-1)
    return flat.index_select(0, _places(flat.numel(), most).to(flat.device)) if flat.numel() > most else flat.clone()


@functools.lru_cache(64)
def _places(count: int, most: int) -> Tensor:
    """Indices below `count`: multiples of the golden ratio, which align with no shape, in order."""
    return (torch.arange(most, dtype=torch.float64) * ((math.sqrt(5) - 1) / 2) % 1 * count).long().sort().values


def _numbers(tensors: Sequence[Tensor]) -> np.ndarray:
    return torch.cat([t.reshape(-1) for t in tensors]).cpu().numpy() if tensors else np.empty(0)


def _percentiles(values: np.ndarray) -> tuple[float, ...]:
    """As `np.percentile`, which takes several times as long for so few numbers."""
    if not len(values):
        return (math.nan,) * len(PERCENTILES)
    places = np.array(PERCENTILES) / 100 * (len(values) - 1)
    return tuple(np.interp(places, np.arange(len(values)), np.sort(values)).tolist())


def _lost(values: np.ndarray) -> dict[str, float]:
    """Shares of finite values that each half type turns into inf or 0."""
    sizes = np.abs(values[np.isfinite(values)])
    kept = {
        name: np.count_nonzero(sizes <= largest) - np.count_nonzero(sizes <= least / 2) + np.count_nonzero(sizes == 0)
        for name, (largest, least) in HALF.items()
    }
    return {name: float(1 - count / len(sizes)) if len(sizes) else math.nan for name, count in kept.items()}
