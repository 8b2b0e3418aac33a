"""A network of one's own, for trying the comparison on.

slopes compare examples/my_models.py:Model examples/houses.csv --target price --losses mse,huber
"""

import torch
from torch import nn


class Model(nn.Module):
    """An MLP for five features and one number: two hidden layers, whose activations a comparison replaces."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.head = nn.Linear(32, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the prices, of shape (batch, 1)."""
        return self.head(self.body(x))
