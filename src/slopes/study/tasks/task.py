"""A task: data, and who of them is there to train, to choose the learning rate, and to judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

KINDS = ("classification", "binary", "regression", "count", "segmentation")


class Parts(NamedTuple):
    """The samples of each part, by index."""

    train: Tensor
    validation: Tensor
    test: Tensor


@dataclass(frozen=True, eq=False)
class Task:
    """Data in three parts: to train on, to choose the learning rate by, and to judge by."""

    name: str
    kind: str  #: one of KINDS
    inputs: Tensor  #: (sample, ...), as the network takes them
    targets: Tensor  #: (sample,) labels; (sample,) zeros and ones; (sample, column) numbers; (sample, height, width) mask
    outputs: int  #: how many numbers the network gives for a sample (segmentation: for a pixel)
    parts: Parts
    fingerprint: str  #: of every number and of who is in which part
    about: str  #: where the data come from and what was done to them, in a sentence or two
    labels: tuple[str, ...] = ()  #: the names of the classes or columns, where they are known
    unit: str = ""  #: of a regression's target
    centre: Tensor | None = None  #: (column,) mean of the training targets of a regression
    scale: Tensor | None = None  #: (column,) their standard deviation
    resampled: bool = False  #: whether each seed has its own split
    _splits: dict[int, Parts] = field(default_factory=dict, repr=False)

    def split(self, seed: int) -> Parts:
        """Who is in which part for a seed: the same for all, unless the task is resampled."""
        raise NotImplementedError
