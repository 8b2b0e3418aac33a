"""Losses of a number: what it costs to be off by a residual r = prediction − target."""

from __future__ import annotations

from slopes.card import loss
from slopes.domains import Positive
from slopes.facts import Paper
from slopes.ops import absolute, clip, exp, log, log1p, log2, sign, sinh, tanh, where


@loss(
    "regression", convex=True,
    same_as={"torch": "nn.functional.mse_loss(prediction, target, reduction='none')"},
)  # fmt: skip
def mse(prediction, target):
    """Mean squared error: the squared residual; it elicits the mean.

    No factor of one half: scikit-learn's and Optax's `l2_loss` have it.
    """
    return (prediction - target) ** 2


@mse.derivative
def _(prediction, target):
    return 2 * (prediction - target)


@loss(
    "regression", convex=True, lipschitz=1.0, kinks=(0.0,),
    same_as={"torch": "nn.functional.l1_loss(prediction, target, reduction='none')"},
)  # fmt: skip
def mae(prediction, target):
    """Mean absolute error: the size of the residual; it elicits the median and bears outliers.

    The slope at a residual of 0 is 0, as in PyTorch.
    """
    return absolute(prediction - target)


@mae.derivative
def _(prediction, target):
    return sign(prediction - target)


@loss(
    "regression", convex=True,
    papers=(Paper("Huber", 1964, "Robust estimation of a location parameter", "doi:10.1214/aoms/1177703732"),),
    same_as={
        "torch": "nn.functional.huber_loss(prediction, target, reduction='none', delta=delta)",
        "scipy": "special.huber(delta, prediction - target)",
    },
)  # fmt: skip
def huber(prediction, target, *, delta: Positive = 1.0):
    """Huber loss: half the squared residual up to delta, linear beyond it.

    PyTorch's smooth_l1_loss is this divided by its beta.
    """
    residual = prediction - target
    size = absolute(residual)
    return where(size <= delta, 0.5 * residual * residual, delta * (size - 0.5 * delta))


@huber.derivative
def _(prediction, target, *, delta):
    return clip(prediction - target, -delta, delta)


@loss(
    "regression", convex=True, lipschitz=1.0,
    definition=lambda prediction, target: log((exp(prediction - target) + exp(target - prediction)) / 2),
)  # fmt: skip
def log_cosh(prediction, target):
    """Logarithm of the hyperbolic cosine: a smooth mean absolute error, half the squared residual near 0.

    Two forms, because |r| − log 2 + log1p(exp(−2|r|)) cancels below 1; there it is log1p(2·sinh²(r/2)).
    """
    residual = prediction - target
    size, half = absolute(residual), sinh(clip(residual, -1.0, 1.0) / 2)
    return where(size < 1, log1p(2 * half * half), size + (log1p(exp(-2 * size)) - log2))


@log_cosh.derivative
def _(prediction, target):
    return tanh(prediction - target)
