"""Parts shared by `Stack` and `Single`: the order of batches, the layers of a network, and its slots."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from slopes.comparing.plain import OWN
from slopes.comparing.tasks.inputs import Inputs, count_numbers, map_tensors, stack_inputs
from slopes.comparing.training.initial import initialise
from slopes.comparing.training.slots import Slot, pulled
from slopes.models.inventory import class_of
from slopes.models.units import classify_units, count_flat

if TYPE_CHECKING:
    from slopes.comparing.job import Cell, Job

ROOM = 2**18  #: input numbers to evaluate at once, so that results stay in the cache


class Learner(Protocol):
    """Networks trained side by side: a stack, or a single one."""

    @property
    def cells(self) -> Sequence[Cell]: ...

    layers: dict[str, list[str]]  #: names of each layer's parameters, by the layer's name
    slots: dict[str, nn.Module]  #: replaced activations, by name

    def gradient(self, rows: Tensor) -> Tensor:
        """Compute the gradient on samples (network, sample), by index; return each network's mean loss."""

    def norms(self) -> Tensor:
        """Norm of the last gradient, (network, layer)."""

    def update(self, factor: float) -> None:
        """Update the weights by the last gradient, at this factor of the rates."""

    def outputs(self, rows: Tensor) -> Tensor:
        """Outputs (network, sample, ...) in evaluation mode; one row of samples serves all networks."""

    def units(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Fractions of dead and of saturated units, each (network, slot)."""

    def state(self) -> list[Tensor]:
        """Return all weights and buffers, each (network, ...), as writable views."""

    def finite(self) -> Tensor:
        """Whether weights, buffers and moments are finite, (network,)."""


def by_loss(cells: Sequence[Cell]) -> list[tuple[int, Tensor]]:
    """(loss, places of its cells) of each loss."""
    losses = dict.fromkeys(cell.loss for cell in cells)
    return [(loss, torch.tensor([i for i, cell in enumerate(cells) if cell.loss == loss])) for loss in losses]


class Order:
    """Batches shuffled by the seed alone; samples that fill no batch wait for another epoch."""

    def __init__(self, seed: int, rows: Tensor, size: int) -> None:
        self._generator = torch.Generator().manual_seed(2 * seed + 1)  # even seeds draw initial weights
        self._rows, self._size = rows, min(size, len(rows))

    def __len__(self) -> int:
        return len(self._rows) // self._size

    def epoch(self) -> Tensor:
        """(batch, sample) indices."""
        order = self._rows[torch.randperm(len(self._rows), generator=self._generator)]
        return order[: len(order) // self._size * self._size].view(-1, self._size)


def layers_of(model: nn.Module) -> dict[str, list[str]]:
    """Names of each module's own trainable parameters; a shared one belongs to its first module."""
    names = {id(p): name for name, p in model.named_parameters() if p.requires_grad}
    layers = {}
    for name, module in model.named_modules():
        own = [names.pop(id(p)) for p in module._parameters.values() if p is not None and id(p) in names]
        if own:
            layers[name] = own
    return layers


def with_activation(
    job: Job, seed: int, activation: Any, make: Callable[[], nn.Module]
) -> tuple[nn.Module, dict[str, nn.Module]]:
    """(model with the results of `make` in the places of its activations, these by name)."""
    network = job.network
    made: list[nn.Module] = []

    def keep() -> nn.Module:
        made.append(make())
        return made[-1]

    if activation is OWN:
        model = network.build(seed)
        made += [module for module in model.modules() if class_of(module) is not None]
    else:
        model = network.slotted(seed, keep)
    if job.init is not None:
        initialise(job.init, model, activation, seed)
    known = {id(module) for module in made}
    return model, {name: module for name, module in model.named_modules() if id(module) in known}


def _takes_two(function: Any) -> bool:
    """Whether a call needs two arguments; a builtin without a signature is taken to need one."""
    try:
        known = inspect.signature(function.forward if isinstance(function, nn.Module) else function).parameters
    except ValueError:
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.default is p.empty and p.kind in positional for p in known.values()) > 1


