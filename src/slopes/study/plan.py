"""What a study consists of: the pairs, the runs, and the key by which a recorded run is known again."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

import slopes
from slopes.card import Activation, Card, Loss, Map
from slopes.study import feeding, models, tasks, training
from slopes.study.feeding import Feed, feed
from slopes.study.tasks import Task

DEFAULT_ACTIVATIONS = ("relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid")
DEFAULT_LOSSES = ("cross_entropy", "mse", "mae")


@dataclass(frozen=True)
class Pair:
    """An activation and a loss, by their place in the plan."""

    activation: int
    loss: int


@dataclass(frozen=True)
class Unit:
    """The work that is handed out at once: a pair at one rate, for the seeds that are not recorded yet."""

    pair: Pair
    rate: float
    seeds: tuple[int, ...]
    epochs: int


@dataclass(frozen=True)
class Plan:
    """Everything that determines a study's runs."""

    activations: tuple[Activation[Any], ...]
    losses: tuple[Loss[Any], ...]
    seeds: tuple[int, ...]
    epochs: int
    rates: tuple[float, ...]
    task: Task
    _keys: dict[tuple[Pair, float, int], str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def pairs(self) -> list[Pair]:
        """Every activation with every loss."""
        return [Pair(a, b) for b in range(len(self.losses)) for a in range(len(self.activations))]

    @cached_property
    def names(self) -> dict[str, list[str]]:
        """What each card is called in tables: its name, or its full one where two would be called alike."""
        return {"activation": _names(self.activations), "loss": _names(self.losses)}

    def title(self, pair: Pair) -> str:
        """The pair in words."""
        return f"{self.names['activation'][pair.activation]} x {self.names['loss'][pair.loss]}"

    @cached_property
    def feeds(self) -> list[Feed]:
        """How each loss is fed."""
        return [feed(loss) for loss in self.losses]

    @cached_property
    def versions(self) -> dict[str, str]:
        """The packages whose version may change a number."""
        named = {name: version(name) for name in ("torch", "numpy", "scikit-learn")}
        return {"slopes": slopes.__version__, **named}

    @property
    def machine(self) -> dict[str, str]:
        """Where the study runs."""
        return {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}

    @property
    def hidden(self) -> tuple[int, ...]:
        """The network's hidden layers."""
        return models.HIDDEN

    @property
    def batch(self) -> int:
        """How many samples make a step."""
        return training.BATCH

    @property
    def cells(self) -> list[tuple[Pair, float, int]]:
        """Every run, as (pair, rate, seed)."""
        return [(pair, rate, seed) for pair in self.pairs for rate in self.rates for seed in self.seeds]

    def units(self, recorded: Iterable[str]) -> list[Unit]:
        """The work that is left."""
        known = set(recorded)
        units = []
        for pair in self.pairs:
            for rate in self.rates:
                seeds = tuple(seed for seed in self.seeds if self.key(pair, rate, seed) not in known)
                if seeds:
                    units.append(Unit(pair, rate, seeds, self.epochs))
        return units

    def spec(self, pair: Pair, rate: float, seed: int) -> dict[str, Any]:
        """All that a run's numbers depend on."""
        return {
            "activation": self._identities["activation"][pair.activation],
            "loss": self._identities["loss"][pair.loss],
            "rate": rate,
            "seed": seed,
            "epochs": self.epochs,
            "data": self.task.fingerprint,
            "training": _recipe(),
            "versions": self.versions,
        }

    def key(self, pair: Pair, rate: float, seed: int) -> str:
        """A run's name in the record: a digest of its spec, so that what has changed is never mixed in."""
        cell = (pair, rate, seed)
        if cell not in self._keys:
            canonical = json.dumps(self.spec(*cell), sort_keys=True, separators=(",", ":"))
            self._keys[cell] = hashlib.sha256(canonical.encode()).hexdigest()
        return self._keys[cell]

    @cached_property
    def _identities(self) -> dict[str, list[dict[str, str]]]:
        classes = self.task.classes
        return {
            "activation": [_identity(card, probe_activation(card)) for card in self.activations],
            "loss": [_identity(card, probe_loss(card, classes)) for card in self.losses],
        }


def make_plan(
    activations: Any, losses: Any, seeds: int | Sequence[int], epochs: int, rates: Sequence[float], task: Task
) -> Plan:
    """Return the plan that was asked for, or raise TypeError or ValueError that says what does not fit."""
    if activations is None:
        activations = [getattr(slopes, name) for name in DEFAULT_ACTIVATIONS]
    if losses is None:
        losses = [getattr(slopes, name) for name in DEFAULT_LOSSES]
    plan = Plan(
        activations=_cards("activations", activations, Activation, Loss),
        losses=_cards("losses", losses, Loss, Activation),
        seeds=_seeds(seeds),
        epochs=_whole("epochs", epochs, 1),
        rates=_rates(rates),
        task=task,
    )
    _ = plan.feeds, plan.names, plan._identities  # each refuses what cannot be trained
    return plan


# ------------------------------------------------------------------------------------------ arguments


def _cards(what: str, given: Any, wanted: type[Card[Any]], other: type[Card[Any]]) -> tuple[Any, ...]:
    one = what.removesuffix("s") if what == "activations" else "loss"
    if isinstance(given, (str, Card)) or not isinstance(given, Iterable):
        raise TypeError(
            f"compare: {what} must be a list of cards, as in {what}=[slopes.{_example(one)}], got {given!r}."
        )
    cards = tuple(given)
    if not cards:
        raise ValueError(f"compare: {what} must name at least one card, got an empty list.")
    for card in cards:
        if isinstance(card, str):
            raise TypeError(f"compare: {what} takes the functions, not their names: write slopes.{card}, got {card!r}.")
        if isinstance(card, other):
            role = "losses" if one == "activation" else "activations"
            raise TypeError(f"compare: {card.name} is no {one}; pass it in {role}=[...].")
        if not isinstance(card, wanted):
            hint = "@slopes.activation()" if one == "activation" else '@slopes.loss("regression")'
            raise TypeError(f"compare: {what} takes cards; decorate your function with {hint}, got {card!r}.")
        if isinstance(card, Map):
            raise TypeError(
                f"compare: {card.name} mixes the entries of a row, and hidden layers take functions "
                "of one number; take one such as slopes.relu."
            )
    for card in cards:
        if sum(card is twin or repr(card) == repr(twin) for twin in cards) > 1:
            raise ValueError(f"compare: {what} names {card.name} twice; leave one out, or rename one of your own.")
    return cards


def _example(one: str) -> str:
    return "relu" if one == "activation" else "mse"


def _names(cards: Sequence[Card[Any]]) -> list[str]:
    names = [card.name for card in cards]
    return [repr(card) if names.count(card.name) > 1 else card.name for card in cards]


def _whole(what: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"compare: {what} must be a whole number of at least {least}, got {value!r}.")
    return int(value)


def _seeds(given: Any) -> tuple[int, ...]:
    if isinstance(given, (int, np.integer)):
        return tuple(range(_whole("seeds", given, 1)))
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"compare: seeds must be how many there are or a list of them, got {given!r}.")
    seeds = tuple(_whole("a seed", seed, 0) for seed in given)
    if not seeds or len(set(seeds)) < len(seeds) or max(seeds) >= 2**62:
        raise ValueError(f"compare: seeds must be one or more different numbers below 2**62, got {list(seeds)}.")
    return seeds


