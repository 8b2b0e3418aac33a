"""Shrinkage: activations that move the input towards 0."""

from __future__ import annotations

from math import inf

from slopes import ops
from slopes.card import activation
from slopes.domains import NonNegative
from slopes.facts import Paper
from slopes.ops import absolute, sign, step, tanh, where

DONOHO = Paper("Donoho", 1995, "De-noising by soft-thresholding", "doi:10.1109/18.382009")


@activation(
    range=(-inf, inf), zero=0.0, lipschitz=1.0, monotone=True, symmetry="odd", kinks=(-0.5, 0.5),
    papers=(DONOHO,),
    same_as={"torch": "nn.functional.softshrink(x, lambd)", "keras": "activations.soft_shrink(x, threshold=lambd)"},
)  # fmt: skip
def softshrink(x, *, lambd: NonNegative = 0.5):
    """Soft shrinkage: the input, moved towards 0 by up to lambd.

    The slope at ±lambd is 0, as in PyTorch. Keras calls lambd threshold.
    """
    wide = ops.double_for(x, lambd)
    return where(absolute(x) <= lambd, 0, wide - lambd * sign(wide))


@softshrink.derivative
def _(x, *, lambd):
    return step(absolute(x) - lambd)


@activation(
    range=(-inf, inf), zero=0.0, monotone=True, symmetry="odd", kinks=(-0.5, 0.5),
    same_as={"torch": "nn.functional.hardshrink(x, lambd)", "keras": "activations.hard_shrink(x, threshold=lambd)"},
)  # fmt: skip
def hardshrink(x, *, lambd: NonNegative = 0.5):
    """Hard shrinkage: the input, or 0 where no larger than lambd.

    At ±lambd, where it jumps, value and slope are 0, as in PyTorch. Keras calls lambd threshold.
    """
    return where(absolute(x) <= lambd, 0, x)


@hardshrink.derivative
def _(x, *, lambd):
    return step(absolute(x) - lambd)


@activation(
    definition=lambda x: x - tanh(x),
    range=(-inf, inf), zero=0.0, lipschitz=1.0, monotone=True, symmetry="odd",
    same_as={"torch": "nn.functional.tanhshrink(x)", "keras": "activations.tanh_shrink(x)"},
)  # fmt: skip
def tanhshrink(x):
    """Tanh shrinkage: the input less its hyperbolic tangent.

    Up to 1.5 it is a continued fraction: the difference cancels, and PyTorch gives 0 at 1e-4 in float32.
    """
    return ops.tanhshrink(x)


@tanhshrink.derivative
def _(x):
    return tanh(x) ** 2
