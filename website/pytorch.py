"""PyTorch's formulas of functions that it computes otherwise than slopes, for the playground's view of errors.

They are those of aten/src/ATen/native/cpu in PyTorch 2.13, in slopes' primitives. Tests compare their errors with those
of PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from slopes import ops


def _erf(z: Any) -> Any:
    """Return the error function by the polynomial 7.1.26 of Abramowitz and Stegun, as PyTorch's vectors have it."""
    size = ops.absolute(z)
    t = 1 / (1 + 0.3275911 * size)
    rest = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return ops.sign(z) * (1 - rest * ops.exp(-size * size))


def _gelu(x: Any, **_: Any) -> Any:
    return 0.5 * x * (1 + _erf(x * math.sqrt(0.5)))


def _gelu_tanh(x: Any) -> Any:
    return 0.5 * x * (1 + ops.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def _log_sigmoid(x: Any) -> Any:
    return ops.minimum(x, 0.0) - ops.log1p(ops.exp(-ops.absolute(x)))


def _log_softmax(x: Any) -> Any:
    _, shifted = ops.reading(x).shift_by_top(x)
    return shifted - ops.log(ops.sum(ops.exp(shifted)))


def _in_base(nats: Any, base: Any) -> Any:
    """Return a loss in another unit, which PyTorch lacks, without a further rounding."""
    return ops.double(nats) / ops.log(ops.double(base))


def _binary_cross_entropy(x: Any, target: Any, base: Any, pos_weight: Any, **_: Any) -> Any:
    return _in_base((1 - target) * x - ((pos_weight - 1) * target + 1) * _log_sigmoid(x), base)


#: by name: the formula of a card's arguments and settings
FORMS: dict[str, Callable[..., Any]] = {
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "geglu": lambda gate, value, **_: _gelu(gate) * value,
    "silu": lambda x, beta: x / (1 + ops.exp(-beta * x)),
    "mish": lambda x: x * ops.tanh(ops.log1p(ops.exp(x))),
    "tanhshrink": lambda x: x - ops.tanh(x),
    "log_softmax": _log_softmax,
    "cross_entropy": lambda x, target, base, **_: _in_base(-ops.expected(_log_softmax(x), target), base),
    "binary_cross_entropy": _binary_cross_entropy,
    "soft_margin": lambda x, target: ops.log1p(ops.exp(-target * x)),
}
