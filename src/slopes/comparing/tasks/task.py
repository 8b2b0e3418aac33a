"""Tasks: data in three parts, to train, to choose the learning rate, and to test."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from slopes.comparing.tasks.kinds import TaskKind

#: Fractions of the samples for training and validation; the rest tests.
TRAIN, VALIDATION = 0.5, 0.2
#: separates splits from weights and batches, which have the same seeds
_STREAM = 0x5117


class Parts(NamedTuple):
    train: Tensor
    validation: Tensor
    test: Tensor


@dataclass(frozen=True, eq=False)
class Task:
    """Data in three parts: to train on, to choose the learning rate by, and to test on."""

    name: str
    kind: TaskKind
    inputs: Tensor  #: (sample, ...), as the network takes them
    targets: (
        Tensor  #: (sample,) labels; (sample,) zeros and ones; (sample, column) numbers; (sample, height, width) mask
    )
    outputs: int  #: numbers that the network returns for a sample (segmentation: a pixel)
    parts: Parts
    fingerprint: str  #: digest of every number and of the parts
    about: str  #: source and processing of the data, in a sentence or two
    labels: tuple[str, ...] = ()  #: names of the classes or columns, where known
    unit: str = ""  #: of a regression's target
    centre: Tensor | None = None  #: (column,) mean of the training targets of a regression or count
    scale: Tensor | None = None  #: (column,) their standard deviation
    resampled: bool = False  #: whether each seed has its own split
    _splits: dict[int, Parts] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Take the name of a kind for the kind."""
        object.__setattr__(self, "kind", TaskKind(self.kind))

    def split(self, seed: int) -> Parts:
        """Parts for a seed: the same for all seeds, unless the task is resampled.

        Then all samples are dealt anew, with as many of every class in each part.
        """
        if not self.resampled:
            return self.parts
        if seed not in self._splits:
            strata = strata_of(self.kind, self.targets)
            counts = [Counter(strata[part].tolist()) for part in self.parts]
            self._splits[seed] = deal(strata, seed, lambda stratum, _: [count[stratum] for count in counts])
        return self._splits[seed]


def make(
    name: str,
    kind: TaskKind,
    inputs: NDArray[Any] | Tensor,
    targets: NDArray[Any] | Tensor,
    *,
    about: str,
    labels: Iterable[str] = (),
    unit: str = "",
    parts: Parts | None = None,
    resampled: bool = False,
) -> Task:
    """Make a task: standardise the inputs, and deal the samples to parts if none are given.

    Numbers are shifted and scaled by mean and standard deviation of the training part. Each column has its own; inputs
    with more axes, such as images, share one, which does not magnify pixels that are nearly always blank. Whole numbers
    are tokens and stay.
    """
    kind, targets = TaskKind(kind), torch.as_tensor(targets).contiguous()
    if parts is None:
        parts = deal(strata_of(kind, targets), 0, shares)
    inputs = _standardised(torch.as_tensor(inputs), parts.train).contiguous()
    centre = scale = None
    if kind.has_numbers:
        known = targets[parts.train].double()
        centre, scale = known.mean(0).float(), known.std(0, correction=0).float()
    outputs = int(targets.max()) + 1 if kind.has_classes else targets.shape[-1] if kind.has_numbers else 1
    task = Task(
        name, kind, inputs, targets, outputs, parts, "", about,
        labels=tuple(labels), unit=unit, centre=centre, scale=scale, resampled=resampled,
    )  # fmt: skip
    return replace(task, fingerprint=_fingerprint(task))


def deal(strata: Tensor, seed: int, counts: Callable[[int, int], Sequence[int]]) -> Parts:
    """Deal samples to parts at random, each stratum by itself.

    `strata` is (sample,); `counts` maps a stratum and its size to the size of each part. The rest is in no part.
    """
    rng = np.random.default_rng([_STREAM, seed])
    dealt: tuple[list[NDArray[Any]], ...] = ([], [], [])
    for stratum in np.unique(strata.numpy()):
        members = rng.permutation(np.flatnonzero(strata.numpy() == stratum))
        start = 0
        for part, count in zip(dealt, counts(int(stratum), len(members)), strict=True):
            part.append(members[start : start + count])
            start += count
    return Parts(*(torch.from_numpy(np.sort(np.concatenate(part))) for part in dealt))


def shares(_: int, members: int) -> list[int]:
    """How many samples of a stratum train, validate and test: at least one each, if there are three."""
    judging = max(members - round(TRAIN * members) - round(VALIDATION * members), min(members, 1))
    validating = min(max(round(VALIDATION * members), 1), members - judging)
    return [members - judging - validating, validating, judging]


def strata_of(kind: TaskKind, targets: Tensor) -> Tensor:
    """Strata to divide among the parts: the classes, or one for numbers and masks."""
    return targets.long() if kind.has_strata else torch.zeros(len(targets), dtype=torch.int64)


def _standardised(inputs: Tensor, train: Tensor) -> Tensor:
    if inputs.dtype == torch.int64:
        return inputs
    known = inputs[train].double()
    axes = 0 if inputs.ndim == 2 else tuple(range(inputs.ndim))
    deviation = known.std(axes, correction=0)
    return ((inputs - known.mean(axes)) / deviation.where(deviation > 0, 1.0)).float()


def _fingerprint(task: Task) -> str:
    digest = hashlib.sha256(f"{task.kind} {task.outputs} {task.resampled}".encode())
    # The split for one seed shows how a resampled task is dealt.
    for tensor in (task.inputs, task.targets, *task.parts, *task.split(0)):
        digest.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
