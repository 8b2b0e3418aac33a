"""Losses and activations that are no cards: modules and functions of PyTorch, of other libraries, or users' own."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from slopes.card import Loss
from slopes.catalogue import CARDS
from slopes.domains import shown
from slopes.nn.losses import LOSSES

#: classes of PyTorch with a prediction and a target, by the functions that compute the same
_FUNCTIONS = {
    nn.functional.binary_cross_entropy: "BCELoss",
    nn.functional.binary_cross_entropy_with_logits: "BCEWithLogitsLoss",
    nn.functional.cross_entropy: "CrossEntropyLoss",
    nn.functional.huber_loss: "HuberLoss",
    nn.functional.kl_div: "KLDivLoss",
    nn.functional.l1_loss: "L1Loss",
    nn.functional.mse_loss: "MSELoss",
    nn.functional.nll_loss: "NLLLoss",
    nn.functional.poisson_nll_loss: "PoissonNLLLoss",
    nn.functional.smooth_l1_loss: "SmoothL1Loss",
    nn.functional.soft_margin_loss: "SoftMarginLoss",
}
#: cards with the same arguments
_CARDS: dict[str, Any] = {name: CARDS[LOSSES[name][0]] for name in _FUNCTIONS.values()}
_CARDS["BCELoss"] = _CARDS["BCELoss"].with_(from_probabilities=True)


@dataclass(frozen=True, eq=False)
class PlainLoss:
    """A loss that is called with a prediction and a target, and has no values of single samples."""

    name: str
    function: Any  #: its result is a number, or values to average
    card: Loss | None  #: card with the same arguments; without one, they are outputs and targets as they are

    def __call__(self, *arguments: Tensor, reduction: str = "mean") -> Tensor:
        if reduction != "mean":
            raise ValueError(f"{self.name}: the values of single samples are unknown")
        value: Tensor = self.function(*arguments)
        return value.mean() if value.ndim else value

    def __repr__(self) -> str:
        return self.name


class Own:
    """Stands for the activations that a model has itself."""

    name = "own"

    def __repr__(self) -> str:
        return "own"

    def __reduce__(self) -> str:
        return "OWN"


OWN = Own()


class FunctionModule(nn.Module):
    """An activation module that calls a function."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.function(x)
        return y

    def extra_repr(self) -> str:
        return name_function(self.function)


def as_loss(given: Any) -> PlainLoss:
    """Wrap a module, a class of modules, a function, or a partial call of either or of a card."""
    if inspect.isclass(given):
        given = given()
    inner, keywords = (given.func, given.keywords) if isinstance(given, partial) else (given, {})
    if isinstance(inner, Loss):
        return PlainLoss(name_function(given), given, inner.with_(**_parameters(inner, keywords)))
    if isinstance(given, nn.Module):
        keywords = {name: getattr(given, name, default) for name, default in _defaults(type(given)).items()}
    card = _CARDS.get(_FUNCTIONS.get(inner) or type(inner).__name__) if _is_of_torch(inner) else None
    return PlainLoss(name_function(given), given, card and card.with_(**_parameters(card, keywords)))


def _is_of_torch(function: Any) -> bool:
    return inspect.isroutine(function) or type(function).__module__.startswith(("torch.nn.", "slopes.nn"))


def _parameters(card: Loss, keywords: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in keywords.items() if name in card.parameters and value is not None}


def _defaults(kind: type) -> dict[str, Any]:
    return {
        name: parameter.default
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.default is not parameter.empty
    }


def name_function(function: Any) -> str:
    """Name with the settings that are not the defaults, as in ``CrossEntropyLoss(label_smoothing=0.1)``."""
    if isinstance(function, partial):
        listed = [*map(shown, function.args), *(f"{name}={_short(value)}" for name, value in function.keywords.items())]
        return f"{name_function(function.func)}({', '.join(listed)})"
    if isinstance(function, nn.Module):
        changed = {
            name: getattr(function, name)
            for name, default in _defaults(type(function)).items()
            if name != "reduction" and hasattr(function, name) and _differs(getattr(function, name), default)
        }
        listed = [f"{name}={_short(value)}" for name, value in changed.items()]
        return type(function).__name__ + (f"({', '.join(listed)})" if listed else "")
    return str(getattr(function, "name", None) or getattr(function, "__name__", type(function).__name__))


def _differs(value: Any, default: Any) -> bool:
    if isinstance(value, Tensor) or type(value) is not type(default):
        return value is not default
    return bool(value != default)


def _short(value: Any) -> str:
    return "…" if isinstance(value, (Tensor, nn.Module)) or hasattr(value, "__array__") else shown(value)
