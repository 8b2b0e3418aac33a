"""The NumPy reading: bodies are computed in float64 and rounded once to the argument's dtype."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
import scipy.special

from slopes.extras import install
from slopes.ops import Array, type_and_remedy
from slopes.readings import tails

_this = sys.modules[__name__]

# --------------------------------------------------------------------------------------- primitives

exp, expm1, log, log1p, sqrt, rint = np.exp, np.expm1, np.log, np.log1p, np.sqrt, np.rint
absolute, sign, where, minimum, maximum = np.absolute, np.sign, np.where, np.minimum, np.maximum
tanh, sinh, sin, cos = np.tanh, np.sinh, np.sin, np.cos
erf, xlogy, xlog1py = scipy.special.erf, scipy.special.xlogy, scipy.special.xlog1py
sum = partial(np.sum, axis=-1, keepdims=True)

DEEP = {np.dtype(np.float64): 700.0}  #: exp(−700) is still a normal number
SPLIT = {np.dtype(np.float64): 2.0**20}  #: a number up to 64 rounded to this step has an exact square
sigmoid, softplus, cubic = (
    partial(tails.sigmoid, _this),
    partial(tails.softplus, _this),
    partial(tails.cubic, _this),
)
sigmoid_slope, gate_slope = partial(tails.sigmoid_slope, _this), partial(tails.gate_slope, _this)
normal_gate_slope = partial(tails.normal_gate_slope, _this)
ndtr, normal_pdf = partial(tails.ndtr, _this), partial(tails.normal_pdf, _this)
gauss = partial(tails.gauss, _this)
sigmoid_less, sigmoid_mixture = partial(tails.sigmoid_less, _this), partial(tails.sigmoid_mixture, _this)
exp_of_size = partial(tails.exp_of_size, _this)
product, quotient = partial(tails.product, _this), partial(tails.quotient, _this)
decay, fma = partial(tails.decay, _this), partial(tails.fma, _this)
mish, mish_slope = partial(tails.mish, _this), partial(tails.mish_slope, _this)
softcap, tanhshrink = partial(tails.softcap, _this), partial(tails.tanhshrink, _this)
expm1_less, root_of_square = partial(tails.expm1_less, _this), partial(tails.root_of_square, _this)
snake, snake_slope = partial(tails.snake, _this), partial(tails.snake_slope, _this)
softmax, log_softmax = partial(tails.softmax, _this), partial(tails.log_softmax, _this)
softmax_complement, sum_others = partial(tails.softmax_complement, _this), partial(tails.sum_others, _this)
softmax_logit = partial(tails.softmax_logit, _this)


top, above_simplex_threshold = partial(tails.top, _this), partial(tails.above_simplex_threshold, _this)
sum_pairs, jaccard_steps = partial(tails.sum_pairs, _this), partial(tails.jaccard_steps, _this)
cumsum = partial(np.cumsum, axis=-1)


def entry(x: Array, place: int) -> Array:
    return x[..., place]


def inner(x: Array, y: Array) -> Array:
    return x @ y.T


def log_odds(p: Array, like: Array) -> tuple[Array, Array]:
    return tails.log_odds(float(p)) if np.ndim(p) == 0 else (log(p) - log1p(-p), 0.0)


def zero_dimensional(number: Array, like: Array) -> Array:
    return number


def angle(y: Array, x: Array) -> Array:
    return np.arctan2(y, x)


def held(x: Array) -> Array:
    return x


def double(x: Array) -> Array:
    return x


def double_for(x: Array, *parameters: Array) -> Array:
    return x


def just_above(x: Array) -> Array:
    return x


def descending(x: Array) -> Array:
    return -np.sort(-x, axis=-1)


def places(x: Array) -> Array:
    return np.argsort(-x, axis=-1, kind="stable")


def picked(x: Array, places: Array) -> Array:
    return np.take_along_axis(x, places, -1)


def reversed(x: Array) -> Array:
    return x[..., ::-1]


def shift_by_top(x: Array) -> tuple[Array, Array]:
    """Return (a mask of the first largest entry of each row, x less that entry)."""
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


def enter(x: Array, what: str, like: Array | None = None) -> Array:
    """Return x as an array of numbers for a card, or raise TypeError naming it.

    Numbers, lists of numbers and objects with ``__array__`` are converted.
    """
    if type(x) is not np.ndarray:
        x = _array(x, what)
    if x.dtype.kind not in "fiub" or x.dtype.itemsize > 8:
        mixed = ", as of mixed or missing entries" if x.dtype.kind == "O" else ""
        raise TypeError(f"{what} must hold real numbers of at most 64 bits, got dtype {x.dtype}{mixed}")
    return x


def _array(x: Any, what: str) -> Any:
    name = what.rpartition(" ")[2]
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(
            f"{what} is a masked array, whose mask would be lost: pass {name}.data, and to a loss or a map also "
            f"mask=~numpy.ma.getmaskarray({name}), True where an entry counts"
        )
    if _is_tensor(x):
        raise TypeError(
            f"{what} must be a NumPy array or a number here, as the other arguments are, got {type(x).__name__}; "
            f"{name}.numpy() is an array"
        )
    is_list = isinstance(x, (list, tuple))
    if is_list and _is_tensor(_first_leaf(x)):
        raise TypeError(
            f"{what} is a {type(x).__name__} of torch tensors; torch.stack({name}) makes one tensor of them"
        )
    if not is_list and not isinstance(x, (np.generic, bool, int, float)) and not hasattr(type(x), "__array__"):
        raise TypeError(f"{what} must be a NumPy array or a number here, got {type_and_remedy(x)}")
    try:
        return np.asarray(x)
    except ValueError as error:
        if not is_list:
            raise _unreadable(x, what, error) from error
        raise TypeError(f"{what} must be an array of numbers, got a list that is none ({error})") from None
    except Exception as error:  # another library may raise anything
        raise _unreadable(x, what, error) from error


def _unreadable(x: Any, what: str, error: Exception) -> TypeError:
    said = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    return TypeError(f"{what} cannot be read as an array: {type(x).__name__} says {said}")


def _is_tensor(x: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def _first_leaf(x: Any) -> Any:
    for _ in range(64):
        if not isinstance(x, (list, tuple)) or not x:
            break
        x = x[0]
    return x


def arange(n: int, like: Array) -> Array:
    return np.arange(n)


def draw(distribution: str, generator: Any, like: Array, owner: str) -> Array:
    if not isinstance(generator, np.random.Generator):
        raise TypeError(f"{owner}: generator must be a numpy.random.Generator here, got {type(generator).__name__}")
    return generator.random(like.shape) if distribution == "uniform" else generator.gumbel(size=like.shape)


def spread(values: Array, places: Array, count: int) -> Array:
    """Return an array of `count` entries: the values at their places, 0 elsewhere."""
    result = np.zeros(count, dtype=values.dtype)
    result[places] = values
    return result


def joined(a: Array, b: Array) -> Array:
    return np.concatenate([a, b], axis=-1)


def is_integer(x: Array) -> bool:
    return x.dtype.kind in "iub"


def result_dtype(x: Array, loss: bool = False) -> Any:
    """Dtype of a result: the argument's own, or float64 for integers."""
    return np.dtype(np.float64) if is_integer(x) else x.dtype


