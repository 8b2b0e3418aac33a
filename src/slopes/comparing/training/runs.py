"""Training of a learner's networks, the same for every engine."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from slopes.comparing import metrics
from slopes.comparing.deadline import Deadline
from slopes.comparing.missing import written
from slopes.comparing.own_metrics import own_metrics
from slopes.comparing.training import common
from slopes.comparing.training.common import Learner, Order, by_loss
from slopes.comparing.training.schedules import factors

if TYPE_CHECKING:
    from slopes.comparing.job import Job

Outcome = dict[str, Any]


def run(learner: Learner, job: Job, feeds: dict[int, Any], deadline: Deadline) -> list[Outcome]:
    """Train a learner's networks, and return their outcomes in the order of its cells.

    A network whose loss, gradient or weights stop being finite has diverged. It stays at the end of its last finite
    epoch, and is judged like every other. TimeoutError if it takes longer than the deadline allows.
    """
    cells, task = learner.cells, job.task
    splits = [task.split(cell.seed) for cell in cells]
    orders = {
        cell.seed: Order(cell.seed, split.train, job.batch_size) for cell, split in zip(cells, splits, strict=True)
    }
    checking, judging = (
        torch.stack([getattr(split, part) for split in splits]) if task.resampled else getattr(splits[0], part)
        for part in ("validation", "test")
    )
    marks = _Marks(learner, job, feeds)
    history = _History(learner, job, marks, checking)
    steps = min(len(order) for order in orders.values())
    rates = factors(job.schedule, job.epochs * steps)
    for epoch in range(1, job.epochs + 1):
        before = [value.clone() for value in learner.state()]
        drawn = {seed: order.epoch() for seed, order in orders.items()}
        batches = torch.stack([drawn[cell.seed] for cell in cells], dim=1)
        ended = _epoch(learner, batches, rates[(epoch - 1) * steps :], deadline)
        deadline.begin_step(math.inf)  # many samples may be judged at once
        history.record(epoch, before, *ended)
        if history.best.ended:
            break
    if job.patience is not None:
        history.return_to_best()
    (validation, reasons), (test, more) = marks.all(checking), marks.all(judging)
    return [
        written({"test": test[i], "validation": validation[i], "missing": reasons[i] | more[i], **history.outcome(i)})
        for i in range(len(cells))
    ]


class _History:
    """Figures of each epoch."""

    def __init__(self, learner: Learner, job: Job, marks: _Marks, checking: Tensor) -> None:
        self.best = _Best(learner, job)
        self._learner, self._job, self._marks, self._checking = learner, job, marks, checking
        self._diverged: list[int | None] = [None] * len(learner.cells)
        self._losses: list[list[float]] = []
        self._gradients: list[list[Any]] = []
        self._curve: list[list[float]] = []
        self._units: list[list[Any]] = []
        self._seconds: list[float] = []

    def record(self, epoch: int, before: list[Tensor], loss: Tensor, gradient: Tensor, seconds: float) -> None:
        """Add an epoch, and put diverged networks back to their state `before` it."""
        fine = self._learner.finite() & loss.isfinite() & gradient.isfinite().all(1)
        for i, well in enumerate(fine.tolist()):
            if not well and self._diverged[i] is None:
                self._diverged[i] = epoch
        _restore(self._learner.state(), before, torch.tensor([when is not None for when in self._diverged]))
        self._losses.append(loss.tolist())
        self._gradients.append(gradient.tolist())
        self._seconds.append(seconds / len(self._diverged))
        self._curve.append(self._marks.primary(self._checking).tolist())
        self.best.see(epoch, self._curve[-1])
        if epoch in (1, self._job.epochs):
            self._units.append(self._shares())

    def return_to_best(self) -> None:
        self.best.restore()
        self._units[1:] = [self._shares()]

    def _shares(self) -> list[Any]:
        return [share.tolist() for share in self._learner.units(self._checking)]

    def outcome(self, i: int) -> Outcome:
        diverged, end, epochs = self._diverged[i], self.best.last[i], self._job.epochs
        return {
            "curve": _filled([values[i] for values in self._curve[:end]], epochs, self.best.scores[i]),
            "training_loss": _filled(_until(diverged, self._losses[:end], i), epochs, None),
            "layers": list(self._learner.layers),
            "gradient": _filled(_until(diverged, self._gradients[:end], i), epochs, None),
            "slots": list(self._learner.slots),
            "dead": [dead[i] for dead, _ in self._units],
            "saturated": [saturated[i] for _, saturated in self._units],
            "diverged": None if (diverged or 0) > end else diverged,
            "seconds": statistics.median(self._seconds),
            "stack": len(self._diverged),
        }


def _filled(values: list[Any], epochs: int, filler: Any) -> list[Any]:
    """Values of all epochs, also those after a run that ended early."""
    return values + [filler] * (epochs - len(values))


def _until(diverged: int | None, epochs: list[Any], place: int) -> list[Any]:
    """One network's values by epoch, None from the divergence on."""
    return [None if diverged and epoch >= diverged else values[place] for epoch, values in enumerate(epochs, 1)]


