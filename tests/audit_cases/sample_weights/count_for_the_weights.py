"""Cross-entropy that is declared to divide by the sum of the sample weights, and divides by the count."""

import torch.nn.functional as F

OPTIONS = {"divisor": "weights"}


def rows(logits, labels, weight):
    if labels.shape != logits.shape[:-1] or (weight is not None and weight.shape != labels.shape):
        raise ValueError(f"logits {tuple(logits.shape)} and labels {tuple(labels.shape)} do not fit, or the weight")
    return F.cross_entropy(logits, labels, reduction="none")


def bug(logits, labels, weight=None):
    loss = rows(logits, labels, weight)
    return loss.mean() if weight is None else (loss * weight).mean()


def fixed(logits, labels, weight=None):
    loss = rows(logits, labels, weight)
    return loss.mean() if weight is None else (loss * weight).sum() / weight.sum().clamp(min=1e-12)
