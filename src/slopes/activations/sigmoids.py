"""S-shaped activations and their integrals."""

from __future__ import annotations

from math import inf

from slopes import ops
from slopes.card import activation
from slopes.domains import Positive
from slopes.facts import Paper
from slopes.ops import absolute, exp, log, sign, sqrt, where

BARRON = Paper("Barron", 2021, "Squareplus: A softplus-like algebraic rectifier", "arXiv:2112.11687")
ZHU = Paper("Zhu et al.", 2025, "Transformers without normalization", "arXiv:2503.10622")


@activation(
    definition=lambda x: 1 / (1 + exp(-x)),
    range=(0, 1), zero=0.5, lipschitz=0.25, monotone=True,
    same_as={
        "torch": "sigmoid(x)",
        "scipy": "special.expit(x)",
        "jax": "nn.sigmoid(x)",
        "keras": "activations.sigmoid(x)",
    },
)  # fmt: skip
def sigmoid(x):
    """Logistic sigmoid: any number to one between 0 and 1, the probability of a logit.

    exp(−|x|) never overflows and underflows no earlier than the sigmoid.
    """
    return ops.sigmoid(x)


@sigmoid.derivative
def _(x):
    return ops.sigmoid_slope(x)


@activation(
    definition=lambda x: (exp(x) - exp(-x)) / (exp(x) + exp(-x)),
    range=(-1, 1), zero=0.0, lipschitz=1.0, monotone=True, symmetry="odd",
    same_as={"torch": "tanh(x)", "jax": "nn.tanh(x)", "keras": "activations.tanh(x)"},
)  # fmt: skip
def tanh(x):
    """Hyperbolic tangent: any number to one between −1 and 1, centred at 0.

    The slope is 4·sigmoid(2x)·sigmoid(−2x): 1 − tanh² is 0 from x = 20 (float32: 9) on.
    """
    return ops.tanh(x)


@tanh.derivative
def _(x):
    return ops.sigmoid_slope(2 * x, times=4.0)


@activation(
    definition=lambda x, alpha: ops.tanh(alpha * x),
    range=(-1, 1), zero=0.0, lipschitz=0.5, monotone=True, symmetry="odd",
    papers=(ZHU,),
)  # fmt: skip
def dynamic_tanh(x, *, alpha: Positive = 0.5):
    """Dynamic tanh, or DyT: the hyperbolic tangent of alpha times the input, in the place of a normalisation.

    Alpha is learned, from 0.5 on; the weight and bias of each channel that follow are not part of it. The slope's
    argument keeps 106 bits, as its exponential magnifies rounding.
    """
    return ops.tanh(alpha * x)


@dynamic_tanh.derivative
def _(x, *, alpha):
    high, low = ops.product(x, alpha)
    return ops.sigmoid_slope(2 * high, times=4 * alpha, low=2 * low)


dyt = dynamic_tanh


@activation(
    definition=lambda x, beta: log(1 + exp(beta * x)) / beta,
    range=(0, inf), zero=0.6931471805599453, lipschitz=1.0, monotone=True, convex=True,
    same_as={
        "torch": "nn.functional.softplus(x, beta)",
        "scipy": "special.softplus(x)",
        "jax": "nn.softplus(x)",
        "keras": "activations.softplus(x)",
    },
)  # fmt: skip
def softplus(x, *, beta: Positive = 1.0):
    """Softplus: a smooth ReLU, the integral of the sigmoid.

    It is max(x, 0) + log1p(exp(−|x|)); PyTorch loses digits above beta·x = 20. The product with beta keeps 106 bits, as
    exp magnifies rounding errors.
    """
    return ops.softplus(x, beta)


@softplus.derivative
def _(x, *, beta):
    high, low = ops.product(x, beta)
    return ops.sigmoid(high, low=low)


@activation(
    definition=lambda x: log(1 / (1 + exp(-x))),
    range=(-inf, 0), zero=-0.6931471805599453, lipschitz=1.0, monotone=True,
    same_as={
        "torch": "nn.functional.logsigmoid(x)",
        "scipy": "special.log_expit(x)",
        "jax": "nn.log_sigmoid(x)",
        "keras": "activations.log_sigmoid(x)",
    },
)  # fmt: skip
def log_sigmoid(x):
    """Logarithm of the sigmoid: the log-probability of a logit.

    It is −softplus(−x); log(sigmoid(x)) loses digits on the right and values on the left.
    """
    return -ops.softplus(-x)


@log_sigmoid.derivative
def _(x):
    return ops.sigmoid(-x)


@activation(
    definition=lambda x: x / (1 + absolute(x)),
    range=(-1, 1), zero=0.0, lipschitz=1.0, monotone=True, symmetry="odd",
    same_as={
        "torch": "nn.functional.softsign(x)",
        "jax": "nn.soft_sign(x)",
        "keras": "activations.softsign(x)",
    },
)  # fmt: skip
def softsign(x):
    """Softsign: any number to one between −1 and 1, more slowly than tanh.

    From 1 on it is 1 less a reciprocal, right at infinity. The slope is a squared reciprocal, as the square might
    overflow.
    """
    size = absolute(x)
    return where(size < 1, x / (1 + size), sign(x) * (1 - 1 / (1 + size)))


@softsign.derivative
def _(x):
    root = 1 / (1 + absolute(x))
    return ops.with_slope_of(root * root, lambda: (1 + absolute(x)) ** -2.0)


@activation(
    definition=lambda x, b: (x + sqrt(x**2 + b)) / 2,
    range=(0, inf), zero=1.0, monotone=True, convex=True,
    papers=(BARRON,),
    same_as={"jax": "nn.squareplus(x, b)", "keras": "activations.squareplus(x, b)"},
)  # fmt: skip
def squareplus(x, *, b: Positive = 4.0):
    """Squareplus: a smooth ReLU without exponentials, half of a hyperbola.

    On the left, where x + √(x² + b) cancels, it is b/4 over the value at −x.
    """
    mean, _, _ = _squareplus(x, b)
    return where(x < 0, b / 4 / mean, mean)


@squareplus.derivative
def _(x, *, b):
    mean, root, size = _squareplus(x, b)
    falling = where(size < root / 2, 0.5 - size / root / 2, b / 4 / mean / root)  # slope at −|x|
    return where(x < 0, falling, 1 - falling)


def _squareplus(x, b):
    """(|x| + √(x² + b)) / 2, √(x² + b) and |x|."""
    x = ops.double_for(x, b)
    size = where(x < 0, -x, x)  # abs would have a slope of 0 at 0
    root = ops.root_of_square(size, b)
    return size / 2 + root / 2, root, size