class Augmented:
    """Batches as `job.augment` changes them, by torch's generator as the seed and the step determine it."""

    def __init__(self, function: Any) -> None:
        self._function, self._steps = function, 0
        self._takes_targets = _takes_two(function)

    def __call__(self, seeds: Sequence[int], inputs: Inputs, targets: Tensor) -> tuple[Inputs, Tensor]:
        """Change (network, sample, ...) of networks that share batches where they share seeds."""
        places = {seed: i for i, seed in enumerate(seeds)}
        found = {
            seed: self._changed(seed, map_tensors(itemgetter(i), inputs), targets[i]) for seed, i in places.items()
        }
        self._steps += 1
        return stack_inputs([found[seed][0] for seed in seeds]), torch.stack([found[seed][1] for seed in seeds])

    def _changed(self, seed: int, inputs: Inputs, targets: Tensor) -> tuple[Inputs, Tensor]:
        with torch.random.fork_rng([targets.device] if targets.is_cuda else []):
            torch.manual_seed(hash((seed, self._steps)) % 2**62)
            if self._takes_targets:
                inputs, targets = self._function(inputs, targets)
                return inputs, targets
            return self._function(inputs), targets


Counts = tuple[Tensor, Tensor, Tensor]


class Units:
    """Context that counts each slot's flat and off units.

    A unit is a channel of (batch, channel, height, width), else an entry of the last axis. `counts` has for each slot
    and call: by unit, the samples with a flat slope and the samples off, and the number of samples.
    """

    def __init__(self, slots: dict[str, nn.Module]) -> None:
        self._slots = slots
        self.counts: list[list[Counts]] = [[] for _ in slots]
        self._hooks: list[Any] = []

    def __enter__(self) -> list[list[Counts]]:
        for module, calls in zip(self._slots.values(), self.counts, strict=True):
            inputs: list[Tensor] = []  # of calls that have not ended
            self._hooks.append(module.register_forward_pre_hook(partial(self._keep, inputs), with_kwargs=True))
            self._hooks.append(module.register_forward_hook(partial(self._count, inputs, calls)))
        return self.counts

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    @staticmethod
    def _keep(inputs: list[Tensor], _: nn.Module, given: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        inputs.append(next(iter((*given, *named.values()))).detach().clone())  # the module may overwrite its input

    @staticmethod
    def _count(inputs: list[Tensor], calls: list[Counts], module: nn.Module, _: tuple[Tensor, ...], y: Tensor) -> None:
        x = inputs.pop()
        slope = module.slope(x) if isinstance(module, Slot) else pulled(module.forward, x)
        kept = 1 if slope.ndim == 4 else slope.ndim - 1
        others = [axis for axis in range(slope.ndim) if axis != kept]
        times = slope.new_full((), slope.numel() // slope.shape[kept], dtype=torch.float64)
        calls.append((*count_flat(y.detach(), slope, others), times))


def shares(batches: Sequence[Sequence[Sequence[Counts]]], shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Fractions of dead and of saturated units, each (*shape, slot), from counts by batch, slot and call."""
    dead, saturated = [], []
    device = next((count.device for batch in batches for slot in batch for call in slot for count in call), None)
    for slot in zip(*batches, strict=True):
        if not any(slot):  # evaluation may leave out a head
            dead.append(torch.zeros(list(shape), dtype=torch.float64, device=device))
            saturated.append(dead[-1])
            continue
        calls = [[torch.stack(part).sum(0) for part in zip(*call, strict=True)] for call in zip(*slot, strict=True)]
        kinds = [classify_units(flat, off, times.unsqueeze(-1)) for flat, off, times in calls]
        dead.append(torch.cat([units for units, _ in kinds], -1).double().mean(-1))
        saturated.append(torch.cat([units for _, units in kinds], -1).double().mean(-1))
    none = [torch.zeros(list(shape), dtype=torch.float64)][: not dead]  # a model may have no slot
    return torch.stack(dead + none, -1)[..., : len(dead)], torch.stack(saturated + none, -1)[..., : len(dead)]


def input_samples(inputs: Inputs, rows: Tensor) -> Inputs:
    return map_tensors(lambda tensor: samples(tensor, rows), inputs)


def samples(of: Tensor, rows: Tensor) -> Tensor:
    """Samples in the shape of their indices; six times as fast as ``of[rows]``."""
    return of.index_select(0, rows.reshape(-1)).view(*rows.shape, *of.shape[1:])


def portions(rows: Tensor, networks: int, inputs: Inputs, least: int) -> tuple[Tensor, ...]:
    size = max(least, ROOM // max(1, networks * count_numbers(inputs)))
    return torch.split(rows, size, dim=-1)
