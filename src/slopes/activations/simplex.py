"""Maps of a row: to the probabilities of its entries, and by them."""

from __future__ import annotations

from math import inf

from slopes import ops
from slopes.card import activation
from slopes.domains import Flag, Gumbel, Positive
from slopes.facts import Paper
from slopes.ops import decay, exp, log, maximum, step, where


@activation(
    kind="map", definition=lambda x: exp(x) / ops.sum(exp(x)),
    range=(0, 1),
    same_as={
        "torch": "softmax(x, -1)", "scipy": ("special.softmax(x, -1)", "special.softmax(x)"),
        "jax": "nn.softmax(x)", "keras": "activations.softmax(x)", "sklearn": "utils.extmath.softmax(x)",
    },
)  # fmt: skip
def softmax(x):
    """Softmax: a row of logits to probabilities.

    The largest logit is subtracted first, so that exp cannot overflow.
    """
    return ops.softmax(x)


@softmax.derivative
def _(x, cotangent):
    return ops.softmax_pulled(x, cotangent)


@softmax.derivative_by_result
def _(p, cotangent):
    terms, is_likely = p * cotangent, p > 0.5  # at most one entry is; 1 − p would cancel there
    others, rest = ops.sum(where(is_likely, 0.0, p)), ops.sum(where(is_likely, 0.0, terms))
    return p * (cotangent * where(is_likely, others, 1 - p) - where(is_likely, rest, ops.sum(terms) - terms))


@activation(
    kind="map", definition=lambda x: log(exp(x) / ops.sum(exp(x))),
    range=(-inf, 0),
    same_as={
        "torch": "log_softmax(x, -1)", "scipy": ("special.log_softmax(x, -1)", "special.log_softmax(x)"),
        "jax": "nn.log_softmax(x)", "keras": "activations.log_softmax(x)",
    },
)  # fmt: skip
def log_softmax(x):
    """Logarithm of the softmax: logits to log-probabilities.

    A log1p adds the largest entry's 1, so that a sure class has a value such as −1e-20, not 0.
    """
    return ops.log_softmax(x)


@log_softmax.derivative
def _(x, cotangent):
    return cotangent * ops.softmax_complement(x) - ops.softmax(x) * ops.sum_others(cotangent, x)


@activation(
    kind="map", definition=lambda x: maximum(ops.above_simplex_threshold(x), 0),
    range=(0, 1), kinks=(-0.5, 1.0),
    papers=(Paper("Martins, Astudillo", 2016, "From softmax to sparsemax", "arXiv:1602.02068"),),
    same_as={"entmax": "sparsemax(x, -1)"},
)  # fmt: skip
def sparsemax(x):
    """Sparsemax: a row of scores to the nearest probabilities, many exactly 0.

    Sorting finds the threshold; entries up to it have a slope of 0.
    """
    above = ops.above_simplex_threshold(x)
    return where(above <= 0, 0.0, above)


@sparsemax.derivative
def _(x, cotangent):
    inside = step(sparsemax.body(x))
    count = maximum(ops.sum(inside), 1.0)
    return inside * (cotangent - ops.sum(inside * cotangent) / count)


@activation(
    kind="map", definition=lambda x, tau, noise, **_: exp((x + noise) / tau) / ops.sum(exp((x + noise) / tau)),
    range=(0, 1),
    papers=(Paper("Jang, Gu, Poole", 2016, "Categorical reparameterization with Gumbel-softmax", "arXiv:1611.01144"),),
)  # fmt: skip
def gumbel_softmax(x, *, tau: Positive = 1.0, hard: Flag = False, noise: Gumbel = 0.0):
    """Gumbel-softmax: a row of logits to a random choice of an entry, blurred by a temperature.

    It is random only with a generator or noise. A hard choice is a one-hot row with the soft slope.
    """
    soft = ops.softmax((x + noise) / tau)
    return ops.top(soft) + (soft - ops.stop_gradient(soft)) if hard else soft


@gumbel_softmax.derivative
def _(x, cotangent, *, tau, hard, noise):
    return ops.softmax_pulled((x + noise) / tau, cotangent) / tau


@activation(
    kind="map", definition=lambda x: x * exp(x) / ops.sum(exp(x)),
    papers=(Paper("Elhage et al.", 2022, "Softmax linear units", "https://transformer-circuits.pub/2022/solu"),),
)  # fmt: skip
def solu(x):
    """Softmax linear unit: each entry of a row times its softmax, so that few units answer; mostly normalised next.

    A far smaller entry is the product of it and an exponential, which underflows once.
    """
    logarithm = ops.log_softmax(x)
    deep = logarithm < DEEP
    return where(deep, decay(logarithm, times=x), where(deep, 0.0, x) * ops.softmax(x))


@solu.derivative
def _(x, cotangent):
    logarithm, held = ops.log_softmax(x), where(x == -inf, 0.0, x)
    rise = cotangent * (1 + held * ops.softmax_complement(x)) - ops.sum_others(cotangent * solu.body(x), x)
    deep = logarithm < DEEP
    return where(deep, decay(logarithm, times=rise), where(deep, 0.0, rise) * ops.softmax(x))


DEEP = -80.0  #: the exponential of this is a normal float32
