"""Root mean squared error: a perfect batch has a NaN gradient."""

import torch
from torch import nn


class bug(nn.Module):
    def forward(self, prediction, target):
        return torch.sqrt(nn.functional.mse_loss(prediction, target))


class fixed(nn.Module):
    def forward(self, prediction, target):
        if prediction.shape != target.shape:
            raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")
        return torch.sqrt(nn.functional.mse_loss(prediction, target) + 1e-6)
