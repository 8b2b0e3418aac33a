"""Binary cross-entropy whose positives are weighted by negatives per positive: infinitely, if there are none."""

import torch.nn.functional as F


def balanced(logits, target, least):
    if logits.shape != target.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and target {tuple(target.shape)} differ")
    target = target.to(logits.dtype)
    positives = target.sum()
    pos_weight = (target.numel() - positives) / positives.clamp(min=least)
    return F.binary_cross_entropy_with_logits(logits, target, pos_weight=pos_weight)


def bug(logits, target):
    return balanced(logits, target, least=0)


def fixed(logits, target):
    return balanced(logits, target, least=1)
