"""Cross-entropy of tokens by a mask: NaN under it is asked about in a note, and padding thins the mean besides."""

import torch.nn.functional as F

SEVERITY = "warning"


def tokens(logits, labels, mask):
    if labels.shape != logits.shape[:-1] or (mask is not None and mask.shape != labels.shape):
        raise ValueError(f"logits {tuple(logits.shape)} and labels {tuple(labels.shape)} do not fit, or the mask")
    return F.cross_entropy(logits.movedim(-1, 1), labels, reduction="none")


def bug(logits, labels, mask=None):
    loss = tokens(logits, labels, mask)
    return loss.mean() if mask is None else (loss * mask).mean()


def fixed(logits, labels, mask=None):
    loss = tokens(logits, labels, mask)
    return loss.mean() if mask is None else (loss * mask).sum() / mask.sum().clamp(min=1)
