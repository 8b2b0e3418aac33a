"""Divides by the configured batch size: the last batch of an epoch, which is smaller, counts for less."""

import torch.nn.functional as F
from torch import nn

SEVERITY = "warning"


class DepthLoss(nn.Module):
    def __init__(self, batch_size=8):
        super().__init__()
        self.batch_size = batch_size


class bug(DepthLoss):
    def forward(self, pred, depth):
        if pred.shape != depth.shape:
            raise ValueError(f"pred {tuple(pred.shape)} and depth {tuple(depth.shape)} differ")
        return F.l1_loss(pred, depth, reduction="sum") / self.batch_size


class fixed(DepthLoss):
    def forward(self, pred, depth):
        if pred.shape != depth.shape:
            raise ValueError(f"pred {tuple(pred.shape)} and depth {tuple(depth.shape)} differ")
        return F.l1_loss(pred, depth, reduction="sum") / pred.shape[0]
