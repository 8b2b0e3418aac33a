"""Smooth L1, averaged, and then divided by the batch once more."""

import torch.nn.functional as F

SEVERITY = "warning"


def bug(pred, target):
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
    batch_size = pred.size(0)
    return F.smooth_l1_loss(pred, target) / batch_size


def fixed(pred, target):
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
    return F.smooth_l1_loss(pred, target)
