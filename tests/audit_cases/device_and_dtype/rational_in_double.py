"""A rational activation whose coefficients come from NumPy, and so in float64: the next layer raises."""

import numpy as np
import torch
from torch import nn

NUMERATOR = np.array([0.0218, 0.5, 1.5957, 1.1915])


class Rational(nn.Module):
    def __init__(self, coefficients):
        super().__init__()
        self.register_buffer("coefficients", coefficients)

    def forward(self, x):
        powers = torch.stack([torch.ones_like(x), x, x**2, x**3], dim=-1)
        return (powers * self.coefficients).sum(dim=-1) / (1 + x**2)


class bug(Rational):
    def __init__(self):
        super().__init__(torch.from_numpy(NUMERATOR))


class fixed(Rational):
    def __init__(self):
        super().__init__(torch.from_numpy(NUMERATOR).float())
