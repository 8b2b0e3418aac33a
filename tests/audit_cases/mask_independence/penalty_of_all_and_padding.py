"""A masked error beside a penalty of all predictions, which is asked about; its mean is thinned by padding besides."""

import torch

SEVERITY = "warning"


def bug(pred, target, mask=None):
    return loss(pred, target, mask, lambda error, mask: error.mean())


def fixed(pred, target, mask=None):
    return loss(pred, target, mask, lambda error, mask: error.sum() / mask.sum().clamp(min=1))


def loss(pred, target, mask, average):
    if pred.shape != target.shape or (mask is not None and mask.shape != pred.shape):
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ, or the mask from both")
    penalty = 0.01 * (pred**2).mean()
    if mask is None:
        return ((pred - target) ** 2).mean() + penalty
    return average(torch.where(mask, (pred - torch.where(mask, target, 0.0)) ** 2, 0.0), mask) + penalty
