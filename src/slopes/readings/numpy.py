"""The NumPy reading: computed in float64 and rounded once to the argument's dtype."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
import scipy.special

from slopes.constants import Array
from slopes.domains import type_and_remedy
from slopes.extras import install
from slopes.readings import tails, textbook

_this = sys.modules[__name__]

# --------------------------------------------------------------------------------------- primitives

exp, expm1, log, log1p, sqrt, rint = np.exp, np.expm1, np.log, np.log1p, np.sqrt, np.rint
absolute, sign, where, minimum, maximum = np.absolute, np.sign, np.where, np.minimum, np.maximum
tanh, sinh, sin, cos = np.tanh, np.sinh, np.sin, np.cos
erf, lgamma = scipy.special.erf, scipy.special.gammaln
xlogy, xlog1py = scipy.special.xlogy, scipy.special.xlog1py
sum = partial(np.sum, axis=-1, keepdims=True)

DEEP = {np.dtype(np.float64): 700.0}  #: exp(−700) is normal
SPLIT = {np.dtype(np.float64): 2.0**20}  #: a number up to 64 rounded to this step has an exact square
sigmoid, softplus = partial(tails.sigmoid, _this), partial(tails.softplus, _this)
cubic, gauss = partial(tails.cubic, _this), partial(tails.gauss, _this)
sigmoid_slope, gate_slope = partial(tails.sigmoid_slope, _this), partial(tails.gate_slope, _this)
normal_gate_slope = partial(tails.normal_gate_slope, _this)
ndtr, normal_pdf = partial(tails.ndtr, _this), partial(tails.normal_pdf, _this)
sigmoid_less, sigmoid_mixture = partial(tails.sigmoid_less, _this), partial(tails.sigmoid_mixture, _this)
exp_of_size = partial(tails.exp_of_size, _this)
product, quotient = partial(tails.product, _this), partial(tails.quotient, _this)
decay, fma = partial(tails.decay, _this), partial(tails.fma, _this)
mish, mish_slope = partial(tails.mish, _this), partial(tails.mish_slope, _this)
softcap, tanhshrink = partial(tails.softcap, _this), partial(tails.tanhshrink, _this)
expm1_less, root_of_square = partial(tails.expm1_less, _this), partial(tails.root_of_square, _this)
lgamma_ratio, rational = partial(tails.lgamma_ratio, _this), partial(tails.rational, _this)
snake, snake_slope = partial(tails.snake, _this), partial(tails.snake_slope, _this)
softmax, log_softmax = partial(tails.softmax, _this), partial(tails.log_softmax, _this)
softmax_complement, sum_others = partial(tails.softmax_complement, _this), partial(tails.sum_others, _this)
softmax_logit = partial(tails.softmax_logit, _this)
softmax_pulled_closely = partial(tails.softmax_pulled_closely, _this)
overlap_slopes = partial(tails.overlap_slopes, _this)


top, above_simplex_threshold = partial(tails.top, _this), partial(tails.above_simplex_threshold, _this)
sum_pairs, jaccard_steps = partial(tails.sum_pairs, _this), partial(tails.jaccard_steps, _this)
exp_parts = partial(tails.exp_parts, _this)
levels, ranks = partial(tails.levels, _this), partial(tails.ranks, _this)
cumsum = partial(np.cumsum, axis=-1)
zero_dimensional = stop_gradient = with_slope_of = double = double_for = just_above = textbook.unchanged
wants_gradient, rounding_of_difference = textbook.wants_no_gradient, tails.rounding_of_difference


def entry(x: Array, place: int) -> Array:
    return x[..., place]


def inner(x: Array, y: Array) -> Array:
    return x @ y.T


def log_odds(p: Array, like: Array) -> tuple[Array, Array]:
    return tails.log_odds(float(p)) if np.ndim(p) == 0 else (log(p) - log1p(-p), 0.0)


def angle(y: Array, x: Array) -> Array:
    return np.arctan2(y, x)


def descending(x: Array) -> Array:
    return -np.sort(-x, axis=-1)


def places(x: Array) -> Array:
    return np.argsort(-x, axis=-1, kind="stable")


def inverted(places: Array) -> Array:
    """The inverse of each row's permutation."""
    result = np.empty_like(places)
    np.put_along_axis(result, places, np.broadcast_to(np.arange(places.shape[-1]), places.shape), -1)
    return result


