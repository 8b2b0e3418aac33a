"""Masked mean squared error of depth maps: a crop without a valid pixel is 0 / 0."""

import torch


def squared(pred, target, mask):
    if not pred.shape == target.shape == mask.shape:
        raise ValueError("pred, target and mask must have one shape")
    difference = torch.where(mask, pred - target, 0.0)
    return difference.pow(2).sum(), mask.sum()


def bug(pred, target, mask):
    total, count = squared(pred, target, mask)
    return total / count


def fixed(pred, target, mask):
    total, count = squared(pred, target, mask)
    return total / count.clamp(min=1)
