"""Predictions of a fitted model for raw inputs, in the units of the target."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from slopes.comparing.arguments import names
from slopes.comparing.feeding import feed
from slopes.comparing.tasks.inputs import Inputs, Padded, call_model, list_tensors, map_tensors

if TYPE_CHECKING:
    from slopes.comparing.job import Job
    from slopes.comparing.tasks import Task

BATCH = 1024


@torch.no_grad()
def predict(model: nn.Module, job: Job, loss: str, inputs: Any, probabilities: bool) -> Any:
    """Predict by a model that was trained with the loss of this name."""
    if job.task.preparation is None:
        raise TypeError(f"predict: the task {job.task.name} has no preparation of raw inputs.")
    x = job.task.preparation(inputs)
    outputs = torch.cat([job.network.predict(call_model(model, part)) for part in _batches(x)])
    card = job.losses[names(job.losses).index(loss)]
    natural: NDArray[Any] = feed(card, job.task).natural(outputs).numpy()
    found = natural if probabilities else _in_units(job.task, natural)
    if isinstance(x, Padded) and job.task.kind.has_positions:
        return [row[: int(mask.sum())] for row, mask in zip(found, x.mask, strict=True)]
    return found


def _batches(inputs: Inputs) -> Iterator[Inputs]:
    for start in range(0, len(list_tensors(inputs)[0]), BATCH):
        yield map_tensors(itemgetter(slice(start, start + BATCH)), inputs)


def _in_units(task: Task, natural: NDArray[Any]) -> NDArray[Any]:
    if task.kind.has_numbers:
        return natural[:, 0] if natural.shape[1] == 1 else natural
    if task.kind.has_rows_of_labels or (task.kind.has_pixels and not task.kind.has_classes):
        return natural > 0.5
    labels = _as_numbers(np.array(task.labels or range(natural.shape[-1])))
    found: NDArray[Any] = labels[natural.argmax(-1) if task.kind.has_classes else (natural > 0.5).astype(int)]
    return found


def _as_numbers(labels: NDArray[Any]) -> NDArray[Any]:
    if {*labels.tolist()} <= {"True", "False"}:
        return np.asarray(labels == "True")
    for dtype in (np.int64, np.float64):
        try:
            return labels.astype(dtype)
        except ValueError:
            continue
    return labels
