"""The activations of a network that are replaced."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from slopes.comparing.networks.network import Network
from slopes.comparing.networks.trial import picked, run
from slopes.models.calls import CallSite, Follower
from slopes.models.finding import count_activations, list_counts
from slopes.models.replacing import replaced

if TYPE_CHECKING:
    from slopes.comparing.tasks import Task


def only_class(network: Network, task: Task) -> type[nn.Module]:
    """Class of the model's activations, as modules or calls of functions."""
    name, model = network.name, network.build(0)
    counted = count_activations(model) or Counter(place.kind for place in _calls(network, model, task))
    if len(counted) == 1:
        return next(iter(counted))
    if counted:
        most = counted.most_common(1)[0][0]
        raise ValueError(
            f"compare: {name} has {list_counts(counted)}; say which are replaced, as in replace={_path(most)}."
        )
    kinds = dict.fromkeys(type(module).__name__ for module in model.modules() if not list(module.children()))
    fixed = "".join(f"; those within {kind} are fixed" for kind in _recurrent(model))
    raise ValueError(
        f"compare: {name} has no activation of torch.nn; its modules are {', '.join(kinds)}{fixed}; if one of these is "
        "an activation, pass its class by replace=."
    )


def find_calls(network: Network, task: Task) -> tuple[CallSite, ...]:
    """Calls of functions that compute the same as the classes to replace, beside their modules."""
    if network.takes:
        return ()
    model = replaced(network.build(0), network.replace, _Other)[0]
    return tuple(place for place in _calls(network, model, task) if place.kind in network.replace)


def _calls(network: Network, model: nn.Module, task: Task) -> list[CallSite]:
    follower = Follower(model, {})
    run(network.name, model, task)
    return follower.places


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
    names = " or ".join(kind.__name__ for kind in network.replace) or "activations"
    made: list[nn.Module] = []

    def make() -> nn.Module:
        made.append(_Other())
        return made[-1]

    reached = network.slotted(0, make)
    if not made:
        if network.takes:
            raise ValueError(f"compare: {network.name} makes no activation by its argument {network.takes}.")
        counted = count_activations(model)
        offer = f"it has {list_counts(counted)}" if counted else "it has no activation of torch.nn"
        raise ValueError(f"compare: {network.name} has no {names}; {offer}.")
    try:
        other = picked(network, run(network.name, reached, task)).detach()
    except ValueError as error:
        raise ValueError(f"compare: with {names} replaced, {str(error).removeprefix('compare: ')}") from error
    if other.shape == predicted.shape and torch.equal(other, predicted):
        raise ValueError(
            f"compare: replacing {names} changes nothing that {network.name} gives: they are not on the way to its "
            "prediction."
        )
    return [f"The activations within {kind} are fixed, and not replaced." for kind in _recurrent(model)]
