"""PyTorch's optimisers, for one network and for a stack whose networks have learning rates of their own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

#: with PyTorch's own defaults; fused kernels make one pass over the memory where others make six
OPTIMISERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}
LANES = 16  #: the fused kernels round the last numbers of an array, which fill no vector of this many, differently


def optimiser(name: str, groups: Any, rate: float) -> torch.optim.Optimizer:
    """The optimiser of that name for parameters or groups of them."""
    return OPTIMISERS[name](groups, lr=rate, fused=True)  # type: ignore[call-arg]


class Weights:
    """The trainable parameters of a stack, each (network, ...), and the optimiser that moves them.

    Each lies in an array whose rows are whole vectors, so that a network's numbers are rounded alike wherever in the
    stack it stands. The gradients go to arrays of the same layout, of which the optimiser has one slice for each run
    of networks that share a rate.
    """

    def __init__(self, initial: dict[str, Tensor], rates: Sequence[float], name: str, clip: float | None) -> None:
        self.clip = clip
        self.stored, self.gradients, self.tensors = [], [], {}
        for key, value in initial.items():
            rows = value.flatten(1) if value.ndim > 1 else value.unsqueeze(1)
            width = -(-rows.shape[1] // LANES) * LANES
            stored = rows.new_zeros(len(rows), width)
            stored[:, : rows.shape[1]] = rows
            self.stored.append(stored)
            self.gradients.append(torch.zeros_like(stored))
            self.tensors[key] = _part(stored, value).requires_grad_()
        self._into = [_part(g, value) for g, value in zip(self.gradients, initial.values(), strict=True)]
        groups, start = [], 0
        for rate, run in groupby(rates):
            stop = start + len(list(run))
            slices = []
            for stored, gradient in zip(self.stored, self.gradients, strict=True):
                piece = stored[start:stop]
                piece.grad = gradient[start:stop]
                slices.append(piece)
            groups.append({"params": slices, "lr": rate})
            start = stop
        self.optimiser = optimiser(name, groups, rates[0])

    def gradient(self, losses: Tensor) -> None:
        """Find the gradient of each network's own loss."""
        found = torch.autograd.grad(losses.sum(), list(self.tensors.values()), allow_unused=True)
        for into, gradient in zip(self._into, found, strict=True):
            if gradient is not None:
                into.copy_(gradient)

    def update(self) -> None:
        """Take the step of the gradient found, shortened to `clip` as `torch.nn.utils.clip_grad_norm_` does."""
        if self.clip is not None:
            norm = torch.stack([gradient.norm(dim=1) for gradient in self.gradients]).norm(dim=0)
            factor = (self.clip / (norm + 1e-6)).clamp(max=1.0).unsqueeze(1)
            for gradient in self.gradients:
                gradient.mul_(factor)
        self.optimiser.step()

    def norms(self, layers: Sequence[Sequence[str]]) -> Tensor:
        """The norm of the last gradient, (network, layer); a layer is the names of its parameters."""
        of = {key: gradient.norm(dim=1) for key, gradient in zip(self.tensors, self.gradients, strict=True)}
        return torch.stack([torch.stack([of[key] for key in keys]).norm(dim=0) for keys in layers], dim=1)

    def finite(self) -> Tensor:
        """Whether all that the optimiser knows of a network is finite, (network,)."""
        fine = torch.stack([stored.isfinite().all(1) for stored in self.stored]).all(0)
        start = 0
        for group in self.optimiser.param_groups:
            stop = start + len(group["params"][0])
            for piece in group["params"]:
                for value in self.optimiser.state[piece].values():
                    if isinstance(value, Tensor) and value.shape == piece.shape:
                        fine[start:stop] &= value.isfinite().all(1)
            start = stop
        return fine


def _part(stored: Tensor, like: Tensor) -> Tensor:
    """The numbers of an array that are a parameter's, in its shape."""
    return stored[:, : like[0].numel()].view(like.shape) if like.ndim > 1 else stored[:, 0]
