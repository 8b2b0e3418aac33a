"""Absolute errors with sample weights that are checked, and then forgotten."""


def errors(pred, target, weights):
    if pred.shape != target.shape or (weights is not None and weights.shape != pred.shape):
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ, or the weights from both")
    return (pred - target).abs()


def bug(pred, target, weights=None):
    loss = errors(pred, target, weights)
    if weights is not None:
        weighted = loss * weights  # noqa: F841
    return loss.sum()


def fixed(pred, target, weights=None):
    loss = errors(pred, target, weights)
    if weights is not None:
        loss = loss * weights
    return loss.sum()
