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

from slopes.comparing.training import common, dropout
from slopes.comparing.training.direct import stages
from slopes.comparing.training.kernels import MeanLosses
from slopes.comparing.training.optimisers import Weights
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


class Stack:
    """`Learner` of many networks; the cells are one group of `stacks`."""

    def __init__(self, job: Job, cells: Sequence[Cell], feeds: dict[int, Any]) -> None:
        self.cells = cells
        self._network, self._task, self._batch = job.network, job.task, job.batch_size
        made = {seed: self._slotted(job, seed) for seed in dict.fromkeys(cell.seed for cell in cells)}
        start = {seed: model for seed, (model, _) in made.items()}
        self.slots = made[cells[0].seed][1]
        self.model = dropout.own(start[cells[0].seed], [cell.seed for cell in cells], stacked=True)
        self._stages = stages(self.model) if job.network.output is None else None
        self.layers = common.layers_of(self.model)
        trained = [name for name, p in self.model.named_parameters() if p.requires_grad]
        tensors = {seed: {**dict(m.named_parameters()), **dict(m.named_buffers())} for seed, m in start.items()}
        stacked = {
            name: torch.stack([tensors[cell.seed][name].detach() for cell in cells]) for name in tensors[cells[0].seed]
        }
        self.weights = Weights(
            {name: stacked[name] for name in trained}, [c.rate for c in cells], job.optimizer, job.clip
        )
        self.held = {name: value for name, value in stacked.items() if name not in trained}
        self._losses = [(MeanLosses(job.losses[loss], feeds[loss]), index) for loss, index in common.by_loss(cells)]
        self._places = torch.cat([index for _, index in self._losses]).argsort()

    def _slotted(self, job: Job, seed: int) -> tuple[nn.Module, dict[str, nn.Module]]:
        activations = [(job.activations[a], len(list(run))) for a, run in groupby(c.activation for c in self.cells)]
        first = activations[0][0]
        make = partial(Slot, activations) if sharing(first) else partial(module_of, first)
        return common.with_activation(job.network, seed, first, make)

    def _call(self, state: dict[str, Tensor], x: Tensor) -> Tensor:
        return self._network.predict(torch.func.functional_call(self.model, state, (x,)))

    def _outputs(self, rows: Tensor) -> Tensor:
        if self._stages is None:
            return self._map(self._call, rows)  # type: ignore[no-any-return]
        x = common.samples(self._task.inputs, rows)
        x = x if rows.ndim > 1 else x.expand(len(self.cells), *x.shape)
        for stage in self._stages:
            x = stage(self.weights.tensors | self.held, x)
        return x

    def _map(self, function: Any, rows: Tensor) -> Any:
        dims = (0, 0 if rows.ndim > 1 else None)
        with _batched_attention():
            return torch.vmap(function, dims, randomness="different")(
                {**self.weights.tensors, **self.held}, common.samples(self._task.inputs, rows)
            )

    def gradient(self, rows: Tensor) -> Tensor:
        self.model.train()
        outputs, targets = self._outputs(rows), common.samples(self._task.targets, rows)
        if len(self._losses) == 1:
            losses = self._losses[0][0](outputs, targets)
        else:
            losses = torch.cat([means(outputs[i], targets[i]) for means, i in self._losses])[self._places]
        self.weights.gradient(losses)
        return losses.detach()

    def norms(self) -> Tensor:
        return self.weights.norms(list(self.layers.values()))

    def update(self) -> None:
        self.weights.update()

    @torch.no_grad()
    def outputs(self, rows: Tensor) -> Tensor:
        self.model.eval()
        return torch.cat([self._outputs(portion) for portion in self._portions(rows)], dim=1)

    @torch.no_grad()
    def units(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        self.model.eval()

        def count(state: dict[str, Tensor], x: Tensor) -> Any:
            with common.Units(self.slots) as counts:
                self._call(state, x)
            return counts

        return common.shares([self._map(count, portion) for portion in self._portions(rows)], [len(self.cells)])

    def _portions(self, rows: Tensor) -> Sequence[Tensor]:
        return common.portions(rows, len(self.cells), self._task.inputs[0], self._batch)

    def state(self) -> list[Tensor]:
        return [*self.weights.stored, *self.held.values()]

    def finite(self) -> Tensor:
        fine = self.weights.finite()
        for value in self.held.values():
            fine &= value.isfinite().view(len(value), -1).all(1)
        return fine
