"""Huber's loss with a constant that is right for a delta of 1 alone."""

import torch


def residual(pred, target):
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
    return (pred - target).abs()


def huber_loss(pred, target, delta=1.0):
    error = residual(pred, target)
    return torch.where(error < delta, 0.5 * error**2, delta * error - 0.5 * delta).mean()


def repaired_huber_loss(pred, target, delta=1.0):
    error = residual(pred, target)
    return torch.where(error < delta, 0.5 * error**2, delta * (error - 0.5 * delta)).mean()


bug, fixed = huber_loss, repaired_huber_loss
