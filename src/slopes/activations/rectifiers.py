"""Piecewise linear activations, and exponential units."""

from __future__ import annotations

from math import inf
from typing import Annotated

from slopes import ops
from slopes.card import activation
from slopes.domains import Above, Positive, Real, Uniform
from slopes.facts import Paper
from slopes.ops import Constant, decay, exp, expm1, maximum, minimum, step, where

HE = Paper(
    "He, Zhang, Ren, Sun",
    2015,
    "Delving deep into rectifiers: Surpassing human-level performance on ImageNet classification",
    "arXiv:1502.01852",
)
XU = Paper(
    "Xu, Wang, Chen, Li",
    2015,
    "Empirical evaluation of rectified activations in convolutional network",
    "arXiv:1505.00853",
)
KONDA = Paper(
    "Konda, Memisevic, Krueger",
    2014,
    "Zero-bias autoencoders and the benefits of co-adapting features",
    "arXiv:1402.3337",
)
BARRON = Paper("Barron", 2017, "Continuously differentiable exponential linear units", "arXiv:1704.07483")
KLAMBAUER = Paper(
    "Klambauer, Unterthiner, Mayr, Hochreiter", 2017, "Self-normalizing neural networks", "arXiv:1706.02515"
)
CLEVERT = Paper(
    "Clevert, Unterthiner, Hochreiter",
    2015,
    "Fast and accurate deep network learning by exponential linear units (ELUs)",
    "arXiv:1511.07289",
)

# With these, PyTorch's 32 digits, mean 0 and variance 1 are a fixed point.
LAMBDA = Constant("1.0507009873554804934193349852946", 1.0507009873554805, 3.9874847667154144e-17)
ALPHA = Constant("1.6732632423543772848170429916717", 1.6732632423543772, 1.0657222547717531e-16)


@activation(
    range=(-inf, inf), zero=0.0, lipschitz=1.0, monotone=True, symmetry="odd", convex=True,
    same_as={"torch": "nn.Identity()(x)", "jax": "nn.identity(x)", "keras": "activations.linear(x)"},
)  # fmt: skip
def linear(x):
    """The input itself: for regression outputs and bottlenecks.

    The product with 1 makes a new result.
    """
    return x * 1


@linear.derivative
def _(x):
    return step(x, low=1.0)


identity = linear


@activation(
    definition=lambda x: maximum(x, 0),
    range=(0, inf), zero=0.0, lipschitz=1.0, monotone=True, convex=True, kinks=(0.0,),
    same_as={"torch": "nn.functional.relu(x)", "jax": "nn.relu(x)", "keras": "activations.relu(x)"},
)  # fmt: skip
def relu(x):
    """Rectified linear unit: the input where positive, else 0.

    The slope at 0 is 0, as in PyTorch; NaN gives NaN.
    """
    return where(x <= 0, 0, x)


@relu.derivative
def _(x):
    return step(x)


@activation(
    range=(-inf, inf), zero=0.0, lipschitz=1.0, monotone=True, convex=True, kinks=(0.0,),
    same_as={
        "torch": "nn.functional.leaky_relu(x, negative_slope)",
        "jax": "nn.leaky_relu(x, negative_slope)",
        "keras": ("activations.leaky_relu(x, negative_slope)", "activations.leaky_relu(x)"),
    },
)  # fmt: skip
def leaky_relu(x, *, negative_slope: Real = 0.01):
    """Leaky ReLU: the input, times a small slope where negative, so that no unit dies.

    The slope at 0 is `negative_slope`, as in PyTorch. Keras defaults to 0.2 (function) and 0.3 (layer).
    """
    return where(x > 0, x, ops.scaled(x, negative_slope))


@leaky_relu.derivative
def _(x, *, negative_slope):
    return step(x, negative_slope)


@activation(
    range=(-inf, inf), zero=0.0, lipschitz=1.0, monotone=True, convex=True, kinks=(0.0,),
    papers=(HE,),
    same_as={
        "torch": "nn.functional.prelu(x, tensor(weight).to(x))",
        "keras": ("layers.PReLU(initializers.Constant(weight))(x)", "layers.PReLU()(x)"),
    },
)  # fmt: skip
def prelu(x, *, weight: Real = 0.25):
    """Parametric ReLU: the input, times a learnt slope where negative.

    The weight is a number, or an array that broadcasts against x: for channels on axis 1 of an image its shape is
    (C, 1, 1). It starts at 0.25 in PyTorch and the paper, 0.01 in Flax, 0 in Keras.
    """
    return where(x > 0, x, ops.scaled(x, weight))


