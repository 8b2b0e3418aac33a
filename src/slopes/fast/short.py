"""Short forms of bodies: a few PyTorch operations with the same results, for float32 on a CPU.

A body takes 10 to 40 operations, and for 64 numbers an operation's time is the call. Textbook forms in float64 are
shorter and have all digits of float32; a comparison with a 0-d tensor takes half the time of one with a number. For
small tensors PyTorch's own functions in float64 are faster still where accurate (`PLAIN_RANGES`), as their backward
saves more than the check of the range takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.nn import functional

from slopes.readings.plain import HALF
from slopes.readings.tails import is_single

Tensor = torch.Tensor
Value = Callable[[Tensor], Tensor]
Pull = Callable[[Tensor, Tensor], Tensor]
Pair = tuple[Value, Pull]  #: value(x), pull(gradient, x)

_aten = torch.ops.aten
# functions of `functional` without its Python code
_hardsigmoid: Value = torch._C._nn.hardsigmoid
_silu: Value = torch._C._nn.silu
_mish: Value = torch._C._nn.mish
_nll_loss: Callable[..., Tensor] = torch._C._nn.nll_loss_nd
_FAR = 1000.0  #: beyond, exponentials are 0 or infinite, and their product NaN


def _single(number: float) -> Tensor:
    return torch.full((), number, dtype=torch.float32)


def _wide(number: float) -> Tensor:
    return torch.full((), number, dtype=torch.float64)


WIDE_ONE = _wide(1.0)


def _constant(x: Tensor, number: float) -> Tensor:
    """The number, NaN at NaN."""
    return torch.clamp(x, number, number)


def _next(number: float, towards: float) -> float:
    return float(torch.nextafter(_single(number), _single(towards)))


# ------------------------------------------------------------------------------------- PyTorch's own


def own_function(name: str, settings: dict[str, Any], dtype: torch.dtype) -> tuple[Value, int] | None:
    """(PyTorch's function for a card, entries from which a kernel is faster).

    None if it has fewer digits than the card. At NaN the gradient is the incoming one.
    """
    fits = dtype is torch.float32 or name in (STRAIGHT if dtype is torch.float64 else STRAIGHT_IN_HALF)
    if name not in OWN or not fits:
        return None
    if dtype in HALF and not all(torch.tensor(number, dtype=dtype).item() == number for number in settings.values()):
        return None
    function = OWN[name](**settings)
    return function and (function, MAPPED if name in STRAIGHT else 2**16)


MAPPED = 2**23  #: float32 entries for which the C library asks the system for new pages at each call


def _threshold(threshold: float, value: float) -> Value:
    return lambda x: torch.threshold(x, threshold, value)


def _hardtanh(low: float, high: float) -> Value:
    return lambda x: functional.hardtanh(x, low, high)


OWN: dict[str, Callable[..., Value | None]] = {
    "relu": lambda: _threshold(0.0, 0.0),  # torch.relu keeps a negative zero
    "leaky_relu": lambda negative_slope: (  # a slope of 0 times infinity needs the body
        (lambda x: functional.leaky_relu(x, negative_slope)) if _single(negative_slope) != 0 else None
    ),
    "relu6": lambda: _hardtanh(0.0, 6.0),
    "threshold": _threshold,
    "hard_tanh": lambda min_val, max_val: _hardtanh(min_val, max_val),
    "softshrink": lambda lambd: (lambda x: functional.softshrink(x, lambd)) if is_single(lambd) else None,
    "hardshrink": lambda lambd: lambda x: functional.hardshrink(x, lambd),
    # PyTorch multiplies a large alpha by an exponential without digits
    "elu": lambda alpha: (lambda x: functional.elu(x, alpha)) if is_single(alpha) and alpha <= 1 else None,
    "celu": lambda alpha: functional.elu if alpha == 1.0 else None,
    "selu": lambda: functional.selu,
}
"""By the card's name: a function of its parameters for PyTorch's function, or None."""
# in half types they round once at most, where the format holds their parameters
STRAIGHT_IN_HALF = ("relu", "relu6", "threshold", "hard_tanh", "softshrink", "hardshrink")
STRAIGHT = (*STRAIGHT_IN_HALF, "leaky_relu")


# ------------------------------------------------------------------------------------------- pieces


def hard_sigmoid(slope: float) -> Pair | None:
    """PyTorch's own has no second derivative."""
    if slope != 1 / 6:
        return None
    sixth, low, high = _single(slope), _next(-3.0, 0.0), _next(3.0, 0.0)
    return (_hardsigmoid, lambda g, x: g * torch.where(x == torch.clamp(x, low, high), sixth, _constant(x, 0.0)))


def hard_swish() -> Pair:
    """−3/2 and 3/2, where the slope (2x + 3)/6 is 0 and 1, stand for numbers beyond ±3."""
    three, six = _single(3.0), _single(6.0)

    def pull(g: Tensor, x: Tensor) -> Tensor:
        negated = torch.threshold(-torch.threshold(x, -3.0, -1.5), -3.0, -1.5)
        return g * (torch.add(three, negated, alpha=-2) / six)

    return lambda x: _hardsigmoid(x) * torch.clamp(x, min=-_FAR), pull


def sigmoid() -> Pair:
    """The slope is 1 / (2 + 2·cosh(x))."""
    two = _wide(2.0)
    return (
        lambda x: torch.sigmoid(x.double()).float(),
        lambda g, x: (g / torch.add(two, torch.cosh(x.double()), alpha=2)).float(),
    )


def tanh() -> Pair:
    """The slope is 1 / cosh(x)²."""
    return (lambda x: torch.tanh(x.double()).float(), lambda g, x: (g / torch.square(torch.cosh(x.double()))).float())


def tanhshrink() -> Pair:
    """The series x³/3 − 2x⁵/15 where the difference cancels."""
    third, small = _wide(1 / 3), _wide(1e-6)

    def value(x: Tensor) -> Tensor:
        wide = x.double()
        square = wide * wide
        near = torch.add(third, square, alpha=-2 / 15) * square * wide
        return torch.where(square < small, near, wide - torch.tanh(wide)).float()

    return value, lambda g, x: (g * torch.square(torch.tanh(x.double()))).float()


def softplus(beta: float) -> Pair | None:
    """PyTorch's own has no second derivative beyond 20, and few digits of it before."""
    if beta != 1.0:
        return None
    return functional.softplus, lambda g, x: _aten.softplus_backward.default(g, x, 1.0, 20.0)


def log_sigmoid() -> Pair:
    """The slope is softplus's at −x."""
    return functional.logsigmoid, lambda g, x: _aten.softplus_backward.default(g, -x, 1.0, 20.0)


def softsign() -> Pair:
    """The clamp avoids infinity divided by itself."""

    def value(x: Tensor) -> Tensor:
        wide = torch.clamp(x.double(), -1e40, 1e40)
        return (wide / (torch.abs(wide) + WIDE_ONE)).float()

    def pull(g: Tensor, x: Tensor) -> Tensor:
        return (g / torch.square(torch.abs(x.double()) + WIDE_ONE)).float()

    return value, pull


# -------------------------------------------------------------------- the input times a probability


def silu(beta: float) -> Pair | None:
    if beta != 1.0:
        return None
    return (
        lambda x: functional.silu(torch.clamp(x.double(), min=-_FAR)).float(),
        lambda g, x: _aten.silu_backward.default(g, torch.clamp(x.double(), -_FAR, _FAR)).float(),
    )


def mish() -> Pair:
    return (
        lambda x: functional.mish(torch.clamp(x.double(), min=-_FAR)).float(),
        lambda g, x: _aten.mish_backward.default(g, torch.clamp(x.double(), -_FAR, _FAR)).float(),
    )


def gelu(approximate: str) -> Pair:
    """x/2·erfc(−x/√2); the slope is erfc(−x/√2)/2, and x times the density."""
    if approximate == "tanh":
        return gelu_tanh()
    root, half, density = _wide(-math.sqrt(0.5)), _wide(0.5), math.sqrt(2 / math.pi)

    def value(x: Tensor) -> Tensor:
        wide = torch.clamp(x.double(), min=-_FAR)
        return (torch.erfc(wide * root) * wide * half).float()

    def pull(g: Tensor, x: Tensor) -> Tensor:
        wide = torch.clamp(x.double(), -_FAR, _FAR)
        t = wide * root
        twice = torch.addcmul(torch.erfc(t), wide, torch.exp(-t * t), value=density)
        return (twice * half * g).float()

    return value, pull


def gelu_tanh() -> Pair:
    """x times the sigmoid of t = ax + bx³, with t' = a + 3bx² for the slope."""
    a, one = _wide(math.sqrt(8 / math.pi)), _wide(1.0)
    b, triple = 0.044715 * math.sqrt(8 / math.pi), 3 * 0.044715 * math.sqrt(8 / math.pi)

    def value(x: Tensor) -> Tensor:
        wide = torch.clamp(x.double(), min=-_FAR)
        return (torch.sigmoid(torch.add(a, wide * wide, alpha=b) * wide) * wide).float()

    def pull(g: Tensor, x: Tensor) -> Tensor:
        wide = torch.clamp(x.double(), -_FAR, _FAR)
        square = wide * wide
        t = torch.add(a, square, alpha=b) * wide
        growth = torch.add(a, square, alpha=triple) * wide
        return (torch.addcmul(one, torch.sigmoid(-t), growth) * torch.sigmoid(t) * g).float()

    return value, pull


FORMS: dict[str, Callable[..., Pair | None]] = {
    form.__name__: form
    for form in (
        hard_sigmoid, hard_swish, sigmoid, tanh, tanhshrink, softplus, log_sigmoid, softsign, silu, mish, gelu,
        gelu_tanh,
    )
}  # fmt: skip
"""By the card's name: a function of its parameters for value and pull, or None if only the body fits."""

PLAIN_RANGES: dict[str, tuple[Value, float, float]] = {
    "sigmoid": (torch.sigmoid, -700.0, 15.0),
    "tanh": (torch.tanh, -8.0, 8.0),
    "silu": (_silu, -700.0, 15.0),
    "mish": (_mish, -700.0, 15.0),
    "gelu": (functional.gelu, -5.0, 5.0),
    "gelu_tanh": (partial(functional.gelu, approximate="tanh"), -5.0, 5.0),
}
"""By the name of a card with default parameters: PyTorch's function, and the range in which it is accurate.

There 1 − sigmoid(x), 1 − tanh(x)² and 1 + erf(x/√2) keep at least eight digits.
"""
ROUGH: dict[str, Value] = {
    "hard_sigmoid": functional.hardsigmoid, "hard_swish": functional.hardswish, "softsign": functional.softsign,
    "tanhshrink": functional.tanhshrink, "softplus": functional.softplus, "log_sigmoid": functional.logsigmoid,
}  # fmt: skip
"""PyTorch's functions for the other cards with short forms: in no range do all their derivatives keep digits."""


def rough_function(name: str, settings: dict[str, Any]) -> Value | None:
    """PyTorch's function, if within 1e-6 · (1 + its size) at every float32 number."""
    if name in OWN and (own := OWN[name](**settings)) is not None:
        return own
    if name not in FORMS or FORMS[name](**settings) is None:
        return None
    within = plain_range(name, settings)
    return within[0] if within is not None else ROUGH[name]


SMALL = 2**12  #: entries that PyTorch's backward may keep in float64


def plain_range(name: str, settings: dict[str, Any]) -> tuple[Value, float, float] | None:
    return PLAIN_RANGES.get("gelu_tanh" if settings.get("approximate") == "tanh" else name)


def run_in_double(x: Tensor, function: Value, low: float, high: float) -> Tensor | None:
    """function(x); None if x is large, or an entry is out of bounds."""
    if not 0 < x.numel() <= SMALL:
        return None
    least, largest = torch.aminmax(x.detach())
    if low <= least.item() and largest.item() <= high:
        return function(x.double()).float()
    return None


# --------------------------------------------------------------------------------------------- maps


def softmax(x: Tensor, axis: int, is_log: bool) -> Tensor | None:
    """In float64; None if a row is certain: logarithm and slope need the sum of other entries."""
    wide = (torch.log_softmax if is_log else torch.softmax)(x, axis, dtype=torch.float64)
    if is_log or wide.requires_grad:
        most = -CERTAIN if is_log else 1 - CERTAIN
        if not wide.detach().max().item() <= most:
            return None
    return wide.float()


CERTAIN = 1e-8  #: the least 1 − p with all digits of float32


def glu(x: Tensor, axis: int) -> Tensor | None:
    """In float64; None beyond the bounds of the sigmoid."""
    _, low, high = PLAIN_RANGES["sigmoid"]
    return run_in_double(x, lambda wide: functional.glu(wide, axis), low, high)


# ------------------------------------------------------------------------------------------- losses


Reduced = Callable[[Tensor, Tensor, str], Tensor | None]  #: of prediction, target and reduction
LossForm = tuple[Reduced, Pull | None]  #: the loss, and its slope or None if autograd's is accurate


def mse() -> LossForm:
    return lambda p, t, reduction: functional.mse_loss(p.double(), t.double(), reduction=reduction).float(), None


def binary_cross_entropy(from_probabilities: bool, base: float, pos_weight: float) -> LossForm | None:
    """The body takes confident logits, as the slope is a difference."""
    if from_probabilities or base != math.e or pos_weight != 1.0:
        return None

    def loss(p: Tensor, t: Tensor, reduction: str) -> Tensor | None:
        least, largest = torch.aminmax(p.detach())
        if not (least.item() >= -15.0 and largest.item() <= 15.0):
            return None
        return functional.binary_cross_entropy_with_logits(p.double(), t.double(), reduction=reduction).float()

    return loss, None


def huber(delta: float) -> LossForm:
    return (
        lambda p, t, reduction: functional.huber_loss(p.double(), t.double(), reduction, delta).float(),
        lambda p, t: torch.clamp(p - t, -delta, delta),
    )


def smooth_l1(beta: float) -> LossForm:
    divisor = _single(beta)
    return (
        lambda p, t, reduction: functional.smooth_l1_loss(
            p.double(), t.double(), reduction=reduction, beta=beta
        ).float(),
        lambda p, t: torch.clamp(p - t, -beta, beta) / divisor,
    )


def soft_margin() -> LossForm:
    def loss(p: Tensor, t: Tensor, reduction: str) -> Tensor:
        values = functional.softplus(p.double() * -t, threshold=40.0)
        return (values if reduction == "none" else values.sum() if reduction == "sum" else values.mean()).float()

    return loss, lambda p, t: torch.sigmoid(p.double() * -t) * -t


def poisson_nll(log_input: bool, full: bool, eps: float) -> LossForm | None:
    """The body takes an infinite exponential or product."""
    if not log_input or full:
        return None

    def loss(p: Tensor, t: Tensor, reduction: str) -> Tensor | None:
        wide = torch.poisson_nll_loss(p.double(), t.double(), True, False, eps, _REDUCTIONS[reduction])
        return wide.float() if reduction != "none" and math.isfinite(wide.item()) else None

    return loss, None


_REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}
LOSSES: dict[str, Callable[..., LossForm | None]] = {
    form.__name__: form for form in (mse, binary_cross_entropy, huber, smooth_l1, soft_margin, poisson_nll)
}
"""By the card's name: a function of its parameters for its loss in float64, or None."""


def nll_of_labels(
    rows: Tensor, labels: Tensor, reduction: str, ignore_index: int, is_normalized: bool
) -> Tensor | None:
    """Negative log-likelihood of labels for logits, or log-probabilities if `is_normalized`.

    None if a row of logits is certain, as in `softmax`.
    """
    if is_normalized:
        wide = rows.double()
    else:
        wide = torch.log_softmax(rows, -1, dtype=torch.float64)
        if not wide.detach().max().item() <= -CERTAIN:
            return None
    return _nll_loss(wide, labels, None, _REDUCTIONS[reduction], ignore_index).float()
