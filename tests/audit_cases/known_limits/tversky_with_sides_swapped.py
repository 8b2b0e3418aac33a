"""Tversky's loss whose alpha weighs false negatives: it prefers precision where recall was asked for."""

import torch
from torch import nn

SEVERITY = "warning"


class TverskyLoss(nn.Module):
    def __init__(self, alpha=0.3, beta=0.7, smooth=1e-6):
        super().__init__()
        self.alpha, self.beta, self.smooth = alpha, beta, smooth

    def forward(self, logits, target):
        if logits.shape != target.shape:
            raise ValueError(f"logits {tuple(logits.shape)} and target {tuple(target.shape)} differ")
        p = torch.sigmoid(logits.float() if logits.dtype.itemsize < 4 else logits)
        both = (p * target).sum()
        wrong = self.weighted((p * (1 - target)).sum(), ((1 - p) * target).sum())
        return 1 - (both + self.smooth) / (both + wrong + self.smooth)

    def weighted(self, over, missed):
        return self.alpha * over + self.beta * missed


class SwappedTverskyLoss(TverskyLoss):
    def weighted(self, over, missed):
        return self.beta * over + self.alpha * missed


OPTIONS = {"batch_level": True}
bug, fixed = SwappedTverskyLoss, TverskyLoss
