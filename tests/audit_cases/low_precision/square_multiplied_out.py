"""A squared error multiplied out, as for distance matrices: far from 0 the three parts cancel."""

SEVERITY = "warning"


def bug(pred, target):
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
    return (pred**2).mean() - 2 * (pred * target).mean() + (target**2).mean()


def fixed(pred, target):
    if pred.shape != target.shape:
        raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
    return ((pred - target) ** 2).mean()
