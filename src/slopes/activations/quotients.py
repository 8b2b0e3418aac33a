"""Activations that are quotients of polynomials."""

from __future__ import annotations

from math import inf

from slopes import ops
from slopes.card import activation
from slopes.domains import Numbers
from slopes.facts import Paper
from slopes.ops import absolute

MOLINA = Paper(
    "Molina, Schramowski, Kersting", 2020,
    "Padé activation units: end-to-end learning of flexible activation functions in deep networks", "arXiv:1907.06732",
)  # fmt: skip

# near leaky_relu from −3 to 3, as the authors start
NUMERATOR = (0.02979246, 0.61837738, 2.32335207, 3.05202660, 1.48548002, 0.25103717)
DENOMINATOR = (1.14201226, 4.39322834, 0.87154450, 0.34720652)


@activation(
    definition=lambda x, numerator, denominator: (
        sum(a * x**i for i, a in enumerate(numerator))
        / (1 + sum(absolute(b * x**j) for j, b in enumerate(denominator, 1)))
    ),
    range=(-inf, inf), zero=0.02979246, lipschitz=1.03512605, kinks=(0.0,),
    papers=(MOLINA,),
)  # fmt: skip
def rational(x, *, numerator: Numbers = NUMERATOR, denominator: Numbers = DENOMINATOR):
    """Padé activation unit, or PAU: a polynomial over 1 plus the sizes of another's terms, both of learnt coefficients.

    The defaults are near leaky_relu from −3 to 3. This is version A of the authors' package; B takes the size of the
    whole sum. Below 0 terms cancel, so in float64 polynomials keep 106 bits; beyond 1 they are of 1/x, whose powers do
    not overflow.
    """
    return ops.rational(x, numerator, denominator)


@rational.derivative
def _(x, *, numerator, denominator):
    return ops.rational(x, numerator, denominator, order=1)


pau = rational
