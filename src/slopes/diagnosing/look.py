"""Record the activations and weights of a model while it runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin

from slopes.diagnosing.diagnosis import Diagnosis
from slopes.diagnosing.mistakes import LOSSES, Mistakes
from slopes.diagnosing.norms import compute_norms, read_numbers
from slopes.diagnosing.origin import Origin
from slopes.diagnosing.results import Weights
from slopes.diagnosing.tally import Tally
from slopes.models.recording import Recorder, Use


class _Seen(NamedTuple):
    """Norms of one module's weights, gradient and update in one batch."""

    norm: float
    gradient: float
    update: float


class Look(Recorder):
    """Recorder with a tally per call of an activation in a forward.

    An `earlier` look of the same training tells which weights have ever changed, and how fast.
    """

    def __init__(self, model: nn.Module, earlier: Look | None = None, *, begun: bool = False) -> None:
        self.mistakes = Mistakes()
        watched: dict[Any, Any] = {loss: partial(self.mistakes.judge, loss) for loss in LOSSES}
        watched |= {function: self._keep_norms for function in (Tensor.zero_, torch._foreach_zero_)}
        watched |= {getattr(Tensor.grad, name): self._keep_gradient for name in ("__set__", "__delete__")}
        super().__init__(model, watched)
        self.samples = self.batches = 0
        self.losses: list[float] = []
        self.begun = begun or earlier is not None
        self._tallies: dict[tuple[Any, ...], Tally] = {}
        self._weighted: dict[str, list[Tensor]] = {}  # weights by module, as the latest recording began
        self._has_lazy = False  # modules whose weights come with their first forward
        self._has_run = False  # since the latest recording began
        self._weights: dict[str, list[_Seen]] = {}
        self._order: dict[str, int] = {}  # order of the modules' first runs
        self._followed: set[str] = set()  # modules that ran where autograd records
        self._cleared: dict[Tensor, Tensor] = {}  # gradients by weight, which the training loop has taken away
        self._cleared_norms: dict[Tensor, Tensor] = {}  # of those that it has set to 0
        self._fastest: dict[str, float] = {} if earlier is None else earlier._fastest
        self._first: dict[str, float] = {} if earlier is None else earlier._first  # norms of weights

    def begin(self) -> None:
        self._has_run, self._weighted = False, _find_weighted(self.modules)
        self._has_lazy = any(isinstance(module, LazyModuleMixin) for _, module in self.modules)

    def _forget(self) -> None:
        self._cleared.clear()
        self._cleared_norms.clear()

    def _gradients(self) -> list[tuple[Tensor, Tensor]]:
        """Weights and their gradients."""
        weights = [weight for own in self._weighted.values() for weight in own]
        return [(weight, weight.grad) for weight in weights if weight.grad is not None]

    def _keep_gradient(self, weight: Tensor, *_: Any) -> None:
        """Keep a gradient that the training loop takes away."""
        with torch._C.DisableTorchFunction():
            if weight.grad is not None:
                self._cleared[weight] = weight.grad

    @torch.no_grad()
    def _keep_norms(self, tensors: Tensor | Sequence[Tensor], *_: Any, **__: Any) -> None:
        """Keep the norms of those tensors that are gradients, before they are set to 0."""
        with torch._C.DisableTorchFunction():
            given = {id(x) for x in ([tensors] if isinstance(tensors, Tensor) else tensors)}
            lost = {weight: gradient for weight, gradient in self._gradients() if id(gradient) in given}
            norms = zip(lost, compute_norms(list(lost.values())), strict=True)
            self._cleared_norms |= {weight: norm for weight, norm in norms if norm > 0}

    def enter(self, name: str, module: nn.Module, x: Tensor | None, outermost: bool) -> None:
        if not self._has_run:
            self._has_run = True
            self._forget()  # gradients that were cleared before the first forward are of an earlier step
        if outermost and x is not None and x.ndim:
            self.samples += len(x)
            self.mistakes.begin(x)
        self.mistakes.enter(name, module, x)
        self._order.setdefault(name, len(self._order))
        if torch.is_grad_enabled():
            self._followed.add(name)

    def leave(self, module: nn.Module) -> None:
        if isinstance(module, nn.modules.conv._ConvNd):
            self._here.channels = (-1 - len(module.kernel_size), module.out_channels)
        elif isinstance(module, nn.Linear):
            self._here.channels = (-1, module.out_features)

    def use(self, use: Use) -> None:
        axis = self._axis(use.y)
        units = use.y.shape[axis] if use.y.ndim else 1
        key = (use.parent, use.label, use.nth, units)
        if use.again:
            if key in self._tallies:
                self._tallies[key].follow(use.y)
            return
        if key not in self._tallies:
            earlier = sum(other[1] == use.label for other in self._tallies)
            self._tallies[key] = Tally(f"{use.label} #{earlier + 1}" if earlier else use.label, units)
        self._tallies[key].add(use.x, use.y, use.function, axis, use.state)

    def _axis(self, y: Tensor) -> int:
        """Axis of the last weights' features, else of the channels of pictures, else the last."""
        axis, count = self._here.channels
        if y.ndim >= -axis and y.shape[axis] == count:
            return axis
        return 1 if y.ndim in (4, 5) else -1

    # ---------------------------------------------------------------------------------------- weights

    def snapshot(self) -> dict[str, Tensor]:
        """Copy the weights of each module that the latest recording found into one array."""
        with torch._C.DisableTorchFunction():
            return _joined(self._weighted)

    @torch.no_grad()
    def weigh(self, before: dict[str, Tensor] | None = None, *, stepped: bool = False) -> None:
        """Record norms, and the weights' relative change since the snapshot, which is overwritten.

        Unless the optimizer is known to have `stepped`, weights that all stayed may be waiting for more gradients.
        """
        self.batches += 1
        weights, before = _find_weighted(self.modules) if self._has_lazy else self._weighted, before or {}
        now = _joined(weights)
        gradients = {name: [g for p in own if (g := self._gradient(p)) is not None] for name, own in weights.items()}
        there = [gradient for each in gradients.values() for gradient in each]
        norms = compute_norms([*now.values(), *there, *before.values()])
        for name, values in before.items():
            values.sub_(now[name])
        numbers = iter(read_numbers([*norms, *compute_norms(list(before.values()))]))
        new = {name: next(numbers) for name in now}
        pulled = {name: math.hypot(*(next(numbers) for _ in each)) for name, each in gradients.items() if each}
        start, moved_by = ({name: next(numbers) for name in before} for _ in range(2))
        seen = {}
        for name, own in weights.items():
            update = moved_by[name] / start[name] if start.get(name) else math.nan
            seen[name] = _Seen(new[name], self._pulled(own, pulled.get(name, math.nan)), update)
        self._forget()
        moved = stepped or any(each.update > 0 for each in seen.values())
        for name, each in seen.items():
            self._weights.setdefault(name, []).append(each if moved else each._replace(update=math.nan))
            self._first.setdefault(name, each.norm)
            self._fastest[name] = max(self._fastest.get(name, 0.0), each.update if each.update > 0 else 0.0)

    def _gradient(self, weight: Tensor) -> Tensor | None:
        """Gradient, also of a weight that has lost it."""
        return self._cleared.get(weight) if weight.grad is None else weight.grad

    def _pulled(self, own: Sequence[Tensor], norm: float) -> float:
        """Norm of the gradients; as they were, if the training loop has set them to 0 since."""
        cleared = [self._cleared_norms[p] for p in own if p in self._cleared_norms]
        return norm if norm > 0 or not cleared else math.hypot(*map(float, cleared))

    def diagnosis(self, wanted: int, steps: tuple[int, int] | None = None, origin: Origin | None = None) -> Diagnosis:
        rows = []
        for name in sorted(self._weights, key=self._when):
            seen, module = self._weights[name], self.model.get_submodule(name)
            kind = type(module).__name__
            rows.append(
                Weights(
                    name=f"{name} ({kind})" if name else kind,
                    norm=seen[-1].norm,
                    gradient=_mean([each.gradient for each in seen]),
                    update=_mean([each.update for each in seen]),
                    fastest=self._fastest[name],
                    followed=name in self._followed and any(p.requires_grad for p in module.parameters(recurse=False)),
                )
            )
        layers = [tally.layer(self.batches) for tally in self._tallies.values()]
        return Diagnosis(
            layers, rows, self.samples, wanted, steps,
            begun=self.begun,
            idle=steps[1] if steps is not None and self._is_still() else 0,
            losses=tuple(self.losses),
            mistakes=self.mistakes.found(),
            origin=origin,
        )  # fmt: skip

    def _is_still(self) -> bool:
        """Whether all weights are as they were at the first look."""
        return all(each.norm == self._first[name] for name, seen in self._weights.items() for each in seen)

    def _when(self, name: str) -> float:
        """Position of the module's first run, or of its nearest parent's."""
        while name and name not in self._order:
            name = name.rpartition(".")[0]
        return self._order.get(name, float("inf"))