def picked(x: Array, places: Array) -> Array:
    return np.take_along_axis(x, places, -1)


def reversed(x: Array) -> Array:
    return x[..., ::-1]


def shift_by_top(x: Array) -> tuple[Array, Array]:
    """(mask of each row's first largest entry, x less that entry)."""
    if not x.shape[-1]:  # argmax refuses an empty row
        return x == x, x
    place = np.argmax(x, axis=-1, keepdims=True)
    top = np.arange(x.shape[-1]) == place
    largest = np.take_along_axis(x, place, -1)
    nothing = largest == -np.inf  # no entry counts
    return top, np.where(top & (x > -np.inf), 0.0, x - np.where(nothing, 0.0, largest))


def expected(values: Array, target: Array) -> Array:
    if is_integer(target):
        return np.take_along_axis(values, target[..., None], -1)[..., 0]
    return np.sum(np.where(target == 0, 0.0, target * values), axis=-1)


def expected_log(values: Array, target: Array) -> Array:
    if is_integer(target):
        return np.log(expected(values, target))
    return np.sum(xlogy(target, values), axis=-1)


def one_hot(target: Array, like: Array) -> Array:
    if not is_integer(target):
        return target
    return (np.arange(like.shape[-1]) == target[..., None]).astype(like.dtype)


def ratio(x: Array, y: Array) -> Array:
    return np.where(x == 0, 0.0, x / np.where(x == 0, 1.0, y))


# ------------------------------------------------------------------------- how arguments come and go

moveaxis, isnan = np.moveaxis, np.isnan


def enter(x: Array, label: str, like: Array | None = None) -> Array:
    """An array of numbers; raise TypeError if x is none."""
    if type(x) is not np.ndarray:
        x = _array(x, label)
    if x.dtype.kind not in "fiub" or x.dtype.itemsize > 8:
        mixed = ", as of mixed or missing entries" if x.dtype.kind == "O" else ""
        raise TypeError(f"{label} must hold real numbers of at most 64 bits, got dtype {x.dtype}{mixed}")
    return x


def _array(x: Any, label: str) -> Any:
    name = label.rpartition(" ")[2]
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(
            f"{label} is a masked array, whose mask would be lost: pass {name}.data, and to a loss or a map also "
            f"mask=~numpy.ma.getmaskarray({name}), True where an entry counts"
        )
    if _is_tensor(x):
        raise TypeError(
            f"{label} must be a NumPy array or a number here, as the other arguments are, got {type(x).__name__}; "
            f"{name}.numpy() is an array"
        )
    is_list = isinstance(x, (list, tuple))
    if is_list and _is_tensor(_first_leaf(x)):
        raise TypeError(
            f"{label} is a {type(x).__name__} of torch tensors; torch.stack({name}) makes one tensor of them"
        )
    if not is_list and not isinstance(x, (np.generic, bool, int, float)) and not hasattr(type(x), "__array__"):
        raise TypeError(f"{label} must be a NumPy array or a number here, got {type_and_remedy(x)}")
    try:
        return np.asarray(x)
    except ValueError as error:
        if not is_list:
            raise _unreadable(x, label, error) from error
        raise TypeError(f"{label} must be an array of numbers, got a list that is none ({error})") from None
    except Exception as error:  # another library may raise anything
        raise _unreadable(x, label, error) from error


def _unreadable(x: Any, label: str, error: Exception) -> TypeError:
    said = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    return TypeError(f"{label} cannot be read as an array: {type(x).__name__} says {said}")


