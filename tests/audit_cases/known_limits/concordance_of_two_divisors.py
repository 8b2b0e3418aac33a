"""Concordance by an unbiased variance and a biased covariance: equal series do not cost 0."""

SEVERITY = "warning"
OPTIONS = {"kind": "regression", "batch_level": True}


def loss(pred, target, correction):
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
    shift = pred.mean() - target.mean()
    covariance = ((pred - pred.mean()) * (target - target.mean())).mean()
    scale = pred.var(correction=correction) + target.var(correction=correction) + shift**2
    return 1 - (2 * covariance + 1e-3) / (scale + 1e-3)


def ccc_loss(pred, target):
    return loss(pred, target, 1)


def repaired_ccc_loss(pred, target):
    return loss(pred, target, 0)


bug, fixed = ccc_loss, repaired_ccc_loss
