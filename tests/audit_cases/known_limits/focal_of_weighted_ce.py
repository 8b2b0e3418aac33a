"""Focal loss that reads p from a cross-entropy which is weighted already."""

import torch
import torch.nn.functional as F
from torch import nn


class FocalLoss(nn.Module):
    def __init__(self, alpha=0.25, gamma=2.0):
        super().__init__()
        self.alpha, self.gamma = alpha, gamma

    def forward(self, logits, target):
        loss = self.alpha * F.cross_entropy(logits, target, reduction="none")
        p = torch.exp(-loss)
        return ((1 - p) ** self.gamma * loss).mean()


class RepairedFocalLoss(FocalLoss):
    def forward(self, logits, target):
        loss = F.cross_entropy(logits, target, reduction="none")
        p = torch.exp(-loss)
        return (self.alpha * (1 - p) ** self.gamma * loss).mean()


bug, fixed = FocalLoss, RepairedFocalLoss