@prelu.derivative
def _(x, *, weight):
    return step(x, weight)


@activation(
    range=(-inf, inf), zero=0.0, lipschitz=1.0, monotone=True, convex=True, kinks=(0.0,),
    papers=(XU,),
    same_as={"torch": "nn.functional.rrelu(x, lower, upper)"},
)  # fmt: skip
def rrelu(
    x, *, lower: Real = 0.125, upper: Annotated[float, Above(closed=True, than="lower")] = 1 / 3, noise: Uniform = 0.5
):
    """Randomised leaky ReLU: the input, times a slope drawn between two bounds where negative.

    Without a generator or noise, the slope is the mean of the bounds.
    """
    return where(x > 0, x, ops.scaled(x, lower + (upper - lower) * ops.zero_dimensional(noise, like=x)))


@rrelu.derivative
def _(x, *, lower, upper, noise):
    return step(x, lower + (upper - lower) * ops.zero_dimensional(noise, like=x))


@activation(
    range=(0, inf), zero=0.0, monotone=True, kinks=(1.0,),
    papers=(KONDA,),
    same_as={
        "torch": "nn.functional.threshold(x, threshold, value)",
        "keras": "activations.threshold(x, threshold, value)",
    },
)  # fmt: skip
def threshold(x, *, threshold: Real = 1.0, value: Real = 0.0):
    """Threshold: the input above a threshold, else a fixed value.

    The slope there is 0, as in PyTorch. The defaults are ONNX's.
    """
    return where(x <= threshold, value, x)


@threshold.derivative
def _(x, *, threshold, value):
    return step(x - threshold)


@activation(
    definition=lambda x, alpha: where(x > 0, x, alpha * (exp(x) - 1)),
    range=(-1, inf), zero=0.0, lipschitz=1.0, monotone=True, convex=True,
    papers=(CLEVERT,),
    same_as={
        "torch": "nn.functional.elu(x, alpha)",
        "jax": "nn.elu(x, alpha)",
        "keras": "activations.elu(x, alpha)",
    },
)  # fmt: skip
def elu(x, *, alpha: Positive = 1.0):
    """Exponential linear unit: the input where positive, else alpha times (e to the input, less 1).

    expm1, as exp(x) − 1 cancels near 0, is clipped at 0 to be finite in the other branch. The slope multiplies
    by alpha before the exponential becomes subnormal.
    """
    return where(x > 0, x, alpha * expm1(minimum(x, 0.0)))


@elu.derivative
def _(x, *, alpha):
    return where(x > 0, 1.0, decay(minimum(x, 0.0), times=alpha))


@activation(
    definition=lambda x, alpha: where(x > 0, x, alpha * (exp(x / alpha) - 1)),
    range=(-1, inf), zero=0.0, lipschitz=1.0, monotone=True, convex=True,
    papers=(BARRON,),
    same_as={
        "torch": "nn.functional.celu(x, alpha)",
        "jax": "nn.celu(x, alpha)",
        "keras": "activations.celu(x, alpha)",
    },
)  # fmt: skip
def celu(x, *, alpha: Positive = 1.0):
    """Continuously differentiable ELU: alpha stretches the exponential both ways, so that it has no corner.

    The slope's quotient has 106 bits, clamped where exp underflows, so that alpha has a finite gradient.
    """
    high, _ = ops.quotient(minimum(x, 0.0), alpha)
    return where(high > -1e-17, x, alpha * expm1(high))  # a subnormal quotient has lost digits


@celu.derivative
def _(x, *, alpha):
    high, low = ops.quotient(minimum(x, 0.0), alpha)
    return where(x > 0, 1.0, exp(high) * (1 + low))


@activation(
    definition=lambda x: LAMBDA * where(x > 0, x, ALPHA * (exp(x) - 1)),
    range=(-1.758099340847377, inf), zero=0.0, lipschitz=1.758099340847377, monotone=True, kinks=(0.0,),
    papers=(KLAMBAUER,),
    same_as={"torch": "nn.functional.selu(x)", "jax": "nn.selu(x)", "keras": "activations.selu(x)"},
)  # fmt: skip
def selu(x):
    """Scaled ELU: an ELU with constants that keep mean 0 and variance 1 through the layers.

    Some libraries have six digits of them. The slope at 0 is the left one.
    """
    return LAMBDA * where(x > 0, x, ALPHA * expm1(minimum(x, 0.0)))


@selu.derivative
def _(x):
    return LAMBDA * where(x > 0, 1.0, decay(minimum(x, 0.0), times=ALPHA))
