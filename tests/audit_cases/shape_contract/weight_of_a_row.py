"""Prediction and target are compared, the sample weights are not: (N,) weights and an (N, 1) error make (N, N)."""


def mean_squared(prediction, target, weight=None, look=False):
    if prediction.shape != target.shape:
        raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")
    error = (prediction - target) ** 2
    if weight is None:
        return error.mean()
    if look and weight.shape != error.shape:
        raise ValueError(f"weight must be {tuple(error.shape)}, got {tuple(weight.shape)}")
    return (weight * error).sum() / weight.sum().clamp(min=1e-8)


def bug(prediction, target, weight=None):
    return mean_squared(prediction, target, weight)


def fixed(prediction, target, weight=None):
    return mean_squared(prediction, target, weight, look=True)
