"""Preparation of raw inputs for a network, as the training part of its task determines it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from slopes.comparing.tasks.inputs import Inputs, Padded, join_parts, parts_of
from slopes.comparing.tasks.sources import Columns, columns_of, find_ragged

LEVELS = 100  #: most texts of a column, where each becomes a column; also at most half the samples
MOST = float(np.finfo(np.float32).max)
Levels = dict[str, NDArray[Any] | None]  #: by column its texts; None of numbers


@dataclass(frozen=True, eq=False)
class Preparation:
    shape: tuple[int, ...]  #: of a sample
    mean: Tensor | None  #: of each column, or of all numbers; None for tokens and masks, which stay as they are
    deviation: Tensor | None
    levels: Levels | None = None  #: of a table
    dtype: torch.dtype = torch.float32

    def __call__(self, inputs: Any) -> Tensor:
        """Inputs of a network, from an array, a tensor, a table or a file of them."""
        columns = None if self.levels is None else columns_of(inputs)
        if columns is None:
            found = numbers(inputs if isinstance(inputs, Tensor) else np.asarray(inputs), "predict")
            if found.shape[1:] != self.shape:
                raise ValueError(f"predict: a sample must have shape {self.shape}, got {tuple(found.shape[1:])}.")
            return self.scaled(found)
        assert self.levels is not None
        lacking = [name for name in self.levels if name not in columns]
        if lacking:
            raise ValueError(f"predict: the table lacks the columns {', '.join(lacking)}.")
        encoded = [encode(name, columns[name], levels) for name, levels in self.levels.items()]
        return self.scaled(torch.from_numpy(np.concatenate(encoded, axis=1)))

    def scaled(self, inputs: Any) -> Tensor:
        """Standardised inputs; missing ones become the mean, which is 0."""
        return _scaled(torch.as_tensor(inputs), self.mean, self.deviation).to(self.dtype)


@dataclass(frozen=True, eq=False)
class SequencePreparation:
    """Preparation of sequences of different lengths, which become two inputs."""

    shape: tuple[int, ...]  #: of an entry
    length: int  #: of the longest sequence of the task
    mean: Tensor | None  #: of each number of an entry; None for tokens
    deviation: Tensor | None
    dtype: torch.dtype

    def __call__(self, inputs: Any) -> Padded:
        """Inputs of a network, from a list of arrays."""
        found = find_ragged(inputs, "inputs")
        if found is None:
            raise ValueError("predict: takes a list of sequences, arrays that differ in their first axis alone.")
        padded = pad(found, "predict", self.length)
        if padded.values.shape[2:] != self.shape:
            ours, theirs = self.shape, tuple(padded.values.shape[2:])
            raise ValueError(f"predict: an entry of a sequence must have shape {ours}, got {theirs}.")
        return self.scaled(padded)

    def scaled(self, inputs: Padded) -> Padded:
        scaled = _scaled(inputs.values, self.mean, self.deviation).to(self.dtype)
        behind = ~inputs.mask.view(*inputs.mask.shape, *[1] * len(self.shape))
        return Padded(scaled.masked_fill(behind, 0), inputs.mask)


def _scaled(given: Tensor, mean: Tensor | None, deviation: Tensor | None) -> Tensor:
    if mean is None or deviation is None:
        return given
    return ((given - mean) / deviation).float().nan_to_num(0.0)


Part = Preparation | SequencePreparation  #: of one input


@dataclass(frozen=True, eq=False)
class Preparations:
    """Preparations of several inputs, by place or name."""

    parts: dict[int | str, Part]

    def __call__(self, inputs: Any) -> Inputs:
        """Inputs of a network, from a tuple or a mapping of arrays or tensors, or from a list of dicts.

        Mappings and dicts may have other entries, such as the target.
        """
        samples = list(inputs) if isinstance(inputs, (tuple, list)) or hasattr(inputs, "column_names") else []
        if isinstance(inputs, Mapping):
            given = {key: inputs[key] for key in self.parts if key in inputs}
        elif samples and all(isinstance(each, Mapping) for each in samples):
            given = {key: [each[key] for each in samples] for key in self.parts if all(key in each for each in samples)}
        else:
            given = parts_of(samples)
        if given.keys() != self.parts.keys():
            names = list(self.parts)
            wanted = (
                f"a tuple of {len(names)} inputs"
                if names[0] == 0
                else f"a dict of {', '.join(map(str, names))}, or a list of such dicts"
            )
            raise ValueError(f"predict: takes {wanted}, got {_shown(inputs)}.")
        found = {key: part(given[key]) for key, part in self.parts.items()}
        lengths = {len(part.mask) if isinstance(part, Padded) else len(part) for part in found.values()}
        if len(lengths) > 1:
            raise ValueError("predict: all inputs must have one length.")
        return join_parts(found)

    def scaled(self, inputs: Any) -> Inputs:
        given = parts_of(inputs)
        return join_parts({key: part.scaled(given[key]) for key, part in self.parts.items()})


def _shown(inputs: Any) -> str:
    if isinstance(inputs, Mapping):
        return f"a dict of {', '.join(map(str, inputs))}"
    return f"a {type(inputs).__name__}" + (f" of {len(inputs)}" if isinstance(inputs, (tuple, list)) else "")


AnyPreparation = Part | Preparations


def prepare(given: Any, train: Tensor, levels: Levels | None) -> AnyPreparation:
    """All pixels share one mean and deviation: their own would magnify those nearly always blank."""
    if isinstance(given, Padded):
        return _prepare_sequences(given, train)
    if isinstance(given, (tuple, dict)):
        return Preparations({key: prepare(part, train, None) for key, part in parts_of(given).items()})  # type: ignore[misc]
    return _prepare(torch.as_tensor(given), train, levels)


def _prepare(inputs: Tensor, train: Tensor, levels: Levels | None) -> Preparation:
    shape = tuple(inputs.shape[1:])
    if inputs.dtype in (torch.int64, torch.bool):
        return Preparation(shape, None, None, levels, inputs.dtype)
    return Preparation(shape, *_mean_and_deviation(inputs[train], 0 if inputs.ndim == 2 else None), levels)


def _prepare_sequences(inputs: Padded, train: Tensor) -> SequencePreparation:
    values, mask = inputs
    shape = tuple(values.shape[2:])
    if not values.is_floating_point():
        return SequencePreparation(shape, mask.shape[1], None, None, values.dtype)
    known = values[train][mask[train]]
    return SequencePreparation(
        shape, mask.shape[1], *_mean_and_deviation(known, 0 if known.ndim <= 2 else None), torch.float32
    )


def _mean_and_deviation(known: Tensor, axis: int | None) -> tuple[Tensor, Tensor]:
    """Mean and deviation along an axis, or of all numbers; the deviation of equal ones is 1."""
    known = known.double()
    axes = tuple(range(known.ndim)) if axis is None else axis
    mean = known.nanmean(axes)
    deviation = (known - mean).square().nanmean(axes).sqrt()
    return mean, deviation.where(deviation > 0, 1.0)


def pad(sequences: Sequence[NDArray[Any]], where: str, length: int = 0) -> Padded:
    """Sequences with zeros behind their ends, at least of this length; whole numbers from 0 on are tokens."""
    sizes = [len(each) for each in sequences]
    joined = np.concatenate(sequences)
    if joined.dtype.kind in "iu" and joined.ndim == 1 and joined.min() >= 0:
        entries = torch.from_numpy(joined.astype(np.int64))
    else:
        _check_size(joined, sizes, where)
        entries = numbers(joined, where).view(joined.shape)
    mask = torch.tensor(sizes).unsqueeze(1) > torch.arange(max(length, *sizes))
    values = entries.new_zeros(*mask.shape, *entries.shape[1:])
    values[mask] = entries
    return Padded(values, mask)


def _check_size(joined: NDArray[Any], sizes: Sequence[int], where: str) -> None:
    wrong = np.abs(joined) > MOST if joined.dtype.kind == "f" else np.zeros(1)
    if wrong.any():
        sample = int(np.searchsorted(np.cumsum(sizes), np.argwhere(wrong)[0][0], side="right"))
        raise ValueError(
            f"compare: {int(wrong.sum())} of the inputs of {where} are too large for 32 bits, the first in sample "
            f"{sample}; fill them in or leave these samples out."
        )


def numbers(inputs: NDArray[Any] | Tensor | Columns, where: str) -> Tensor:
    """Floats, or torch's whole numbers, which are tokens."""
    if isinstance(inputs, dict):
        raise ValueError(f"compare: {where} is a table, and other parts are not.")
    if not isinstance(inputs, Tensor):
        if inputs.dtype.kind not in "biuf":
            raise ValueError(
                f"compare: the inputs of {where} must be numbers, got {inputs.dtype}; give text in a table, with "
                "target=."
            )
        inputs = torch.from_numpy(inputs.astype(np.float64))
    elif inputs.is_complex():
        raise ValueError(f"compare: the inputs of {where} must be real numbers, got {inputs.dtype}.")
    if inputs.ndim == 1:
        inputs = inputs[:, None]
    if inputs.dtype == torch.int64:
        return inputs.clone()
    inputs = inputs.to(torch.float64)
    wrong = inputs.abs() > MOST
    if wrong.any():
        place = tuple(int(i) for i in wrong.nonzero()[0])
        raise ValueError(
            f"compare: {int(wrong.sum())} of the inputs of {where} are too large for 32 bits, the first in "
            f"sample {place[0]} at {place[1:]}; fill them in or leave these samples out."
        )
    return inputs


def find_levels(name: str, values: NDArray[Any]) -> NDArray[Any] | None:
    """Different texts of a column; None of numbers."""
    if values.dtype.kind != "U":
        wrong = np.abs(values.astype(np.float64)) > MOST
        if wrong.any():
            raise ValueError(
                f"compare: column {name!r} has {wrong.sum()} values that are too large for 32 bits, the first "
                f"in sample {wrong.argmax()}; leave these samples out."
            )
        return None
    levels = np.unique(values)
    if len(levels) > min(LEVELS, len(values) / 2):
        raise ValueError(
            f"compare: column {name!r} has {len(levels)} different texts, such as {str(levels[0])!r}; leave it "
            f"out by drop=[{name!r}], or make them fewer."
        )
    return levels


def encode(name: str, values: NDArray[Any], levels: NDArray[Any] | None) -> NDArray[np.float64]:
    """A column as it is, or a column of 0 and 1 for each of its texts."""
    if levels is not None:
        return np.asarray(values.astype(str)[:, None] == levels, dtype=np.float64)
    if values.dtype.kind == "U":
        raise ValueError(f"predict: column {name!r} must hold numbers, got text such as {str(values[0])!r}.")
    return values[:, None].astype(np.float64)
