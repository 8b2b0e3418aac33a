"""Memory that networks take side by side, from a measurement of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from slopes.comparing.training.loop import Single

if TYPE_CHECKING:
    from slopes.comparing.job import Cell, Job

#: copies of the weights beside the moments: the weights, the last gradients and new ones, the weights before an epoch
COPIES = 4
#: of a step's activations: those kept for the backward pass, and as many on the way
PASSES = 2
#: of outputs in an evaluation: parts and their whole, and twice as much in float64
OUTPUTS = 6


_known: dict[Any, int] = {}


def bytes_of(job: Job, cell: Cell, feeds: dict[int, Any]) -> int:
    """Estimate the bytes that a network takes in a stack, by the tensors of one that trains by itself."""
    functions = job.activations[cell.activation], job.losses[cell.loss]
    key = (job.network.digest, job.task.fingerprint, job.batch_size, job.optimizer, job.patience, *functions)
    if key not in _known:
        _known[key] = _measure(job, cell, feeds)
    return _known[key]


def _measure(job: Job, cell: Cell, feeds: dict[int, Any]) -> int:
    single, split = Single(job, cell, feeds), job.task.split(cell.seed)
    held = {value.untyped_storage().data_ptr() for value in single.state()}
    kept: dict[int, int] = {}

    def keep(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in held:
            kept[storage.data_ptr()] = storage.nbytes()
        return value

    rows = split.train[: job.batch_size]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        single.gradient(rows.unsqueeze(0))
    weights = sum(value.nbytes for value in single.state())
    moments = sum(moment.nbytes for moment in single.moments())
    judged = max(len(split.validation), len(split.test)) * single.outputs(rows[:1]).nbytes
    return (COPIES + (job.patience is not None)) * weights + moments + PASSES * sum(kept.values()) + OUTPUTS * judged
