"""Segmentation: said to average over the valid pixels, and divided by all of them."""

import torch.nn.functional as F

OPTIONS = {"divisor": "valid"}


def bug(logits, target, ignore_index=255):
    loss = F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="none")
    return loss.sum() / target.numel()


def fixed(logits, target, ignore_index=255):
    loss = F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="none")
    return loss.sum() / (target != ignore_index).sum().clamp(min=1)
