"""Losses and maps of rows of plain tensors from compiled kernels.

The forward of a reduced loss computes the gradient, which the backward scales; on a GPU, where to read the scale would
be to wait, a kernel computes it anew unless the scale is 1. Without reduction the backward computes it. Torch
operations compute a second backward.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import _C
from torch._C import _functorch as functorch

from slopes.fast.entries import LARGE_FOR_A_LOSS as LARGE
from slopes.fast.entries import keep, language_of
from slopes.fast.short import nll_of_labels
from slopes.readings import torch as reading
from slopes.readings.plain import ALL_DTYPES, HALF, TYPES, is_plain, keeps_graph

Tensor = torch.Tensor


FEWEST = 2**8  #: entries that are worth compiling a kernel, where there is no short way


def has_many_entries(x: Any, least: int | None = None) -> bool:
    """Whether it is a tensor of so many entries or more, by default `LARGE`, outside of compilers."""
    if not isinstance(x, Tensor) or torch.compiler.is_dynamo_compiling():
        return False
    size = x.numel()
    return type(size) is int and size >= (LARGE if least is None else least)  # an export's symbols must not be compared


def may_have_row_kernel(x: Any, least: int | None = None) -> bool:
    return has_many_entries(x, least) and x.is_cpu and language_of(x) != ""


def run_map_of_rows(card: Any, x: Tensor, axis: int) -> Tensor | None:
    """Softmax or log_softmax; None if a row begins with −inf: PyTorch gives NaN for one of only −inf."""
    if not is_plain(x, ALL_DTYPES) or axis not in (-1, x.ndim - 1) or not x.is_contiguous():
        return None
    result = _map_plain_rows(card, "value", {}, [x])
    # the result, in the cache, mostly tells
    if result is None or _least_first_entry(result) > card.claims.range[0] or _least_first_entry(x) > -math.inf:
        return result
    return None


def _least_first_entry(rows: Tensor) -> float:
    from slopes.kernels.tensors.activations import as_array

    if rows.dtype in HALF or rows.is_neg():
        return rows.detach().select(-1, 0).amin().item()
    return float(as_array(rows)[:: rows.shape[-1]].min())  # in half the time


def map_by_kernel(card: Any, output: str, settings: dict[str, Any], rows: list[Tensor]) -> Tensor | None:
    x = rows[0]
    if not has_many_entries(x, FEWEST) or not all([is_plain(t, ALL_DTYPES) and t.dtype is x.dtype for t in rows]):
        return None
    return _map_plain_rows(card, output, settings, rows)


def _map_plain_rows(card: Any, output: str, settings: dict[str, Any], rows: list[Tensor]) -> Tensor | None:
    x = rows[0]
    wants_gradient = torch.is_grad_enabled() and any([t.requires_grad for t in rows])
    if wants_gradient and (output == "vjp" or card.slope_body is None):
        return None
    key = ("rows", output, x.dtype is torch.float64, x.is_cpu, wants_gradient, *settings.items())
    kernel = card.cache.get(key) or _find_map_kernel(card, settings, x, output, wants_gradient, key)
    if kernel is None:
        return None
    if wants_gradient:
        by_argument = kernel.by_result is None or x.dtype in HALF
        apply = _apply_map if by_argument else _apply_map_by_result
        return apply(kernel, *rows)
    return _run(kernel.get(output), *rows)[0]


def _find_map_kernel(
    card: Any, settings: dict[str, Any], x: Tensor, output: str, wants_gradient: bool, key: tuple[Any, ...]
) -> Any:
    from slopes.kernels.card_kernel import find_map_kernel
    from slopes.kernels.programs import is_ours

    language = language_of(x)
    if not language:
        return None
    _, pull_back = card._bodies(settings)
    dtype = "float64" if x.dtype is torch.float64 else "float32"
    outputs = ("value", "vjp") if wants_gradient else (output,)
    found = find_map_kernel(
        card, settings, pull_back, x.numel(), dtype, outputs, arithmetic=dtype, language=language
    )  # fmt: skip
    if found is not None and is_ours(card):
        keep(card, key, found)
    return found


def widen_half(x: Tensor) -> Tensor:
    return x.float() if x.dtype in HALF else x


def find_row_kernel(
    card: Any, settings: dict[str, Any], x: Tensor, axis: int, labels: bool, smoothing: float, beside: tuple[Any, ...],
    has_slope: bool,
) -> Any:  # fmt: skip
    """Kernels of a loss for a tensor x with its rows along an axis.

    `beside` has the other arguments. With `has_slope` the call returns a gradient.
    """
    if not has_many_entries(x, FEWEST) or not (language := language_of(x)):
        return None
    # autocast is allowed, as a batch knows its loss's dtype
    if not is_plain(x, ALL_DTYPES, True) or not all(is_constant(other, x.device) for other in beside):
        return None
    wants_gradient = torch.is_grad_enabled() and x.requires_grad
    if wants_gradient and has_slope:
        return None
    from slopes.kernels.card_kernel import find_loss_kernel

    _, slope = card._bodies(settings)
    dtype = "float64" if x.dtype is torch.float64 else "float32"
    has_slope = has_slope or wants_gradient
    return find_loss_kernel(
        card, settings, slope, x.numel(), x.shape[axis], dtype, labels=labels, smoothing=smoothing,
        has_slope=has_slope, arithmetic=dtype, language=language,
    )  # fmt: skip


def is_constant(x: Any, device: torch.device) -> bool:
    """Whether x is no tensor, or a plain one on the device without a gradient."""
    if not isinstance(x, Tensor):
        return True
    if type(x) not in TYPES or x.device != device or x.layout is not torch.strided or x.is_nested:
        return False
    return not functorch.is_functorch_wrapped_tensor(x) and not (x.requires_grad and torch.is_grad_enabled())


class Reduction:
    """`finish` makes a loss's result of its values; `cotangent` is its gradient by each.

    With `counts`, values count only where it is True.
    """

    __slots__ = ("cotangent", "counts", "finish")

    def __init__(self, finish: Callable[[Tensor], Tensor], cotangent: Tensor | None, counts: Tensor | None) -> None:
        self.finish, self.cotangent, self.counts = finish, cotangent, counts


def compute_loss(kernel: Any, reduction: Reduction, x: Tensor, *others: Tensor) -> Tensor:
    """Loss of rows; without a cotangent autograd differentiates `finish`."""
    if torch.is_grad_enabled() and x.requires_grad:
        if reduction.cotangent is None:
            return reduction.finish(_apply_values(kernel, reduction.counts, x, *others))
        return _apply_loss(kernel, reduction, x, *others)
    return reduction.finish(_run(kernel.get("value"), x, *others)[0])


def run_loss_of_labels(
    card: Any, reduction: str, x: Tensor, labels: Tensor, parameters: tuple[tuple[str, Any], ...] = (),
    ignored: int | None = None,
) -> Tensor | None:  # fmt: skip
    """Parameters are as in `entries.run_activation`.

    None if a label may be ignored or is no class, or if entries of x must be checked, as probabilities are.
    """
    if not _is_matrix(x) or reduction not in ("mean", "sum") or not _are_classes(labels, x):
        return None
    if ignored is not None and 0 <= ignored < x.shape[1]:
        return None
    if x.numel() < LARGE and x.dtype is torch.float32 and not parameters and _is_cross_entropy(card):
        result = nll_of_labels(x, labels, reduction, -100, False)
        if result is not None:
            return result
    has_slope = torch.is_grad_enabled() and x.requires_grad
    key = ("labels", x.dtype is torch.float64, has_slope, parameters)
    if key not in card.cache:
        keep(card, key, _find_label_kernel(card, dict(parameters), x, has_slope))
    kernel = card.cache[key]
    return None if kernel is None else compute_loss(kernel, _reduction_of_rows(len(x), reduction, x.dtype), x, labels)


def _is_matrix(x: Tensor) -> bool:
    return is_plain(x) and x.is_cpu and x.ndim == 2 and x.numel() >= FEWEST


def _are_classes(labels: Any, x: Tensor) -> bool:
    if type(labels) is not Tensor or labels.dtype is not torch.int64 or labels.shape != x.shape[:1]:
        return False
    if not labels.is_cpu or functorch.is_functorch_wrapped_tensor(labels) or functorch.is_legacy_batchedtensor(labels):
        return False
    least, largest = torch.aminmax(labels)
    return least.item() >= 0 and largest.item() < x.shape[1]


def _is_cross_entropy(card: Any) -> bool:
    return card.body.__name__ == "cross_entropy" and card.body.__module__.startswith("slopes.") and not card.bound


def _find_label_kernel(card: Any, parameters: dict[str, Any], x: Tensor, has_slope: bool) -> Any:
    from slopes.kernels.card_kernel import find_loss_kernel
    from slopes.kernels.programs import is_ours

    settings, _, slope = card.bind(reading, x, parameters)
    if not is_ours(card) or card.kind.spaces(settings)[0].rule:
        return None
    dtype = "float64" if x.dtype is torch.float64 else "float32"
    return find_loss_kernel(
        card, settings, slope, x.numel(), sys.maxsize, dtype, labels=True, smoothing=0.0, has_slope=has_slope,
        arithmetic=dtype,
    )  # fmt: skip


@lru_cache(maxsize=64)
def _reduction_of_rows(count: int, reduction: str, dtype: torch.dtype) -> Reduction:
    with torch.inference_mode(False):
        cotangent = torch.full((count,), 1 / count if reduction == "mean" else 1.0, dtype=dtype)
    reduce = torch.mean if reduction == "mean" else torch.sum
    return Reduction(lambda values: reduce(values, dtype=torch.float64).to(dtype), cotangent, None)


def loss_by_kernel(batch: Any) -> Tensor:
    return compute_loss(batch.kernel, _reduction_of(batch), *batch.arguments)


def loss_and_slope_by_kernel(batch: Any) -> tuple[Tensor, Tensor]:
    x, *others = batch.arguments
    values, rows = _run(batch.kernel.get("value", "vjp"), x, *others, batch.cotangent())
    dtype = batch.r.result_dtype(batch.original)
    return _reduction_of(batch).finish(values), batch.restore(rows).to(dtype)


def _reduction_of(batch: Any) -> Reduction:
    cotangent = batch.cotangent() if batch.reduced else None
    return Reduction(lambda values: batch.reduce(values).to(batch.dtype), cotangent, batch.counts)


NAMES = {torch.float32: "float32", torch.float64: "float64", torch.int64: "int64"}


def _run(kernel: Any, x: Tensor, *others: Tensor) -> list[Tensor]:
    """Outputs of a kernel; of a half type a CPU's are float32."""
    if kernel.takes_tensors:
        return kernel(x, *others)  # type: ignore[no-any-return]
    from slopes.kernels.tensors.activations import advise, as_array

    tensors = [widen_half(tensor) for tensor in (x, *others)]
    shape, dtype = x.shape, tensors[0].dtype
    results = [advise(torch.empty(shape[:-1] if line.per == "row" else shape, dtype=dtype)) for line in kernel.outputs]
    for tensor, line in zip(tensors, kernel.inputs, strict=True):
        if not tensor.is_contiguous() or tensor.is_neg() or NAMES.get(tensor.dtype) != line.dtype:
            places = [as_array(result).reshape(result.shape) for result in results]
            kernel(*[t.numpy(force=True) for t in tensors], out=places)
            return results
    kernel.run([
        as_array(tensor) if line.per == "row" else as_array(tensor).reshape(-1, shape[-1])
        for tensor, line in zip([*tensors, *results], (*kernel.inputs, *kernel.outputs), strict=True)
    ])  # fmt: skip
    return results


