"""Replacing the activations of a model by others."""

from __future__ import annotations

import copy
import warnings
from typing import Any

from slopes.extras import require
from slopes.hints import did_you_mean


def swap(model: Any, old: Any, new: Any) -> Any:
    """Return a copy of a model in which `new` replaces every module of the class `old`.

    `old` is a class such as ``torch.nn.ReLU``, or a tuple of them; `new` is a card, a module (copied for each place),
    or a class or function that makes one. Functions and cards in attributes, such as the ``activation`` of
    ``torch.nn.TransformerEncoderLayer``, are replaced too. Weights, training mode, hooks, device and shared modules
    stay.

    A UserWarning lists functional calls in the source of a forward, such as ``F.relu(x)``, which cannot be replaced.
    Raises ValueError if there is nothing to replace, TypeError if an argument is no model, class or activation, or if a
    gate, which halves the width, is to replace something else.
    """
    require("slopes.swap", "torch")
    import torch

    from slopes import nn as slopes_nn
    from slopes.models.finding import functional_calls
    from slopes.models.replacing import is_gate, module_of, replaced

    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"swap: model must be a torch.nn.Module, got {type(model).__name__}")
    classes = old if isinstance(old, tuple) else (old,)
    if not classes:
        raise ValueError("swap: old must name a class of modules, such as torch.nn.ReLU, got an empty tuple")
    for each in classes:
        if not (isinstance(each, type) and issubclass(each, torch.nn.Module)):
            raise TypeError(
                f"swap: old must be a class of modules, such as torch.nn.ReLU, or a tuple of them, got {each!r}"
            )
    if is_gate(module_of(new)) and not any(is_gate(each) or each is slopes_nn.module for each in classes):
        raise TypeError(
            f"swap: new gives half as many entries as it takes, and {classes[0].__name__} as many, so the next layer "
            f"would not fit; build the model with the gate, and twice the width before it. Got {new!r}"
        )
    copied, count = replaced(copy.deepcopy(model), classes, new)
    missed = list(functional_calls(model, classes))
    if missed:
        listed = "".join(f"\n  {call}" for call in missed)
        warnings.warn(
            f"swap: {len(missed)} call{'s' * (len(missed) > 1)} of functions could not be reached; make modules of "
            f"them to have them replaced:{listed}",
            stacklevel=2,
        )
    if not count and not missed:
        raise ValueError(f"swap: the model has no {' or '.join(c.__name__ for c in classes)}; {_offer(model, classes)}")
    return copied


def _offer(model: Any, classes: tuple[type, ...]) -> str:
    kinds = sorted({type(module).__name__ for module in model.modules() if not list(module.children())})
    return did_you_mean(classes[0].__name__, kinds, f"its modules are {', '.join(kinds)}.")
