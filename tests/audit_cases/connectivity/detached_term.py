"""Two terms, of which one was computed for the log first: its detached value was added to the loss."""

from torch.nn import functional as F


def bce(logits, targets):
    return F.binary_cross_entropy_with_logits(logits, targets)


def confidence(logits, targets):
    return 0.1 * (logits**2).mean()


OPTIONS = {"kind": "binary", "space": "logits", "terms": {"bce": bce, "confidence": confidence}}


def bug(logits, targets):
    logged = {"bce": bce(logits, targets), "confidence": confidence(logits, targets).detach()}
    return logged["bce"] + logged["confidence"]


def fixed(logits, targets):
    return bce(logits, targets) + confidence(logits, targets)