def _rates(given: Any) -> tuple[float, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"compare: rates must be a list of learning rates, as in rates=(0.001, 0.01), got {given!r}.")
    rates = tuple(given)
    for rate in rates:
        real = isinstance(rate, (int, float, np.number)) and not isinstance(rate, bool)
        if not real or not 0 < rate < math.inf:
            raise ValueError(f"compare: a learning rate must be a finite number > 0, got {rate!r}.")
    if not rates or len(set(rates)) < len(rates):
        raise ValueError(f"compare: rates must be one or more different learning rates, got {list(rates)}.")
    return tuple(sorted(float(rate) for rate in rates))


# --------------------------------------------------------------------------------------------- probes


def probe_activation(card: Any) -> torch.Tensor:
    """Values and slopes of an activation on a fixed row of tensors; ValueError if it cannot be trained."""
    x = torch.linspace(-8, 8, 257).view(1, -1).requires_grad_()
    try:
        with torch.enable_grad():
            values = card(x)
            learns = values.requires_grad
        slope = card.slope(x.detach())
    except Exception as error:
        raise ValueError(f"compare: {card.name} fails on a torch tensor: {_brief(error)}") from error
    _check_learns(card, learns)
    return torch.cat([values.detach(), slope])


def probe_loss(card: Any, classes: int) -> torch.Tensor:
    """Values and gradient of a loss on fixed logits, fed as in training; ValueError if it cannot be trained."""
    logits = torch.randn(1, 16, classes, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.arange(16).view(1, -1) % classes
    try:
        with torch.enable_grad():
            values = card(*feed(card)(logits, labels), reduction="none")
            learns = values.requires_grad
            if learns:
                values.sum().backward()
    except Exception as error:
        raise ValueError(f"compare: {card.name} fails on torch tensors: {_brief(error)}") from error
    _check_learns(card, learns)
    assert logits.grad is not None  # backward has just filled it
    return torch.cat([values.detach().flatten(), logits.grad.flatten()])


def _check_learns(card: Any, learns: bool) -> None:
    if not learns:
        raise ValueError(f"compare: {card.name} cuts off the gradient; write its body in slopes.ops, without detach.")


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


# --------------------------------------------------------------------------------------------- digests


def _identity(card: Any, probe: torch.Tensor) -> dict[str, str]:
    """What tells a card from every other and from its own former self: its text, and what it computes.

    The values, to six digits, see a change in a helper that the card calls, which its own text does not show.
    """
    values = " ".join(f"{value + 0.0:.5e}" for value in probe.flatten().tolist())
    bodies = [body for body in (card.body, card.slope_body) if body is not None]
    return {
        "card": repr(card),
        "settings": repr(sorted(card.settings.items())),
        "source": _digest("\n".join(map(_text, bodies))),
        "values": _digest(values),
    }


def _text(body: Any) -> str:
    """The source of a function, or where there is none (an interactive session) its compiled form."""
    try:
        return inspect.getsource(body)
    except (OSError, TypeError):
        code = body.__code__
        return repr((code.co_code, code.co_names, [c for c in code.co_consts if not inspect.iscode(c)]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _recipe() -> str:
    """A digest of the code that trains, of which every run's key is made."""
    return _digest("\n".join(inspect.getsource(module) for module in (feeding, models, tasks, training)))
