"""1 − the concordance correlation coefficient, by the formulas of a hand calculator: E[xy] − E[x]·E[y]."""

OPTIONS = {"kind": "regression", "batch_level": True}
SEVERITY = "warning"


def checked(pred, target):
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")


def bug(pred, target):
    checked(pred, target)
    mean_p, mean_t = pred.mean(), target.mean()
    covariance = (pred * target).mean() - mean_p * mean_t
    variances = (pred**2).mean() - mean_p**2 + (target**2).mean() - mean_t**2
    return 1 - 2 * covariance / (variances + (mean_p - mean_t) ** 2 + 1e-6)


def fixed(pred, target):
    checked(pred, target)
    p, t = pred - pred.mean(), target - target.mean()
    shift = pred.mean() - target.mean()
    return 1 - 2 * (p * t).mean() / ((p**2).mean() + (t**2).mean() + shift**2 + 1e-6)
