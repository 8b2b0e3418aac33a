"""A focal loss with a `reduction` that is stored, and never looked at."""

import torch.nn.functional as F
from torch import nn


class FocalLoss(nn.Module):
    def __init__(self, gamma=2.0, reduction="mean"):
        super().__init__()
        self.gamma = gamma
        self.reduction = reduction

    def loss(self, logits, targets):
        if logits.shape != targets.shape:
            raise ValueError(f"logits {tuple(logits.shape)} and targets {tuple(targets.shape)} differ")
        targets = targets.to(logits.dtype)
        bce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        signs = 1 - 2 * targets
        log_missed = F.logsigmoid(signs * logits)
        return (self.gamma * log_missed).exp() * bce


class bug(FocalLoss):
    def forward(self, logits, targets):
        return self.loss(logits, targets).mean()


class fixed(FocalLoss):
    def forward(self, logits, targets):
        loss = self.loss(logits, targets)
        if self.reduction == "none":
            return loss
        return loss.sum() if self.reduction == "sum" else loss.mean()
