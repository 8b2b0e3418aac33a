"""Smooth activations that are not monotone: the input, weighed by a chance that grows with it."""

from __future__ import annotations

from math import inf
from typing import Annotated

from slopes import ops
from slopes.card import activation
from slopes.domains import OneOf
from slopes.facts import Paper
from slopes.ops import Constant, erf, exp, ndtr, normal_pdf, sqrt2, tanh, where

HENDRYCKS_GIMPEL = Paper("Hendrycks, Gimpel", 2016, "Gaussian error linear units (GELUs)", "arXiv:1606.08415")
ELFWING = Paper("Elfwing, Uchibe, Doya", 2017, "Sigmoid-weighted linear units", "arXiv:1702.03118")

# 2·sqrt(2/pi) and the same times 0.044715: the tanh form of gelu is x·sigmoid(LINEAR·x + CUBIC·x³)
LINEAR = Constant("2*sqrt(2/pi)", 1.5957691216057308, -9.96930880911092e-17)
CUBIC = Constant("2*sqrt(2/pi)*44715/1000000", 0.07135481627260025, -6.175149918155315e-19)
THRICE_CUBIC = Constant("6*sqrt(2/pi)*44715/1000000", 0.21406444881780073, 1.2025242832367862e-17)


@activation(
    definition=lambda x: x * (1 + tanh((LINEAR * x + CUBIC * x**3) / 2)) / 2,
    range=(-0.17004075, inf), zero=0.0, lipschitz=1.12899262,
    papers=(HENDRYCKS_GIMPEL,),
    same_as={"torch": "nn.functional.gelu(x, approximate='tanh')", "jax": "nn.gelu(x, approximate=True)"},
)  # fmt: skip
def gelu_tanh(x):
    """GELU's tanh form: the approximation that many language models were trained with, up to 4.7e-4 from GELU.

    x·sigmoid of a cubic, which does not cancel as 1 + tanh does; the cubic keeps 70 bits, because exp magnifies.
    """
    return _gate(x, x)


@gelu_tanh.derivative
def _(x):
    high, low = ops.cubic(x, LINEAR, THRICE_CUBIC)  # x times the logit's slope
    left = (1 + high) + (low - _gate(x, high + low))  # the two are one; each cancels on the other side
    return _gate(x, where(x < 0, left, 1 + _gate(-x, high + low)))


def _gate(x, times):
    high, low = ops.cubic(x, LINEAR, CUBIC)
    return ops.sigmoid(high, times=times, low=low)


@activation(
    definition=lambda x, approximate: x * (1 + erf(x / sqrt2)) / 2,
    range=(-0.16997121, inf), zero=0.0, lipschitz=1.12891,
    papers=(HENDRYCKS_GIMPEL,),
    same_as={"torch": "nn.functional.gelu(x)", "jax": "nn.gelu(x, approximate=False)"},
)  # fmt: skip
def gelu(x, *, approximate: Annotated[str, OneOf(("none", "tanh"))] = "none"):
    """Gaussian error linear unit: the input, weighed by the chance that a normal draw lies below it.

    Written with ndtr, because 1 + erf(x/√2) cancels below −5. JAX defaults to the tanh form.
    """
    return ndtr(x, times=x) if approximate == "none" else gelu_tanh.body(x)


@gelu.derivative
def _(x, *, approximate):
    return ndtr(x) + normal_pdf(x, times=x) if approximate == "none" else gelu_tanh.slope_body(x)


@activation(
    definition=lambda x: x / (1 + exp(-x)),
    range=(-0.27846455, inf), zero=0.0, lipschitz=1.09984,
    papers=(ELFWING,),
    same_as={"torch": "nn.functional.silu(x)", "jax": "nn.silu(x)"},
)  # fmt: skip
def silu(x):
    """Sigmoid linear unit, or swish: the input times its sigmoid.

    The product is rounded once: the sigmoid alone has lost its digits below −708 (float32: −87).
    """
    return ops.sigmoid(x, times=x)


@silu.derivative
def _(x):
    left = (1 + x) - ops.sigmoid(x, times=x)  # the two are one; each cancels on the other side
    return ops.sigmoid(x, times=where(x < 0, left, 1 + ops.sigmoid(-x, times=x)))


swish = silu
