"""The value is right and requires a gradient, which ends at the new tensor: nothing learns, and nothing raises."""

import torch
from torch import nn


class bug(nn.Module):
    def forward(self, prediction, target):
        if prediction.shape != target.shape:
            raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")
        error = nn.functional.smooth_l1_loss(prediction, target)
        return torch.tensor(error.detach().numpy(), requires_grad=True)


class fixed(nn.Module):
    def forward(self, prediction, target):
        if prediction.shape != target.shape:
            raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")
        return nn.functional.smooth_l1_loss(prediction, target)
