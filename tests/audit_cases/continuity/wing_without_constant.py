"""Wing loss for landmarks, without the constant that joins the logarithm to the line."""

import math

import torch
from torch import nn


class bug(nn.Module):
    def __init__(self, omega=2.0, epsilon=0.5):
        super().__init__()
        self.omega, self.epsilon, self.c = omega, epsilon, 0.0

    def forward(self, pred, target):
        if pred.shape != target.shape:
            raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
        delta = (target - pred).abs()
        near = self.omega * torch.log1p(delta / self.epsilon)
        return torch.where(delta < self.omega, near, delta - self.c).mean()


class fixed(bug):
    def __init__(self, omega=2.0, epsilon=0.5):
        super().__init__(omega, epsilon)
        self.c = omega - omega * math.log1p(omega / epsilon)
