"""Smooth activations: the input times a growing probability, and other curves of exponentials."""

from __future__ import annotations

from math import inf
from typing import Annotated

from slopes import ops
from slopes.card import activation
from slopes.domains import Interval, OneOf, Positive, Real
from slopes.facts import Paper
from slopes.ops import Constant, decay, erf, exp, expm1, log, log1p, maximum, minimum, ndtr, sqrt2, tanh, where

HENDRYCKS_GIMPEL = Paper("Hendrycks, Gimpel", 2016, "Gaussian error linear units (GELUs)", "arXiv:1606.08415")
ELFWING = Paper("Elfwing, Uchibe, Doya", 2017, "Sigmoid-weighted linear units", "arXiv:1702.03118")
RAMACHANDRAN = Paper("Ramachandran, Zoph, Le", 2017, "Searching for activation functions", "arXiv:1710.05941")
MISRA = Paper("Misra", 2019, "Mish: a self regularized non-monotonic activation function", "arXiv:1908.08681")
ZHU = Paper(
    "Zhu et al.", 2021,
    "Logish: a new nonlinear nonmonotonic activation function for convolutional neural network",
    "doi:10.1016/j.neucom.2021.06.067",
)  # fmt: skip
FERNANDEZ_MALI = Paper(
    "Fernandez, Mali", 2024, "TeLU activation function for fast and stable deep learning", "arXiv:2412.20269"
)
GEMMA = Paper("Gemma Team", 2024, "Gemma 2: improving open language models at a practical size", "arXiv:2408.00118")
HUANG_SCHLAG = Paper("Huang, Schlag", 2024, "Deriving activation functions using integration", "arXiv:2411.13010")

# GELU's tanh form is x·sigmoid(LINEAR·x + CUBIC·x³), with 2·sqrt(2/pi) and 0.044715 times it.
LINEAR = Constant("2*sqrt(2/pi)", 1.5957691216057308, -9.96930880911092e-17)
CUBIC = Constant("2*sqrt(2/pi)*44715/1000000", 0.07135481627260025, -6.175149918155315e-19)
THRICE_CUBIC = Constant("6*sqrt(2/pi)*44715/1000000", 0.21406444881780073, 1.2025242832367862e-17)


@activation(
    definition=lambda x: x * (1 + tanh((LINEAR * x + CUBIC * x**3) / 2)) / 2,
    range=(-0.17004076, inf), zero=0.0, lipschitz=1.1289931,
    papers=(HENDRYCKS_GIMPEL,),
    same_as={
        "torch": "nn.functional.gelu(x, approximate='tanh')", "jax": "nn.gelu(x)",
        "keras": "activations.gelu(x, approximate=True)",
    },
)  # fmt: skip
def gelu_tanh(x):
    """GELU's tanh form, with which many language models were trained, up to 4.7e-4 from GELU.

    It is x·sigmoid(cubic), as 1 + tanh cancels; the cubic keeps 70 bits, as exp magnifies rounding.
    """
    return tanh_gate(x, x)


@gelu_tanh.derivative
def _(x):
    return gelu_tanh_slope(x, 1.0)


def gelu_tanh_slope(x, times):
    """`times` gelu_tanh's slope, underflowing once."""
    high, low = ops.cubic(x, LINEAR, CUBIC)
    y, y_low = ops.cubic(x, LINEAR, THRICE_CUBIC)  # x times the logit's slope
    return ops.gate_slope(high, y, times, low, y_low)


def tanh_gate(x, times):
    """`times` the sigmoid of gelu_tanh's cubic."""
    high, low = ops.cubic(x, LINEAR, CUBIC)
    return ops.sigmoid(high, times=times, low=low)


