"""Tasks: data in three parts, to train, to choose the learning rate, and to test."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from slopes.comparing.task_kinds import TaskKind
from slopes.comparing.tasks.inputs import Inputs, RawInputs, list_tensors, map_tensors, parts_of
from slopes.comparing.tasks.preparation import AnyPreparation, Levels, prepare

#: Fractions of the samples for training and validation; the rest tests.
TRAIN, VALIDATION = 0.5, 0.2
#: most times that groups are dealt, until no part lacks a class
DEALS = 100
#: label of tokens and pixels that count neither in training nor in judging; PyTorch's losses ignore it
LEFT_OUT = -100
#: separates splits from weights and batches, which have the same seeds
_STREAM = 0x5117


class Parts(NamedTuple):
    train: Tensor
    validation: Tensor
    test: Tensor


@dataclass(frozen=True, eq=False)
class Task:
    name: str
    kind: TaskKind
    inputs: Inputs  #: (sample, ...) each, as the network takes them
    targets: Tensor  #: in the shape that `make` takes
    outputs: int  #: numbers that the network returns for a sample, or for each of its tokens or pixels
    parts: Parts
    fingerprint: str  #: digest of every number and of the parts
    about: str  #: source and processing of the data, in a sentence or two
    labels: tuple[str, ...] = ()  #: names of the classes or columns, where known
    unit: str = ""  #: of a regression's target
    centre: Tensor | None = None  #: (column,) mean of the training targets of a regression or count
    scale: Tensor | None = None  #: (column,) their standard deviation
    resampled: bool = False  #: whether each seed has its own split
    preparation: AnyPreparation | None = None  #: of raw inputs
    groups: Tensor | None = None  #: (sample,) number of the group whose samples are in one part
    _splits: dict[int, Parts] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", TaskKind(self.kind))

    @cached_property
    def ignores(self) -> bool:
        """Whether some labels of tokens or pixels are left out."""
        return self.kind.has_classes and self.kind.has_positions and bool((self.targets < 0).any())

    def first(self, count: int) -> Inputs:
        """Inputs of the first samples."""
        return map_tensors(lambda tensor: tensor[:count], self.inputs)

    def with_classes(self, count: int) -> Task:
        """Task for a network that tells more classes than the targets show."""
        if count <= self.outputs:
            return self
        more = map(str, range(len(self.labels), count))
        return replace(self, outputs=count, labels=(*self.labels, *more))

    def split(self, seed: int) -> Parts:
        """Parts for a seed; a resampled task deals them anew, with as many of every class in each."""
        if not self.resampled:
            return self.parts
        if seed not in self._splits and self.groups is not None:
            self._splits[seed] = deal_groups(self.groups, seed, self.kind, self.targets, self.labels)
        if seed not in self._splits:
            strata = strata_of(self.kind, self.targets)
            counts = [Counter(strata[part].tolist()) for part in self.parts]
            self._splits[seed] = deal(strata, seed, lambda stratum, _: [count[stratum] for count in counts])
        return self._splits[seed]


def make(
    name: str, kind: TaskKind, inputs: NDArray[Any] | RawInputs, targets: NDArray[Any] | Tensor, *, about: str,
    labels: Iterable[str] = (), unit: str = "", parts: Parts | None = None, resampled: bool = False,
    groups: NDArray[Any] | None = None, levels: Levels | None = None,
) -> Task:  # fmt: skip
    """Standardise the inputs by the training part, and deal the samples to parts if none are given.

    Each of several inputs is standardised by itself. Targets are (sample,) labels, or zeros and ones; (sample, label)
    or (sample, height, width) zeros and ones; (sample, column) numbers; (sample, token) or (sample, height, width)
    labels, `LEFT_OUT` where none counts.
    """
    kind, targets = TaskKind(kind), torch.as_tensor(targets).contiguous()
    grouping = None if groups is None else torch.from_numpy(groups)
    labels = tuple(labels)
    if grouping is not None:
        parts = deal_groups(grouping, 0, kind, targets, labels)
    if parts is None:
        parts = deal(strata_of(kind, targets), 0, shares)
    preparation = prepare(inputs, parts.train, levels)
    scaled = map_tensors(Tensor.contiguous, preparation.scaled(inputs))  # type: ignore[arg-type]
    centre = scale = None
    if kind.has_numbers:
        known = targets[parts.train].double()
        centre, scale = known.mean(0).float(), known.std(0, correction=0).float()
    has_columns = kind.has_numbers or kind.has_rows_of_labels
    outputs = int(targets.max()) + 1 if kind.has_classes else targets.shape[-1] if has_columns else 1
    task = Task(
        name, kind, scaled, targets, outputs, parts, "", about,
        labels=labels, unit=unit, centre=centre, scale=scale, resampled=resampled,
        groups=grouping, preparation=preparation,
    )  # fmt: skip
    return replace(task, fingerprint=_fingerprint(task))


def deal(strata: Tensor, seed: int, counts: Callable[[int, int], Sequence[int]]) -> Parts:
    """Deal samples to parts at random, each stratum by itself.

    `counts` maps a stratum and its size to the size of each part; the rest is in no part.
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


