"""Activations with a period."""

from __future__ import annotations

from math import inf

from slopes import ops
from slopes.card import activation
from slopes.domains import Real
from slopes.facts import Paper
from slopes.ops import cos, sin, where

ZIYIN = Paper(
    "Ziyin, Hartwig, Ueda",
    2020,
    "Neural networks fail to learn periodic functions and how to fix it",
    "arXiv:2006.08195",
)
SITZMANN = Paper(
    "Sitzmann et al.", 2020, "Implicit neural representations with periodic activation functions", "arXiv:2006.09661"
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


@activation(
    definition=lambda x, omega: sin(omega * x),
    range=(-1, 1), zero=0.0, lipschitz=1.0, symmetry="odd",
    papers=(SITZMANN,),
)  # fmt: skip
def sine(x, *, omega: Real = 1.0):
    """Sine of omega times the input, for networks that represent signals; SIREN has an omega of 30.

    The phase, omega times the input, is not rounded; where it is infinite, the value is 0.
    """
    x = ops.double(x)
    phase, rest = _phase(x, omega)
    return sin(phase) * cos(rest) + cos(phase) * sin(rest)


@sine.derivative
def _(x, *, omega):
    x = ops.double(x)
    phase, rest = _phase(x, omega)
    return omega * (cos(phase) * cos(rest) - sin(phase) * sin(rest))


SMALL = 2.0**-64  #: times this, no large number overflows as it is split


def _phase(x, omega):
    """(omega·x, its rounding error), or 0 where it overflows."""
    phase = omega * x
    far = (phase == inf) | (phase == -inf)
    x = where(far, 0.0, x)
    phase = omega * x
    if type(omega) is float and omega == 1.0:
        return phase, 0.0
    tiny = (phase > -1e-200) & (phase < 1e-200)
    rest = ops.fma(where(tiny, 0.0, x) * SMALL, omega, -where(tiny, 0.0, phase) * SMALL) / SMALL
    return phase, ops.stop_gradient(rest)