@activation(
    definition=lambda x, approximate: x * (1 + erf(x / sqrt2)) / 2,
    range=(-0.16997121, inf), zero=0.0, lipschitz=1.12891,
    papers=(HENDRYCKS_GIMPEL,),
    same_as={
        "torch": "nn.functional.gelu(x)", "jax": ("nn.gelu(x, approximate=False)", "nn.gelu(x)"),
        "keras": "activations.gelu(x)",
    },
)  # fmt: skip
def gelu(x, *, approximate: Annotated[str, OneOf(("none", "tanh"))] = "none"):
    """Gaussian error linear unit: the input times the probability of a normal draw below it.

    It uses ndtr: 1 + erf(x/√2) cancels below −5. JAX defaults to the tanh form.
    """
    return ndtr(x, times=x) if approximate == "none" else gelu_tanh.body(x)


@gelu.derivative
def _(x, *, approximate):
    return gelu_slope(x, 1.0, approximate)


def gelu_slope(x, times, approximate):
    """`times` gelu's slope, underflowing once."""
    if approximate == "tanh":
        return gelu_tanh_slope(x, times)
    return ops.normal_gate_slope(x, times)


@activation(
    definition=lambda x, beta: x / (1 + exp(-beta * x)),
    range=(-0.27846455, inf), zero=0.0, lipschitz=1.09984,
    papers=(ELFWING, RAMACHANDRAN),
    same_as={
        "torch": "nn.functional.silu(x)", "jax": "nn.silu(x)", "keras": "activations.silu(x)",
        "timm": "layers.swish(x)",
    },
)  # fmt: skip
def silu(x, *, beta: Positive = 1.0):
    """Sigmoid linear unit, or swish: the input times the sigmoid of beta times it.

    The product is rounded once, as the sigmoid has lost its digits below −708 (float32: −87). ONNX calls beta alpha.
    """
    high, low = ops.product(x, beta)
    return ops.sigmoid(high, times=x, low=low)


@silu.derivative
def _(x, *, beta):
    return silu_slope(x, 1.0, beta)


def silu_slope(x, times, beta=1.0):
    """`times` silu's slope, underflowing once."""
    high, low = ops.product(x, beta)
    return ops.gate_slope(high, high, times, low, low)


swish = silu


@activation(
    definition=lambda x: x / (1 + exp(-1.702 * x)),
    range=(-0.16361019, inf), zero=0.0, lipschitz=1.09984,
    papers=(HENDRYCKS_GIMPEL,),
    same_as={"timm": "layers.quick_gelu(x)"},
)  # fmt: skip
def quick_gelu(x):
    """GELU's sigmoid form: the input times the sigmoid of 1.702 times it, as in CLIP; up to 0.02 from GELU."""
    return silu.body(x, beta=1.702)


@quick_gelu.derivative
def _(x):
    return silu.slope_body(x, beta=1.702)


@activation(
    definition=lambda x: x * tanh(log(1 + exp(x))),
    range=(-0.30884342, inf), zero=0.0, lipschitz=1.08850,
    papers=(MISRA,),
    same_as={
        "torch": "nn.functional.mish(x)", "jax": "nn.mish(x)", "keras": "activations.mish(x)",
        "timm": "layers.mish(x)",
    },
)  # fmt: skip
def mish(x):
    """Mish: the input times the hyperbolic tangent of its softplus.

    The factor is a rational function of exp(−|x|); on the left the product underflows once. At −inf it is 0, where
    PyTorch and JAX give NaN.
    """
    return ops.mish(x)


@mish.derivative
def _(x):
    return ops.mish_slope(x)


@activation(
    definition=lambda x: x * tanh(exp(x)),
    range=(-0.35328578, inf), zero=0.0, lipschitz=1.061976,
    papers=(FERNANDEZ_MALI,),
)  # fmt: skip
def telu(x):
    """Hyperbolic tangent exponential linear unit: the input times the hyperbolic tangent of its exponential.

    Above 4 that tangent is 1; below −20 it is its argument, and the product underflows once.
    """
    x = ops.double(x)
    return where(x < -20, decay(minimum(x, 0.0), times=x), x * tanh(exp(minimum(x, 4.0))))


@telu.derivative
def _(x):
    x = ops.double(x)
    below = minimum(x, 4.0)
    power = exp(below)
    near = tanh(power) + below * power * ops.sigmoid_slope(2 * power, times=4.0)
    return where(x < -20, decay(minimum(x, 0.0), times=1 + x), near)


