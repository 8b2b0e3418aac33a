"""Activations with a period."""

from __future__ import annotations

from math import inf

from slopes import ops
from slopes.card import activation
from slopes.domains import Real
from slopes.facts import Paper
from slopes.ops import sin

ZIYIN = Paper(
    "Ziyin, Hartwig, Ueda",
    2020,
    "Neural networks fail to learn periodic functions and how to fix it",
    "arXiv:2006.08195",
)


@activation(
    definition=lambda x, alpha: x + sin(alpha * x) ** 2 / alpha,
    range=(-inf, inf), zero=0.0, lipschitz=2.0, monotone=True,
    papers=(ZIYIN,),
)  # fmt: skip
def snake(x, *, alpha: Real = 1.0):
    """Snake: the input plus a ripple of 1/alpha that never makes it fall; at alpha = 0 the input itself.

    The phase, alpha times the input, is not rounded. The slope is a square, as the sum cancels; in float64 it keeps its
    digits near its roots up to a phase of 2^53.
    """
    return ops.snake(x, alpha)


@snake.derivative
def _(x, *, alpha):
    return ops.snake_slope(x, alpha)
