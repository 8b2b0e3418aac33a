"""Modules of cards, and classes that PyTorch lacks."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from slopes.card import Card, Loss, MixedSum
from slopes.catalogue import CARDS
from slopes.domains import Coefficients
from slopes.hints import did_you_mean
from slopes.kinds import OPTIONS
from slopes.nn.centers import CenterLoss
from slopes.nn.losses import counted
from slopes.nn.replaced import TABLE, leaf, refuse_script
from slopes.readings import torch as r


class CardModule(torch.nn.Module):
    """A card as a module, with its parameters as attributes; tensors among them are trained, or saved with it.

    `Rational` trains its coefficients, too, unless they are given as a plain tensor.

    It follows PyTorch: an axis is called `dim`, and noise is used in training only. A loss has a `reduction`, classes
    on axis 1 with a `weight` each, labels of −100 that do not count, and NaN as the mean of nothing.
    """

    card: Any
    trains_coefficients = True

    def __init__(self, **parameters: Any) -> None:
        super().__init__()
        defaults = _options(self.card)
        for name, value in parameters.items():
            if name not in defaults:
                raise TypeError(f"{type(self).__name__}: no parameter {name!r}; {_offer(name, defaults)}")
            if name in OPTIONS:
                OPTIONS[name].check(type(self).__name__, name, value)
        self.card._settings({name: value for name, value in parameters.items() if name in self.card.parameters})
        for name, value in {**defaults, **parameters}.items():
            value = self._learnt(name, value)
            plain = isinstance(value, Tensor) and not isinstance(value, torch.nn.Parameter)
            if plain or (name == "weight" and value is None):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def _learnt(self, name: str, value: Any) -> Any:
        """The value; coefficients that are no tensor become a parameter of the module."""
        domain = self.card.parameters[name].domain if name in self.card.parameters else None
        if not self.trains_coefficients or not isinstance(domain, Coefficients) or isinstance(value, Tensor):
            return value
        return torch.nn.Parameter(torch.tensor(domain.read(value), dtype=torch.get_default_dtype()))

    def forward(self, *arguments: Any) -> Any:
        """Apply the card to the arguments."""
        if arguments and isinstance(arguments[0], torch.fx.Proxy):
            return leaf(self, arguments)
        options = {name: getattr(self, name) for name in _options(self.card)}
        own = self.card.parameters
        options = {name if name in own else _OURS.get(name, name): value for name, value in options.items()}
        names = [argument.name for argument in self.card.kind.arguments] if isinstance(self.card, Loss) else ["x"]
        if not arguments:
            raise TypeError(f"{self.card.name}: takes {', '.join(names)} and then keywords; {names[0]} is missing")
        for name, argument in zip(names, arguments, strict=False):
            r.enter(argument, f"{self.card.name}: {name}")
        if self.card.noise and self.training:
            options[self.card.noise] = r.drawn(self.card.parameters[self.card.noise].domain.distribution, arguments[0])
        if isinstance(self.card, MixedSum):
            parts = self.card.hand_out(arguments, options)
            values = {name: _in_the_style_of_pytorch(card, given, own) for name, card, given, own in parts}
            return self.card.add(values)
        if isinstance(self.card, Loss):
            return _in_the_style_of_pytorch(self.card, arguments, options)
        return self.card(*arguments, **options)

    __prepare_scriptable__ = refuse_script

    def extra_repr(self) -> str:
        """Parameters other than the defaults."""
        shown = {name: getattr(self, name) for name in _options(self.card)}
        defaults = _options(self.card)
        return ", ".join(
            f"{name}=tensor{tuple(value.shape)}" if isinstance(value, Tensor) else f"{name}={value!r}"
            for name, value in shown.items()
            if isinstance(value, Tensor) or value != defaults[name]
        )


class module(CardModule):
    """A card as a module: ``module(slopes.elu, alpha=0.5)``; an `nn.Parameter` is trained.

    Raises TypeError for no card or unknown parameters, ValueError for one outside its domain.
    """

    trains_coefficients = False

    def __init__(self, card: Card, /, **parameters: Any) -> None:
        if not isinstance(card, Card):
            raise TypeError(f"module: takes a card, as slopes.activation and slopes.loss make them, got {card!r}")
        self.card = card
        super().__init__(**parameters)

    def extra_repr(self) -> str:
        """The card, and parameters other than the defaults."""
        return ", ".join(filter(None, [repr(self.card), super().extra_repr()]))


def _offer(name: str, known: Mapping[str, Any]) -> str:
    theirs = {ours: name for name, ours in _OURS.items()}
    if theirs.get(name) in known:
        return f"PyTorch and slopes.nn call it {theirs[name]!r}"
    return did_you_mean(name, known, f"it takes {', '.join(known) or 'none'}")


#: keywords of calls, not of modules
_OF_A_CALL = {"mask", "generator", "divisor", "out", "weight", "terms"}
_OURS = {"dim": "axis", "weight": "class_weight"}  #: PyTorch's names and the card's


@functools.cache
def _options(card: Card) -> dict[str, Any]:
    """A module's options and defaults, under PyTorch's names."""
    keywords = [p for p in card.call_signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
    options = {
        p.name: p.default for p in keywords if p.name not in _OF_A_CALL or p.name in card.parameters
    } | card.settings
    options.pop(card.noise or "", None)
    if has_classes(card):
        del options["axis"]  # it has the classes on axis 1
        if "ignore_index" in options:
            options["ignore_index"] = -100
    theirs = {ours: name for name, ours in _OURS.items() if ours in options}
    options = {theirs.get(name, name): default for name, default in options.items()}
    if "reduction" in options:
        options["reduction"] = options.pop("reduction")  # last, as in PyTorch
    return options


def has_classes(card: Card) -> bool:
    """Whether rows are the classes of a sample or pixel."""
    return isinstance(card, Loss) and (card.kind.takes_labels or card.kind.has_regions)


def _in_the_style_of_pytorch(card: Loss, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    first, target = arguments[0], arguments[-1]
    count: Any = first.numel()
    if has_classes(card):
        weight, ignored = options.get("class_weight"), options.pop("ignore_index", None)
        options["axis"] = min(1, first.ndim - 1)
        if (labelled := target.ndim < first.ndim) and ignored is not None:
            options["ignore_index"] = ignored
        if "label_smoothing" in card.kind.options and options["reduction"] == "mean":
            count = first.select(options["axis"], 0).numel()
            if labelled:
                kept = target != ignored
                count = counted(torch.where(kept, target, 0), kept, weight)
            options["divisor"] = count
    else:  # a call without a kind's options may have a fast path
        defaults = {name: card.call_signature.parameters[name].default for name in card.kind.options}
        options = {name: x for name, x in options.items() if name not in defaults or x != defaults[name]}
    value = card(*arguments, **options)
    if options["reduction"] != "mean":
        return value
    if isinstance(count, Tensor):
        return torch.where(count == 0, math.nan, value)
    return value if count else value * math.nan


_NAMES = "ReLU GELU ELU SiLU GLU SwiGLU GEGLU ReGLU SmeLU XIELU KL JS MSE MAPE MSLE GIoU DIoU CIoU NCE SupCon"
_SPELT = {word.lower(): word for word in _NAMES.split()}


def _class_name(card: Card) -> str:
    name = "".join(_SPELT.get(word, word.capitalize()) for word in card.name.split("_"))
    return name + "Loss" * (isinstance(card, Loss) and not name.endswith("Loss"))


def _lacked() -> dict[str, Card]:
    replaced = {card for card, _ in TABLE.values()}
    named = {_class_name(card): card for card in CARDS.values() if card.name not in replaced}
    known = {name.lower() for name in (*dir(torch.nn), CenterLoss.__name__)}
    return {name: card for name, card in named.items() if name.lower() not in known}


LACKED = _lacked()


def make(name: str) -> type[CardModule]:
    """The class of a card that PyTorch lacks."""
    card = LACKED[name]
    known = [
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default)
        for option, default in _options(card).items()
    ]
    signature = inspect.Signature(known)
    body = {"card": card, "__module__": "slopes.nn", "__doc__": card.body.__doc__, "__signature__": signature}
    return type(name, (CardModule,), body)
