"""Causes of a non-finite number, by the operation that gave it and the numbers that it got."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch

from slopes.diagnosing.origin import Range

HALF = ("float16", "bfloat16")


class Cause(NamedTuple):
    kind: str
    message: str
    repair: str


class Event(NamedTuple):
    """An operation with a non-finite result, as numbers."""

    operation: str  #: of PyTorch, which ran
    forward: str  #: for a backward pass, the operation whose gradient it computes
    is_backward: bool
    entry: tuple[float, ...]  #: arguments at the first non-finite entry, for operations of single entries
    written: bool  #: whether an argument in the code is inf or NaN
    inputs: tuple[Range, ...]
    output: Range
    exact: float  #: size of the first non-finite entry, computed in float64; NaN if that is no number, too


def explain(event: Event) -> Cause:
    if event.written:
        return Cause("written", f"the code itself writes {_value(event)} there", "write a finite number, such as -1e4")
    if any(input.infs for input in event.inputs):
        return _of_infinite(event)
    if event.is_backward:
        return _of_gradient(event)
    rule = _RULES.get(event.operation)
    return (rule and rule(event)) or _of_size(event)


def _value(event: Event) -> str:
    return "NaN" if event.output.nans else "inf"


# ---------------------------------------------------------------------------- inputs that hold inf


def _of_infinite(event: Event) -> Cause:
    if "softmax" in event.operation or "attention" in event.operation:
        message = "a row is −inf throughout, as where a mask hides every entry, and its softmax is 0/0"
        return Cause("softmax of nothing", message, "leave one entry of each row unmasked, or mask with -1e4")
    if event.operation in ("mul", "mm", "bmm", "addmm", "baddbmm", "linear"):
        return Cause("0 · inf", "0 times inf is NaN", _REPLACE)
    return Cause("inf − inf", "its input holds inf, and inf − inf or inf / inf is NaN", _REPLACE)


_REPLACE = "keep its input finite; torch.where hides the result, but not its gradient"


# -------------------------------------------------------------------------------- the forward pass


def _log(event: Event, zero: float = 0.0) -> Cause | None:
    (x,) = event.entry[:1] or (math.nan,)
    if x == zero:
        name = event.operation
        words = "the logarithm of 0 is −inf" if zero == 0 else f"{name} of −1 is −inf"
        repair = (
            "compute log-probabilities by log_softmax or logsigmoid, as cross_entropy and "
            f"binary_cross_entropy_with_logits do, or clamp the input of {name} from below"
        )
        return Cause("log of 0", words + _half_words(event), repair)
    if x < zero:
        return Cause("domain", f"the logarithm of a negative number ({x:.4g}) is NaN", "keep its input above 0")
    return None


def _half_words(event: Event) -> str:
    """Remind of numbers that half types round to 0 or 1."""
    types = {input.dtype for input in (*event.inputs, event.output)}
    if "float16" in types:
        return "; float16 rounds numbers under 3e-8 to 0, so 1e-8 as well"
    return "; bfloat16 rounds numbers from 0.998 to 1.004 to 1" if "bfloat16" in types else ""


def _quotient(event: Event) -> Cause | None:
    top, bottom = event.entry[:2] if len(event.entry) > 1 else (1.0, *event.entry) if event.entry else (1.0, 1.0)
    if bottom != 0:
        return None
    repair = "add a small number to the divisor, such as 1e-6, or leave such entries out before the division"
    if top == 0:
        return Cause("0/0", "0 divided by 0 is NaN" + _half_words(event), repair)
    return Cause("division by 0", f"{top:.4g} divided by 0 is inf" + _half_words(event), repair)


def _root(event: Event) -> Cause | None:
    if event.entry and event.entry[0] < 0:
        message = f"the root of a negative number ({event.entry[0]:.4g}) is NaN"
        return Cause("domain", message, "clamp its input at 0: rounding can turn a variance of 0 negative")
    return _quotient(event) if event.operation == "rsqrt" else None


def _power(event: Event) -> Cause | None:
    base, exponent = event.entry[:2] if len(event.entry) > 1 else (1.0, 1.0)
    if base < 0 and not float(exponent).is_integer():
        message = f"a negative number ({base:.4g}) to the power {exponent:.4g} is NaN"
        return Cause("domain", message, "keep the base at 0 or above, or take its absolute value")
    if base == 0 and exponent < 0:
        return _quotient(event._replace(entry=(1.0, 0.0)))
    return None


def _exponential(event: Event) -> Cause | None:
    if not event.entry:
        return None
    dtype = event.output.dtype
    message = f"{event.operation} of {event.entry[0]:.4g} is beyond {dtype}, which ends at {_largest(dtype):.3g}"
    repair = "subtract the largest input first, as softmax and logsumexp do, or clamp the input"
    return Cause(_overflow_kind(dtype), message, repair)


def _domain(words: str) -> Callable[[Event], Cause | None]:
    def rule(event: Event) -> Cause | None:
        if not event.entry:
            return None
        message = f"{event.operation} of {event.entry[0]:.6g} is not finite: it takes numbers {words}"
        return Cause("domain", message, "clamp its input: rounding can push it over the edge")

    return rule


def _nothing(event: Event) -> Cause | None:
    message = "the mean is over no entry, which is 0/0"
    return Cause("0/0", message, "skip such a batch, or divide by the number of entries, but at least 1")


def _labels(event: Event) -> Cause | None:
    message = "no target counts (all are ignore_index, or of weight 0), so that the mean is 0/0"
    repair = 'skip such a batch, or take reduction="sum" and divide by the number of targets, but at least 1'
    return Cause("0/0", message, repair) if event.output.nans else None


def _empty_mean(event: Event) -> Cause | None:
    return _nothing(event) if not event.inputs[0].entries else None


def _deviation(event: Event) -> Cause | None:
    message = "the deviation of a single number is 0/0"
    repair = "take correction=0, or batches of two or more: a last batch of one is common (drop_last=True)"
    return Cause("0/0", message, repair) if event.output.nans else None


def _of_size(event: Event) -> Cause:
    dtype = event.output.dtype
    if math.isfinite(event.exact):
        largest = _largest(dtype)
        if event.exact > largest:
            words = f"the result would be {event.exact:.4g}, and {dtype} ends at {largest:.5g}"
        else:
            words = f"an intermediate result is beyond {dtype}, which ends at {largest:.5g}; the result would be "
            words += f"{event.exact:.4g}"
        return Cause(_overflow_kind(dtype), words, _HALF_REPAIR if dtype in HALF else _SMALLER)
    if event.output.infs and not event.output.nans:
        return Cause("overflow", f"the result is beyond {dtype}, which ends at {_largest(dtype):.5g}", _SMALLER)
    return Cause("invalid", "its finite inputs have no finite result", "look at the inputs at this line")


def _overflow_kind(dtype: str) -> str:
    return "half range" if dtype in HALF else "overflow"


def _largest(dtype: str) -> float:
    return float(torch.finfo(getattr(torch, dtype)).max) if dtype.startswith(("float", "bfloat")) else math.inf


_HALF_REPAIR = "compute it in float32 (in torch.autocast(…, enabled=False)), use bfloat16, or scale its inputs down"
_SMALLER = "its inputs have grown too large: lower the learning rate, clip gradients, or normalise"

_RULES: dict[str, Callable[[Event], Cause | None]] = {
    **dict.fromkeys(("log", "log2", "log10"), _log),
    "log1p": lambda event: _log(event, -1.0),
    **dict.fromkeys(("div", "reciprocal", "fmod", "remainder"), _quotient),
    **dict.fromkeys(("sqrt", "rsqrt"), _root),
    "pow": _power,
    **dict.fromkeys(("exp", "exp2", "expm1", "sinh", "cosh"), _exponential),
    **dict.fromkeys(("acos", "asin"), _domain("from −1 to 1")),
    **dict.fromkeys(("atanh", "erfinv"), _domain("between −1 and 1")),
    "acosh": _domain("from 1"),
    "logit": _domain("between 0 and 1"),
    **dict.fromkeys(("lgamma", "digamma"), _domain("above 0")),
    **dict.fromkeys(("nll_loss", "nll_loss2d"), _labels),
    "mean": _empty_mean,
    **dict.fromkeys(("var", "std", "var_mean", "std_mean"), _deviation),
}  # fmt: skip


# ------------------------------------------------------------------------------- the backward pass

_STEEP = {
    **dict.fromkeys(("sqrt", "pow", "log", "log2", "log10", "rsqrt", "reciprocal"), "its input is 0"),
    **dict.fromkeys(("acos", "asin", "atanh"), "its input is 1 or −1"),
    "div": "its divisor is 0",
}


def _of_gradient(event: Event) -> Cause:
    rule = _RULES.get(event.operation)
    cause = rule and rule(event)
    if cause and cause.kind in ("0/0", "division by 0", "domain"):
        place = _STEEP.get(event.forward, "it is taken here")
        message = f"the slope of {event.forward} is infinite where {place}"
        if event.output.nans and not event.output.infs:
            message += ", and the gradient that comes there is 0: 0 · inf is NaN"
        example = f"such as {event.forward}(x + 1e-6)" if event.forward in ("sqrt", "log") else "by a clamp"
        repair = f"keep its input off that point, {example}; torch.where must choose the input, not the result"
        return Cause("infinite slope", message, repair)
    cause = _of_size(event)
    if cause.kind == "half range":
        return cause._replace(repair="lower the scale of the loss (torch.amp.GradScaler does), or use bfloat16")
    return cause
