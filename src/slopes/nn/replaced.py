"""PyTorch's activation and loss classes, with forwards of cards."""

from __future__ import annotations

import functools
import inspect
import warnings
from typing import Any, NoReturn

import torch
from torch.fx import Proxy
from typing_extensions import deprecated

from slopes.card import Card, refused_script
from slopes.catalogue import CARDS
from slopes.nn.activations import ACTIVATIONS
from slopes.nn.common import Compute
from slopes.nn.losses import LOSSES

TABLE = ACTIVATIONS | LOSSES  #: card and forward by PyTorch's class
REPLACED: dict[str, type[torch.nn.Module]] = {}


def _replace(name: str, card: Card, compute: Compute) -> None:
    """Subclass PyTorch's class with the forward `compute`; where that returns None, PyTorch's runs."""
    base = getattr(torch.nn, name)
    names = list(inspect.signature(base.forward).parameters)[1:]
    count = len(names)

    def forward(self: Any, *arguments: Any, **named: Any) -> Any:
        if named and set(named) == set(names[len(arguments) :]):
            arguments, named = (*arguments, *(named[name] for name in names[len(arguments) :])), {}
        if named or len(arguments) != count:
            return base.forward(self, *arguments, **named)  # PyTorch raises the error
        if isinstance(arguments[0], Proxy):
            return leaf(self, arguments)
        result = compute(self, card, *arguments)
        return base.forward(self, *arguments) if result is None else result

    ours = tuple(REPLACED[parent.__name__] for parent in base.__mro__[1:] if parent.__name__ in REPLACED)
    doc = f"PyTorch's {name}, computed by slopes.\n\n{inspect.cleandoc(base.__doc__ or '')}"
    forward.__code__ = forward.__code__.replace(co_name=f"{name}.forward")  # torch.compile counts by code object
    body = {
        "forward": functools.wraps(base.forward)(forward),
        "__prepare_scriptable__": refuse_script,
        "__module__": "slopes.nn",
        "__doc__": doc,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a deprecated base; its users get the warning below
        REPLACED[name] = type(name, (base, *ours), body)
    if "__deprecated__" in vars(base):
        REPLACED[name] = deprecated(base.__deprecated__, category=FutureWarning)(REPLACED[name])


def refuse_script(module: torch.nn.Module) -> NoReturn:
    """Refuse torch.jit.script, which calls a module's `__prepare_scriptable__`."""
    raise refused_script(f"slopes.nn.{type(module).__name__}")


def leaf(module: torch.nn.Module, arguments: tuple[Any, ...]) -> Any:
    """Record the module as a node of a `torch.fx` trace, like torch.nn's."""
    tracer = arguments[0].tracer
    return tracer.create_proxy("call_module", tracer.path_of_module(module), arguments, {})


for _name, (_card, _compute) in TABLE.items():
    _replace(_name, CARDS[_card], _compute)
