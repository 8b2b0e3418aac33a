"""Hinge loss of a mask read from a PNG, which is uint8: 2 * 0 - 1 is 255."""

import torch.nn.functional as F

SEVERITY = "warning"
OPTIONS = {"kind": "binary", "space": "logits"}


def bug(logits, mask):
    if logits.shape != mask.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and mask {tuple(mask.shape)} differ")
    return F.softplus(-(2 * mask - 1) * logits).mean()


def fixed(logits, mask):
    return bug(logits, mask.to(logits.dtype))
