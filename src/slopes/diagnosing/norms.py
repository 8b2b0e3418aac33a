"""Norms of many tensors in few calls of PyTorch, as a call takes longer than its numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


@torch.no_grad()
def compute_norms(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Norm of each tensor, on its device."""
    values = [t.coalesce().values() if t.is_sparse else t for t in tensors]
    values = [v if v.dtype in (torch.float32, torch.float64) else v.float() for v in values]
    return list(torch._foreach_norm(values)) if values else []


def read_numbers(scalars: Sequence[Tensor]) -> list[float]:
    are_alike = len({(x.device, x.dtype) for x in scalars}) == 1
    return torch.stack(list(scalars)).tolist() if are_alike else list(map(float, scalars))
