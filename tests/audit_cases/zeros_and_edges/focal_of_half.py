"""Focal loss by pow: asked for gamma 0.5, a confident right answer has 0 ** -0.5 in its gradient."""

import torch
from torch.nn import functional as F

SEVERITY = "note"  # its own gamma is harmless


def focal(logits, targets, gamma, weight):
    if logits.shape != targets.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and targets {tuple(targets.shape)} differ")
    ce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (weight(logits, targets, ce, gamma) * ce).mean()


def bug(logits, targets, gamma=2.0):
    return focal(logits, targets, gamma, lambda z, t, ce, gamma: (1 - torch.exp(-ce)) ** gamma)


def fixed(logits, targets, gamma=2.0):
    return focal(logits, targets, gamma, lambda z, t, ce, gamma: torch.exp(gamma * F.logsigmoid(z * (1 - 2 * t))))