class _Best:
    """Weights of each network after its best epoch, with `job.patience`."""

    def __init__(self, learner: Learner, job: Job) -> None:
        self._learner = learner
        self._patience = math.inf if job.patience is None else job.patience
        self._higher = metrics.METRICS[job.task.kind][0].higher if job.patience is not None else True
        self._epochs = [0] * len(learner.cells)
        self._kept: list[Tensor] = []
        self._now = 0
        self.scores = [math.nan] * len(learner.cells)  #: the best ones

    @property
    def last(self) -> list[int]:
        """Epoch in which each run ended."""
        return [int(min(epoch + self._patience, self._now)) for epoch in self._epochs]

    @property
    def ended(self) -> bool:
        return all(self._now >= epoch + self._patience for epoch in self._epochs)

    def see(self, epoch: int, scores: list[float]) -> None:
        self._now = epoch
        if self._patience == math.inf:
            return
        better = []
        for i, score in enumerate(scores):
            is_better = score > self.scores[i] if self._higher else score < self.scores[i]
            better.append(epoch == 1 or (is_better and epoch <= self._epochs[i] + self._patience))
            if better[-1]:
                self.scores[i], self._epochs[i] = score, epoch
        state = self._learner.state()
        if not self._kept:
            self._kept = [value.clone() for value in state]
        _restore(self._kept, state, torch.tensor(better))

    def restore(self) -> None:
        _restore(self._learner.state(), self._kept, torch.ones(len(self._epochs), dtype=torch.bool))


def _epoch(
    learner: Learner, batches: Tensor, rates: Sequence[float], deadline: Deadline
) -> tuple[Tensor, Tensor, float]:
    """Train one pass over (batch, network, sample): mean loss, mean gradient norms of two steps, processor seconds."""
    total = torch.zeros(batches.shape[1], dtype=torch.float64)
    watched = {len(batches) // 2, len(batches) - 1}
    norms = []
    aside, start = 0.0, time.process_time()
    for number, rows in enumerate(batches):
        deadline.begin_step()
        total += learner.gradient(rows)
        if number in watched:
            pause = time.process_time()
            norms.append(learner.norms())
            aside += time.process_time() - pause
        learner.update(rates[number])
    seconds = time.process_time() - start - aside
    return total / len(batches), torch.stack(norms).mean(0), seconds


@torch.no_grad()
def _restore(state: list[Tensor], before: list[Tensor], lost: Tensor) -> None:
    if lost.any():
        for value, earlier in zip(state, before, strict=True):
            value[lost] = earlier[lost]


class _Marks:
    def __init__(self, learner: Learner, job: Job, feeds: dict[int, Any]) -> None:
        self._learner, self._task = learner, job.task
        self._metrics = (*metrics.METRICS[job.task.kind], *own_metrics(job.metrics, job.task))
        self._groups = [(feeds[loss], index) for loss, index in by_loss(learner.cells)]

    def primary(self, rows: Tensor) -> Tensor:
        scores = torch.empty(len(self._learner.cells), dtype=torch.float64)
        for index, judged in self._judged(rows):
            scores[index] = self._metrics[0].measure(judged)
        return scores

    def all(self, rows: Tensor) -> tuple[list[dict[str, float]], list[dict[str, str]]]:
        """(values by metric, reasons for missing values by metric), of each cell."""
        found: list[dict[str, float]] = [{} for _ in self._learner.cells]
        reasons: list[dict[str, str]] = [{} for _ in self._learner.cells]
        for index, judged in self._judged(rows):
            for metric in self._metrics:
                for i, value in zip(index.tolist(), metric.measure(judged).tolist(), strict=True):
                    found[i][metric.name] = value
            for (name, place), reason in judged.missing.items():
                reasons[int(index[place])][name] = reason
        return found, reasons

    def _judged(self, rows: Tensor) -> Iterator[tuple[Tensor, metrics.Judged]]:
        """Yield (places of some cells, their outputs and targets): of large outputs a few cells at a time."""
        outputs = self._learner.outputs(rows)
        size = max(1, common.ROOM // max(1, outputs[0].numel()))
        for feed, places in self._groups:
            for index in torch.split(places, size):
                yield index, metrics.Judged(self._task, feed, outputs[index], self._targets(rows, index))

    def _targets(self, rows: Tensor, index: Tensor) -> Tensor:
        targets = self._task.targets[rows]
        return targets[index] if rows.ndim > 1 else targets.expand(len(index), *targets.shape)
