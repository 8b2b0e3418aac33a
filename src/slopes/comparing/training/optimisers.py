"""PyTorch's optimisers, for one network and for a stack with a learning rate per network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from slopes.comparing.optimizers import OPTIMIZERS
from slopes.comparing.settings import settings_of

LANES = 16  #: below so many numbers the fused kernels round the tail of an array differently


class Optimiser:
    """`torch.optim.Adam`, ``AdamW`` or ``SGD`` for groups of parameters and their rates.

    It calls their functional forms, as their classes load PyTorch's compiler, which takes a second in every process.
    The fused kernels make one pass over the memory instead of six.
    """

    def __init__(self, text: str, groups: Sequence[tuple[Sequence[Tensor], float]]) -> None:
        self._name, given = settings_of(text)
        fixed = {"dampening" if self._name == "sgd" else "amsgrad": False, "maximize": False, "fused": True}
        self._settings: dict[str, Any] = {**OPTIMIZERS[self._name].defaults, **given, **fixed}
        if "betas" in self._settings:
            self._settings["beta1"], self._settings["beta2"] = tuple(self._settings.pop("betas"))
        self._groups = groups
        count = bool(self._settings["momentum"]) if self._name == "sgd" else 2
        #: for each group and parameter: its moments
        self.known = [[[torch.zeros_like(p) for _ in range(count)] for p in parameters] for parameters, _ in groups]
        self._steps = [[torch.zeros((), device=p.device) for p in parameters] for parameters, _ in groups]

    @torch.no_grad()
    def step(self, factor: float = 1.0) -> None:
        for (parameters, rate), known, counts in zip(self._groups, self.known, self._steps, strict=True):
            moved = [place for place, p in enumerate(parameters) if p.grad is not None]
            tensors = [parameters[place] for place in moved]
            moments = [list(each) for each in zip(*(known[place] for place in moved), strict=True)]
            self._move(tensors, moments, [counts[place] for place in moved], rate * factor)

    def _move(self, tensors: list[Tensor], moments: list[list[Tensor]], counts: list[Tensor], rate: float) -> None:
        gradients: Any = [p.grad for p in tensors]
        if self._name == "sgd":
            sgd(tensors, gradients, moments[0] if moments else [None] * len(tensors), lr=rate, **self._settings)  # type: ignore[arg-type]
            return
        move: Any = {"adam": adam, "adamw": adamw}[self._name]
        move(tensors, gradients, *moments, [], counts, lr=rate, **self._settings)


class OwnOptimiser:
    """Optimiser of a user, with the same methods."""

    def __init__(self, make: Any, parameters: Sequence[Tensor], rate: float) -> None:
        self._optimiser = make(parameters, lr=rate)
        self._rates = [group["lr"] for group in self._optimiser.param_groups]

    @property
    def known(self) -> list[list[list[Tensor]]]:
        states = self._optimiser.state.values()
        return [[[v for v in state.values() if isinstance(v, Tensor)] for state in states]]

    def step(self, factor: float = 1.0) -> None:
        for group, rate in zip(self._optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        self._optimiser.step()


class StackedWeights:
    """Trainable parameters of a stack, each (network, ...), with their optimiser.

    Each lies in an array whose rows are whole vectors, so that a network is rounded alike at any place in the stack.
    The optimiser has one slice per run of networks with one rate.
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
            groups.append((slices, rate))
            start = stop
        self.optimiser = Optimiser(name, groups)

    def gradient(self, losses: Tensor) -> None:
        found = torch.autograd.grad(losses.sum(), list(self.tensors.values()), allow_unused=True)
        for into, gradient in zip(self._into, found, strict=True):
            if gradient is not None:
                into.copy_(gradient)

    def update(self, factor: float) -> None:
        """Clip as `torch.nn.utils.clip_grad_norm_` does, and step."""
        if self.clip is not None:
            norm = torch.stack([gradient.norm(dim=1) for gradient in self.gradients]).norm(dim=0)
            shrinkage = (self.clip / (norm + 1e-6)).clamp(max=1.0).unsqueeze(1)
            for gradient in self.gradients:
                gradient.mul_(shrinkage)
        self.optimiser.step(factor)

    def norms(self, layers: Sequence[Sequence[str]]) -> Tensor:
        of = {key: gradient.norm(dim=1) for key, gradient in zip(self.tensors, self.gradients, strict=True)}
        return torch.stack([torch.stack([of[key] for key in keys]).norm(dim=0) for keys in layers], dim=1)

    def finite(self) -> Tensor:
        fine = torch.stack([_finite(stored) for stored in self.stored]).all(0)
        for runs in zip(*self.optimiser.known, strict=True):  # moments of one parameter, by groups
            for moments in zip(*runs, strict=True):
                fine &= torch.cat([_finite(moment) for moment in moments])
        return fine


def _finite(rows: Tensor) -> Tensor:
    fine = rows.sum(1).isfinite()
    return fine if fine.all() else rows.isfinite().all(1)


def _part(stored: Tensor, like: Tensor) -> Tensor:
    return stored[:, : like[0].numel()].view(like.shape) if like.ndim > 1 else stored[:, 0]
