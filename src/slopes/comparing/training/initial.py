"""Initial weights that fit the activation."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

import slopes
from slopes.card import Activation
from slopes.comparing.networks.network import seeded
from slopes.comparing.plain import OWN
from slopes.models.inventory import class_of
from slopes.models.replacing import module_of


@torch.no_grad()
def initialise(init: Any, model: nn.Module, activation: Any, seed: int) -> None:
    """Change a new model's weights by "fitted", or by a user's function of model and activation."""
    with seeded(seed):
        if callable(init):
            init(model, activation)
            return
        factor = gain(_own_of(model) if activation is OWN else activation)
        layers = [module for module in model.modules() if not isinstance(module, nn.Embedding)]
        weights = [weight for layer in layers for weight in layer.parameters(recurse=False) if weight.ndim > 1]
        drawn = [weight for weight in weights if weight.std(correction=0) > 1e-6 * weight.abs().max()]
        for place, weight in enumerate(drawn):
            wanted = (factor if place else 1.0) / math.sqrt(weight[0].numel())
            weight.mul_(wanted / weight.std(correction=0))


def _own_of(model: nn.Module) -> Any:
    """First activation among a model's modules; the identity if it calls functions alone."""
    found = next((module for module in model.modules() if class_of(module)), slopes.identity)
    return nn.PReLU if isinstance(found, nn.PReLU) else found  # has a slope for each of its own channels


def gain(activation: Any) -> float:
    """Factor of the weights that keeps the mean square 1 behind an activation of standard normal numbers."""
    z = torch.special.ndtri((torch.arange(4096, dtype=torch.float64) + 0.5) / 4096).float()
    values = activation(z) if isinstance(activation, Activation) else module_of(activation)(z)
    return 1 / math.sqrt(max(float(values.double().square().mean()), 1e-12))
