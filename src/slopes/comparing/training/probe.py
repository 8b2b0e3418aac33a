"""Trials whether a network stacks, and whether a stack is faster."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from slopes.comparing.settings import Settings
from slopes.comparing.training.common import Learner
from slopes.comparing.training.loop import Single
from slopes.comparing.training.stack import Stack

if TYPE_CHECKING:
    from slopes.comparing.job import Cell, Job

STEPS = 3  #: timed calls; the fastest counts
_known: dict[Any, str] = {}


def loop_only(job: Job) -> str:
    """Option that no stack knows, in words; else ""."""
    for option, given in (("step", job.step), ("optimizer", callable(job.optimizer))):
        if given:
            return f"your own {option} trains one network"
    if (job.device, job.precision) != (Settings.device, Settings.precision):
        return f"networks on {job.device} in {job.precision} are trained one by one"
    return ""


def against_stacking(job: Job, cells: Sequence[Cell], feeds: dict[int, Any], *, timed: bool = True) -> str:
    """Reason to train the cells one by one, or "" if a stack is better."""
    if timed and len(cells) == 1:
        return "a network alone needs no stack"
    pairs = tuple(dict.fromkeys((cell.activation, cell.loss) for cell in cells))
    setting = (job.network.digest, job.task.fingerprint, job.batch_size, job.optimizer, job.augment, job.init)
    tried = (*setting, tuple((job.activations[a], job.losses[b]) for a, b in pairs))
    if tried not in _known:
        _known[tried] = _refusal(
            job, [next(c for c in cells if (c.activation, c.loss) == pair) for pair in pairs], feeds
        )
    if _known[tried] or not timed:
        return _known[tried]
    size = (*setting, len(cells).bit_length(), torch.get_num_threads())  # the gain depends little on the rest
    if size not in _known:
        _known[size] = _no_gain(job, cells, feeds)
    return _known[size]


def _refusal(job: Job, cells: list[Cell], feeds: dict[int, Any]) -> str:
    """Why a stack cannot be trained, or gives other numbers; else ""."""
    rows = job.task.split(cells[0].seed).train[: job.batch_size]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "There is a performance drop")  # vmap runs such operations one by one
            stack = Stack(job, cells, feeds)
            outputs = stack.outputs(rows)[0]
            held = {name: value.clone() for name, value in stack.held.items()}
            stack.gradient(rows.expand(len(cells), -1))
            stack.update(1.0)
    except Exception as error:  # the user's module may raise anything under vmap
        return f"torch.func.vmap does not take it: {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    single = Single(job, cells[0], feeds)
    alone = single.outputs(rows)[0]
    if outputs.shape != alone.shape or not torch.allclose(outputs, alone, rtol=1e-3, atol=1e-4, equal_nan=True):
        return "in a stack it gives other numbers than alone"
    single.gradient(rows.unsqueeze(0))
    for name, value in single.model.named_buffers():
        if torch.equal(stack.held[name], held[name]) and not torch.equal(value, held[name][0]):
            return f"its buffer {name} is replaced by another in training, which a stack does not see"
    return ""


def _no_gain(job: Job, cells: Sequence[Cell], feeds: dict[int, Any]) -> str:
    whole = _seconds(Stack(job, cells, feeds), job)
    by_activation = {cell.activation: cell for cell in cells}
    looked_at = list(by_activation.values())[:3]
    alone = sum(_seconds(Single(job, cell, feeds), job) for cell in looked_at) / len(looked_at) * len(cells)
    return "" if whole < alone else f"a stack of {len(cells)} takes {whole / alone:.1f} times as long as the loop"


def _seconds(learner: Learner, job: Job) -> float:
    """Seconds of a step: processor time, which holds on a busy machine, or wall time with several threads."""
    rows = job.task.split(learner.cells[0].seed).train[: job.batch_size].expand(len(learner.cells), -1)

    def step() -> None:
        learner.gradient(rows)
        learner.update(1.0)

    return _fastest(step)


def seconds_of_epoch(learner: Learner, job: Job) -> float:
    """Estimate the seconds of an epoch and the look at validation data after it."""
    split = job.task.split(learner.cells[0].seed)
    steps = max(len(split.train) // job.batch_size, 1)
    return steps * _seconds(learner, job) + _fastest(lambda: learner.outputs(split.validation))


def _fastest(function: Callable[[], Any]) -> float:
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    times = []
    for _ in range(STEPS):
        start = clock()
        function()
        times.append(clock() - start)
    return min(times)
