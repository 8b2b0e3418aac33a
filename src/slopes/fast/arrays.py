"""The fast paths of large NumPy arrays: kernels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from slopes.constants import Array
from slopes.domains import is_array
from slopes.fast import halves
from slopes.fast.counting import counted
from slopes.readings import numpy as reading
from slopes.readings.numpy import narrow, result_dtype, widen

LARGE = 2**14  #: entries that are worth compiling a kernel


def computed_by_kernel(
    card: Any, output: str, arrays: list[Array], out: Array | None, parameters: dict[str, Any]
) -> Array | None:
    if any(map(is_array, parameters.values())):
        return None
    if arrays[0].dtype == np.float16 and output != "vjp" and card.body.__module__.startswith("slopes.activations."):
        return _look_up(card, output, arrays[0], out, parameters)
    if arrays[0].size < LARGE:
        return None
    from slopes import kernels

    return kernels.compute_if_suitable(card, output, arrays, out, parameters)


def _look_up(card: Any, output: str, x: Array, out: Array | None, parameters: dict[str, Any]) -> Array:
    activation = halves.finder(card, "float16", parameters)()
    bits = x.view(np.uint16)
    found = activation.find_values(bits) if output == "value" else activation.narrow(activation.find(output, bits))
    result = found.view(np.float16)
    return result if out is None else reading.written(out, result)


def map_by_kernel(card: Any, output: str, settings: dict[str, Any], rows: list[Array]) -> Array | None:
    x = rows[0]
    if type(x) is not np.ndarray or x.dtype not in (np.float32, np.float64) or x.size < LARGE:
        return None
    from slopes.kernels.card_kernel import find_map_kernel

    kernel = find_map_kernel(card, settings, None, x.size, x.dtype.name, (output,))
    return None if kernel is None else kernel.get(output)(*rows)[0]


def run_gate(card: Any, axis: int, parameters: dict[str, Any], *arrays: Any) -> Array | None:
    """A gate, or with a cotangent its vjp."""
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


def find_row_kernel(
    card: Any, settings: dict[str, Any], x: Array, axis: int, labels: bool, smoothing: float, beside: tuple[Any, ...],
    has_slope: bool,
) -> Any:  # fmt: skip
    if x.dtype not in (np.float32, np.float64) or x.size < LARGE:
        return None
    from slopes.kernels.card_kernel import find_loss_kernel

    _, slope = card._bodies(settings)
    return find_loss_kernel(
        card, settings, slope, x.size, x.shape[axis], x.dtype.name, labels=labels, smoothing=smoothing,
        has_slope=has_slope,
    )  # fmt: skip


def loss_by_kernel(batch: Any) -> Array:
    (values,) = batch.kernel.get("value")(*batch.arguments)
    return narrow(batch.reduce(widen(values)), batch.dtype)


def loss_and_slope_by_kernel(batch: Any) -> tuple[Array, Array]:
    values, rows = batch.kernel.get("value", "vjp")(*batch.arguments, batch.cotangent())
    gradient = narrow(batch.restore(rows), result_dtype(batch.original))
    return narrow(batch.reduce(widen(values)), batch.dtype), gradient


def run_loss(*given: Any, **counting: Any) -> Any:
    """Loss; `counting` may hold a weight, a mask and a divisor."""
    results = _run_loss_kernel(False, *given, **counting)
    return None if results is None else results[0]


def run_loss_and_slope(card: Any, *given: Any, **counting: Any) -> tuple[Any, Any] | None:
    return None if card.slope_body is None else _run_loss_kernel(True, card, *given, **counting)


def _run_loss_kernel(
    has_gradient: bool, card: Any, reduction: str, arrays: tuple[Any, ...], parameters: tuple[tuple[str, Any], ...],
    is_checked: bool, weight: Any = None, mask: Any = None, divisor: Any = None,
) -> tuple[Any, Any] | None:  # fmt: skip
    x = arrays[0]
    if not _are_suitable(arrays, reduction):
        return None
    from slopes.kernels import TraceError

    count = _count(x, reduction, weight, mask, divisor)
    if count is None:
        return None
    weight, denominator = count
    found = _loss_kernel(card, arrays if weight is None else (*arrays, weight), parameters, weight is not None)
    if found is None:
        return None
    kernel, flat, order = found
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
    except TraceError:
        return None
    return values, gradient


def _are_suitable(arrays: tuple[Any, ...], reduction: str) -> bool:
    """Whether the arguments are large arrays of one shape, and the reduction has a name."""
    x = arrays[0]
    are_alike = all(type(a) is np.ndarray and a.shape == x.shape for a in arrays)
    return are_alike and x.size >= LARGE and x.dtype.isnative and reduction in ("mean", "sum", "none")


def _count(x: Array, reduction: str, weight: Any, mask: Any, divisor: Any) -> tuple[Array | None, float | None] | None:
    if not all(a is None or (type(a) is np.ndarray and a.shape == x.shape) for a in (weight, mask)):
        return None
    if mask is not None:
        if mask.dtype != bool:
            return None
        weight = mask if weight is None else np.where(mask, weight, weight.dtype.type(0))
    numbers = None if weight is None else _as_numbers(weight, x.dtype)
    if numbers is None and weight is not None:
        return None  # digits would be lost
    return counted(reduction, divisor, x.size, numbers, lambda w: (w.min(), w.max(), float(w.sum(dtype=np.float64))))


def run_regions(*given: Any) -> Any:
    results = _run_region_kernel(False, *given)
    return None if results is None else results[0]


def run_regions_and_slope(*given: Any) -> tuple[Any, Any] | None:
    return _run_region_kernel(True, *given)


def _run_region_kernel(
    has_gradient: bool, card: Any, reduction: str, arrays: tuple[Any, ...], options: dict[str, Any]
) -> tuple[Any, Any] | None:
    x, target = arrays
    if not _are_suitable(arrays, reduction) or x.dtype not in (np.float32, np.float64):
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
    """(kernels of a loss, its arguments flattened, their memory order)."""
    from slopes.kernels import elementwise_losses

    x = arrays[0]
    kernel = elementwise_losses.find(card, x.dtype.name, dict(parameters), x.size, is_weighted=is_weighted)
    numbers: list[Any] = [] if kernel is None else [_as_numbers(a, x.dtype) for a in arrays]
    if kernel is None or any(a is None for a in numbers):
        return None
    order: Any = "F" if all(a.flags.f_contiguous for a in numbers) else "C"
    return kernel, [np.ravel(a, order=order) for a in numbers], order


def _as_numbers(x: Any, dtype: Any) -> Any:
    """An array of floats; None if digits would be lost."""
    if x.dtype == dtype:
        return x
    exact = 2 ** (np.finfo(dtype).nmant + 1)
    if x.dtype.kind == "b" or (x.dtype.kind in "iu" and -exact <= x.min() and x.max() <= exact):
        return x.astype(dtype)
    return None
