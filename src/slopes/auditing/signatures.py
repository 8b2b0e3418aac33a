"""Signatures of subjects, and the meaning of common names."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import torch

PREDICTED = {
    *("prediction", "predictions", "predicted", "pred", "preds", "ypred", "hat", "yhat", "simulated", "forecast"),
    *("estimate", "est", "student"),
}
TARGETS = {
    *(
        "target",
        "targets",
        "tgt",
        "label",
        "labels",
        "lbl",
        "lbls",
        "true",
        "truth",
        "ytrue",
        "gt",
        "actual",
        "observed",
    ),
    *("expected", "exact", "answer", "answers", "tags", "outcome", "outcomes", "levels", "teacher"),
}
#: of a prediction unless a target's word stands beside them, as in teacher_logits
NUMBERS = {
    *(
        "input",
        "inputs",
        "logit",
        "logits",
        "output",
        "outputs",
        "out",
        "prob",
        "probs",
        "probabilities",
        "score",
        "scores",
    ),
}
LETTERS = {"y": "target", "t": "target", "z": "prediction", "p": "prediction"}  #: alone, as in f(z, y)
EXTRAS = {"mask": "mask", "weight": "weight", "weights": "weight", "sample_weight": "weight"}
SMOOTHING = ("label_smoothing", "smoothing", "smooth_eps")


def words_of(name: str) -> set[str]:
    """Words of a name in snake_case or camelCase."""
    return set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()))


def role_of(name: str) -> str | None:
    """Role of an argument by its name: "prediction", "target" or None."""
    words = words_of(name)
    if words & PREDICTED or (words & NUMBERS and not words & TARGETS):
        return "prediction"
    return "target" if words & TARGETS else LETTERS.get(name.lower())


def attribute_of(thing: Any, name: str, otherwise: Any = None) -> Any:
    """Attribute of an object, or else `otherwise`, also where the object's own code raises another error."""
    try:
        return getattr(thing, name, otherwise)
    except Exception:
        return otherwise


def arguments_of(thing: Any) -> Mapping[str, inspect.Parameter] | None:
    """Arguments of a call by name; None if the signature cannot be read."""
    try:
        return inspect.signature(thing.forward if isinstance(thing, torch.nn.Module) else thing).parameters
    except Exception:
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
    if second is not None and second.default is None and role_of(second.name) == "target":
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
    held = attribute_of(thing, "reduction")
    return "attribute" if isinstance(held, str) and held in ("mean", "sum", "none") else None


def has_target_first(names: list[str]) -> bool:
    first, second, *_ = [*map(role_of, names), None, None]
    return first == "target" != second


def has_roles(names: list[str]) -> bool:
    """Whether the names tell the prediction from the target."""
    first, second, *_ = [*map(role_of, names), None, None]
    return first != second


def has_both_roles(names: list[str]) -> bool:
    """Whether one of the names means a prediction and the other a target."""
    return {role_of(name) for name in names[:2]} == {"prediction", "target"}


def has_views(names: list[str]) -> bool:
    """Whether the names are of two views, such as z1 and z2, or z_i and z_j."""
    return len(names) == 2 and len(names[0]) > 1 and names[0][:-1] == names[1][:-1] and names[0] != names[1]
