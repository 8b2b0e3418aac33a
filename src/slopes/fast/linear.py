"""`slopes.linear_loss` for tensors: the forward computes gradients by chunks, the backward scales them.

A chunk's logits lie in one buffer, which a kernel may overwrite with their gradient. Without a reduction the backward
computes them again. Compilers, transforms, forward mode and a second backward use operations on all logits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from slopes.fast.rows import is_constant, is_to_be_differentiated, widen_half
from slopes.readings.plain import ALL_DTYPES, HALF, is_plain, keeps_graph

Tensor = torch.Tensor


def compute_linear_loss(rows: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`rows` is a `slopes.fused.LinearRows`."""
    if torch.compiler.is_dynamo_compiling() or not rows.r.autocasts(x):
        result = _run_plain(rows, x, weight, bias)
        return _compose(rows, x, weight, bias) if result is None else result
    device = x.device.type
    dtype = torch.get_autocast_dtype(device)
    rows.dtype = torch.float32 if dtype in HALF else dtype  # autocast computes losses in float32
    with torch.autocast(device, enabled=False):
        result = _run_plain(rows, x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype))
    return _compose(rows, x, weight, bias) if result is None else result


def _run_plain(rows: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor | None:
    tensors = [x, weight] if bias is None else [x, weight, bias]
    beside = rows.target, rows.row_weight, rows.mask, rows.divisor, *rows.options.values()
    are_plain = all(is_plain(t, ALL_DTYPES) and t.dtype is x.dtype and t.device == x.device for t in tensors)
    if not are_plain or not all(is_constant(t, x.device) for t in beside):
        return None
    if not torch.is_grad_enabled() or not any(t.requires_grad for t in tensors):
        result: Tensor = rows.finish(x, *rows.compute_values(x, weight, bias))
        return result
    apply = _apply_values if rows.reduction == "none" else _apply_loss
    return apply(rows, x, weight, bias)


def _compose(rows: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Loss of all logits at once, for every transform."""
    if bias is not None and bias.dtype is not x.dtype:
        bias = bias.to(x.dtype)
    logits = functional.linear(x, weight.to(x.dtype), bias)
    loss: Tensor = rows.card(
        logits, rows.target, weight=rows.row_weight, mask=rows.mask, reduction=rows.reduction, divisor=rows.divisor,
        **rows.options,
    )  # fmt: skip
    return loss.reshape(rows.shape) if rows.reduction == "none" else loss


def _product_dtype(x: Tensor) -> torch.dtype:
    """float32 for a half type that the CPU cannot multiply."""
    if x.dtype in HALF and x.is_cpu and not (x.dtype is torch.bfloat16 and _has_bfloat16()):
        return torch.float32
    return x.dtype


def _has_bfloat16() -> bool:
    find = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(find is not None and find())


class _Gradients:
    """Gradients by x, weight and bias, summed over chunks."""

    def __init__(self, x: Tensor, weight: Tensor, bias: Tensor | None, wanted: tuple[bool, ...], skips: bool) -> None:
        self.dtype = _product_dtype(x)
        total = torch.float32 if x.dtype in HALF else x.dtype
        self.weight = weight.to(self.dtype)
        self.by_x = (torch.zeros_like if skips else torch.empty_like)(x, dtype=self.dtype) if wanted[0] else None
        self.by_weight = torch.empty(weight.shape, dtype=total, device=x.device) if wanted[1] else None
        self.by_bias = None
        if bias is not None and wanted[2]:
            self.by_bias = torch.zeros(bias.shape, dtype=total, device=x.device)
        self._is_first = True

    def add(self, rows: Any, x: Tensor, gradient: Tensor) -> None:
        narrow = gradient.to(self.dtype)
        if self.by_x is not None and isinstance(rows, slice):
            torch.mm(narrow, self.weight, out=self.by_x[rows])
        elif self.by_x is not None:
            self.by_x[rows] = narrow @ self.weight
        if self.by_weight is not None and self.by_weight.dtype is self.dtype:
            beta = 0 if self._is_first else 1
            torch.addmm(self.by_weight, narrow.T, x, beta=beta, out=self.by_weight)
        elif self.by_weight is not None:
            product = narrow.T @ x
            self.by_weight = product.to(self.by_weight.dtype) if self._is_first else self.by_weight.add_(product)
        if self.by_bias is not None:
            self.by_bias += gradient.sum(0, dtype=self.by_bias.dtype)
        self._is_first = False

    def results(self) -> list[Tensor | None]:
        return [self.by_x, self.by_weight, self.by_bias]


def _compute(
    rows: Any, x: Tensor, weight: Tensor, bias: Tensor | None, wanted: tuple[bool, ...], cotangent: Tensor | None = None
) -> tuple[Tensor, Any, list[Tensor | None]]:
    """(values, their count in the mean, gradients of their weighted sum)."""
    gradients = _Gradients(x, weight, bias, wanted, rows.kept is not None)
    parts: list[Tensor] = []
    count: Any = 0
    room: dict[str, Tensor] = {}

    def buffer(name: str, size: int) -> Tensor:
        if name not in room or room[name].shape[0] < size:
            room[name] = torch.empty(size, weight.shape[0], dtype=gradients.dtype, device=x.device)
        return room[name][:size]

    for chosen in rows.chunks(weight.shape[0], 8 if x.dtype is torch.float64 else 4):
        part = x[chosen].to(gradients.dtype)
        logits = torch.mm(part, gradients.weight.T, out=buffer("logits", part.shape[0]))
        if bias is not None:
            logits += bias
        batch, value, slope = rows.enter(logits, chosen, wants_slope=True)
        if cotangent is not None:
            incoming = cotangent[chosen].to(batch.like.dtype)
            batch.coefficient = incoming if batch.coefficient is None else batch.coefficient * incoming
        if batch.kernel is not None:
            values, gradient = _run(batch, buffer)
        else:
            values = batch.values(value, slope)
            gradient = batch.pull_back(rows.card.name, value, slope)
        parts.append(batch.reduce(values))
        if cotangent is None:
            count = count + rows.count(batch)
        gradients.add(chosen, part, gradient)
    return rows.join(x, parts), count, gradients.results()


def _run(batch: Any, buffer: Callable[[str, int], Tensor]) -> tuple[Tensor, Tensor]:
    """(values, gradient by logits) of a batch; a kernel may overwrite the logits."""
    kernel = batch.kernel.get("value", "vjp")
    if kernel.takes_tensors:
        values, rows = kernel(*(x.detach() for x in batch.arguments), batch.cotangent())
        return values, rows
    logits, *others = (x.detach().numpy() for x in (widen_half(batch.arguments[0]), *batch.arguments[1:]))
    is_half = batch.arguments[0].dtype in HALF
    place = logits if kernel.works_in_place or is_half else buffer("gradient", len(logits)).numpy()
    values = np.empty(len(logits), logits.dtype)
    kernel(logits, *others, batch.cotangent().numpy(), out=[values, place])
    return torch.from_numpy(values), torch.from_numpy(place)


def _again(rows: Any, tensors: list[Tensor | None], gradient: Tensor, wanted: tuple[bool, ...]) -> list[Tensor | None]:
    with torch.enable_grad():
        result = _compose(rows, *tensors).to(gradient.dtype)  # type: ignore[arg-type]
        inputs = [tensor for tensor, is_wanted in zip(tensors, wanted, strict=True) if is_wanted]
        pulled = iter(torch.autograd.grad(result, inputs, gradient, create_graph=torch.is_grad_enabled()))  # type: ignore[arg-type]
    return [next(pulled) if is_wanted else None for is_wanted in wanted]


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        values, count, gradients = _compute(rows, x, weight, bias, ctx.needs_input_grad[1:])
        ctx.rows, ctx.batch = rows, rows.batch(x, values, count)
        ctx.save_for_backward(x, weight, bias, *gradients)
        result: Tensor = ctx.batch.reduce(values).to(rows.result_dtype(x))
        ctx.batch.original = ctx.batch.like = None
        return result

    @staticmethod
    def backward(ctx: Any, *incoming: Tensor) -> Any:
        (gradient,) = incoming
        tensors, gradients = list(ctx.saved_tensors[:3]), ctx.saved_tensors[3:]
        if is_to_be_differentiated(gradient):
            return None, *_again(ctx.rows, tensors, gradient, ctx.needs_input_grad[1:])
        factor = ctx.batch._scaled(gradient.float() if gradient.device.type == "mps" else gradient.double())
        is_one = factor.device.type == "cpu" and factor.item() == 1.0
        results: list[Tensor | None] = [None]
        for tensor, total in zip(tensors, gradients, strict=True):
            if total is None:
                results.append(None)
                continue
            wide = widen_half(total)  # in a half type the factor itself would be rounded
            if wide is total and keeps_graph():
                wide = wide * factor.to(wide.dtype)
            elif not is_one:
                wide = wide.mul_(factor.to(wide.dtype))
            results.append(wide.to(tensor.dtype))
        return tuple(results)


class _Values(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.rows = rows
        ctx.save_for_backward(x, weight, bias)
        result: Tensor = rows.finish(x, *rows.compute_values(x, weight, bias))
        return result

    @staticmethod
    def backward(ctx: Any, *incoming: Tensor) -> Any:
        (gradient,) = incoming
        x, weight, bias = tensors = ctx.saved_tensors
        wanted = ctx.needs_input_grad[1:]
        if is_to_be_differentiated(gradient):
            return None, *_again(ctx.rows, list(tensors), gradient, wanted)
        _, _, gradients = _compute(ctx.rows, x, weight, bias, wanted, gradient.reshape(-1))
        pairs = zip(tensors, gradients, strict=True)
        return None, *(total if total is None else total.to(tensor.dtype) for tensor, total in pairs)


#: `Function.apply` without its Python code for transforms, which are handled before
_apply_loss: Callable[..., Tensor] = super(torch.autograd.Function, _Loss).apply
_apply_values: Callable[..., Tensor] = super(torch.autograd.Function, _Values).apply
