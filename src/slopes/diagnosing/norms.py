"""Norms of many tensors in few calls of PyTorch, as a call takes longer than its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from slopes.diagnosing.tracing import measure


def compute_norms(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Norm of each tensor, which needs no gradient, on its device."""
    values = [t.coalesce().values() if t.is_sparse else t for t in tensors]
    values = [v if v.dtype in (torch.float32, torch.float64) else v.float() for v in values]
    return list(torch._foreach_norm(values)) if values else []


def read_numbers(scalars: Sequence[Tensor]) -> list[float]:
    if all(scalar.is_cpu for scalar in scalars):  # a stack takes longer than reading them
        return [scalar.item() for scalar in scalars]
    try:
        return torch.stack(list(scalars)).tolist()
    except RuntimeError:  # of several devices
        return list(map(float, scalars))


@torch.no_grad()
def are_finite(tensors: Sequence[Tensor]) -> bool:
    """Whether all numbers are finite; if they are, a norm of each tensor is read."""
    try:
        size = sum(read_numbers(torch._foreach_norm(tensors))) if tensors else 0.0  # type: ignore[arg-type]
    except (NotImplementedError, RuntimeError):  # of several types or devices, or sparse
        size = math.inf
    return math.isfinite(size) or all(
        measure(each).is_finite for each in tensors
    )  # a finite number's square may be inf


class GradientCheck:
    """Whether gradients are finite, of plain tensors on a CPU by one call of PyTorch, which reads no norms.

    A `GradScaler` makes the same call; here its factor is 1. The call writes the numbers that it has read, so it gets
    aliases, whose change autograd does not count as one of the gradients.
    """

    def __init__(self) -> None:
        self._found, self._one = torch.zeros(()), torch.ones(())

    def __call__(self, weights: Iterable[Tensor]) -> bool:
        gradients = gradients_of(weights)
        if gradients and gradients[0].is_cpu:
            try:
                aliases = [gradient.data for gradient in gradients]
                torch._amp_foreach_non_finite_check_and_unscale_(aliases, self._found, self._one)
                if self._found.item() == 0:
                    return True
            except (NotImplementedError, RuntimeError):  # of several devices, sparse or complex
                pass
            self._found.zero_()
        return are_finite(gradients)


def gradients_of(weights: Iterable[Tensor]) -> list[Tensor]:
    """The gradients that are there."""
    return [gradient for weight in weights if (gradient := weight.grad) is not None]
