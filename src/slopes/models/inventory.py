"""PyTorch's element-wise activations: their classes, and the functions and cards that compute the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import torch
from torch import nn

from slopes.card import Card
from slopes.catalogue import CARDS
from slopes.nn.activations import ACTIVATIONS

#: softmax and attention mix the entries of a row, and GLU halves it
ELEMENTWISE: tuple[type[nn.Module], ...] = tuple(
    getattr(nn, name) for name, (card, _) in ACTIVATIONS.items() if CARDS[card].family == "activation"
)


_CLASSES = {kind.__name__.lower(): kind for kind in ELEMENTWISE}


def class_of_name(name: str) -> type[nn.Module] | None:
    """Class for the name of a function or method that computes the same, as in "relu_" and "leaky_relu"."""
    return _CLASSES.get(name.replace("_", ""))


def class_of(module: nn.Module) -> type[nn.Module] | None:
    """Class of an element-wise activation: PyTorch's, or the module's own if it computes a card."""
    card = getattr(module, "card", None)
    if isinstance(card, Card):
        return type(module) if card.family == "activation" else None
    return next((kind for kind in type(module).__mro__ if kind in ELEMENTWISE), None)


def class_of_function(function: Any) -> type[nn.Module] | None:
    """Class for a function of PyTorch or a card that computes the same."""
    return next((kind for kind, twin in _functions() if function is twin), None)


@cache
def _functions() -> list[tuple[type[nn.Module], Any]]:
    return [(kind, function) for kind in ELEMENTWISE for _, function in equivalent_functions((kind,))]


def equivalent_functions(classes: Iterable[type]) -> Iterator[tuple[str, Any]]:
    """Yield (name, function) of PyTorch and cards that compute the same as the classes."""
    wanted = {c.__name__.lower() for c in classes if c.__module__.startswith(("torch.nn.", "slopes.nn"))}
    for home in (nn.functional, torch):
        for name in dir(home):
            function = getattr(home, name)
            if name.replace("_", "") in wanted and callable(function) and not isinstance(function, type):
                yield name, function
    for name, card in CARDS.items():
        if name.replace("_", "") in wanted and card.family == "activation":
            yield name, card
