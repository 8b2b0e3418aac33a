"""Maps of a row onto the probabilities of its entries."""

from __future__ import annotations

from math import inf

from slopes import ops
from slopes.card import activation
from slopes.ops import exp, log


@activation(
    kind="map", definition=lambda x: exp(x) / ops.sum(exp(x)),
    range=(0, 1),
    same_as={"torch": "softmax(x, -1)", "scipy": "special.softmax(x, -1)", "jax": "nn.softmax(x, -1)"},
)  # fmt: skip
def softmax(x):
    """Softmax: a row of logits to the probabilities that belong to them, which sum to 1.

    The largest logit is subtracted first, which changes nothing but keeps exp from overflowing.
    """
    return ops.softmax(x)


@softmax.derivative
def _(x, cotangent):
    p = ops.softmax(x)
    return p * (cotangent * ops.softmax_complement(x) - ops.sum_others(p * cotangent, x))


@activation(
    kind="map", definition=lambda x: log(exp(x) / ops.sum(exp(x))),
    range=(-inf, 0),
    same_as={"torch": "log_softmax(x, -1)", "scipy": "special.log_softmax(x, -1)", "jax": "nn.log_softmax(x, -1)"},
)  # fmt: skip
def log_softmax(x):
    """Logarithm of the softmax: a row of logits to log-probabilities.

    The largest entry's own 1 is left to log1p, so that the log-probability of a certain class is −1e-20 and not 0.
    """
    return ops.log_softmax(x)


@log_softmax.derivative
def _(x, cotangent):
    return cotangent * ops.softmax_complement(x) - ops.softmax(x) * ops.sum_others(cotangent, x)
