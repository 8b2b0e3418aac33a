"""The catalogue of all cards of the package."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from typing import Any, TypeVar

from slopes import activations, description, losses
from slopes.card import Activation, Card, Loss
from slopes.hints import did_you_mean
from slopes.notebook import escape, table

C = TypeVar("C", bound=Card)


class Catalogue(dict[str, C]):
    """Cards by name."""

    def _repr_html_(self) -> str:
        rows = [
            (
                ", ".join(f"<b>{escape(name)}</b>" for name in [entry["name"], *entry["aliases"]]),
                escape(entry["kind"]),
                "<br>".join(escape(description.default_words(parameter)) for parameter in entry["parameters"]),
                escape(entry["summary"]),
            )
            for entry in entries(self.values())
        ]
        return table(rows, ("name", "kind", "parameters", "summary"))


def _collect(package: Any) -> dict[str, Card]:
    modules = [
        importlib.import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)
    ]
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, Card) and not name.startswith("_") and value.__module__ == module.__name__
    }


ACTIVATIONS: Catalogue[Activation] = Catalogue(_collect(activations))  # type: ignore[arg-type]
LOSSES: Catalogue[Loss] = Catalogue(_collect(losses))  # type: ignore[arg-type]
CARDS: Catalogue[Card] = Catalogue({**ACTIVATIONS, **LOSSES})


def aliases(card: Card) -> list[str]:
    """Other names of a card."""
    return [name for name, found in CARDS.items() if found is card and name != card.name]


def entries(cards: Iterable[Card]) -> list[dict[str, Any]]:
    """Return the description of each card, once."""
    return [
        {
            "name": card.name,
            "aliases": aliases(card),
            "family": card.family,
            "kind": description.kind(card),
            "parameters": description.parameters(card),
            "summary": card.summary,
        }
        for card in dict.fromkeys(cards)
    ]


def find(name: str) -> Card:
    """Return the card, or raise LookupError with the nearest names."""
    if name in CARDS:
        return CARDS[name]
    raise LookupError(f"no function {name!r}; {did_you_mean(name, CARDS, '`slopes list` shows all there are', most=3)}")
