"""Record the activations and weights of a model while it runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from statistics import fmean
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.overrides import TorchFunctionMode, _get_current_function_mode

from slopes.diagnosing.diagnosis import Diagnosis
from slopes.diagnosing.mistakes import Mistakes
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
        super().__init__(model)
        self.samples = self.batches = 0
        self.losses: list[float] = []
        self.begun = begun or earlier is not None
        self._tallies: dict[tuple[Any, ...], Tally] = {}
        self.mistakes = Mistakes()
        self._weights: dict[str, list[_Seen]] = {}
        self._order: dict[str, int] = {}  # order of the modules' first runs
        self._followed: set[str] = set()  # modules that ran where autograd records
        self._arriving: list[Tensor] = []  # weights with a gradient of the backward pass under way
        self._arrived: dict[Tensor, Tensor] = {}  # norms of gradients, by weight
        self._fastest: dict[str, float] = {} if earlier is None else earlier._fastest
        self._first: dict[str, float] = {} if earlier is None else earlier._first  # norms of weights

    @contextmanager
    def recording(self) -> Iterator[None]:
        weights = [p for _, own in _weighted(self.model) for p in own if p.requires_grad and p.is_leaf]
        with ExitStack() as stack:
            hooks = [p.register_post_accumulate_grad_hook(self._arrive) for p in weights]  # type: ignore[no-untyped-call]
            stack.callback(remove, hooks)
            stack.enter_context(_outside_optimizers(self.mistakes))
            stack.enter_context(super().recording())
            yield

    def _arrive(self, weight: Tensor) -> None:
        if not self._arriving:
            torch.autograd.Variable._execution_engine.queue_callback(self._keep_arrived)
        self._arriving.append(weight)

    def _keep_arrived(self) -> None:
        """Keep the norms of gradients at the end of a backward pass, before the training loop clears them."""
        with torch._C.DisableTorchFunction():
            there = {weight: weight.grad for weight in self._arriving if weight.grad is not None}
            self._arriving.clear()
            self._arrived.update(zip(there, _norms(list(there.values())), strict=True))

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

    def snapshot(self) -> dict[str, list[Tensor]]:
        with torch.no_grad():
            return {name: [p.clone() for p in own] for name, own in _weighted(self.model)}

    def weigh(self, before: dict[str, list[Tensor]] | None = None, *, stepped: bool = False) -> None:
        """Record norms, and the weights' relative change since the snapshot.

        Unless the optimizer is known to have `stepped`, weights that all stayed may be waiting for more gradients.
        """
        self.batches += 1
        weights, before = dict(_weighted(self.model)), before or {}
        with torch.no_grad():
            moves = {name: torch._foreach_sub(weights[name], before[name]) for name in weights if name in before}
        gradients = {name: [p.grad for p in own if p.grad is not None] for name, own in weights.items()}
        old, new, moved_by, pulls = _norms_by_name(before, weights, moves, gradients)
        seen = {}
        for name, own in weights.items():
            update = moved_by[name] / old[name] if old.get(name) else math.nan
            seen[name] = _Seen(new[name], self._gradient(own, pulls[name]), update)
        self._arrived.clear()
        moved = stepped or any(each.update > 0 for each in seen.values())
        for name, each in seen.items():
            self._weights.setdefault(name, []).append(each if moved else each._replace(update=math.nan))
            self._first.setdefault(name, each.norm)
            self._fastest[name] = max(self._fastest.get(name, 0.0), each.update if each.update > 0 else 0.0)

    def _gradient(self, own: Sequence[Tensor], norm: float) -> float:
        """Norm of the gradients; as they arrived, if the training loop has cleared them since."""
        arrived = [self._arrived[p] for p in own if p in self._arrived]
        return norm if norm > 0 or not arrived else math.hypot(*map(float, arrived))

    def diagnosis(self, wanted: int, steps: tuple[int, int] | None = None) -> Diagnosis:
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
        )  # fmt: skip

    def _is_still(self) -> bool:
        """Whether all weights are as they were at the first look."""
        return all(each.norm == self._first[name] for name, seen in self._weights.items() for each in seen)

    def _when(self, name: str) -> float:
        """Position of the module's first run, or of its nearest parent's."""
        while name and name not in self._order:
            name = name.rpartition(".")[0]
        return self._order.get(name, float("inf"))


def _weighted(model: nn.Module) -> Iterator[tuple[str, list[Tensor]]]:
    """Yield modules with weights of two axes or more, and all their weights."""
    for name, module in model.named_modules():
        there = [p for p in module._parameters.values() if p is not None]  # `parameters` takes three times as long
        own = [p for p in there if not nn.parameter.is_lazy(p) and p.is_floating_point()]
        if any(p.ndim >= 2 for p in own):
            yield name, own


def _mean(numbers: Sequence[float]) -> float:
    """Mean of the numbers that are known."""
    known = [number for number in numbers if not math.isnan(number)]
    return fmean(known) if known else math.nan


def _norms_by_name(*groups: Mapping[str, Sequence[Tensor]]) -> list[dict[str, float]]:
    """Norms of all entries of each name's tensors together, in each group; NaN without tensors."""
    norms = _norms([t for tensors in groups for each in tensors.values() for t in each])
    are_alike = len({(norm.device, norm.dtype) for norm in norms}) == 1
    numbers = iter(torch.stack(norms).tolist() if are_alike else map(float, norms))
    return [
        {name: math.hypot(*(next(numbers) for _ in each)) if each else math.nan for name, each in tensors.items()}
        for tensors in groups
    ]


@torch.no_grad()
def _norms(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Norm of each tensor, in few calls of PyTorch, as a call takes longer than its numbers."""
    values = [t.coalesce().values() if t.is_sparse else t for t in tensors]
    values = [v if v.dtype in (torch.float32, torch.float64) else v.float() for v in values]
    return list(torch._foreach_norm(values)) if values else []


@contextmanager
def _outside_optimizers(mode: TorchFunctionMode) -> Iterator[None]:
    """Push a mode, but for steps of optimizers without a closure, which call many small functions."""
    is_on = False

    def push(*_: Any) -> None:
        nonlocal is_on
        if not is_on:
            mode.__enter__()  # type: ignore[no-untyped-call]
            is_on = True

    def pop(_: Any = None, given: Sequence[Any] = (), named: Mapping[str, Any] = MappingProxyType({})) -> None:
        nonlocal is_on
        has_closure = any(each is not None for each in (*given[1:], *named.values()))  # the first is the optimizer
        if is_on and not has_closure and _get_current_function_mode() is mode:  # type: ignore[no-untyped-call]
            mode.__exit__(None, None, None)
            is_on = False

    with ExitStack() as stack:
        push()
        stack.callback(pop)
        stack.callback(register_optimizer_step_pre_hook(pop).remove)
        stack.callback(register_optimizer_step_post_hook(push).remove)
        yield
