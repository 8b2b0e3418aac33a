"""Piecewise polynomials: clipped functions, and rectifiers whose corner is a parabola."""

from __future__ import annotations

from math import inf
from typing import Annotated

from slopes import ops
from slopes.card import activation
from slopes.domains import Above, Positive, Real
from slopes.facts import Paper
from slopes.ops import Constant, clip, maximum, step, where

HOWARD = Paper("Howard et al.", 2019, "Searching for MobileNetV3", "arXiv:1905.02244")
SO = Paper(
    "So, Manke, Liu, Dai, Shazeer, Le",
    2021,
    "Primer: Searching for efficient transformers for language modeling",
    "arXiv:2109.08668",
)
YU = Paper("Yu, Si, Zhou, Luo, Zhou, Feng, Yan, Wang", 2022, "MetaFormer baselines for vision", "arXiv:2210.13452")
SHAMIR_LIN = Paper(
    "Shamir, Lin",
    2022,
    "Real world large scale recommendation systems reproducibility and smooth activations",
    "arXiv:2202.06499",
)
BLONDEL = Paper("Blondel, Martins, Niculae", 2019, "Learning with Fenchel-Young losses", "arXiv:1901.02324")

SIXTH = Constant("1/6", 0.16666666666666666, 9.25185853854297e-18)


def _held(x, low, high):
    """x clipped to [low, high], with a slope of 0 at the bounds."""
    return where(x <= low, low, where(x >= high, high, x))


def _between(x, low, high):
    return step(x - low) * step(high - x)


@activation(
    definition=lambda x: clip(x, 0, 6),
    range=(0, 6), zero=0.0, lipschitz=1.0, monotone=True, kinks=(0.0, 6.0),
    same_as={"torch": "nn.functional.relu6(x)", "jax": "nn.relu6(x)", "keras": "activations.relu6(x)"},
)  # fmt: skip
def relu6(x):
    """ReLU capped at 6: the input, confined to [0, 6]; for arithmetic of few bits.

    The slope at 0 and at 6 is 0, as in PyTorch.
    """
    return _held(x, 0.0, 6.0)


@relu6.derivative
def _(x):
    return _between(x, 0.0, 6.0)


@activation(
    definition=lambda x, min_val, max_val: clip(x, min_val, max_val),
    range=(-1, 1), zero=0.0, lipschitz=1.0, monotone=True, symmetry="odd", kinks=(-1.0, 1.0),
    same_as={
        "torch": "nn.functional.hardtanh(x, min_val, max_val)",
        "jax": "nn.hard_tanh(x)",
        "keras": "activations.hard_tanh(x)",
    },
)  # fmt: skip
def hard_tanh(x, *, min_val: Real = -1.0, max_val: Annotated[float, Above(than="min_val")] = 1.0):
    """Hard tanh: the input, confined to an interval.

    The slope at the bounds is 0, as in PyTorch (JAX: 1). JAX and Keras fix the bounds at −1 and 1.
    """
    return _held(x, min_val, max_val)


@hard_tanh.derivative
def _(x, *, min_val, max_val):
    return _between(x, min_val, max_val)


@activation(
    definition=lambda x, slope: clip((2 * slope * x + 1) / 2, 0, 1),
    range=(0, 1), zero=0.5, lipschitz=0.16666667, monotone=True, kinks=(-3.0, 3.0),
    papers=(HOWARD,),
    same_as={
        "torch": "nn.functional.hardsigmoid(x)",
        "jax": "nn.hard_sigmoid(x)",
        "keras": "activations.hard_sigmoid(x)",
        "timm": "layers.hard_sigmoid(x)",
    },
)  # fmt: skip
def hard_sigmoid(x, *, slope: Positive = SIXTH):
    """Hard sigmoid: a line through one half at 0, confined to [0, 1].

    A multiple of x + 3 is exact near −3, unlike x/6 + ½. ONNX and older Keras have a slope of 0.2.
    """
    x, end, rest = _ends(x, slope)
    line = ((_held(x, -end, end) + end) + rest) * slope
    return where(x <= -end, 0.0, where(x >= end, 1.0, line))


