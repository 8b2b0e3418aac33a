"""Networks of one shape, trained as one stack.

Small networks spend most of their time on calls, so `torch.func.vmap` runs the module on all their weights at once. The
gradient of the sum of their losses is each network's own, as nothing mixes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from slopes.comparing.tasks.inputs import Inputs, arguments_of
from slopes.comparing.training import common, dropout
from slopes.comparing.training.direct import stages
from slopes.comparing.training.kernels import MeanLosses
from slopes.comparing.training.optimisers import StackedWeights
from slopes.comparing.training.slots import Slot, sharing
from slopes.models.replacing import module_of

if TYPE_CHECKING:
    from slopes.comparing.job import Cell, Job


def stacks(job: Job, cells: Sequence[Cell]) -> list[list[Cell]]:
    """Group the cells that can be one stack, sorted by activation, then by rate."""
    ordered = sorted(cells, key=lambda cell: (cell.activation, cell.rate, cell.loss, cell.seed))
    alone = {a: None if sharing(activation) else a for a, activation in enumerate(job.activations)}
    found: dict[int | None, list[Cell]] = {}
    for cell in ordered:
        found.setdefault(alone[cell.activation], []).append(cell)
    return list(found.values())


@contextmanager
def _batched_attention() -> Iterator[None]:
    """Keep attention from fused kernels, which vmap would call once for each network."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _stacked(models: Sequence[nn.Module]) -> dict[str, Tensor]:
    """Weights and buffers of all models, by name."""
    tensors = {model: {**dict(model.named_parameters()), **dict(model.named_buffers())} for model in models}
    names = tensors[models[0]]
    return {name: torch.stack([tensors[model][name].detach() for model in models]) for name in names}


class Stack:
    """`Learner` of many networks; the cells are one group of `stacks`."""

    def __init__(self, job: Job, cells: Sequence[Cell], feeds: dict[int, Any]) -> None:
        self.cells = cells
        self._network, self._task, self._batch = job.network, job.task, job.batch_size
        keys = [(cell.seed, cell.activation * (job.init is not None)) for cell in cells]  # of their initial weights
        made = {key: self._slotted(job, cell) for key, cell in dict(zip(keys, cells, strict=True)).items()}
        start = {key: model for key, (model, _) in made.items()}
        self.slots = made[keys[0]][1]
        self.model = dropout.use_seeded_dropout(start[keys[0]], [cell.seed for cell in cells], stacked=True)
        self._augment = None if job.augment is None else common.Augmented(job.augment)
        is_plain = (job.network.output, job.network.class_axis) == (None, -1) and isinstance(job.task.inputs, Tensor)
        self._stages = stages(self.model) if is_plain else None
        self.layers = common.layers_of(self.model)
        stacked = _stacked([start[key] for key in keys])
        trained = {name: stacked.pop(name) for name, p in self.model.named_parameters() if p.requires_grad}
        self.weights = StackedWeights(trained, [cell.rate for cell in cells], job.optimizer, job.clip)
        self.held = stacked
        self._losses = [(MeanLosses(job.losses[loss], feeds[loss]), index) for loss, index in common.by_loss(cells)]
        self._places = torch.cat([index for _, index in self._losses]).argsort()

    def _slotted(self, job: Job, cell: Cell) -> tuple[nn.Module, dict[str, nn.Module]]:
        activations = [(job.activations[a], len(list(run))) for a, run in groupby(c.activation for c in self.cells)]
        first = activations[0][0]
        make = partial(Slot, activations) if sharing(first) else partial(module_of, first)
        return common.with_activation(job, cell.seed, job.activations[cell.activation], make)

    def _call(self, state: dict[str, Tensor], x: Inputs) -> Tensor:
        return self._network.predict(torch.func.functional_call(self.model, state, *arguments_of(x)))

    def _outputs(self, x: Inputs, networks: int) -> Tensor:
        """Outputs of inputs (network, sample, ...); with 0 networks, of inputs (sample, ...) that all share."""
        if self._stages is None or not isinstance(x, Tensor):
            return self._map(self._call, x, networks)  # type: ignore[no-any-return]
        x = x if networks else x.expand(len(self.cells), *x.shape)
        for stage in self._stages:
            x = stage(self.weights.tensors | self.held, x)
        return x

    def _map(self, function: Any, x: Inputs, networks: int) -> Any:
        dims = (0, 0 if networks else None)
        with _batched_attention():
            return torch.vmap(function, dims, randomness="different")({**self.weights.tensors, **self.held}, x)

    def gradient(self, rows: Tensor) -> Tensor:
        self.model.train()
        inputs, targets = common.input_samples(self._task.inputs, rows), common.samples(self._task.targets, rows)
        if self._augment is not None:
            inputs, targets = self._augment([cell.seed for cell in self.cells], inputs, targets)
        outputs = self._outputs(inputs, len(self.cells))
        if len(self._losses) == 1:
            losses = self._losses[0][0](outputs, targets)
        else:
            losses = torch.cat([means(outputs[i], targets[i]) for means, i in self._losses])[self._places]
        self.weights.gradient(losses)
        return losses.detach()

    def norms(self) -> Tensor:
        return self.weights.norms(list(self.layers.values()))

    def update(self, factor: float) -> None:
        self.weights.update(factor)

    @torch.no_grad()
    def outputs(self, rows: Tensor) -> Tensor:
        self.model.eval()
        return torch.cat([self._outputs(*self._given(portion)) for portion in self._portions(rows)], dim=1)

    @torch.no_grad()
    def units(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        self.model.eval()

        def count(state: dict[str, Tensor], x: Inputs) -> Any:
            with common.Units(self.slots) as counts:
                self._call(state, x)
            return counts

        counts = [self._map(count, *self._given(portion)) for portion in self._portions(rows)]
        return common.shares(counts, [len(self.cells)])

    def _given(self, rows: Tensor) -> tuple[Inputs, int]:
        return common.input_samples(self._task.inputs, rows), len(self.cells) * (rows.ndim > 1)

    def _portions(self, rows: Tensor) -> Sequence[Tensor]:
        return common.portions(rows, len(self.cells), self._task.inputs, self._batch)

    def state(self) -> list[Tensor]:
        return [*self.weights.stored, *self.held.values()]

    def finite(self) -> Tensor:
        fine = self.weights.finite()
        for value in self.held.values():
            fine &= value.isfinite().view(len(value), -1).all(1)
        return fine