def widen(x: Array, like: Array | None = None) -> Array:
    return np.asarray(x, dtype=np.float64)


def narrow(x: Array, dtype: Any) -> Array:
    """Round the result to a dtype; a 0-d result becomes a scalar, as in NumPy's functions."""
    return np.asarray(x).astype(dtype, copy=False)[()]


def quiet() -> AbstractContextManager[Any]:
    """Silence NumPy's warnings, as bodies compute inf and NaN on purpose."""
    return np.errstate(all="ignore")


def is_concrete(x: Array) -> bool:
    """Whether the values of x can be read now."""
    return True


def total(x: Array) -> Array:
    return np.sum(x)


def extremes(x: Array) -> tuple[float, float]:
    """Return the least and the largest entry; NaN if any entry is."""
    return float(x.min()), float(x.max())


def count(x: Array) -> int:
    return int(x.size)


def differentiable(value: Callable[..., Array], slope: Callable[..., Array] | None, x: Array, *rest: Array) -> Array:
    """Return value(x, *rest); only the torch reading attaches the slope."""
    return value(widen(x), *rest)


def pullable(value: Callable[..., Array], pull_back: Callable[..., Array] | None, x: Array, *rest: Array) -> Array:
    """Return value(x, *rest); only the torch reading attaches pull_back(x, *rest, cotangent)."""
    return value(widen(x), *rest)


