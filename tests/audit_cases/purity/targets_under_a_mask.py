"""Targets that are set to 0 under the mask, in the caller's tensor."""

import torch


def bug(pred, target, mask=None):
    check(pred, target, mask)
    if mask is None:
        return ((pred - target) ** 2).mean()
    target[~mask] = 0.0
    return average((pred - target) ** 2, mask)


def fixed(pred, target, mask=None):
    check(pred, target, mask)
    if mask is None:
        return ((pred - target) ** 2).mean()
    return average((pred - torch.where(mask, target, 0.0)) ** 2, mask)


def check(pred, target, mask):
    if pred.shape != target.shape or (mask is not None and mask.shape != pred.shape):
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ, or the mask from both")


def average(loss, mask):
    return torch.where(mask, loss, 0.0).sum() / mask.sum().clamp(min=1)
