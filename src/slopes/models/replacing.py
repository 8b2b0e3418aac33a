"""Replace the activations of a model in place."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

from slopes import nn as slopes_nn
from slopes.card import Card
from slopes.models.inventory import equivalent_functions
from slopes.nn import CardModule


def replaced(model: Any, classes: tuple[type, ...], new: Any) -> tuple[Any, int]:
    """(the model or its replacement, the number of replacements)."""
    if _is_one(model, classes):
        return _in_place_of(model, new), 1
    return model, _replace_modules(model, classes, new) + _replace_functions(model, classes, new)


def module_of(new: Any) -> Any:
    """New activation module from a card, a module (copied), or a callable that makes one."""
    if isinstance(new, Card):
        if new.family == "loss":
            raise TypeError(f"swap: new must be an activation, and {new.name} is a loss")
        return slopes_nn.module(new)
    if isinstance(new, nn.Module):
        return copy.deepcopy(new)
    try:
        made = new() if callable(new) and not isinstance(new, (str, bytes)) else None
    except TypeError as error:
        wanted = "a callable that makes one without arguments, as functools.partial does of a class that takes some"
        raise TypeError(f"swap: new must be a card, a module, or {wanted}; got {new!r} ({error})") from error
    if not isinstance(made, nn.Module):
        raise TypeError(
            f"swap: new must be a card, a module, or a callable that makes one without arguments, got {new!r}"
        )
    return made


def is_gate(activation: Any) -> bool:
    """Whether a module, or each of a class, gives half as many entries as it takes."""
    kind = activation if isinstance(activation, type) else type(activation)
    return issubclass(kind, nn.GLU) or getattr(getattr(activation, "card", None), "family", "") == "gate"


def _in_place_of(module: Any, new: Any) -> Any:
    return module_of(new).train(module.training)


def _is_one(module: Any, classes: tuple[type, ...]) -> bool:
    """Whether a module is of one of the classes or a user's subclass; PyTorch's ReLU6 is no Hardtanh here."""
    kind = type(module)
    theirs = kind.__module__.startswith("torch.nn.")
    return kind in classes or (isinstance(module, classes) and not (theirs and isinstance(module, nn.Module)))


def _replace_modules(model: Any, classes: tuple[type, ...], new: Any) -> int:
    made: dict[int, Any] = {}
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if child is not None and _is_one(child, classes):
                if id(child) not in made:
                    made[id(child)] = _like(_in_place_of(child, new), parent, model)
                setattr(parent, name, made[id(child)])
                _leave_fast_path(parent)
    return len(made)


def _like(made: Any, parent: Any, model: Any) -> Any:
    beside = next(parent.parameters(), None)
    beside = next(model.parameters(), None) if beside is None else beside
    if beside is None or not beside.is_floating_point():
        return made
    return made.to(beside.device, beside.dtype)


def _replace_functions(model: Any, classes: tuple[type, ...], new: Any) -> int:
    kept = [function for _, function in equivalent_functions(classes)]
    count = 0
    for module in model.modules():
        if isinstance(module, CardModule):  # it is an activation itself
            continue
        for name, value in list(vars(module).items()):
            if any(value is function for function in kept):
                delattr(module, name)
                setattr(module, name, _like(_in_place_of(module, new), module, model))
                _leave_fast_path(module)
                count += 1
    return count


def _leave_fast_path(module: Any) -> None:
    """Keep torch's transformer layer from using the old activation in evaluation."""
    if hasattr(module, "activation_relu_or_gelu"):
        module.activation_relu_or_gelu = 0
