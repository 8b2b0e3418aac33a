"""Units of training: a `Cell` is one run, a `Job` is shared by all cells of a study."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from slopes.card import Loss
    from slopes.comparing.networks import Network
    from slopes.comparing.plain import PlainLoss
    from slopes.comparing.tasks import Task


class Cell(NamedTuple):
    activation: int  #: index into the job's `activations`
    loss: int
    rate: float
    seed: int


def divided(cells: Sequence[Cell], count: int) -> list[Sequence[Cell]]:
    """Cells in so many parts of about equal size."""
    bounds = [i * len(cells) // count for i in range(count + 1)]
    return [cells[start:end] for start, end in pairwise(bounds)]


@dataclass(frozen=True, eq=False)
class Job:
    activations: tuple[Any, ...]  #: cards, modules, or factories of modules, as for `slopes.swap`
    losses: tuple[Loss | PlainLoss, ...]
    network: Network
    task: Task
    epochs: int
    batch_size: int
    optimizer: Any  #: a name, which settings may follow, or a maker of a `torch.optim.Optimizer`
    schedule: Any  #: None, a name, or a map from the fraction of training done to a factor of the rate
    patience: int | None
    clip: float | None
    augment: Any
    step: Any
    init: Any
    precision: str
    device: str
    metrics: tuple[Any, ...]  #: a user's own, besides the task's
    engine: str
    time_limit: float = math.inf  #: seconds of a run
    memory: float = math.inf  #: bytes that each process may use for networks side by side
