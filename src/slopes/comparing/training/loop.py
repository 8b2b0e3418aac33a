"""Training of one network in a plain PyTorch loop: the reference, and the way for networks that do not stack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from slopes.comparing.training import common, dropout
from slopes.comparing.training.optimisers import Optimiser
from slopes.models.replacing import module_of

if TYPE_CHECKING:
    from slopes.comparing.job import Cell, Job


class Single:
    """`Learner` of one network, with the activation's own modules."""

    def __init__(self, job: Job, cell: Cell, feeds: dict[int, Any]) -> None:
        self.cells: Sequence[Cell] = [cell]
        self._network, self._task, self._clip, self._batch = job.network, job.task, job.clip, job.batch_size
        self._loss, self._feed = job.losses[cell.loss], feeds[cell.loss]
        activation = job.activations[cell.activation]
        model, self.slots = common.with_activation(job.network, cell.seed, activation, lambda: module_of(activation))
        self.model = dropout.own(model, [cell.seed], stacked=False)
        self.layers = common.layers_of(self.model)
        self._trained = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        self._optimiser = Optimiser(job.optimizer, [(list(self._trained.values()), cell.rate)])

    def gradient(self, rows: Tensor) -> Tensor:
        self.model.train()
        outputs = self._network.predict(self.model(self._task.inputs[rows[0]]))
        loss = self._loss(*self._feed(outputs, self._task.targets[rows[0]]), reduction="mean")
        self.model.zero_grad()
        loss.backward()
        return loss.detach().unsqueeze(0)

    def norms(self) -> Tensor:
        gradients = {name: p.grad for name, p in self._trained.items()}
        norms = [
            torch.stack([torch.zeros(()) if (g := gradients[key]) is None else g.norm() for key in keys]).norm()
            for keys in self.layers.values()
        ]
        return torch.stack(norms).unsqueeze(0)

    def update(self) -> None:
        if self._clip is not None:
            torch.nn.utils.clip_grad_norm_(self._trained.values(), self._clip)
        self._optimiser.step()

    @torch.no_grad()
    def outputs(self, rows: Tensor) -> Tensor:
        return torch.cat([self._predict(portion) for portion in self._portions(rows)]).unsqueeze(0)

    @torch.no_grad()
    def units(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        batches = []
        for portion in self._portions(rows):
            with common.Units(self.slots) as counts:
                self._predict(portion)
            batches.append(counts)
        dead, saturated = common.shares(batches, [])
        return dead.unsqueeze(0), saturated.unsqueeze(0)

    def _predict(self, rows: Tensor) -> Tensor:
        return self._network.predict(self.model.eval()(self._task.inputs[rows]))

    def _portions(self, rows: Tensor) -> Sequence[Tensor]:
        return common.portions(rows.flatten(), 1, self._task.inputs[0], self._batch)

    def state(self) -> list[Tensor]:
        return [value.detach().unsqueeze(0) for value in (*self.model.parameters(), *self.model.buffers())]

    def finite(self) -> Tensor:
        known = [moment for group in self._optimiser.known for moments in group for moment in moments[:2]]
        return torch.tensor([all(bool(value.isfinite().all()) for value in (*self.state(), *known))])