LARGE = 2**14  #: the fewest entries that are worth compiling a kernel


def computed_by_kernel(
    card: Any, output: str, arrays: list[Array], out: Array | None, parameters: dict[str, Any]
) -> Array | None:  # fmt: skip
    """Return an output of an activation from its kernel, written to `out` if given; None without a kernel."""
    from slopes import kernels

    return kernels.compute_if_suitable(card, output, arrays, out, parameters)


def map_by_kernel(card: Any, output: str, settings: dict[str, Any], rows: list[Array]) -> Array | None:
    """Return the "value" or "vjp" of a map of rows from its kernel; None without a kernel."""
    x = rows[0]
    if type(x) is not np.ndarray or x.dtype not in (np.float32, np.float64) or x.size < LARGE:
        return None
    from slopes.kernels.card_kernel import find_map_kernel

    kernel = find_map_kernel(card, settings, None, x.size, x.dtype.name, (output,))
    return None if kernel is None else kernel.get(output)(*rows)[0]


def run_gate(card: Any, axis: int, parameters: dict[str, Any], *arrays: Any) -> Array | None:
    """Return a gate of x along an axis, or its vjp if a cotangent is given, by a kernel; None without a kernel."""
    if not all(type(a) is np.ndarray and a.dtype == arrays[0].dtype for a in arrays):
        return None
    x, *cotangent = arrays
    if x.size < LARGE or x.dtype not in (np.float32, np.float64) or not -x.ndim <= axis < x.ndim or x.shape[axis] % 2:
        return None
    shape = list(x.shape)
    shape[axis] //= 2
    if any(list(a.shape) != shape for a in cotangent):
        return None
    from slopes.kernels.gates import find_gate_kernel

    kernel = find_gate_kernel(card, "vjp" if cotangent else "value", x.dtype.name, parameters, x.size)
    if kernel is None:
        return None
    result = np.empty(x.shape if cotangent else shape, x.dtype)
    half = math.prod(shape[axis % x.ndim :])
    kernel(half, *(np.ascontiguousarray(a).reshape(-1) for a in arrays), result.reshape(-1))
    return result


def for_kernel(x: Array, like: Array | None = None) -> Array:
    """Return x in the dtype of a kernel of rows: its own, or the dtype of `like`."""
    return x if like is None else x.astype(like.dtype, copy=False)


def find_row_kernel(
    card: Any, settings: dict[str, Any], x: Array, axis: int, labels: bool, smoothing: float, beside: tuple[Any, ...],
    has_slope: bool,
) -> Any:  # fmt: skip
    """Return the kernels of a loss for an array x with its rows along an axis; None if it has none."""
    if x.dtype not in (np.float32, np.float64) or x.size < LARGE:
        return None
    from slopes.kernels.card_kernel import find_loss_kernel

    _, slope = card._bodies(settings)
    return find_loss_kernel(
        card,
        settings,
        slope,
        x.size,
        x.shape[axis],
        x.dtype.name,
        labels=labels,
        smoothing=smoothing,
        has_slope=has_slope,
    )


def loss_by_kernel(batch: Any) -> Array:
    (values,) = batch.kernel.get("value")(*batch.arguments)
    return narrow(batch.reduce(widen(values)), batch.dtype)


