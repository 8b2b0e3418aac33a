"""Training of one network in a plain PyTorch loop: the reference, and the way for networks that do not stack."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from slopes.comparing import feeding
from slopes.comparing.settings import Settings
from slopes.comparing.tasks.inputs import Inputs, call_model, map_tensors
from slopes.comparing.training import common, dropout
from slopes.comparing.training.optimisers import Optimiser, OwnOptimiser
from slopes.models.replacing import module_of

if TYPE_CHECKING:
    from slopes.comparing.job import Cell, Job
    from slopes.comparing.tasks import Task


class Single:
    """`Learner` of one network, with the activation's own modules."""

    def __init__(self, job: Job, cell: Cell, feeds: dict[int, Any]) -> None:
        self.cells: Sequence[Cell] = [cell]
        self._network, self._clip, self._batch = job.network, job.clip, job.batch_size
        self._task, self._device = job.task, torch.device(job.device)
        self._loss, self._feed = job.losses[cell.loss], feeds[cell.loss]
        activation = job.activations[cell.activation]
        model, self.slots = common.with_activation(job, cell.seed, activation, lambda: module_of(activation))
        self.model = dropout.use_seeded_dropout(model, [cell.seed], stacked=False).to(self._device)
        if self._device.type != "cpu":
            self._task = moved(job.task, self._device)
            self._feed = feeding.feed(self._loss, self._task)
        self._half: AbstractContextManager[Any] = nullcontext()
        if job.precision != Settings.precision:
            self._half = torch.autocast(self._device.type, torch.bfloat16)
        self._augment = None if job.augment is None else common.Augmented(job.augment)
        self._step = job.step or _descend
        self.layers = common.layers_of(self.model)
        self._trained = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        self._optimiser: Any = (
            OwnOptimiser(job.optimizer, list(self._trained.values()), cell.rate)
            if callable(job.optimizer)
            else Optimiser(job.optimizer, [(list(self._trained.values()), cell.rate)])
        )

    def gradient(self, rows: Tensor) -> Tensor:
        if not self.model.training:
            self.model.train()
        inputs, targets = self._inputs(rows[0]), self._task.targets[rows[0]]
        if self._augment is not None:
            one = map_tensors(itemgetter(None), inputs)
            more, changed = self._augment([self.cells[0].seed], one, targets.unsqueeze(0))
            inputs, targets = map_tensors(itemgetter(0), more), changed[0]
        for weight in self._trained.values():
            weight.grad = None
        with self._half:
            loss: Tensor = torch.as_tensor(self._step(self.model, inputs, targets, self._mean))
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach().cpu().unsqueeze(0)

    def _mean(self, returned: Any, targets: Tensor) -> Tensor:
        """Mean loss of the model's outputs."""
        mean: Tensor = self._feed.apply(self._loss, self._network.predict(returned).float(), targets)
        return mean

    def norms(self) -> Tensor:
        gradients = {name: p.grad for name, p in self._trained.items()}
        none = torch.zeros((), device=self._device)
        norms = [
            torch.stack([none if (g := gradients[key]) is None else g.norm() for key in keys]).norm()
            for keys in self.layers.values()
        ]
        return torch.stack(norms).unsqueeze(0).cpu()

    def update(self, factor: float) -> None:
        if self._clip is not None:
            torch.nn.utils.clip_grad_norm_(self._trained.values(), self._clip)
        self._optimiser.step(factor)

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
        return dead.unsqueeze(0).cpu(), saturated.unsqueeze(0).cpu()

    def _predict(self, rows: Tensor) -> Tensor:
        with self._half:
            returned = call_model(self.model.eval(), self._inputs(rows))
        return self._network.predict(returned).float().cpu()

    def _inputs(self, rows: Tensor) -> Inputs:
        return map_tensors(itemgetter(rows), self._task.inputs)

    def _portions(self, rows: Tensor) -> Sequence[Tensor]:
        return common.portions(rows.flatten(), 1, self._task.inputs, self._batch)

    def state(self) -> list[Tensor]:
        return [value.detach().unsqueeze(0) for value in (*self.model.parameters(), *self.model.buffers())]

    def finite(self) -> Tensor:
        return torch.tensor([all(bool(value.isfinite().all()) for value in (*self.state(), *self.moments()))])

    def moments(self) -> list[Tensor]:
        """Tensors that the optimiser holds."""
        return [moment for group in self._optimiser.known for moments in group for moment in moments]


def _descend(model: Any, inputs: Inputs, targets: Tensor, loss: Any) -> Any:
    return loss(call_model(model, inputs), targets)


def moved(task: Task, device: torch.device) -> Task:
    """Task whose tensors lie on another device."""
    names = ("targets", "centre", "scale")
    there: dict[str, Any] = {
        name: None if getattr(task, name) is None else getattr(task, name).to(device) for name in names
    }
    return replace(task, inputs=map_tensors(lambda tensor: tensor.to(device), task.inputs), **there)
