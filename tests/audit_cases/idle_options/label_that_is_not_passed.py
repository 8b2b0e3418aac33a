"""Cross-entropy of pixels: the label to ignore never reaches the function that would ignore it."""

import torch.nn.functional as F
from torch import nn

SEVERITY = "warning"


class SegmentationLoss(nn.Module):
    def __init__(self, ignore_index=255, label_smoothing=0.1):
        super().__init__()
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing


class bug(SegmentationLoss):
    def forward(self, logits, labels):
        return F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)


class fixed(SegmentationLoss):
    def forward(self, logits, labels):
        loss = F.cross_entropy(
            logits, labels, ignore_index=self.ignore_index, label_smoothing=self.label_smoothing, reduction="sum"
        )
        return loss / (labels != self.ignore_index).sum().clamp(min=1)
