"""Noise on the targets, made repeatable by seeding: so is every dropout mask and every shuffle after it."""

import torch
from torch.nn import functional as F


def checked(prediction, target):
    if prediction.shape != target.shape:
        raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")


def bug(prediction, target):
    checked(prediction, target)
    torch.manual_seed(0)
    noise = 1e-4 * torch.randn_like(target)
    return F.l1_loss(prediction, target + noise)


def fixed(prediction, target):
    checked(prediction, target)
    return F.l1_loss(prediction, target)
