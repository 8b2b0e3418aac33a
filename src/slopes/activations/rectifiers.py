"""Piecewise linear activations, and the exponential units that round their corner."""

from __future__ import annotations

from math import inf

from slopes.card import activation
from slopes.domains import Positive, Real
from slopes.facts import Paper
from slopes.ops import exp, expm1, maximum, minimum, step, where

CLEVERT = Paper(
    "Clevert, Unterthiner, Hochreiter",
    2015,
    "Fast and accurate deep network learning by exponential linear units (ELUs)",
    "arXiv:1511.07289",
)


@activation(
    range=(-inf, inf), zero=0.0, lipschitz=1.0, monotone=True, symmetry="odd", convex=True,
    same_as={"torch": "nn.Identity()(x)"},
)  # fmt: skip
def linear(x):
    """The input itself: for regression outputs and bottlenecks.

    A product with 1, so that the result is never the argument itself and can be written to.
    """
    return x * 1


@linear.derivative
def _(x):
    return step(x, low=1.0)


identity = linear


@activation(
    definition=lambda x: maximum(x, 0),
    range=(0, inf), zero=0.0, lipschitz=1.0, monotone=True, convex=True, kinks=(0.0,),
    same_as={"torch": "nn.functional.relu(x)", "jax": "nn.relu(x)"},
)  # fmt: skip
def relu(x):
    """Rectified linear unit: the input where it is positive, else 0.

    The comparison is such that NaN is handed on; the slope at 0 is 0, as in PyTorch.
    """
    return where(x <= 0, 0, x)


@relu.derivative
def _(x):
    return step(x)


@activation(
    range=(-inf, inf), zero=0.0, lipschitz=1.0, monotone=True, convex=True, kinks=(0.0,),
    same_as={"torch": "nn.functional.leaky_relu(x, negative_slope)", "jax": "nn.leaky_relu(x, negative_slope)"},
)  # fmt: skip
def leaky_relu(x, *, negative_slope: Real = 0.01):
    """Leaky ReLU: the input where it is positive, else the input times a small slope, so that no unit dies.

    The slope at 0 is `negative_slope`, as in PyTorch. Keras defaults to 0.2 (function) and 0.3 (layer).
    """
    return where(x > 0, x, negative_slope * x)


@leaky_relu.derivative
def _(x, *, negative_slope):
    return step(x, negative_slope)


@activation(
    definition=lambda x, alpha: where(x > 0, x, alpha * (exp(x) - 1)),
    range=(-1, inf), zero=0.0, lipschitz=1.0, monotone=True, convex=True,
    papers=(CLEVERT,),
    same_as={"torch": "nn.functional.elu(x, alpha)", "jax": "nn.elu(x, alpha)"},
)  # fmt: skip
def elu(x, *, alpha: Positive = 1.0):
    """Exponential linear unit: the input where it is positive, else alpha times (e to the input, less 1).

    Written with expm1, because exp(x) − 1 cancels near 0; held at 0 there, so that the branch not taken is finite.
    """
    return where(x > 0, x, alpha * expm1(minimum(x, 0.0)))


@elu.derivative
def _(x, *, alpha):
    return where(x > 0, 1.0, alpha * exp(minimum(x, 0.0)))
