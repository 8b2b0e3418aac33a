"""The activations of a network that are replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from slopes.comparing.networks.network import Network
from slopes.comparing.networks.trial import picked, run
from slopes.models.finding import count_activations, list_calls, list_counts
from slopes.models.inventory import ELEMENTWISE
from slopes.models.replacing import replaced

if TYPE_CHECKING:
    from slopes.comparing.tasks import Task


def only_class(name: str, model: nn.Module) -> type[nn.Module]:
    counted = count_activations(model)
    if len(counted) == 1:
        return next(iter(counted))
    if counted:
        most = counted.most_common(1)[0][0]
        raise ValueError(
            f"compare: {name} has {list_counts(counted)}; say which are replaced, as in replace={_path(most)}."
        )
    called = list_calls(model, ELEMENTWISE)
    if called:
        raise ValueError(
            f"compare: {name} has no activation as a module, and calls functions, which cannot be replaced: {called}; "
            "make modules of them, as in self.act = torch.nn.ReLU()."
        )
    kinds = dict.fromkeys(type(module).__name__ for module in model.modules() if not list(module.children()))
    fixed = "".join(f"; those within {kind} are fixed" for kind in _recurrent(model))
    raise ValueError(
        f"compare: {name} has no activation of torch.nn; its modules are {', '.join(kinds)}{fixed}; if one of these is "
        "an activation, pass its class by replace=."
    )


def _recurrent(model: nn.Module) -> list[str]:
    return sorted({type(module).__name__ for module in model.modules() if isinstance(module, nn.RNNBase)})


def _path(kind: type) -> str:
    return f"torch.nn.{kind.__name__}" if kind.__module__.startswith("torch.nn.") else kind.__qualname__


class _Other(nn.Module):
    """Stand-in unlike every activation."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.5 - x


def check_replacement(network: Network, model: nn.Module, predicted: Tensor, task: Task) -> list[str]:
    """Check that replacing changes the model's outputs; return notes on activations out of reach."""
    names = " or ".join(kind.__name__ for kind in network.replace)
    called = list_calls(model, network.replace)
    reached, count = replaced(network.build(0), network.replace, _Other)
    if not count:
        counted = count_activations(model)
        offer = f"it has {list_counts(counted)}" if counted else "it has no activation of torch.nn"
        if called:
            offer = f"it calls functions, which cannot be replaced: {called}; make modules of them"
        raise ValueError(f"compare: {network.name} has no {names} as a module; {offer}.")
    try:
        other = picked(network, run(network.name, reached, task)).detach()
    except ValueError as error:
        raise ValueError(f"compare: with {names} replaced, {str(error).removeprefix('compare: ')}") from error
    if other.shape == predicted.shape and torch.equal(other, predicted):
        missed = f"; it calls functions, which cannot be replaced: {called}" if called else ""
        raise ValueError(
            f"compare: replacing {names} changes nothing that {network.name} gives: they are not on the way to its "
            f"prediction{missed}."
        )
    notes = [f"Calls of functions that are not replaced: {called}."] if called else []
    return notes + [f"The activations within {kind} are fixed, and not replaced." for kind in _recurrent(model)]
