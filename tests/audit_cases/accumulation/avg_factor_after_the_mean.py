"""A detector's regression loss with `avg_factor`, the number of positives over all ranks, applied to a mean."""

import torch.nn.functional as F
from torch import nn


class BoxLoss(nn.Module):
    loss_weight = 1.0

    def forward(self, pred, target, avg_factor=None):
        if pred.shape != target.shape:
            raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
        loss = F.smooth_l1_loss(pred, target, reduction="none")
        return self.loss_weight * self.reduce(loss, avg_factor)


class bug(BoxLoss):
    def reduce(self, loss, avg_factor):
        return loss.mean() if avg_factor is None else loss.mean() / avg_factor


class fixed(BoxLoss):
    def reduce(self, loss, avg_factor):
        return loss.mean() if avg_factor is None else loss.sum() / avg_factor
