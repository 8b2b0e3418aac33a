"""Record the activations and weights of a model while it runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from statistics import fmean
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from slopes.diagnosing.diagnosis import Diagnosis
from slopes.diagnosing.mistakes import LOSSES, Mistakes
from slopes.diagnosing.norms import compute_norms, read_numbers
from slopes.diagnosing.origin import Origin
from slopes.diagnosing.results import Weights
from slopes.diagnosing.tally import Tally
from slopes.models.recording import Recorder, Use, remove


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
        watched = {loss: partial(self.mistakes.judge, loss) for loss in LOSSES}
        super().__init__(model, {**watched, Tensor.zero_: self._keep_norms, torch._foreach_zero_: self._keep_norms})
        self.samples = self.batches = 0
        self.losses: list[float] = []
        self.begun = begun or earlier is not None
        self._tallies: dict[tuple[Any, ...], Tally] = {}
        self._weighted: dict[str, list[Tensor]] = {}  # weights by module, as the latest recording began
        self._weights: dict[str, list[_Seen]] = {}
        self._order: dict[str, int] = {}  # order of the modules' first runs
        self._followed: set[str] = set()  # modules that ran where autograd records
        self._is_arriving = False  # a backward pass is under way
        self._arrived: dict[Tensor, Tensor] = {}  # gradients by weight, which the training loop may clear
        self._arrived_norms: dict[Tensor, Tensor] = {}  # of those that it sets to 0
        self._fastest: dict[str, float] = {} if earlier is None else earlier._fastest
        self._first: dict[str, float] = {} if earlier is None else earlier._first  # norms of weights

    def begin(self, recording: ExitStack) -> None:
        """Follow the gradient of one weight of each module: all are there when the backward pass ends."""
        self._forget()
        self._is_arriving, self._weighted = False, _find_weighted(self.modules)
        firsts = [[p for p in own if p.requires_grad and p.is_leaf][:1] for own in self._weighted.values()]
        hooks = [p.register_post_accumulate_grad_hook(self._arrive) for first in firsts for p in first]  # type: ignore[no-untyped-call]
        recording.callback(remove, hooks)

    def _arrive(self, _: Tensor) -> None:
        if not self._is_arriving:
            self._is_arriving = True
            torch.autograd.Variable._execution_engine.queue_callback(self._keep_arrived)

    def _keep_arrived(self) -> None:
        """Keep the gradients at the end of a backward pass, before the training loop clears them."""
        self._is_arriving = False
        with torch._C.DisableTorchFunction():
            weights = [p for own in self._weighted.values() for p in own]
            self._arrived |= {weight: weight.grad for weight in weights if weight.grad is not None}

    def _forget(self) -> None:
        self._arrived.clear()
        self._arrived_norms.clear()

    def _keep_norms(self, *_: Any, **__: Any) -> None:
        """Keep the norms of gradients: the call that follows may set a gradient to 0."""
        with torch._C.DisableTorchFunction():
            norms = zip(self._arrived, compute_norms(list(self._arrived.values())), strict=True)
            self._arrived_norms |= {weight: norm for weight, norm in norms if norm > 0}
            self._arrived.clear()

    def enter(self, name: str, module: nn.Module, x: Tensor | None, outermost: bool) -> None:
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

    def weigh(self, before: dict[str, Tensor] | None = None, *, stepped: bool = False) -> None:
        """Record norms, and the weights' relative change since the snapshot, which is overwritten.

        Unless the optimizer is known to have `stepped`, weights that all stayed may be waiting for more gradients.
        """
        self.batches += 1
        weights, before = _find_weighted(self.modules), before or {}
        now = _joined(weights)
        gradients = {name: [g for p in own if (g := self._gradient(p)) is not None] for name, own in weights.items()}
        there = [gradient for each in gradients.values() for gradient in each]
        norms = compute_norms([*now.values(), *there, *before.values()])
        with torch.no_grad():
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
        """Gradient, also of a weight that has lost it since it arrived."""
        return self._arrived.get(weight) if weight.grad is None else weight.grad

    def _pulled(self, own: Sequence[Tensor], norm: float) -> float:
        """Norm of the gradients; as they were, if the training loop has set them to 0 since."""
        arrived = [self._arrived_norms[p] for p in own if p in self._arrived_norms]
        return norm if norm > 0 or not arrived else math.hypot(*map(float, arrived))

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
        flat = torch.cat([p.reshape(-1).to(device) for name in names for p in weights[name]])
        sizes = [sum(p.numel() for p in weights[name]) for name in names]
        joined.update(zip(names, torch.split(flat, sizes), strict=True))
    return joined


def _mean(numbers: Sequence[float]) -> float:
    """Mean of the numbers that are known."""
    known = [number for number in numbers if not math.isnan(number)]
    return fmean(known) if known else math.nan
