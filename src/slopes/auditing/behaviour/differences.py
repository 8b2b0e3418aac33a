"""Slopes by differences in float64, next to autograd's, where the function is smooth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from slopes.auditing.adapters import hand_written
from slopes.auditing.evidence import Script
from slopes.auditing.form import Arguments
from slopes.auditing.report import Skip
from slopes.auditing.subject import Subject, SubjectError

STEP = 1e-4  #: its fourth power is rounding, and so is eps divided by it
ENTRIES = 10
AGREEING = 1e-7  #: share of the largest slope by which slopes along all entries together may differ


@dataclass(frozen=True)
class Slope:
    """Derivative by one entry of an argument: `came` from autograd, `due` by differences."""

    entry: int
    came: float
    due: float
    off: float  #: difference, as a share of the largest slope

    def is_between(self, came: float, due: float) -> bool:
        """Whether two results differ at least a tenth as much as this slope's."""
        return not abs(came - due) < 0.1 * abs(self.came - self.due)


def custom_function(subject: Subject, arguments: Arguments) -> str | None:
    """Name of the first derivative in a call's graph that was written by hand, or None."""
    leaf = arguments[0].detach().clone().requires_grad_()
    todo, seen = [subject.total(leaf, *arguments[1:]).grad_fn], set()
    while todo:
        node: Any = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(node, BackwardCFunction) and (name := hand_written(node)):
            return name
        todo.extend(parent for parent, _ in node.next_functions)
    return None


def slopes(
    subject: Subject, arguments: Arguments, cotangent: Tensor | None = None, *, of_gradient: Tensor | None = None,
    gradient: Tensor | None = None, by: int = 0, in_doubt: bool = False,
) -> list[Slope]:  # fmt: skip
    """Derivatives of the sum, or of the product with `cotangent`, by up to ten entries of an argument.

    With `of_gradient`, differentiate the gradient instead, weighted by it; `gradient` is autograd's result for that.
    With `in_doubt`, none if a step of all entries together changes the value as the gradient says.
    """
    if subject.form.dtype != torch.float64:
        raise Skip("it takes no float64, in which differences can be trusted")

    def value(moved: Tensor) -> float:
        given = (*arguments[:by], moved, *arguments[by + 1 :])
        if of_gradient is not None:
            return float((of_gradient * subject.gradient(*given)[1]).sum())
        came = subject(*given).detach()
        return float((came if cotangent is None else cotangent * came).sum())

    argument = arguments[by]
    if gradient is None:
        _, gradient = subject.gradient(*arguments, by=by, cotangent=cotangent)
    _refuse_float32(subject(*arguments).detach())
    base, flat = value(argument), gradient.reshape(-1)
    if math.isnan(base):
        raise Skip("it gives no number for some numbers of ordinary size")
    if value(argument) != base:
        raise Skip("a second call gives another result than the first")
    floor = 1e-6 if of_gradient is not None else 1e-12  # a gradient that is 0 by nature comes out as rounding
    scale, rounding = max(float(flat.abs().max()), floor), 1e-11 * abs(base)
    if in_doubt:
        direction = _direction(argument)
        along = _smooth_slope(value, argument, direction, base)
        if along is not None and abs(along - float((direction * gradient).sum())) <= AGREEING * scale + rounding:
            return []
    entries = sorted({int(i) for i in torch.linspace(0, argument.numel() - 1, ENTRIES)})
    due = {entry: _smooth_slope(value, argument, _unit(argument, entry), base) for entry in entries}
    known = {entry: slope for entry, slope in due.items() if slope is not None}
    scale = max([scale, *map(abs, known.values())])
    return [
        Slope(entry, float(flat[entry]), slope, max(abs(float(flat[entry]) - slope) - rounding, 0.0) / scale)
        for entry, slope in known.items()
    ]


def _refuse_float32(came: Tensor) -> None:
    if came.dtype != torch.float64 or is_of_float32(came):
        raise Skip("it computes in float32, in which differences cannot be trusted")


def is_of_float32(came: Tensor) -> bool:
    """Whether results have the digits of float32, and are not just round numbers."""
    return bool((came == came.float()).all()) and not bool((came == came.bfloat16()).all())


def _unit(argument: Tensor, entry: int) -> Tensor:
    unit = torch.zeros_like(argument)
    unit.view(-1)[entry] = 1.0
    return unit


def _direction(argument: Tensor) -> Tensor:
    """Uneven steps of both signs, so that wrong slopes do not cancel."""
    rng = torch.Generator().manual_seed(0)
    sizes, signs = torch.rand((2, *argument.shape), generator=rng, dtype=argument.dtype)
    direction: Tensor = torch.where(signs < 0.5, -1.0, 1.0) * (0.5 + sizes)
    return direction


def _smooth_slope(value: Callable[[Tensor], float], argument: Tensor, direction: Tensor, base: float) -> float | None:
    """Slope along a direction by fourth-order central differences; None at a kink, a jump or the end of a domain."""

    def at(steps: int) -> float:
        return value(argument + steps * STEP * direction)

    try:
        far, near, close, beyond = at(-2), at(-1), at(1), at(2)
    except SubjectError:
        return None
    left, right = (3 * base - 4 * near + far) / (2 * STEP), (-3 * base + 4 * close - beyond) / (2 * STEP)
    slope = (far - 8 * near + 8 * close - beyond) / (12 * STEP)
    rounding = 1e-11 * abs(base)
    if not abs(left - right) <= 1e-5 * max(abs(left), abs(right)) + rounding:  # NaN is no slope either
        return None
    return slope


def uneven_weights(result: Tensor) -> tuple[Tensor | None, str]:
    """Weight for each result, also as code: a plain sum may hide single results."""
    if result.ndim == 0:
        return None, ""
    count, shape = result.numel(), tuple(result.shape)
    weights = torch.arange(1, count + 1, dtype=result.dtype).reshape(shape) / count
    return weights, f" * torch.arange(1, {count + 1}).reshape({shape}) / {count}"


def differences_in_code(subject: Subject, arguments: Arguments, at: Slope, weigh: str = "", by: int = 0) -> Script:
    """Code that prints a slope by autograd and by differences."""
    name = subject.form.names[by]
    here, plus, minus = (subject.called(**{name: f"{name}{step}"}) for step in ("", " + step", " - step"))
    total = [f"({call}{weigh}).sum()" if weigh else f"{call}.sum()" for call in (here, plus, minus)]
    return subject.script(
        arguments,
        f"{total[0]}.backward()",
        f"step = torch.zeros_like({name})",
        f"step.view(-1)[{at.entry}] = 1e-5",
        f"slope = ({total[1]} - {total[2]}) / 2e-5",
        f"{name}.grad.view(-1)[{at.entry}].item(), slope.item()",
        grad=by,
    )
