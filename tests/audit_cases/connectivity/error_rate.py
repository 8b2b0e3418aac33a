"""The share of wrong answers is what one wants, and argmax has no gradient."""

import torch
from torch.nn import functional as F


def checked(logits, labels):
    if labels.shape != logits.shape[:1]:
        raise ValueError(f"labels must be {tuple(logits.shape[:1])}, got {tuple(labels.shape)}")


def bug(logits, labels):
    checked(logits, labels)
    return 1 - (torch.argmax(logits, dim=-1) == labels).to(logits.dtype).mean()


def fixed(logits, labels):
    return F.cross_entropy(logits, labels)
