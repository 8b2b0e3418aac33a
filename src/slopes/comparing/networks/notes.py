"""Notes on a network that trains, but perhaps not as its author meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from slopes.comparing.networks.drawing import drawn_anew
from slopes.comparing.networks.network import Network, seeded

if TYPE_CHECKING:
    from slopes.comparing.tasks import Task
    from slopes.comparing.tasks.inputs import Inputs


def on_the_end(network: Network, predicted: Tensor, last: nn.Module | None, task: Task) -> list[str]:
    """Notes on a last module that is replaced or squashes, as losses are fed logits."""
    if last is not None and isinstance(last, network.replace):
        return [
            f"The last module, {type(last).__name__}, gives the prediction and is replaced with the others; "
            "a network should end with a linear layer."
        ]
    ending = type(last).__name__ if isinstance(last, (nn.Sigmoid, nn.Softmax, nn.LogSoftmax)) else ""
    if not ending and task.kind.has_classes and (predicted >= 0).all():
        sums = predicted.sum(-1)
        ending = "a softmax" * bool(torch.allclose(sums, torch.ones_like(sums), atol=1e-4))
    if not ending or task.kind.has_numbers:
        return []
    return [
        f"The model ends with {ending}, and losses take its outputs for logits: take it off, or the study compares "
        "training on squashed numbers."
    ]


def on_copies(module: nn.Module, example: Inputs | None) -> list[str]:
    notes = [
        "Each seed draws new initial weights by the reset_parameters of the model's modules, so weights that it came "
        "with are not kept; for those, or for an initialisation of your own, pass a function that makes the model."
    ]
    with seeded(0):
        _, kept = drawn_anew(module, example)
    if kept:
        notes.append(
            f"{_some(kept)} kept the same values for all seeds, being frozen or out of reach of any reset_parameters; "
            "a function that makes the model would draw them."
        )
    return notes


def on_same_weights(model: nn.Module, kept: Mapping[str, Tensor]) -> list[str]:
    """Notes on weights that a factory makes alike for all seeds, constants apart."""
    varied = [name for name, weight in model.named_parameters() if weight.min() < weight.max()]
    same = [name for name in varied if name in kept]
    if same and same == varied:
        return ["All initial weights are the same for all seeds, which differ in the order of the data alone."]
    return [f"{_some(same)} started with the same values for all seeds."] if same else []


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
