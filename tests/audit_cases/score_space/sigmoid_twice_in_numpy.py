"""Binary cross-entropy in NumPy, of a sigmoid's sigmoid: no probability is below one half."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def log_loss(logits, targets):
    return np.mean(np.logaddexp(0, logits) - targets * logits)


def bug(logits, targets):
    probabilities = sigmoid(logits)
    return log_loss(probabilities, targets)


def fixed(logits, targets):
    if logits.shape != targets.shape:
        raise ValueError(f"logits {logits.shape} and targets {targets.shape} differ")
    return log_loss(logits, targets)