def loss_and_slope_by_kernel(batch: Any) -> tuple[Array, Array]:
    values, rows = batch.kernel.get("value", "vjp")(*batch.arguments, batch.cotangent())
    gradient = narrow(batch.restore(rows), result_dtype(batch.original))
    return narrow(batch.reduce(widen(values)), batch.dtype), gradient


def run_loss(
    card: Any, reduction: str, arrays: tuple[Any, ...], parameters: tuple[tuple[str, Any], ...], is_checked: bool,
    **counting: Any,
) -> Any:  # fmt: skip
    """Return the loss of an element-wise card from a kernel, or None where the general path must compute it.

    `counting` may hold a weight, a mask and a divisor.
    """
    results = _run_loss_kernel(card, reduction, arrays, parameters, is_checked, has_gradient=False, **counting)
    return None if results is None else results[0]


def run_loss_and_slope(
    card: Any, reduction: str, arrays: tuple[Any, ...], parameters: tuple[tuple[str, Any], ...], is_checked: bool,
    **counting: Any,
) -> tuple[Any, Any] | None:  # fmt: skip
    """Return (the loss, its gradient by the first argument), computed in one pass; None as in `run_loss`."""
    if card.slope_body is None:
        return None
    return _run_loss_kernel(card, reduction, arrays, parameters, is_checked, has_gradient=True, **counting)


def _run_loss_kernel(
    card: Any,
    reduction: str,
    arrays: tuple[Any, ...],
    parameters: tuple[tuple[str, Any], ...],
    is_checked: bool,
    has_gradient: bool,
    weight: Any = None,
    mask: Any = None,
    divisor: Any = None,
) -> tuple[Any, Any] | None:
    """Return (the loss, its gradient or None)."""
    x = arrays[0]
    if not all(type(a) is np.ndarray and a.shape == x.shape for a in arrays):
        return None
    if x.size < LARGE or not x.dtype.isnative or reduction not in ("mean", "sum", "none"):
        return None
    counted = _count(x, reduction, weight, mask, divisor)
    if counted is None:
        return None
    weight, denominator = counted
    found = _loss_kernel(card, arrays if weight is None else (*arrays, weight), parameters, weight is not None)
    if found is None:
        return None
    kernel, flat, order = found
    error = sys.modules["slopes.readings.trace"].TraceError
    gradient = np.empty_like(x, order=order) if has_gradient else None
    place = None if gradient is None else gradient.reshape(-1, order=order)
    try:
        if denominator is not None:
            value = kernel.reduce(flat, denominator, place, is_checked)
            return None if value is None else (x.dtype.type(value), gradient)
        if is_checked and not kernel.accepts(flat):
            return None
        values = np.empty_like(x, order=order)
        kernel(flat, value=values.reshape(-1, order=order), **({} if place is None else {"gradient": place}))
    except error:
        return None
    return values, gradient


def _count(x: Array, reduction: str, weight: Any, mask: Any, divisor: Any) -> tuple[Array | None, float | None] | None:
    """Return the weight of each value (None for 1), and the denominator of their sum (None without a reduction).

    None for arguments that kernels do not take.
    """
    if divisor is not None and not (reduction == "mean" and type(divisor) in (int, float) and 0 < divisor < math.inf):
        return None
    if not all(a is None or (type(a) is np.ndarray and a.shape == x.shape) for a in (weight, mask)):
        return None
    if mask is not None:
        if mask.dtype != bool:
            return None
        weight = mask if weight is None else np.where(mask, weight, weight.dtype.type(0))
    weight = None if weight is None else _as_numbers(weight, x.dtype)
    if weight is None and (mask is not None or reduction != "mean"):
        return None if mask is not None else (None, 1.0 if reduction == "sum" else None)
    if reduction != "mean":
        return weight, 1.0 if reduction == "sum" else None
    if divisor is not None:
        return weight, float(divisor)
    if weight is None:
        return None, float(x.size)
    if not (weight.min() >= 0 and weight.max() < math.inf):
        return None
    return weight, float(weight.sum(dtype=np.float64)) or math.inf


