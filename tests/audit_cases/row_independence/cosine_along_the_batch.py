"""Cosine distance of embeddings whose `dim` was left at that of a single vector."""

import torch.nn.functional as F

OPTIONS = {"kind": "vectors"}


def bug(prediction, target):
    if prediction.shape != target.shape:
        raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")
    return 1 - F.cosine_similarity(prediction, target, dim=0, eps=1e-3).mean()


def fixed(prediction, target):
    if prediction.shape != target.shape:
        raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")
    return 1 - F.cosine_similarity(prediction, target, dim=-1, eps=1e-3).mean()
