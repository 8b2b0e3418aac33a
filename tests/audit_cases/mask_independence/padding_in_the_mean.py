"""Sequences padded to the longest one: short ones count for less, the more so the longer the padding."""

import torch
from torch import nn

SEVERITY = "warning"


class MaskedMSE(nn.Module):
    def squared(self, prediction, target, mask):
        if not prediction.shape == target.shape == mask.shape:
            raise ValueError("prediction, target and mask must have one shape")
        return torch.where(mask, prediction - target, 0.0).pow(2)


class bug(MaskedMSE):
    def forward(self, prediction, target, mask):
        return self.squared(prediction, target, mask).mean()


class fixed(MaskedMSE):
    def forward(self, prediction, target, mask):
        return self.squared(prediction, target, mask).sum() / mask.sum().clamp(min=1)
