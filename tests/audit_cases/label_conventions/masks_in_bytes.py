"""Hinge loss of masks read from images: in unsigned bytes 2 · y − 1 is 255 for the background."""

import torch


def hinge(logits, target):
    if logits.shape != target.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and target {tuple(target.shape)} differ")
    signs = 2 * target - 1
    return torch.nn.functional.softplus(-signs * logits).mean()


def bug(logits, target):
    return hinge(logits, target)


def fixed(logits, target):
    return hinge(logits, target.to(logits.dtype))
