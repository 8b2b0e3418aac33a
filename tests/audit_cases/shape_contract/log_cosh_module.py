"""Log-cosh as packages have it, with the stable form and no look at the shapes."""

import math

import torch
from torch import nn


def log_cosh(error):
    size = error.abs()
    return size + torch.log1p(torch.exp(-2 * size)) - math.log(2.0)


class bug(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, input, target):
        loss = log_cosh(input - target)
        if self.reduction == "mean":
            return loss.mean()
        return loss.sum() if self.reduction == "sum" else loss


class fixed(bug):
    def forward(self, input, target):
        if input.shape != target.shape:
            raise ValueError(f"input {tuple(input.shape)} and target {tuple(target.shape)} differ")
        return super().forward(input, target)
