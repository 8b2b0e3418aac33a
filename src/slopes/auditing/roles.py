"""A batch given as an example, with the role of each tensor, for losses that no kind describes."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slopes.domains import OneOf, shown
from slopes.kinds import Argument
from slopes.kinds.declared import ROLES, ExampleKind


def example_kind(example: Any, roles: Any, signature: Sequence[str] | None) -> tuple[ExampleKind, int]:
    """(kind, place of its first argument in a call) for an example; raise TypeError or ValueError for a wrong one.

    Names come from a dict, or else from the signature, or else from the roles.
    """
    tensors = [_entered(x) for x in (example.values() if isinstance(example, Mapping) else _listed(example))]
    names = list(example) if isinstance(example, Mapping) else signature
    chosen = _roles(tensors, roles, names)
    if names is None or len(names) != len(tensors):
        names = _names_of(chosen)
    _check_names(names)
    first = next((place for place, role in enumerate(chosen) if ROLES[role].is_learned), 0)
    _check_rows(names, tensors)
    order = sorted(range(len(tensors)), key=lambda place: place != first)
    arguments = tuple(
        Argument(names[p], ROLES[chosen[p]].space, row=tensors[p].ndim == tensors[first].ndim) for p in order
    )
    batch = tuple(tensors[p] for p in order)
    return ExampleKind(
        "declared", arguments, rowwise=True, batch=batch, roles=tuple(chosen[p] for p in order)
    ), first  # fmt: skip


def _names_of(roles: Sequence[str]) -> list[str]:
    return [f"{role}_{place}" if roles.count(role) > 1 else role for place, role in enumerate(roles, start=1)]


def _check_names(names: Sequence[Any]) -> None:
    for name in names:
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            raise ValueError(f"audit: a name in example must be a Python identifier, got {shown(name)}")


def _check_rows(names: Sequence[str], tensors: Sequence[Any]) -> None:
    counts = {len(x) if x.ndim else 0 for x in tensors}
    if len(counts) > 1 or 0 in counts:
        shapes = ", ".join(f"{name} {x.shape}" for name, x in zip(names, tensors, strict=True))
        raise ValueError(
            f"audit: each tensor of example needs one row per sample, got {shapes}; hand constants over by call="
        )


def _listed(example: Any) -> Sequence[Any]:
    if not isinstance(example, (tuple, list)) or not example:
        raise TypeError(f"audit: example must be a tuple or dict of tensors, a batch of the loss, got {shown(example)}")
    return example


def _entered(x: Any) -> Any:
    if not hasattr(x, "__array__"):
        raise TypeError(f"audit: example must hold tensors or arrays, got {shown(x)}")
    if isinstance(x, Tensor):
        x = x.detach().cpu().to(torch.float64 if x.is_floating_point() else x.dtype)
    array = np.asarray(x)
    return array.astype(np.float64) if array.dtype.kind == "f" or array.dtype.name == "bfloat16" else array


def _roles(tensors: Sequence[Any], roles: Any, names: Sequence[str] | None) -> list[str]:
    if roles is None:
        guessed = list(_guessed(tensors, names))
        if not any(ROLES[role].is_learned for role in guessed) and guessed[0] == "input":
            guessed[0] = "prediction"  # the name that PyTorch gives it
        return guessed
    given: list[Any] = [roles.get(name) for name in names or ()] if isinstance(roles, Mapping) else list(roles)
    if isinstance(roles, str) or len(given) != len(tensors):
        raise ValueError(f"audit: roles must name the role of each of the {len(tensors)} tensors, got {shown(roles)}")
    for role in given:
        OneOf(tuple(ROLES)).check("audit", "a role", role)
    return given


def _guessed(tensors: Sequence[Any], names: Sequence[str] | None) -> Iterator[str]:
    """Roles by names, or else: the first tensor is a prediction, integers are labels, and the rest targets."""
    for place, x in enumerate(tensors):
        name = names[place].lower() if names is not None and len(names) == len(tensors) else ""
        named = max((role for role in ROLES if role.rstrip("s") in name), key=len, default=None)
        by_type = {"b": "mask", "i": "labels", "u": "labels"}.get(x.dtype.kind)
        yield named or by_type or ("target" if place else "prediction")
