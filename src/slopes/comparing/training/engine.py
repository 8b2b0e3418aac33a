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
from slopes.comparing.deadline import Deadline
from slopes.comparing.errors import TooSlow
from slopes.comparing.job import divided
from slopes.comparing.training import dropout
from slopes.comparing.training.common import Learner
from slopes.comparing.training.loop import Single
from slopes.comparing.training.memory import bytes_of
from slopes.comparing.training.probe import against_stacking, loop_only, seconds_of_epoch
from slopes.comparing.training.runs import Outcome, run
from slopes.comparing.training.stack import Stack, stacks

if TYPE_CHECKING:
    from slopes.comparing.job import Cell, Job


def train(job: Job, cells: Sequence[Cell], seconds: float = math.inf) -> list[Outcome | None]:
    """Return the outcome of each cell, in order; None for those not begun after so many seconds.

    If a network cannot be stacked, the engine "stack" raises the error of `torch.func.vmap`; "auto" takes the loop.
    Options that no stack knows always take it. Raises TooSlow for cells that take longer together than they may.
    """
    end = time.monotonic() + seconds
    found: dict[Cell, Outcome] = {}
    feeds = _feeds(job, cells)
    for together, engine, why in _learners(job, cells, feeds):
        try:
            with _isolated_rng(together), Deadline(job.time_limit * len(together)) as deadline:
                outcomes = run(_learner(job, together, engine, feeds), job, feeds, deadline)
        except TimeoutError as error:
            raise TooSlow(together, str(error)) from error
        found |= {c: o | {"engine": engine, "why": why} for c, o in zip(together, outcomes, strict=True)}
        if time.monotonic() > end:
            break
    return [found.get(cell) for cell in cells]


def pace(job: Job, cells: Sequence[Cell], most: int = 3) -> tuple[float, float, int]:
    """Estimate the seconds until this thread has trained the cells, and the bytes and number of networks at a time.

    At most so many learners are measured, by a step and an evaluation of each.
    """
    feeds = _feeds(job, cells)
    learners = list(_learners(job, cells, feeds))
    measured = learners[:: math.ceil(len(learners) / most)]
    seconds, size = 0.0, 0.0
    for together, engine, _ in measured:
        with _isolated_rng(together):
            seconds += job.epochs * seconds_of_epoch(_learner(job, together, engine, feeds), job)
            size = max(size, len(together) * bytes_of(job, together[0], feeds))
    largest = max(len(together) for together, *_ in learners)
    return seconds * len(cells) / sum(len(together) for together, *_ in measured), size, largest


def _learner(job: Job, cells: Sequence[Cell], engine: str, feeds: dict[int, Any]) -> Learner:
    return Stack(job, cells, feeds) if engine == "stack" else Single(job, cells[0], feeds)


def _learners(job: Job, cells: Sequence[Cell], feeds: dict[int, Any]) -> Iterator[tuple[Sequence[Cell], str, str]]:
    """Yield cells that are trained together, their engine, and why it is the loop."""
    is_alone = loop_only(job)
    if is_alone or job.engine == "loop":
        yield from (([cell], "loop", is_alone) for stack in stacks(job, cells) for cell in stack)
        return
    for stack in _stackable(job, cells, feeds):
        for together in _parts_in_memory(job, stack, feeds):
            why = _against_stacking(job, together, feeds) if job.engine == "auto" else ""
            if why:
                yield from (([cell], "loop", why) for cell in together)
            else:
                yield together, "stack", why


def _stackable(job: Job, cells: Sequence[Cell], feeds: dict[int, Any]) -> Iterator[Sequence[Cell]]:
    """Yield groups of `stacks`; where a pair keeps a group from stacking, it is a group by itself."""
    for stack in stacks(job, cells):
        pairs: dict[tuple[int, int], list[Cell]] = {}
        for cell in stack:
            pairs.setdefault((cell.activation, cell.loss), []).append(cell)
        if job.engine != "auto" or len(pairs) == 1 or not _against_stacking(job, stack, feeds, timed=False):
            yield stack
            continue
        alone = [pair for pair, own in pairs.items() if _against_stacking(job, own, feeds, timed=False)]
        yield from (pairs[pair] for pair in alone)
        if len(alone) < len(pairs):
            yield [cell for cell in stack if (cell.activation, cell.loss) not in alone]


def _parts_in_memory(job: Job, cells: Sequence[Cell], feeds: dict[int, Any]) -> list[Sequence[Cell]]:
    """Divide a stack into as few equal parts as fit into the memory of the job; into cells if a step hangs."""
    if job.memory == math.inf or len(cells) == 1:
        return [cells]
    try:
        with _isolated_rng(cells), Deadline(job.time_limit):
            most = max(int(job.memory // bytes_of(job, cells[0], feeds)), 1)
    except TimeoutError:
        most = 1
    return divided(cells, math.ceil(len(cells) / most))


def _against_stacking(job: Job, cells: Sequence[Cell], feeds: dict[int, Any], *, timed: bool = True) -> str:
    try:
        with _isolated_rng(cells), Deadline(job.time_limit * len(cells)):
            return against_stacking(job, cells, feeds, timed=timed)
    except TimeoutError as error:
        return f"in a trial of stacking {error}"


def fit(job: Job, cell: Cell) -> tuple[nn.Module, Outcome]:
    """Train in the loop; the network has the activation's own modules."""
    feeds = _feeds(job, [cell])
    with _isolated_rng([cell]), Deadline() as deadline:
        learner = Single(job, cell, feeds)
        (outcome,) = run(learner, job, feeds, deadline)
    return dropout.plain(learner.model).eval().cpu(), outcome | {"engine": "loop", "why": ""}


def _feeds(job: Job, cells: Sequence[Cell]) -> dict[int, Any]:
    return {loss: feeding.feed(job.losses[loss], job.task) for loss in {cell.loss for cell in cells}}


class _isolated_rng:
    """Context that seeds torch from the cells, for layers other than dropout."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._seed = int.from_bytes(hashlib.sha256(repr([tuple(cell) for cell in cells]).encode()).digest()[:7], "big")

    def __enter__(self) -> None:
        is_on_gpu = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        self._forked = torch.random.fork_rng(range(torch.cuda.device_count() if is_on_gpu else 0))
        self._forked.__enter__()
        torch.manual_seed(self._seed)

    def __exit__(self, *_: object) -> None:
        self._forked.__exit__(None, None, None)