def is_to_be_differentiated(gradient: Tensor) -> bool:
    """Whether the backward is differentiated, or runs for many gradients."""
    is_batched = functorch.is_functorch_wrapped_tensor(gradient) or functorch.is_legacy_batchedtensor(gradient)
    is_special = type(gradient) is not Tensor or is_batched or bool(_C._len_torch_dispatch_stack())
    return torch.is_grad_enabled() or is_special


def _pull_back(kernel: Any, counts: Tensor | None, cotangent: Tensor, x: Tensor, *others: Tensor) -> Tensor:
    """A gradient that autograd can differentiate, without rows that do not count."""
    if counts is not None:
        x = torch.where(counts.unsqueeze(-1), x, 0.0)
    rows: Tensor = cotangent.unsqueeze(-1) * kernel.slope(widen_half(x), *others)
    rows = rows if counts is None else torch.where(counts.unsqueeze(-1), rows, 0.0)
    return rows.to(x.dtype)


def _repeat(kernel: Any, factor: Tensor, rows: Tensor, *given: Tensor) -> Tensor:
    """The gradient by a kernel of a GPU, in place of `rows` unless they are needed again."""
    if keeps_graph():
        return kernel(*given)[0]  # type: ignore[no-any-return]
    kernel.repeat(factor, [rows], *given)
    return rows


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kernel: Any, reduction: Reduction, x: Tensor, *others: Tensor) -> Tensor:
        ctx.kernel, ctx.reduction = kernel, reduction
        assert reduction.cotangent is not None
        values, rows = _run(kernel.get("value", "vjp"), x, *others, reduction.cotangent)
        ctx.save_for_backward(x, *others, rows)
        return reduction.finish(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        *arguments, rows = ctx.saved_tensors
        nothing = (None,) * (len(arguments) - 1)
        if is_to_be_differentiated(gradient):
            cotangent = ctx.reduction.cotangent * gradient.to(rows.dtype)
            return None, None, _pull_back(ctx.kernel, ctx.reduction.counts, cotangent, *arguments), *nothing
        if ctx.kernel.language == "triton":
            cotangent = ctx.reduction.cotangent * gradient
            return None, None, _repeat(ctx.kernel.get("vjp"), gradient, rows, *arguments, cotangent), *nothing
        factor = gradient.item()
        if keeps_graph():  # it is needed again
            rows = rows * factor
        elif factor != 1.0:
            rows = rows.mul_(factor)
        return None, None, rows.to(arguments[0].dtype), *nothing


class _Values(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kernel: Any, counts: Tensor | None, x: Tensor, *others: Tensor) -> Tensor:
        ctx.kernel, ctx.counts = kernel, counts
        ctx.save_for_backward(x, *others)
        return _run(kernel.get("value"), x, *others)[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        x, *others = ctx.saved_tensors
        nothing = (None,) * len(others)
        if is_to_be_differentiated(gradient):
            return None, None, _pull_back(ctx.kernel, ctx.counts, gradient, x, *others), *nothing
        outputs = ("vjp",) if ctx.kernel.language == "triton" else ("value", "vjp")  # a CPU has these compiled
        rows = _run(ctx.kernel.get(*outputs), x, *others, gradient)[-1]
        return None, None, rows.to(x.dtype), *nothing


class _Map(torch.autograd.Function):
    """Saves the argument in its dtype."""

    @staticmethod
    def forward(ctx: Any, kernel: Any, x: Tensor) -> Tensor:
        ctx.kernel = kernel
        ctx.save_for_backward(x)
        return _run(kernel.get("value"), x)[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        (x,) = ctx.saved_tensors
        if is_to_be_differentiated(gradient):
            return None, ctx.kernel.slope(widen_half(x), gradient).to(x.dtype)
        return None, _run(ctx.kernel.get("vjp"), x, gradient)[0].to(x.dtype)


class _MapByResult(_Map):
    """Saves the result, as PyTorch does."""

    @staticmethod
    def forward(ctx: Any, kernel: Any, x: Tensor) -> Tensor:
        ctx.kernel = kernel.by_result
        result = _run(kernel.get("value"), x)[0]
        ctx.save_for_backward(result)
        return result


#: `Function.apply` without code for transforms, where kernels do not run
_apply_loss: Callable[..., Tensor] = super(torch.autograd.Function, _Loss).apply
_apply_values: Callable[..., Tensor] = super(torch.autograd.Function, _Values).apply
_apply_map: Callable[..., Tensor] = super(torch.autograd.Function, _Map).apply
_apply_map_by_result: Callable[..., Tensor] = super(torch.autograd.Function, _MapByResult).apply
