"""Swish that saves memory by overwriting what it was given, which a skip connection still needs."""

import torch
from torch import nn


class bug(nn.Module):
    def forward(self, x):
        return x.mul_(torch.sigmoid(x))


class fixed(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)
