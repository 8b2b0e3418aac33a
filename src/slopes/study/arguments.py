"""What `slopes.compare` was given, checked: each mistake is one line that says what came and what would do."""

from __future__ import annotations

import difflib
import inspect
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

import slopes
from slopes.card import Activation, Card, Gate, Loss, Map
from slopes.domains import shown
from slopes.study.executing.processes import processors

ACTIVATIONS = ("relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid")
#: what is compared on each kind of task where nothing is said
LOSSES = {
    "classification": ("cross_entropy", "mse", "mae"),
    "binary": ("binary_cross_entropy", "sigmoid_focal", "mse"),
    "regression": ("mse", "mae", "huber"),
    "count": ("poisson_nll", "mse", "mae"),
    "segmentation": ("binary_cross_entropy", "sigmoid_focal", "dice"),
}
OPTIMIZERS = ("adam", "adamw", "sgd")
ENGINES = ("auto", "stack", "loop")


def activations(given: Any) -> tuple[Any, ...]:
    """The activations: cards of one number, modules of torch, or classes of them."""
    if given is None:
        return tuple(getattr(slopes, name) for name in ACTIVATIONS)
    chosen = _several("activations", given, "relu")
    for each in chosen:
        if isinstance(each, str):
            raise TypeError(
                f"compare: activations takes the functions, not their names: write slopes.{each}, got {each!r}."
            )
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
        module = isinstance(each, nn.Module) or (inspect.isclass(each) and issubclass(each, nn.Module))
        if not (isinstance(each, Activation) or module):
            raise TypeError(
                "compare: activations takes cards and modules; decorate your function with @slopes.activation(), "
                f"got {each!r}."
            )
    return _different("activations", chosen)


def losses(given: Any, kind: str) -> tuple[Loss, ...]:
    """The losses: cards."""
    if given is None:
        return tuple(getattr(slopes, name) for name in LOSSES[kind])
    chosen = _several("losses", given, "mse")
    for each in chosen:
        if isinstance(each, str):
            raise TypeError(f"compare: losses takes the functions, not their names: write slopes.{each}, got {each!r}.")
        if isinstance(each, Card) and not isinstance(each, Loss):
            raise TypeError(f"compare: {each.name} is no loss; pass it in activations=[...].")
        if not isinstance(each, Loss):
            raise TypeError(
                f'compare: losses takes cards; decorate your function with @slopes.loss("regression"), got {each!r}.'
            )
    return _different("losses", chosen)


def _several(what: str, given: Any, example: str) -> tuple[Any, ...]:
    if isinstance(given, (str, Card, nn.Module)) or not isinstance(given, Iterable):
        raise TypeError(f"compare: {what} must be a list of cards, as in {what}=[slopes.{example}], got {given!r}.")
    chosen = tuple(given)
    if not chosen:
        raise ValueError(f"compare: {what} must name at least one card, got an empty list.")
    return chosen


def _different(what: str, chosen: tuple[Any, ...]) -> tuple[Any, ...]:
    for each in chosen:
        if sum(each is twin or repr(each) == repr(twin) for twin in chosen) > 1:
            raise ValueError(f"compare: {what} names {name(each)} twice; leave one out, or rename one of your own.")
    return chosen


def name(each: Any) -> str:
    """What a card, module or class of modules is called."""
    if isinstance(each, Card):
        return str(each.name)
    return each.__name__ if isinstance(each, type) else type(each).__name__


def names(chosen: Sequence[Any]) -> list[str]:
    """What each is called in tables: its name, or in full where two would be called alike."""
    short = [name(each) for each in chosen]
    return [repr(each) if short.count(own) > 1 else own for each, own in zip(chosen, short, strict=True)]


def baseline(given: Any, chosen: dict[str, tuple[Any, ...]]) -> tuple[int, int]:
    """The places of the activation and the loss that all others are compared with; the first ones by default."""
    parts = given if isinstance(given, (tuple, list)) else [given]
    if given is None:
        parts = []
    places: dict[str, int] = {}
    for part in parts:
        for family, cards in chosen.items():
            called = names(cards)
            found = [i for i, each in enumerate(cards) if part is each or part in (called[i], name(each))]
            if len(found) == 1 and family not in places:
                places[family] = found[0]
                break
        else:
            everything = [called for cards in chosen.values() for called in names(cards)]
            near = difflib.get_close_matches(part, everything, n=1) if isinstance(part, str) else []
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(everything)}."
            raise ValueError(
                "compare: baseline must be an activation, a loss or a pair of them that are compared; "
                f"{hint} Got {given!r}."
            )
    return places.get("activation", 0), places.get("loss", 0)


def whole(what: str, value: Any, least: int, most: int = 10**6) -> int:
    """A whole number; far fewer runs than the largest one allows would end in a lifetime."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"compare: {what} must be a whole number of at least {least}, got {shown(value)}.")
    if value > most:
        raise ValueError(f"compare: {what} must be a whole number of at most {most}, got {shown(value)}.")
    return int(value)


def positive(what: str, value: Any) -> float:
    """A finite number above 0."""
    real = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not real or not 0 < value < math.inf:
        raise ValueError(f"compare: {what} must be a finite number > 0, got {value!r}.")
    return float(value)


def one_of(what: str, value: Any, choices: Sequence[str]) -> str:
    """One of several words."""
    if value not in choices:
        near = difflib.get_close_matches(str(value), choices, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"compare: {what} must be one of {', '.join(map(repr, choices))}, got {value!r}{hint}")
    return str(value)


def flag(what: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"compare: {what} must be True or False, got {value!r}.")
    return bool(value)


def folder(given: Any) -> Path:
    """Where the record lies."""
    if not isinstance(given, (str, os.PathLike)) or not os.fspath(given):
        raise TypeError(f"compare: out must be the path of a folder, got {given!r}.")
    return Path(given)


def seeds(given: Any) -> tuple[int, ...]:
    """Which seeds; a number says how many."""
    if isinstance(given, (int, np.integer)):
        return tuple(range(whole("seeds", given, 1, most=10_000)))
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"compare: seeds must be how many there are or a list of them, got {given!r}.")
    chosen = tuple(whole("a seed", seed, 0, 2**62 - 1) for seed in given)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"compare: seeds must be one or more different numbers, got {shown(list(chosen))}.")
    return chosen


def rates(given: Any) -> tuple[float, ...]:
    """The learning rates, ascending."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"compare: rates must be a list of learning rates, as in rates=(0.001, 0.01), got {given!r}.")
    chosen = tuple(positive("a learning rate", rate) for rate in given)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"compare: rates must be one or more different learning rates, got {list(chosen)}.")
    return tuple(sorted(chosen))


def progress(given: Any) -> None:
    """Refuse what shows no progress."""
    if given is not None and not isinstance(given, bool) and not callable(given):
        raise TypeError(f"compare: progress must be a function that takes a Progress, or False, got {shown(given)}.")


def workers(given: Any) -> int:
    """How many processes, by default one for each processor that this one may use."""
    if given is None:
        return processors()
    return whole("workers", given, 1, most=4096)
