"""A swish with a beta that its sigmoid does not get."""

import torch
from torch import nn

SEVERITY = "warning"


class Swish(nn.Module):
    def __init__(self, beta=1.0):
        super().__init__()
        self.beta = beta


class bug(Swish):
    def forward(self, x):
        return x * torch.sigmoid(x)


class fixed(Swish):
    def forward(self, x):
        return x * torch.sigmoid(self.beta * x)
