"""Time of each activation by itself, in the places where a network calls it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from slopes.comparing import feeding
from slopes.comparing.job import Cell
from slopes.comparing.training.loop import Single

if TYPE_CHECKING:
    from slopes.comparing.job import Job

SECONDS = 0.5  #: in which all are measured in turn
ROUNDS = 50  #: most rounds, of which the fastest counts
Call = tuple[nn.Module, Tensor]


def cost(job: Job, rate: float, seed: int) -> list[float | None]:
    """Measure the seconds that each activation takes in a training step, forward and backward, on one thread.

    A user gets the same modules. They run in all places where the network calls them, on the inputs of a batch. None if
    an activation has no place of its own, cannot be called by itself, or is not on this processor.
    """
    if job.device != "cpu":
        return [None] * len(job.activations)
    calls = [_calls(job, Cell(a, _fitting(job), rate, seed)) for a in range(len(job.activations))]
    times: list[list[float]] = [[] for _ in calls]
    end = time.perf_counter() + SECONDS
    while len(times[0]) < ROUNDS and (len(times[0]) < 3 or time.perf_counter() < end):
        for each, taken in zip(calls, times, strict=True):
            taken.append(_seconds(each))
    return [min(taken[1:]) if each else None for each, taken in zip(calls, times, strict=True)]


def _fitting(job: Job) -> int:
    """First loss that the task can feed."""
    for place, loss in enumerate(job.losses):
        try:
            feeding.feed(loss, job.task)
        except feeding.Unfit:
            continue
        return place
    raise ValueError("no loss fits")


def _calls(job: Job, cell: Cell) -> list[Call]:
    """Modules of an activation with their inputs; none if they cannot be called by themselves."""
    single = Single(job, cell, {cell.loss: feeding.feed(job.losses[cell.loss], job.task)})
    found: list[Call] = []

    def keep(module: nn.Module, inputs: Sequence[Any]) -> None:
        found.append((module, inputs[0].detach().clone()))

    hooks = [module.register_forward_pre_hook(keep) for module in single.slots.values()]
    single.outputs(job.task.split(cell.seed).train[: job.batch_size])
    for hook in hooks:
        hook.remove()
    try:
        _seconds(found)  # kernels are compiled at the first call
    except Exception:  # it may be a user's
        return []
    return found


def _seconds(calls: Sequence[Call]) -> float:
    total = 0.0
    for module, x in calls:
        leaf = x.clone().requires_grad_()
        given = leaf.clone()  # a module may work in place
        ones = torch.ones_like(given)
        start = time.perf_counter()
        torch.autograd.grad(module(given), leaf, ones)
        total += time.perf_counter() - start
    return total