@activation(
    definition=lambda x: x * log(1 + 1 / (1 + exp(-x))),
    range=(-0.25276882, inf), zero=0.0, lipschitz=0.746312,
    papers=(ZHU,),
)  # fmt: skip
def logish(x):
    """Logish: the input times the logarithm of 1 plus its sigmoid.

    Below −40 that logarithm is the sigmoid, and the product underflows once.
    """
    x = ops.double(x)
    return where(x < -40, ops.sigmoid(x, times=x), x * log1p(ops.sigmoid(x)))


@logish.derivative
def _(x):
    x = ops.double(x)
    share, below = ops.sigmoid(x), minimum(x, 50.0)  # from there on the second term is nothing beside the first
    near = log1p(share) + share * below / (1 + 2 * exp(below))  # (1 − s) / (1 + s) is 1 / (1 + 2·exp(x))
    return where(x < -40, ops.gate_slope(x, x), near)


@activation(
    definition=lambda x, cap: cap * tanh(x / cap),
    range=(-30, 30), zero=0.0, lipschitz=1.0, monotone=True, symmetry="odd",
    papers=(GEMMA,),
)  # fmt: skip
def softcap(x, *, cap: Positive = 30.0):
    """Soft cap: any number to one between −cap and cap, almost unchanged if small beside cap.

    Gemma 2 caps logits at 30 and attention scores at 50. The slope's quotient keeps 106 bits.
    """
    return ops.softcap(x, cap)


@softcap.derivative
def _(x, *, cap):
    high, low = ops.quotient(x, cap)
    return ops.sigmoid_slope(2 * high, times=4.0, low=2 * low)


@activation(
    definition=lambda x, alpha_p, alpha_n, beta, eps: where(
        x > 0, alpha_p * x**2 + beta * x, alpha_n * (exp(minimum(x, eps)) - 1 - x) + beta * x
    ),
    range=(-0.20575123, inf), zero=-7.999996000001333e-07, kinks=(-1e-6, 0.0),
    papers=(HUANG_SCHLAG,),
)  # fmt: skip
def xielu(
    x, *, alpha_p: Positive = 0.8, alpha_n: Positive = 0.8, beta: Real = 0.5,
    eps: Annotated[float, Interval(-1.0, 0.0, closed=True)] = -1e-6,
):  # fmt: skip
    """xIELU, a trainable ELU integrated: a parabola above 0, a line bent by an exponential below.

    `eps` caps the exponent, as in the authors' and Hugging Face's code: the value at 0 is −8e-7, and within a millionth
    below 0 the line falls. The paper has eps=0. Hugging Face stores the inverse softplus of alpha_p and
    alpha_n − beta.
    """
    x = ops.double(x)
    right, held = maximum(x, 0.0), minimum(x, eps)
    near = alpha_n * ops.expm1_less(held) + (beta * x + alpha_n * (held - x))
    far = alpha_n * exp(held) + ops.fma(x, beta - alpha_n, -alpha_n)  # the root at −2.4 cancels less
    return where(x > 0, right * (alpha_p * right + beta), where(x > -1, near, far))


@xielu.derivative
def _(x, *, alpha_p, alpha_n, beta, eps):
    x = ops.double(x)
    held = minimum(x, eps)
    far = where(x > -9, ops.fma(exp(held), alpha_n, beta - alpha_n), (beta - alpha_n) + decay(held, times=alpha_n))
    left = where(x > -1, beta + alpha_n * expm1(held), far)
    return where(x > 0, 2 * alpha_p * x + beta, where(x > eps, beta - alpha_n, left))


@activation(
    range=(0, inf), zero=1.0, monotone=True, convex=True,
    same_as={"torch": "exp(x)", "jax": "numpy.exp(x)", "keras": "activations.exponential(x)"},
)  # fmt: skip
def exponential(x):
    """The exponential: any number to a positive one, for rates and variances.

    It overflows beyond 709 (float32: 88).
    """
    return exp(x)


@exponential.derivative
def _(x):
    return exp(x)
