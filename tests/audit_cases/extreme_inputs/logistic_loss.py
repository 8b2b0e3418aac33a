"""The logistic loss of labels −1 and 1: exp overflows in float32 at margins of −89."""

import torch
import torch.nn.functional as F
from torch import nn


class bug(nn.Module):
    def forward(self, output, y):
        if output.shape != y.shape:
            raise ValueError(f"output {tuple(output.shape)} and y {tuple(y.shape)} differ")
        return torch.log(1 + torch.exp(-y * output)).mean()


class fixed(nn.Module):
    def forward(self, output, y):
        if output.shape != y.shape:
            raise ValueError(f"output {tuple(output.shape)} and y {tuple(y.shape)} differ")
        return F.softplus(-y * output).mean()
