"""Losses as people write them, for trying the audit and the comparison on.

slopes audit examples/my_losses.py:FocalLoss
slopes audit examples/my_losses.py:my_mse --against torch.nn.MSELoss
slopes audit examples/my_losses.py:naive_focal
slopes compare --losses cross_entropy,examples/my_losses.py:my_mse
"""

import torch
from torch import nn
from torch.nn import functional as F

import slopes


@slopes.loss("regression")
def my_mse(prediction, target):
    """My mean squared error: the squared difference; the decorator takes the mean."""
    return (prediction - target) ** 2


class FocalLoss(nn.Module):
    """Focal loss of two classes, of logits: cross-entropy that gives less weight to samples that are already right."""

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the mean over all entries."""
        cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        wrong = torch.sigmoid(torch.where(target > 0.5, -logits, logits))
        return (wrong**self.gamma * cross_entropy).mean()


def naive_focal(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Focal loss as its formula reads, which ruins a training once the network is sure of something."""
    p = torch.sigmoid(logits)
    p_right = p * target + (1 - p) * (1 - target)
    return (-((1 - p_right) ** 2) * torch.log(p_right)).mean()
