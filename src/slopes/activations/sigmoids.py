"""S-shaped activations and their integrals."""

from __future__ import annotations

from math import inf

from slopes import ops
from slopes.card import activation
from slopes.domains import Positive
from slopes.ops import exp, log


@activation(
    definition=lambda x: 1 / (1 + exp(-x)),
    range=(0, 1), zero=0.5, lipschitz=0.25, monotone=True,
    same_as={"torch": "sigmoid(x)", "scipy": "special.expit(x)", "jax": "nn.sigmoid(x)"},
)  # fmt: skip
def sigmoid(x):
    """Logistic sigmoid: any number to one between 0 and 1, as the probability that belongs to a logit.

    Uses exp of −|x| alone, which neither overflows on the left nor flushes to 0 before the type does.
    """
    return ops.sigmoid(x)


@sigmoid.derivative
def _(x):
    return ops.sigmoid(x, times=ops.sigmoid(-x))


@activation(
    definition=lambda x: (exp(x) - exp(-x)) / (exp(x) + exp(-x)),
    range=(-1, 1), zero=0.0, lipschitz=1.0, monotone=True, symmetry="odd",
    same_as={"torch": "tanh(x)", "jax": "nn.tanh(x)"},
)  # fmt: skip
def tanh(x):
    """Hyperbolic tangent: any number to one between −1 and 1, centred at 0.

    The slope is 4·sigmoid(2x)·sigmoid(−2x): 1 − tanh² is 0 from x = 20 (float32: 9) on.
    """
    return ops.tanh(x)


@tanh.derivative
def _(x):
    return ops.sigmoid(2 * x, times=4 * ops.sigmoid(-2 * x))


@activation(
    definition=lambda x, beta: log(1 + exp(beta * x)) / beta,
    range=(0, inf), zero=0.6931471805599453, lipschitz=1.0, monotone=True, convex=True,
    same_as={"torch": "nn.functional.softplus(x, beta, threshold=inf)", "jax": "nn.softplus(x)"},
)  # fmt: skip
def softplus(x, *, beta: Positive = 1.0):
    """Softplus: a smooth ReLU, the integral of the sigmoid.

    max(x, 0) + log1p(exp(−|x|)) everywhere; PyTorch turns to the identity above beta·x = 20, and loses digits there.
    """
    return ops.softplus(x, beta)


@softplus.derivative
def _(x, *, beta):
    return ops.sigmoid(beta * x)


@activation(
    definition=lambda x: log(1 / (1 + exp(-x))),
    range=(-inf, 0), zero=-0.6931471805599453, lipschitz=1.0, monotone=True,
    same_as={"torch": "nn.functional.logsigmoid(x)", "scipy": "special.log_expit(x)", "jax": "nn.log_sigmoid(x)"},
)  # fmt: skip
def log_sigmoid(x):
    """Logarithm of the sigmoid: the log-probability that belongs to a logit.

    −softplus(−x), which keeps the digits that log(sigmoid(x)) loses on the right and the values it loses on the left.
    """
    return -ops.softplus(-x)


@log_sigmoid.derivative
def _(x):
    return ops.sigmoid(-x)
