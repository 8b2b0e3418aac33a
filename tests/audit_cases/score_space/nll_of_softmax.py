"""The negative log-likelihood of probabilities: its values are below 0, and its gradients small."""

import torch.nn.functional as F

SEVERITY = "warning"


def bug(logits, labels):
    return F.nll_loss(F.softmax(logits, dim=1), labels)


def fixed(logits, labels):
    return F.nll_loss(F.log_softmax(logits, dim=1), labels)
