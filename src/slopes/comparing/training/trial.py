"""Trial of a user's own functions, so that one that fails does so before the first run."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from slopes.comparing.feeding import feed
from slopes.comparing.metrics import Judged
from slopes.comparing.networks.network import seeded
from slopes.comparing.own_metrics import try_metrics
from slopes.comparing.plain import name_function
from slopes.comparing.training.loop import Single
from slopes.comparing.training.schedules import factors
from slopes.loading import describe

if TYPE_CHECKING:
    from slopes.comparing.job import Cell, Job

#: how each function is called
OPTIONS = {
    "augment": "augment(inputs), or augment(inputs, targets)",
    "step": "step(model, inputs, targets, loss)",
    "init": "init(model, activation)",
    "optimizer": "optimizer(parameters, lr)",
    "schedule": "schedule(share of the steps done)",
}


class _Fails(ValueError):
    """A user's function raised an error."""


def try_functions(job: Job, cell: Cell) -> None:
    """Take a step with the user's functions and call each metric; ValueError names one that fails.

    The functions are copies where they can be copied, so that the runs find them as they were given.
    """
    own = [option for option in OPTIONS if callable(getattr(job, option))]
    if not own and not any(map(callable, job.metrics)):
        return
    named: dict[str, Any] = {option: _named(option, getattr(job, option)) for option in own}
    job = replace(job, **named)
    rate = factors(job.schedule, 1)[0]
    if not math.isfinite(rate):
        raise ValueError(f"compare: the schedule must give a finite factor of the rate, got {rate}.")
    fed, split = feed(job.losses[cell.loss], job.task), job.task.split(cell.seed)
    with seeded(0):
        try:
            learner = Single(job, cell, {cell.loss: fed})
            learner.gradient(split.train[: job.batch_size].unsqueeze(0))
            learner.update(rate)
        except _Fails:
            raise
        except Exception as error:
            given = " and ".join(own) or "these options"
            raise ValueError(f"compare: a step of training with your own {given} fails: {describe(error)}.") from error
        with torch.no_grad():
            outputs, targets = learner.outputs(split.validation), job.task.targets[split.validation].unsqueeze(0)
            try_metrics(job.metrics, Judged(job.task, fed, outputs, targets))


def _named(option: str, given: Any) -> Callable[..., Any]:
    """Copy of a function whose errors name its option."""
    function = given
    with suppress(Exception):  # some objects cannot be copied
        function = copy.deepcopy(given)

    @functools.wraps(function.forward if isinstance(function, nn.Module) else function, updated=())
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except Exception as error:
            words = f"compare: {option}, your {name_function(given)}, fails: {describe(error)}"
            raise _Fails(f"{words}; it is called as {OPTIONS[option]}.") from error

    return call
