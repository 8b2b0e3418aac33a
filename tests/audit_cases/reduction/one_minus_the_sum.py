"""A cosine loss whose sum is 1 minus the sum of the similarities."""

import torch.nn.functional as F

SEVERITY = "warning"
OPTIONS = {"kind": "vectors"}


def similarity(pred, target):
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
    return F.cosine_similarity(pred, target, dim=-1, eps=1e-3)


def bug(pred, target):
    return 1 - similarity(pred, target).sum()


def fixed(pred, target):
    return (1 - similarity(pred, target)).sum()