@hard_sigmoid.derivative
def _(x, *, slope):
    x, end, _ = _ends(x, slope)
    return slope * _between(x, -end, end)


def _ends(x, slope):
    """(x, in float64 if needed, right end of the line, its rounding error)."""
    high, low = ops.inverse(slope)
    return ops.double_for(x, high), high / 2, low / 2


@activation(
    definition=lambda x: x * clip(x + 3, 0, 6) / 6,
    range=(-0.375, inf), zero=0.0, kinks=(-3.0, 3.0),
    papers=(HOWARD,),
    same_as={
        "torch": "nn.functional.hardswish(x)",
        "jax": "nn.hard_swish(x)",
        "keras": "activations.hard_swish(x)",
        "timm": "layers.hard_swish(x)",
    },
)  # fmt: skip
def hard_swish(x):
    """Hard swish: the input times its hard sigmoid.

    The parabola's input is clipped, so that −inf gives 0; the slope is 0 at −3 and 1 at 3.
    """
    held = _held(x, -3.0, 3.0)
    return where(x >= 3, x, held * (held + 3) / 6)


@hard_swish.derivative
def _(x):
    inside = (2 * _held(x, -3.0, 3.0) + 3) / 6
    return where(x <= -3, 0.0, where(x >= 3, 1.0, inside))


@activation(
    definition=lambda x: where(x > 0, x**2, 0),
    range=(0, inf), zero=0.0, monotone=True, convex=True,
    papers=(SO,),
    same_as={"torch": "nn.functional.relu(x) ** 2", "jax": "nn.relu(x) ** 2"},
)  # fmt: skip
def relu_squared(x):
    """Squared ReLU: the input squared where positive, else 0.

    The second derivative at 0 is 0.
    """
    positive = where(x <= 0, 0.0, x)
    return positive * positive


@relu_squared.derivative
def _(x):
    return 2 * where(x <= 0, 0.0, x)


@activation(
    definition=lambda x, scale, bias: where(x > 0, scale * x**2, 0) + bias,
    range=(0, inf), zero=0.0, monotone=True, convex=True,
    papers=(YU,),
    same_as={"timm": "models.metaformer.StarReLU(scale, bias)(x).detach()"},
)  # fmt: skip
def star_relu(x, *, scale: Real = 1.0, bias: Real = 0.0):
    """StarReLU: the squared ReLU, scaled and shifted.

    The defaults are initial values; 0.8944 and −0.4472 standardise outputs of normal inputs.
    """
    x = ops.double_for(x, scale, bias)
    positive = where(x <= 0, 0.0, x)
    return scale * positive * positive + bias  # in this order without 0 · inf


@star_relu.derivative
def _(x, *, scale, bias):
    return 2 * scale * where(x <= 0, 0.0, x)


@activation(
    definition=lambda x, beta: where(x < beta, maximum(x + beta, 0) ** 2 / (4 * beta), x),
    range=(0, inf), zero=0.25, lipschitz=1.0, monotone=True, convex=True,
    papers=(BLONDEL, SHAMIR_LIN),
    same_as={"jax": "nn.sparse_plus(x)", "keras": "activations.sparse_plus(x)"},
)  # fmt: skip
def smelu(x, *, beta: Positive = 1.0):
    """Smooth ReLU, or sparse plus: ReLU with a parabola between −beta and beta.

    The parabola's input is clipped, so its square cannot overflow.
    """
    x = ops.double_for(x, beta)
    height = _held(x, -beta, beta) + beta
    return where(x >= beta, x, height * (height / (4 * beta)))


@smelu.derivative
def _(x, *, beta):
    return (_held(ops.double_for(x, beta), -beta, beta) + beta) / (2 * beta)


sparse_plus = smelu
