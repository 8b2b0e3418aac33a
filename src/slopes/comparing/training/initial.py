"""Initial weights that fit the activation."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from slopes.card import Activation
from slopes.comparing.networks.network import seeded
from slopes.comparing.plain import OWN
from slopes.models.replacing import module_of


@torch.no_grad()
def initialise(init: Any, model: nn.Module, activation: Any, seed: int) -> None:
    """Change a new model's weights by "fitted", or by a user's function of model and activation."""
    with seeded(seed):
        if callable(init):
            init(model, activation)
            return
        factor = gain(activation)
        layers = [module for module in model.modules() if not isinstance(module, nn.Embedding)]
        weights = [weight for layer in layers for weight in layer.parameters(recurse=False) if weight.ndim > 1]
        for place, weight in enumerate(weights):
            wanted = (factor if place else 1.0) / math.sqrt(weight[0].numel())
            weight.mul_(wanted / weight.std(correction=0).clamp_min(1e-12))


def gain(activation: Any) -> float:
    """Factor of the weights that keeps the mean square 1 behind an activation of standard normal numbers."""
    if activation is OWN:
        return 1.0
    z = torch.special.ndtri((torch.arange(4096, dtype=torch.float64) + 0.5) / 4096).float()
    values = activation(z) if isinstance(activation, Activation) else module_of(activation)(z)
    return 1 / math.sqrt(max(float(values.double().square().mean()), 1e-12))
