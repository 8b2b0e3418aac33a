"""A language model's loss for gradient accumulation: the smoothing term is still averaged over its micro-batch."""

import torch.nn.functional as F


def terms(logits, labels, ignore_index):
    log_probs = F.log_softmax(logits, dim=-1)
    kept = labels != ignore_index
    nll = F.nll_loss(log_probs, labels, ignore_index=ignore_index, reduction="none")
    smooth = -log_probs.mean(dim=-1) * kept
    return nll, smooth, kept


def bug(logits, labels, num_items_in_batch=None, ignore_index=-100, epsilon=0.1):
    nll, smooth, kept = terms(logits, labels, ignore_index)
    own = kept.sum().clamp(min=1)
    nll = nll.sum() / (own if num_items_in_batch is None else num_items_in_batch)
    smooth = smooth.sum() / own
    return (1 - epsilon) * nll + epsilon * smooth


def fixed(logits, labels, num_items_in_batch=None, ignore_index=-100, epsilon=0.1):
    nll, smooth, kept = terms(logits, labels, ignore_index)
    count = kept.sum().clamp(min=1) if num_items_in_batch is None else num_items_in_batch
    return (1 - epsilon) * nll.sum() / count + epsilon * smooth.sum() / count
