"""A smooth absolute error: the epsilon under the root is 0 in float16, where the root's slope is infinite."""

import torch
from torch import nn

SEVERITY = "warning"


class Smooth(nn.Module):
    def __init__(self, eps=1e-8):
        super().__init__()
        self.eps = eps

    def loss(self, difference):
        return torch.sqrt(difference**2 + self.eps).mean()

    def forward(self, pred, target):
        if pred.shape != target.shape:
            raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
        return self.loss(self.difference(pred, target))


class bug(Smooth):
    def difference(self, pred, target):
        return pred - target


class fixed(Smooth):
    def difference(self, pred, target):
        difference = pred - target
        return difference.float() if difference.dtype.itemsize < 4 else difference
