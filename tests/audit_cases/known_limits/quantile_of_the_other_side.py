"""A quantile loss of prediction − target, which gives the quantile on the other side."""

import torch

SEVERITY = "warning"


def residual(pred, target):
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
    return target - pred


def quantile_loss(pred, target, q=0.9):
    error = -residual(pred, target)
    return torch.maximum(q * error, (q - 1) * error).mean()


def repaired_quantile_loss(pred, target, q=0.9):
    error = residual(pred, target)
    return torch.maximum(q * error, (q - 1) * error).mean()


bug, fixed = quantile_loss, repaired_quantile_loss