def deal_groups(groups: Tensor, seed: int, kind: TaskKind, targets: Tensor, labels: Sequence[str]) -> Parts:
    """Deal whole groups to parts at random, each to the part that lacks most of its share.

    They are dealt again while a part lacks a class; ValueError if it does every time.
    """
    codes, sizes = np.unique(groups.numpy(), return_counts=True)
    rng = np.random.default_rng([_STREAM, seed])
    for _ in range(DEALS):
        wanted = np.array([TRAIN, VALIDATION, 1 - TRAIN - VALIDATION]) * len(groups)
        dealt: tuple[list[Any], ...] = ([], [], [])
        for place in rng.permutation(len(codes)):
            part = int((wanted / (TRAIN, VALIDATION, 1 - TRAIN - VALIDATION)).argmax())
            dealt[part].append(codes[place])
            wanted[part] -= sizes[place]
        parts = Parts(*(torch.from_numpy(np.flatnonzero(np.isin(groups.numpy(), part))) for part in dealt))
        if find_lack(kind, targets, parts) is None:
            return parts
    name, place = find_lack(kind, targets, parts) or ("", 0)
    raise ValueError(
        f"compare: groups were dealt {DEALS} times for seed {seed}, and a part lacks a class each time, as in the last "
        f"one the {name} part lacks {labels[place]!r}; leave that class out, or make more groups that have it."
    )


def find_lack(kind: TaskKind, targets: Tensor, parts: Parts) -> tuple[str, int] | None:
    """(a part, a class that it lacks and needs): each class trains, and both a yes and a no are in every part."""
    if kind.has_strata:
        for name, rows in zip(Parts._fields, parts, strict=True):
            for each in range(int(targets.max()) + 1):
                if (name == "train" or not kind.has_classes) and not (targets[rows] == each).any():
                    return "training" if name == "train" else name, each
    return None


def shares(_: int, members: int) -> list[int]:
    """Sizes of the parts of a stratum: at least one each, if it has three members."""
    judging = max(members - round(TRAIN * members) - round(VALIDATION * members), min(members, 1))
    validating = min(max(round(VALIDATION * members), 1), members - judging)
    return [members - judging - validating, validating, judging]


def strata_of(kind: TaskKind, targets: Tensor) -> Tensor:
    """The classes, or one stratum for numbers and masks."""
    return targets.long() if kind.has_strata else torch.zeros(len(targets), dtype=torch.int64)


def _fingerprint(task: Task) -> str:
    digest = hashlib.sha256(f"{task.kind} {task.outputs} {task.resampled}".encode())
    if not isinstance(task.inputs, Tensor):
        digest.update(f"{list(parts_of(task.inputs))}".encode())
    # The split for one seed shows how a resampled task is dealt.
    for tensor in (*list_tensors(task.inputs), task.targets, *task.parts, *task.split(0)):
        digest.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