def _is_tensor(x: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def _first_leaf(x: Any) -> Any:
    for _ in range(64):
        if not isinstance(x, (list, tuple)) or not x:
            break
        x = x[0]
    return x


def row(numbers: tuple[float, ...], like: Array) -> Array:
    return np.array(numbers, like.dtype)


def arange(n: int, like: Array) -> Array:
    return np.arange(n)


def draw(distribution: str, generator: Any, like: Array, owner: str) -> Array:
    if not isinstance(generator, np.random.Generator):
        raise TypeError(f"{owner}: generator must be a numpy.random.Generator here, got {type(generator).__name__}")
    return generator.random(like.shape) if distribution == "uniform" else generator.gumbel(size=like.shape)


def spread(values: Array, places: Array, count: int) -> Array:
    result = np.zeros(count, dtype=values.dtype)
    result[places] = values
    return result


def padded(x: Array, count: int, axis: int) -> Array:
    widths = [(0, 0)] * x.ndim
    widths[axis] = count, count
    return np.pad(x, widths)


def joined(a: Array, b: Array) -> Array:
    return np.concatenate([a, b], axis=-1)


def is_integer(x: Array) -> bool:
    return x.dtype.kind in "iub"


def result_dtype(x: Array, loss: bool = False) -> Any:
    """The argument's own dtype, or float64 for integers."""
    return np.dtype(np.float64) if is_integer(x) else x.dtype


def widen(x: Array, like: Array | None = None) -> Array:
    return np.asarray(x, dtype=np.float64)


def narrow(x: Array, dtype: Any) -> Array:
    """Round to a dtype; a 0-d result becomes a scalar, as in NumPy."""
    return np.asarray(x).astype(dtype, copy=False)[()]


def round_to_odd(values: Array) -> Array:
    """Round float64 to float32, so that rounding to a half type is right: cut off, its last bit odd if inexact."""
    singles = values.astype(np.float32)
    bits = singles.view(np.uint32) - (abs(singles) > abs(values))  # the next number towards 0
    return (bits | (singles != values)).view(np.float32)


def quiet() -> AbstractContextManager[Any]:
    """Bodies compute inf and NaN on purpose."""
    return np.errstate(all="ignore")


def is_concrete(x: Array) -> bool:
    return True


def total(x: Array) -> Array:
    return np.sum(x)


def extremes(x: Array) -> tuple[float, float]:
    """NaN if any entry is."""
    return float(x.min()), float(x.max())


def count(x: Array) -> int:
    return int(x.size)


def differentiable(value: Callable[..., Array], slope: Callable[..., Array] | None, x: Array, *rest: Array) -> Array:
    """Only torch attaches the derivative."""
    return value(widen(x), *rest)


with_vjp = differentiable


def for_kernel(x: Array, like: Array | None = None) -> Array:
    """In the dtype of kernels of rows: x's own, or that of `like`."""
    return x if like is None else x.astype(like.dtype, copy=False)


def check_out(owner: str, out: Any, x: Array) -> None:
    """Raise TypeError or ValueError unless `out` can hold results."""
    if out is None:
        return
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{owner}: out must be a NumPy array, got {type(out).__name__}")
    dtype = result_dtype(x)
    if out.shape != x.shape or out.dtype != dtype:
        raise ValueError(
            f"{owner}: out must have the shape {x.shape} and the dtype {dtype} of the result, "
            f"got {out.shape} and {out.dtype}"
        )
    if not out.flags.writeable:
        raise ValueError(f"{owner}: out must be an array that can be written to, got one that is read-only")


def written(out: Array, result: Array) -> Array:
    out[...] = result
    return out


def slope_of(
    name: str, value: Callable[..., Array], x: Array, *rest: Array, cotangent: Array = None, coupled: bool = False
) -> Array:
    """By torch's autograd in float64."""
    try:
        import torch
    except ImportError:
        raise ImportError(
            f"{name} has no derivative of its own: write one with @{name}.derivative, or take autograd's: "
            f"{install('torch')}"
        ) from None
    from slopes.readings import torch as reading

    tensors = [torch.from_numpy(np.array(argument)) for argument in (x, *rest)]
    pulled = None if cotangent is None else torch.from_numpy(np.array(cotangent))
    return reading.slope_of(name, value, *tensors, cotangent=pulled).numpy()


def parameter(name: str, value: Any, like: Array = None) -> Any:
    if type(value) in (float, int, bool, str):
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; give its data")
    if _is_tensor(value):
        raise TypeError(
            f"{name} must be a number or a NumPy array here, as the arguments are, got {type(value).__name__}; "
            f"float({name}) is a number, {name}.numpy() an array"
        )
    return widen(value) if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" else value


def labels(x: Array) -> Array:
    return x.astype(np.intp, copy=False)
