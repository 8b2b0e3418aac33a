"""Signatures of subjects, and the meaning of common names."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch

TARGETS = ("target", "targets", "label", "labels", "y", "y_true", "true", "truth", "gt", "t", "ground_truth")
PREDICTIONS = (
    *("prediction", "predictions", "pred", "preds", "y_pred", "yhat", "y_hat", "input", "inputs", "logits"),
    *("output", "outputs", "z", "p", "probs", "probabilities", "scores"),
)
EXTRAS = {"mask": "mask", "weight": "weight", "weights": "weight", "sample_weight": "weight"}


def arguments_of(thing: Any) -> Mapping[str, inspect.Parameter] | None:
    """Arguments of a call by name; None if the signature cannot be read."""
    try:
        return inspect.signature(thing.forward if isinstance(thing, torch.nn.Module) else thing).parameters
    except (TypeError, ValueError):
        return None


def required(thing: Any) -> list[str] | None:
    """Names of the required positional arguments; None if unknown."""
    found = arguments_of(thing)
    if found is None:
        return None
    parameters = list(found.values())
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in parameters if p.kind in by_place and p.default is p.empty]
    if not names and any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    second = parameters[1] if len(names) == 1 < len(parameters) else None
    if second is not None and second.default is None and second.name in TARGETS:
        names.append(second.name)  # it only seems optional
    return names


def keywords(thing: Any) -> list[str]:
    parameters = (arguments_of(thing) or {}).values()
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def default_of(thing: Any, name: str) -> Any:
    """Default of an argument, or `inspect.Parameter.empty`."""
    found = (arguments_of(thing) or {}).get(name)
    return inspect.Parameter.empty if found is None else found.default


def reduction_way(thing: Any) -> str | None:
    if "reduction" in keywords(thing):
        return "keyword"
    return "attribute" if getattr(thing, "reduction", None) in ("mean", "sum", "none") else None


def has_target_first(names: list[str]) -> bool:
    if len(names) < 2:
        return False
    first, second = (name.lower() for name in names[:2])
    if "teacher" in first and "student" in second:
        return True
    return first in TARGETS and (second in PREDICTIONS or second not in TARGETS)


def has_views(names: list[str]) -> bool:
    """Whether the names are of two views, such as z1 and z2, or z_i and z_j."""
    return len(names) == 2 and len(names[0]) > 1 and names[0][:-1] == names[1][:-1] and names[0] != names[1]
