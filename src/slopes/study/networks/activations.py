"""Which activations a model has, and which of its calls of functions no replacement reaches."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

from torch import nn

from slopes.card import Activation, Map
from slopes.nn.cards import CardModule
from slopes.swapping import functional_calls, twins

#: the classes of torch.nn that map each number to one: softmax and attention are no activations of a layer, GLU halves
ELEMENTWISE = tuple(
    kind
    for kind in vars(nn.modules.activation).values()
    if isinstance(kind, type)
    and issubclass(kind, nn.Module)
    and kind.__module__ == nn.modules.activation.__name__
    and kind.__name__ not in ("GLU", "MultiheadAttention", "Softmin", "Softmax", "Softmax2d", "LogSoftmax")
)


def found(model: nn.Module) -> Counter[type[nn.Module]]:
    """How many activations of each class a model has, as modules or as functions that modules keep."""
    counted: Counter[type[nn.Module]] = Counter()
    for module in model.modules():
        kind = _class_of(module)
        if kind is not None:
            counted[kind] += 1
        if isinstance(module, CardModule):
            continue
        for value in vars(module).values():
            if callable(value) and (kind := _class_of_function(value)) is not None:
                counted[kind] += 1
    return counted


def _class_of(module: nn.Module) -> type[nn.Module] | None:
    if isinstance(module, CardModule):
        rowwise = not isinstance(module.card, Activation) or isinstance(module.card, Map)
        return None if rowwise else type(module)
    return next((kind for kind in type(module).__mro__ if kind in ELEMENTWISE), None)


def _class_of_function(value: Any) -> type[nn.Module] | None:
    return next((kind for kind, function in _functions() if value is function), None)


@cache
def _functions() -> list[tuple[type[nn.Module], Any]]:
    return [(kind, function) for kind in ELEMENTWISE for _, function in twins((kind,))]


def listed(counted: Counter[type[nn.Module]]) -> str:
    """ "3 ReLU and 1 Sigmoid"."""
    parts = [f"{count} {kind.__name__}" for kind, count in counted.most_common()]
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def calls(model: nn.Module, classes: tuple[type[nn.Module], ...]) -> str:
    """The calls of functions that compute what the classes do, of which the first three are named; "" for none."""
    each = list(dict.fromkeys(functional_calls(model, classes)))
    more = f" and {len(each) - 3} more" if len(each) > 3 else ""
    return "; ".join(each[:3]) + more
