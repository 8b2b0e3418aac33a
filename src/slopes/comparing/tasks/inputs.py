"""Inputs of networks: a tensor, or several, which a model takes as arguments in order (a tuple) or by name (a dict)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

Inputs = Tensor | tuple[Tensor, ...] | dict[str, Tensor]
Parts = dict[int | str, Any]  #: several inputs by place or name


class Padded(NamedTuple):
    """Sequences of different lengths, which a model takes as two inputs."""

    values: Tensor  #: (sample, position, …), 0 behind the end of a sequence
    mask: Tensor  #: (sample, position), True within the sequence


RawInputs = Tensor | Padded | tuple[Any, ...] | Mapping[Any, Any]  #: before their preparation


def parts_of(inputs: Any) -> Parts:
    """Parts of a tuple or mapping."""
    return dict(inputs) if isinstance(inputs, Mapping) else dict(enumerate(inputs))


def join_parts(parts: Mapping[Any, Any]) -> Inputs:
    """Undo `parts_of`; each padded part is followed by its mask, unless the parts have names and one is a mask."""
    if all(isinstance(key, int) for key in parts):
        return tuple(tensor for part in parts.values() for tensor in (part if isinstance(part, Padded) else [part]))
    joined = {key: part.values if isinstance(part, Padded) else part for key, part in parts.items()}
    if not any(str(key).endswith("mask") for key in parts):
        joined |= {f"{key}_mask": part.mask for key, part in parts.items() if isinstance(part, Padded)}
    return joined


def list_tensors(inputs: RawInputs) -> list[Tensor]:
    if isinstance(inputs, Tensor):
        return [inputs]
    return [tensor for part in parts_of(inputs).values() for tensor in list_tensors(part)]


def map_tensors(function: Callable[[Tensor], Tensor], inputs: Inputs) -> Inputs:
    if isinstance(inputs, Tensor):
        return function(inputs)
    return join_parts({key: function(tensor) for key, tensor in parts_of(inputs).items()})


def stack_inputs(several: Sequence[Inputs]) -> Inputs:
    """Inputs with a first axis for those given."""
    first = several[0]
    if isinstance(first, Tensor):
        return torch.stack(list(several))  # type: ignore[arg-type]
    parts = [parts_of(each) for each in several]
    return join_parts({key: torch.stack([each[key] for each in parts]) for key in parts[0]})


def arguments_of(inputs: Inputs) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """(positional arguments, keywords) of a model."""
    if isinstance(inputs, Tensor):
        return (inputs,), {}
    return ((), inputs) if isinstance(inputs, dict) else (inputs, {})


def call_model(model: Callable[..., Any], inputs: Inputs) -> Any:
    positional, named = arguments_of(inputs)
    return model(*positional, **named)


def count_numbers(inputs: Inputs) -> int:
    """Numbers of a sample."""
    return sum(tensor[0].numel() for tensor in list_tensors(inputs))


def describe_inputs(inputs: RawInputs, describe: Callable[[Any], str]) -> str:
    """Each input, a tensor or padded sequences, in words, with its name."""
    if isinstance(inputs, (Tensor, Padded)):
        return describe(inputs)
    named = parts_of(inputs).items()
    return ", ".join(f"{key}: {describe(part)}" if isinstance(key, str) else describe(part) for key, part in named)
