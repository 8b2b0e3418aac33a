"""Dead and saturated units of an activation, judged over many samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

FLAT = 1e-3  #: a smaller slope passes next to nothing on
MOSTLY = 0.95

DEAD = f"output and slope are under {FLAT:g} in size for every sample"
SATURATED = f"its slope is under {FLAT:g} in size in at least {100 * MOSTLY:g} % of the samples in which it is on"


def count_flat(values: Tensor, slopes: Tensor, axes: list[int]) -> tuple[Tensor, Tensor]:
    """Count along the axes the flat slopes, and those of them with an output near 0 (off)."""
    flat = _mark_small(slopes)
    off = flat * _mark_small(values)
    return _sum(flat, axes), _sum(off, axes)


def _mark_small(x: Tensor) -> Tensor:
    """1 and 0, as a comparison to bools takes six times as long; bools under vmap, which has no other."""
    from torch._C import _functorch as functorch

    sizes = x.abs()
    return sizes.lt_(FLAT) if functorch.peek_interpreter_stack() is None else sizes < FLAT


def _sum(marks: Tensor, axes: list[int]) -> Tensor:
    import torch

    exact = torch.float32 if marks.numel() < 2**24 else torch.float64
    return marks.sum(axes, dtype=exact).int() if axes else marks.int()


def classify_units(flat: Any, off: Any, samples: Any) -> tuple[Any, Any]:
    """Masks of dead and of saturated units, by the numbers of samples where each was flat and off; none is both."""
    on = samples - off
    return on == 0, (on > 0) & (flat - off >= MOSTLY * on)
