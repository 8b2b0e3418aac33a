"""Kernels of overlap losses of logits in ``mode="multilabel"``; probabilities are never stored.

A row is a region: the pixels of one class in one sample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from slopes import ops
from slopes.kernels.programs import LARGE_FOR_A_USER, are_literals, are_worthwhile, is_ours
from slopes.kernels.rows import RowKernel, compile_rows
from slopes.kinds.spaces import PROBABILITIES
from slopes.readings.program import Program
from slopes.readings.trace import TraceError, record

if TYPE_CHECKING:
    from slopes.card import Loss

LEAST_PIXELS = 64  #: fewer gain nothing


class RegionKernel:
    def __init__(self, card: Loss, dtype: str, settings: Mapping[str, Any]) -> None:
        self.card, self.dtype, self.settings = card, dtype, settings
        self.arithmetic = dtype if is_ours(card) else "float64"
        self._kernels: dict[bool, RowKernel] = {}

    def program(self, has_gradient: bool) -> Program:
        """Program of a region's "value", number of "refused" targets, and perhaps "gradient"."""
        card, settings = self.card, self.settings

        def compute(prediction: Any, target: Any, *cotangent: Any) -> dict[str, Any]:
            probability, weight = ops.sigmoid(prediction), ops.where(prediction == prediction, 1.0, 1.0)
            refused = ops.where(PROBABILITIES.is_outside(target), 1.0, 0.0)
            results = {"value": card.body(probability, target, weight, **settings), "refused": ops.sum(refused)[..., 0]}
            if cotangent:
                slope = cotangent[0][..., None] * card.slope_body(probability, target, weight, **settings)
                results["gradient"] = ops.sigmoid(prediction, times=slope * ops.sigmoid(-prediction))
            return results

        names = ["prediction", "target", *["cotangent"] * has_gradient]
        return record(compute, names, self.dtype, self.arithmetic, per={"cotangent": "row"}, has_rows=True)

    def _get(self, has_gradient: bool) -> RowKernel:
        if has_gradient not in self._kernels:
            self._kernels[has_gradient] = compile_rows(self.program(has_gradient), self.card, self.settings)
        return self._kernels[has_gradient]

    def compute(self, x: Any, target: Any, cotangent: Any = None, gradient: Any = None) -> Any:
        """Values of the regions, and write a gradient, given their cotangents; None if a target is no probability."""
        further = [] if gradient is None else [np.broadcast_to(cotangent, x.shape[:1])]
        values, refused = np.empty((2, len(x)), x.dtype)
        places = [values, refused] if gradient is None else [values, refused, gradient]
        self._get(gradient is not None)(x, target, *further, out=places)
        return None if refused.any() else values


_find_ours = lru_cache(maxsize=256)(lambda card, dtype, settings: RegionKernel(card, dtype, dict(settings)))


def find_region_kernel(
    card: Loss, options: Mapping[str, Any], shape: tuple[int, ...], dtype: str
) -> tuple[RegionKernel, tuple[int, int]] | None:
    """(kernels for a call's options, shape of the matrix of regions); None if regions are no rows without gaps.

    Refuses parameters as a call does.
    """
    options = {"axis": -1, "mode": "multiclass", "over": "sample", **options}
    axis, mode, over = (options.pop(name) for name in ("axis", "mode", "over"))
    if mode != "multilabel" or over != "sample" or not _is_usual(card, options):
        return None
    if len(shape) < 3 or type(axis) is not int or axis not in (1, 1 - len(shape)):
        return None
    if not are_worthwhile(card, math.prod(shape)):
        return None
    pixels = math.prod(shape[2:])
    settings = card._settings(options)
    if pixels < LEAST_PIXELS or not are_literals(settings) or card.slope_body is None:
        return None
    if is_ours(card):
        kernel: RegionKernel = _find_ours(card._root, dtype, tuple(settings.items()))
    else:
        kernel = RegionKernel(card, dtype, settings)
    try:
        kernel._get(False)
    except TraceError:
        return None
    return kernel, (shape[0] * shape[1], pixels)


def _is_usual(card: Loss, options: Mapping[str, Any]) -> bool:
    """Whether regions are rows of sums, and no option changes the rows."""
    is_special = any(getattr(card.kind, special) for special in ("ranked", "scores", "joint"))
    return not is_special and not any(name in card.kind.options for name in options)


def compile_usual(card: Loss, dtype: str) -> int:
    options = {"axis": 1, "mode": "multilabel"}
    found = find_region_kernel(card, options, (1, 1, LARGE_FOR_A_USER), dtype)
    if found is None:
        return 0
    found[0]._get(True)
    return 2
