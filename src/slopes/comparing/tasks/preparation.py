"""Preparation of raw inputs for a network, as the training part of its task determines it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from slopes.comparing.tasks.inputs import Inputs, join_parts, parts_of
from slopes.comparing.tasks.sources import Columns, columns_of

LEVELS = 100  #: most texts of a column, where each becomes a column; also at most half the samples
MOST = float(np.finfo(np.float32).max)
Levels = dict[str, NDArray[Any] | None]  #: by column its texts; None of numbers


@dataclass(frozen=True, eq=False)
class Preparation:
    shape: tuple[int, ...]  #: of a sample
    mean: Tensor | None  #: of each column, or of all numbers; None for tokens, which stay as they are
    deviation: Tensor | None
    levels: Levels | None = None  #: of a table

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
        given: Tensor = torch.as_tensor(inputs)
        if self.mean is None or self.deviation is None:
            return given
        scaled: Tensor = ((given - self.mean) / self.deviation).float().nan_to_num(0.0)
        return scaled


@dataclass(frozen=True, eq=False)
class Preparations:
    """Preparations of several inputs, by place or name."""

    parts: dict[int | str, Preparation]

    def __call__(self, inputs: Any) -> Inputs:
        """Inputs of a network, from a tuple or a mapping of arrays or tensors."""
        given = parts_of(inputs) if isinstance(inputs, (tuple, list, Mapping)) else {}
        if given.keys() != self.parts.keys():
            names = list(self.parts)
            wanted = f"a tuple of {len(names)} inputs" if names[0] == 0 else f"a dict of {', '.join(map(str, names))}"
            raise ValueError(f"predict: takes {wanted}, got {_shown(inputs)}.")
        found = {key: part(given[key]) for key, part in self.parts.items()}
        if len({len(tensor) for tensor in found.values()}) > 1:
            raise ValueError("predict: all inputs must have one length.")
        return join_parts(found)

    def scaled(self, inputs: Any) -> Inputs:
        given = parts_of(inputs)
        return join_parts({key: part.scaled(torch.as_tensor(given[key])) for key, part in self.parts.items()})


def _shown(inputs: Any) -> str:
    if isinstance(inputs, Mapping):
        return f"a dict of {', '.join(map(str, inputs))}"
    return f"a {type(inputs).__name__}" + (f" of {len(inputs)}" if isinstance(inputs, (tuple, list)) else "")


def prepare(given: Any, train: Tensor, levels: Levels | None) -> Preparation | Preparations:
    """All pixels share one mean and deviation: their own would magnify those nearly always blank."""
    if isinstance(given, (tuple, dict)):
        return Preparations(
            {key: _prepare(torch.as_tensor(part), train, None) for key, part in parts_of(given).items()}
        )
    return _prepare(torch.as_tensor(given), train, levels)


def _prepare(inputs: Tensor, train: Tensor, levels: Levels | None) -> Preparation:
    if inputs.dtype == torch.int64:  # whole numbers are tokens
        return Preparation(tuple(inputs.shape[1:]), None, None, levels)
    known = inputs[train].double()
    axes = 0 if inputs.ndim == 2 else tuple(range(inputs.ndim))
    mean = known.nanmean(axes)
    deviation = (known - mean).square().nanmean(axes).sqrt()
    return Preparation(tuple(inputs.shape[1:]), mean, deviation.where(deviation > 0, 1.0), levels)


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