def _find_weighted(modules: Iterable[tuple[str, nn.Module]]) -> dict[str, list[Tensor]]:
    """Names of modules with weights of two axes or more, and all their weights."""
    found: dict[str, list[Tensor]] = {}
    for name, module in modules:
        there = [p for p in module._parameters.values() if p is not None]  # `parameters` takes three times as long
        own: list[Tensor] = [p for p in there if not nn.parameter.is_lazy(p) and p.is_floating_point()]
        if any(p.ndim >= 2 for p in own):
            found[name] = own
    return found


@torch.no_grad()
def _joined(weights: Mapping[str, Sequence[Tensor]]) -> dict[str, Tensor]:
    """Copy each name's tensors into one array, a part of one array of its device and type: calls take the time."""
    alike: dict[Any, list[str]] = {}
    for name, own in weights.items():
        alike.setdefault((own[0].device, own[0].dtype), []).append(name)
    joined: dict[str, Tensor] = {}
    for (device, _), names in alike.items():
        flat = torch.cat([p.flatten().to(device) for name in names for p in weights[name]])
        sizes = [sum(p.numel() for p in weights[name]) for name in names]
        joined.update(zip(names, torch.split_with_sizes(flat, sizes), strict=True))
    return joined


def _mean(numbers: Sequence[float]) -> float:
    """Mean of the numbers that are known."""
    known = [number for number in numbers if not math.isnan(number)]
    return fmean(known) if known else math.nan
