"""Gradient and Hessian of a loss by its prediction: a card's derivative at tangents, compiled where that pays."""

from __future__ import annotations

from typing import Any

import numpy as np

from slopes import ops
from slopes.card import Loss
from slopes.kernels.compiling import is_available
from slopes.kernels.entries import EntryKernel, run_flat
from slopes.kernels.programs import are_literals, print_program
from slopes.readings import numpy as reading
from slopes.readings.tangent import Tangent, TangentError, slope_of, value_of
from slopes.readings.trace import TraceError, record

LARGE = 2**12  #: from so many rows on, in one call or in many, a kernel is worth its compilation


class Derivatives:
    """(gradient, Hessian) of a loss for each prediction, of rows the diagonal of the Hessian.

    `fill` replaces a Hessian that is not positive, None keeps it.
    """

    def __init__(self, card: Loss, fill: float | None) -> None:
        self.card, self.fill = card, fill
        self._kernel: EntryKernel | None = None
        self._rows = 0
        self._is_traced = are_literals(card.settings) and not card.rowwise

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kernel": None}

    def __call__(self, raw: Any, target: Any) -> tuple[Any, Any]:
        """Raise TypeError for a body that uses something without a second derivative."""
        try:
            return self._computed(raw, target)
        except TangentError as error:
            raise TypeError(f"boosting: {self.card.name} has no Hessian: {error}") from None

    def _computed(self, raw: Any, target: Any) -> tuple[Any, Any]:
        if self.card.rowwise:
            gradient, hessian = self._of_rows(raw, target)
        else:
            self._rows += raw.size
            if self._is_traced and self._rows >= LARGE and is_available():
                result = self._by_kernel(raw, target)
                if result is not None:
                    return result
            with reading.quiet():
                gradient, hessian = self._at(raw.astype(np.float64), target, 1.0)
        gradient, hessian = (np.broadcast_to(np.asarray(x, np.float64), raw.shape) for x in (gradient, hessian))
        return gradient, self._filled(hessian)

    def _filled(self, hessian: Any) -> Any:
        return hessian if self.fill is None else ops.where(hessian > 0, hessian, self.fill)

    def _at(self, raw: Any, target: Any, direction: Any) -> tuple[Any, Any]:
        """(gradient, its derivative in the direction); of rows whose card has no derivative, both in the direction."""
        card = self.card
        labels = card.rowwise and target.dtype.kind in "iu"
        if card.slope_body is not None:
            there = target if labels else Tangent(target)
            result = card.slope_body(Tangent(raw, direction), there, **card.settings)
            return value_of(result), 0.0 if slope_of(result) is None else slope_of(result)
        there = target if labels else Tangent(Tangent(target))
        result = card.body(Tangent(Tangent(raw, direction), Tangent(direction)), there, **card.settings)
        slope = slope_of(result)
        gradient, hessian = value_of(slope), slope_of(slope)
        return 0.0 if gradient is None else gradient, 0.0 if hessian is None else hessian

    def _of_rows(self, raw: Any, target: Any) -> tuple[Any, Any]:
        raw = raw.astype(np.float64)
        gradient, hessian = np.empty_like(raw), np.empty_like(raw)
        with reading.quiet():
            for place, direction in enumerate(np.eye(raw.shape[1])):
                first, second = self._at(raw, target, np.broadcast_to(direction, raw.shape))
                is_row = np.ndim(first) == 2
                gradient[:, place] = first[:, place] if is_row else first
                hessian[:, place] = second[:, place] if is_row and np.ndim(second) == 2 else second
        return gradient, hessian

    def _by_kernel(self, raw: Any, target: Any) -> tuple[Any, Any] | None:
        if self._kernel is None:
            try:
                program = record(self._traced, ["prediction", "target"], "float64")
            except TraceError:
                self._is_traced = False
                return None
            self._kernel = EntryKernel(print_program(program, self.card.name, False), (), 2)
        results = np.empty(raw.size), np.empty(raw.size)
        run_flat(self._kernel, [np.ascontiguousarray(x, np.float64).ravel() for x in (raw, target)], results)
        return results

    def _traced(self, raw: Any, target: Any) -> dict[str, Any]:
        gradient, hessian = self._at(raw, target, 1.0)
        if isinstance(hessian, (int, float)):
            hessian = raw * 0.0 + float(hessian)
        return {"gradient": gradient, "hessian": self._filled(hessian)}
