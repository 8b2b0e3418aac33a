"""Charbonnier's loss as a function whose epsilon is written out in its body."""

import torch

SEVERITY = "warning"


def difference(pred, target):
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
    return pred - target


def bug(pred, target, eps=1e-3):
    return torch.sqrt(difference(pred, target) ** 2 + 1e-3**2).mean()


def fixed(pred, target, eps=1e-3):
    return torch.sqrt(difference(pred, target) ** 2 + eps**2).mean()
