"""Triplet loss of distances that are roots: an anchor that is its own positive has a NaN gradient."""

import torch
from torch import nn


class bug(nn.Module):
    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def forward(self, anchor, positive, negative):
        near = (anchor - positive).pow(2).sum(dim=-1).sqrt()
        far = (anchor - negative).pow(2).sum(dim=-1).sqrt()
        return torch.relu(near - far + self.margin).mean()


class fixed(bug):
    def forward(self, anchor, positive, negative):
        near = ((anchor - positive).pow(2).sum(dim=-1) + 1e-6).sqrt()
        far = ((anchor - negative).pow(2).sum(dim=-1) + 1e-6).sqrt()
        return torch.relu(near - far + self.margin).mean()
