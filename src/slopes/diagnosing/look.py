"""Record the activations and weights of a model while it runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from slopes.diagnosing.diagnosis import Diagnosis
from slopes.diagnosing.results import Weights
from slopes.diagnosing.tally import Tally
from slopes.models.recording import Recorder, Use


class Look(Recorder):
    """Recorder with a tally per call of an activation in a forward."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.model = model
        self.samples = self.batches = 0
        self._tallies: dict[tuple[Any, ...], Tally] = {}
        self._weights: dict[str, list[tuple[float, float, float]]] = {}  # norms and updates, batch by batch
        self._order: dict[str, int] = {}  # order of the modules' first runs
        self._channels = (-1, 0)  # feature axis of the last weights, and its size

    def enter(self, name: str, x: Tensor | None, outermost: bool) -> None:
        if outermost and x is not None and x.ndim:
            self.samples += len(x)
        self._order.setdefault(name, len(self._order))

    def leave(self, module: nn.Module) -> None:
        if isinstance(module, nn.modules.conv._ConvNd):
            self._channels = (-1 - len(module.kernel_size), module.out_channels)
        elif isinstance(module, nn.Linear):
            self._channels = (-1, module.out_features)

    def use(self, use: Use) -> None:
        axis = self._axis(use.y)
        units = use.y.shape[axis] if use.y.ndim else 1
        key = (use.parent, use.label, use.nth, units)
        if key not in self._tallies:
            earlier = sum(other[1] == use.label for other in self._tallies)
            self._tallies[key] = Tally(f"{use.label} #{earlier + 1}" if earlier else use.label, units)
        self._tallies[key].add(use.x, use.y, use.function, axis)

    def _axis(self, y: Tensor) -> int:
        """Axis of the last weights' features, else of the channels of pictures, else the last."""
        axis, count = self._channels
        if y.ndim >= -axis and y.shape[axis] == count:
            return axis
        return 1 if y.ndim in (4, 5) else -1

    # ---------------------------------------------------------------------------------------- weights

    def snapshot(self) -> dict[str, list[Tensor]]:
        return {name: [p.detach().clone() for p in own] for name, own in _weighted(self.model)}

    def weigh(self, before: dict[str, list[Tensor]] | None = None) -> None:
        """Record norms, and the weights' relative change since the snapshot."""
        self.batches += 1
        for name, own in _weighted(self.model):
            gradient, update = _norm(p.grad for p in own if p.grad is not None), math.nan
            if before and name in before and (size := _norm(before[name])):
                update = _norm(p - old for p, old in zip(own, before[name], strict=True)) / size
            self._weights.setdefault(name, []).append((_norm(own), gradient, update))

    def diagnosis(self, wanted: int, steps: tuple[int, int] | None = None) -> Diagnosis:
        rows = []
        for name in sorted(self._weights, key=self._when):
            sizes, gradients, updates = zip(*self._weights[name], strict=True)
            known = [update for update in updates if not math.isnan(update)]
            kind = type(self.model.get_submodule(name)).__name__
            rows.append(
                Weights(
                    name=f"{name} ({kind})" if name else kind,
                    norm=sizes[-1],
                    gradient=fmean(gradients),
                    update=fmean(known) if known else math.nan,
                )
            )
        layers = [tally.layer(self.batches) for tally in self._tallies.values()]
        return Diagnosis(layers, rows, self.samples, wanted, steps)

    def _when(self, name: str) -> float:
        """Position of the module's first run, or of its nearest parent's."""
        while name and name not in self._order:
            name = name.rpartition(".")[0]
        return self._order.get(name, float("inf"))


def _weighted(model: nn.Module) -> Iterator[tuple[str, list[Tensor]]]:
    """Yield modules with weights of two axes or more, and all their weights."""
    for name, module in model.named_modules():
        own = [p for p in module.parameters(recurse=False) if not nn.parameter.is_lazy(p) and p.is_floating_point()]
        if any(p.ndim >= 2 for p in own):
            yield name, own


def _norm(tensors: Iterable[Tensor]) -> float:
    """Norm of all entries together; NaN without tensors."""
    dense = [t.detach().coalesce().values() if t.is_sparse else t.detach() for t in tensors]
    norms = [float(torch.linalg.vector_norm(t if t.dtype == torch.float64 else t.float())) for t in dense]
    return math.hypot(*norms) if norms else math.nan
