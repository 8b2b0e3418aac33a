"""A focal loss whose gamma is stored, while the power in forward is the paper's."""

import torch.nn.functional as F
from torch import nn

SEVERITY = "warning"
OPTIONS = {"kind": "binary", "space": "logits"}


class FocalLoss(nn.Module):
    def __init__(self, gamma=2.0, reduction="mean"):
        super().__init__()
        self.gamma = gamma
        self.reduction = reduction

    def forward(self, logits, targets):
        if logits.shape != targets.shape:
            raise ValueError(f"logits {tuple(logits.shape)} and targets {tuple(targets.shape)} differ")
        targets = targets.to(logits.dtype)
        bce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        loss = (self.power() * F.logsigmoid((1 - 2 * targets) * logits)).exp() * bce
        if self.reduction == "none":
            return loss
        return loss.sum() if self.reduction == "sum" else loss.mean()


class bug(FocalLoss):
    def power(self):
        return 2.0


class fixed(FocalLoss):
    def power(self):
        return self.gamma
