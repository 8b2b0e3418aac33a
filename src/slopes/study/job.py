"""What is trained: a cell is one run, a job is what all cells of a study share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from slopes.card import Loss
    from slopes.study.networks import Network
    from slopes.study.tasks import Task


class Cell(NamedTuple):
    """One run."""

    activation: int  #: its place among the job's
    loss: int
    rate: float
    seed: int


@dataclass(frozen=True, eq=False)
class Job:
    """Everything that determines the runs, apart from what each cell says."""

    activations: tuple[Any, ...]  #: cards, or what `slopes.swap` takes for one: modules, and what makes them
    losses: tuple[Loss, ...]
    network: Network
    task: Task
    epochs: int
    batch_size: int
    optimizer: str
    clip: float | None
    engine: str
