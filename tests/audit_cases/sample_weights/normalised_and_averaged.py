"""Binary cross-entropy of weights that sum to 1, averaged nevertheless."""

import torch.nn.functional as F
from torch import nn

SEVERITY = "warning"
OPTIONS = {"kind": "binary"}


class WeightedBCE(nn.Module):
    def forward(self, logits, targets, sample_weight=None):
        if logits.shape != targets.shape or (sample_weight is not None and sample_weight.shape != logits.shape):
            raise ValueError("logits, targets and sample_weight must have one shape")
        bce = F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype), reduction="none")
        if sample_weight is None:
            return bce.mean()
        return self.reduced(bce, sample_weight / sample_weight.sum().clamp(min=1e-12))


class bug(WeightedBCE):
    def reduced(self, loss, weight):
        return (loss * weight).mean()


class fixed(WeightedBCE):
    def reduced(self, loss, weight):
        return (loss * weight).sum()
