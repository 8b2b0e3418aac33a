"""Checks of the activations, losses and baseline."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

import slopes
from slopes import loading
from slopes.card import Activation, Card, Gate, Loss, Map
from slopes.comparing.plain import OWN, FunctionModule, Own, PlainLoss, as_loss, name_function
from slopes.comparing.tasks import TaskKind
from slopes.hints import did_you_mean
from slopes.models.inventory import class_of_function

ACTIVATIONS = ("relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid")


def activations(given: Any) -> tuple[Any, ...]:
    if given is None:
        return tuple(getattr(slopes, name) for name in ACTIVATIONS)
    return _different("activations", tuple(map(_activation, _several("activations", given, "relu"))))


def _activation(given: Any) -> Any:
    if isinstance(given, str) and given == OWN.name:
        return OWN
    each = _find(given)
    if isinstance(each, Loss):
        raise TypeError(f"compare: {each.name} is no activation; pass it in losses=[...].")
    if isinstance(each, Gate):
        raise ValueError(
            f"compare: {each.name} halves the row it is given, so that the next layer does not fit; build it into "
            "a model of your own, or take a function of one number such as slopes.silu."
        )
    if isinstance(each, Map):
        raise ValueError(
            f"compare: {each.name} mixes the entries of a row, and hidden layers take functions "
            "of one number; take one such as slopes.relu."
        )
    if isinstance(each, (Activation, Own, nn.Module)) or (inspect.isclass(each) and issubclass(each, nn.Module)):
        return each
    if not callable(each):
        raise TypeError(f"compare: activations takes functions, modules and their names, got {each!r}.")
    return class_of_function(each) or FunctionModule(each)


def _find(given: Any) -> Any:
    """Object of a name, as in "relu", "elu(alpha=0.5)" or "my_file.py:my_loss"; others as they are."""
    if not isinstance(given, str):
        return given
    try:
        return loading.find(given)
    except (LookupError, OSError, ImportError, AttributeError, TypeError, ValueError) as error:
        words = str(error.args[0] if error.args else error)
        raise ValueError(f"compare: {words}{'' if words.endswith(('.', '?')) else '.'}") from error


def losses(given: Any, kind: TaskKind) -> tuple[Loss | PlainLoss, ...]:
    if given is None:
        return tuple(getattr(slopes, name) for name in kind.losses)
    return _different("losses", tuple(map(_loss, _several("losses", given, "mse"))))


def _loss(given: Any) -> Loss | PlainLoss:
    each = _find(given)
    if isinstance(each, Loss):
        return each
    if isinstance(each, Card):
        raise TypeError(f"compare: {each.name} is no loss; pass it in activations=[...].")
    if not callable(each):
        raise TypeError(f"compare: losses takes functions, modules and their names, got {each!r}.")
    return as_loss(each)


def _several(option: str, given: Any, example: str) -> tuple[Any, ...]:
    if isinstance(given, (str, Card, nn.Module)) or not isinstance(given, Iterable):
        raise TypeError(f"compare: {option} must be a list of cards, as in {option}=[slopes.{example}], got {given!r}.")
    chosen = tuple(given)
    if not chosen:
        raise ValueError(f"compare: {option} must name at least one card, got an empty list.")
    return chosen


def _different(option: str, chosen: tuple[Any, ...]) -> tuple[Any, ...]:
    for each in chosen:
        if sum(each is twin or repr(each) == repr(twin) for twin in chosen) > 1:
            raise ValueError(f"compare: {option} names {name(each)} twice; leave one out, or rename one of your own.")
    return chosen


def name(each: Any) -> str:
    if isinstance(each, (Card, Own, PlainLoss)):
        return str(each.name)
    if isinstance(each, FunctionModule):
        return name_function(each.function)
    return each.__name__ if isinstance(each, type) else type(each).__name__


def names(chosen: Sequence[Any]) -> list[str]:
    """Short names, or the full `repr` where two are equal."""
    short = [name(each) for each in chosen]
    return [repr(each) if short.count(own) > 1 else own for each, own in zip(chosen, short, strict=True)]


def baseline(given: Any, chosen: dict[str, tuple[Any, ...]]) -> tuple[int, int]:
    """(activation, loss) indices in `chosen`; 0 by default."""
    parts = given if isinstance(given, (tuple, list)) else [given]
    if given is None:
        parts = []
    places: dict[str, int] = {}
    for part in parts:
        for family, cards in chosen.items():
            called = names(cards)
            found = [
                i
                for i, each in enumerate(cards)
                if part is each or part is getattr(each, "function", each) or part in (called[i], name(each))
            ]
            if len(found) == 1 and family not in places:
                places[family] = found[0]
                break
        else:
            everything = [called for cards in chosen.values() for called in names(cards)]
            raise ValueError(
                "compare: baseline must be an activation, a loss or a pair of them that are compared; "
                f"{did_you_mean(part, everything)} Got {given!r}."
            )
    return places.get("activation", 0), places.get("loss", 0)
