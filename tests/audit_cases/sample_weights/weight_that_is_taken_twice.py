"""Squared errors whose residuals are weighed before they are squared."""

SEVERITY = "warning"


def bug(pred, target, weight=None):
    error = difference(pred, target, weight)
    return (error**2).mean() if weight is None else ((error * weight) ** 2).mean()


def fixed(pred, target, weight=None):
    error = difference(pred, target, weight)
    return (error**2).mean() if weight is None else (error**2 * weight).mean()


def difference(pred, target, weight):
    if pred.shape != target.shape or (weight is not None and weight.shape != pred.shape):
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ, or the weight from both")
    return pred - target