def run_regions(card: Any, reduction: str, arrays: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Return an overlap loss from a kernel, or None where the general path must compute it."""
    results = _run_region_kernel(card, reduction, arrays, options, has_gradient=False)
    return None if results is None else results[0]


def run_regions_and_slope(
    card: Any, reduction: str, arrays: tuple[Any, ...], options: dict[str, Any]
) -> tuple[Any, Any] | None:
    """Return (an overlap loss, its gradient by the prediction); None as in `run_regions`."""
    return _run_region_kernel(card, reduction, arrays, options, has_gradient=True)


def _run_region_kernel(
    card: Any, reduction: str, arrays: tuple[Any, ...], options: dict[str, Any], has_gradient: bool
) -> tuple[Any, Any] | None:
    """Return (the loss, its gradient or None)."""
    x, target = arrays
    if not all(type(a) is np.ndarray and a.shape == x.shape for a in arrays):
        return None
    if x.size < LARGE or x.dtype not in (np.float32, np.float64) or reduction not in ("mean", "sum", "none"):
        return None
    from slopes.kernels.regions import find_region_kernel

    found = find_region_kernel(card, options, x.shape, x.dtype.name)
    target = None if found is None else _as_numbers(target, x.dtype)
    if found is None or target is None:
        return None
    kernel, shape = found
    gradient = np.empty(x.shape, x.dtype) if has_gradient else None
    place = None if gradient is None else gradient.reshape(shape)
    count = shape[0] if reduction == "mean" else 1
    first, second = (np.ascontiguousarray(a).reshape(shape) for a in (x, target))
    values = kernel.compute(first, second, 1 / count, place)
    if values is None:
        return None
    if reduction == "none":
        return values.reshape(x.shape[:2]), gradient
    return x.dtype.type(values.sum(dtype=np.float64) / count), gradient


def _loss_kernel(
    card: Any, arrays: tuple[Any, ...], parameters: tuple[tuple[str, Any], ...], is_weighted: bool
) -> tuple[Any, list[Any], Any] | None:
    """(kernels of a loss, its arguments flattened, the memory order of their entries), or None."""
    from slopes.kernels import elementwise_losses

    x = arrays[0]
    kernel = elementwise_losses.find(card, x.dtype.name, dict(parameters), x.size, is_weighted=is_weighted)
    numbers: list[Any] = [] if kernel is None else [_as_numbers(a, x.dtype) for a in arrays]
    if kernel is None or any(a is None for a in numbers):
        return None
    order: Any = "F" if all(a.flags.f_contiguous for a in numbers) else "C"
    return kernel, [np.ravel(a, order=order) for a in numbers], order


def _as_numbers(x: Any, dtype: Any) -> Any:
    """Convert an array to a floating dtype; None if digits would be lost."""
    if x.dtype == dtype:
        return x
    exact = 2 ** (np.finfo(dtype).nmant + 1)
    if x.dtype.kind == "b" or (x.dtype.kind in "iu" and -exact <= x.min() and x.max() <= exact):
        return x.astype(dtype)
    return None


def fits_out(owner: str, out: Any, x: Array) -> None:
    """Raise TypeError or ValueError unless `out` is None or can hold the results for x."""
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


def wants_gradient(x: Array) -> bool:
    return False


def slope_of(
    name: str, value: Callable[..., Array], x: Array, *rest: Array, cotangent: Array = None, coupled: bool = False
) -> Array:
    """Return the slope of a body without a derivative, by torch's autograd in float64."""
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
    """Return a parameter for a card's body, or raise TypeError naming it."""
    if type(value) in (float, int, bool, str):
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; give its data")
    if _is_tensor(value):
        raise TypeError(
            f"{name} must be a number or a NumPy array here, as the arguments are, got {type(value).__name__}; "
            f"float({name}) is a number, {name}.numpy() an array"
        )
    return value


def labels(x: Array) -> Array:
    return x.astype(np.intp, copy=False)
