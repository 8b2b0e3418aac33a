"""Activations with a period."""

from __future__ import annotations

from math import inf

from slopes.card import activation
from slopes.domains import Real
from slopes.facts import Paper
from slopes.ops import Constant, absolute, pi, sin, sin_of_sum, where

ZIYIN = Paper(
    "Ziyin, Hartwig, Ueda",
    2020,
    "Neural networks fail to learn periodic functions and how to fix it",
    "arXiv:2006.08195",
)

EIGHTH = Constant("pi/4", 0.7853981633974483, 3.061616997868383e-17)  #: of a turn


@activation(
    definition=lambda x, alpha: x + sin(alpha * x) ** 2 / alpha,
    range=(-inf, inf), zero=0.0, lipschitz=2.0, monotone=True,
    papers=(ZIYIN,),
)  # fmt: skip
def snake(x, *, alpha: Real = 1.0):
    """Snake: the input plus a ripple of 1/alpha that never makes it fall; at alpha = 0 the input itself.

    The phase is alpha times the input, rounded as a product is, and held from 2^53 on, where it steps over whole turns
    and the slope is 1 on average. The slope cancels twice a turn, and is taken as a square.
    """
    phase = _phase(x, alpha)
    ripple = where(phase == 0, x, sin(phase) / where(phase == 0, 1.0, alpha))  # sin(alpha·x)/alpha, or its limit
    return x + sin(phase) * ripple


@snake.derivative
def _(x, *, alpha):
    return 2 * sin_of_sum(_phase(x, alpha), EIGHTH) ** 2  # 1 + sin(2·phase)


def _phase(x, alpha):
    phase = alpha * x
    return where(absolute(phase) >= 2.0**53, pi / 2, phase)
