"""Class weights whose mean divides by the weights of all classes, not by those of the labels that came."""

import torch.nn.functional as F


def bug(logits, target, class_weight=None):
    loss = F.cross_entropy(logits, target, weight=class_weight, reduction="none")
    if class_weight is None:
        return loss.mean()
    return loss.sum() / class_weight.sum()


def fixed(logits, target, class_weight=None):
    loss = F.cross_entropy(logits, target, weight=class_weight, reduction="none")
    if class_weight is None:
        return loss.mean()
    return loss.sum() / class_weight[target].sum()
