"""Binary cross-entropy in NumPy, of a sigmoid's sigmoid: no probability is below one half."""

import numpy as np
from scipy.special import expit


def log_loss(logits, targets):
    return np.mean(np.logaddexp(0, logits) - targets * logits)


def bug(logits, targets):
    if logits.shape != targets.shape:
        raise ValueError(f"logits {logits.shape} and targets {targets.shape} differ")
    probabilities = expit(logits)
    return log_loss(probabilities, targets)


def fixed(logits, targets):
    if logits.shape != targets.shape:
        raise ValueError(f"logits {logits.shape} and targets {targets.shape} differ")
    return log_loss(logits, targets)
