"""Choice of an engine for each group of cells: a stack as large as possible, or one by one."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from slopes.comparing import feeding
from slopes.comparing.training import dropout
from slopes.comparing.training.loop import Single
from slopes.comparing.training.probe import against_stacking, loop_only
from slopes.comparing.training.runs import Outcome, run
from slopes.comparing.training.stack import Stack, stacks

if TYPE_CHECKING:
    from slopes.comparing.job import Cell, Job


def train(job: Job, cells: Sequence[Cell], seconds: float = math.inf) -> list[Outcome | None]:
    """Return the outcome of each cell, in order; None for those not begun after so many seconds.

    If a network cannot be stacked, the engine "stack" raises the error of `torch.func.vmap`; "auto" takes the loop.
    Options that no stack knows always take it.
    """
    end = time.monotonic() + seconds
    found: dict[Cell, Outcome] = {}
    feeds = _feeds(job, cells)
    for together, engine, why in _learners(job, cells, feeds):
        with _isolated_rng(together):
            learner = Stack(job, together, feeds) if engine == "stack" else Single(job, together[0], feeds)
            outcomes = run(learner, job, feeds)
        found |= {c: o | {"engine": engine, "why": why} for c, o in zip(together, outcomes, strict=True)}
        if time.monotonic() > end:
            break
    return [found.get(cell) for cell in cells]


def _learners(job: Job, cells: Sequence[Cell], feeds: dict[int, Any]) -> Iterator[tuple[Sequence[Cell], str, str]]:
    """Yield cells that are trained together, their engine, and why it is the loop."""
    for stack in stacks(job, cells):
        with _isolated_rng(stack):
            why = loop_only(job) or (against_stacking(job, stack, feeds) if job.engine == "auto" else "")
        if why or job.engine == "loop":
            yield from (([cell], "loop", why) for cell in stack)
        else:
            yield stack, "stack", why


def fit(job: Job, cell: Cell) -> tuple[nn.Module, Outcome]:
    """Train in the loop; the network has the activation's own modules."""
    feeds = _feeds(job, [cell])
    with _isolated_rng([cell]):
        learner = Single(job, cell, feeds)
        (outcome,) = run(learner, job, feeds)
    return dropout.plain(learner.model).eval().cpu(), outcome | {"engine": "loop", "why": ""}


def _feeds(job: Job, cells: Sequence[Cell]) -> dict[int, Any]:
    return {loss: feeding.feed(job.losses[loss], job.task) for loss in {cell.loss for cell in cells}}


class _isolated_rng:
    """Context that seeds torch from the cells, for layers other than dropout."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._seed = int.from_bytes(hashlib.sha256(repr([tuple(cell) for cell in cells]).encode()).digest()[:7], "big")

    def __enter__(self) -> None:
        self._state = torch.get_rng_state()
        torch.manual_seed(self._seed)

    def __exit__(self, *_: object) -> None:
        torch.set_rng_state(self._state)
