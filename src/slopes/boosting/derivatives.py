"""Gradient and Hessian of a loss by its prediction: a card's derivative at tangents, compiled where that pays."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from slopes import ops
from slopes.card import Loss
from slopes.kernels.compiling import is_available, load
from slopes.kernels.entries import EntryKernel, run_flat
from slopes.kernels.programs import are_literals, print_program
from slopes.kernels.rows import RowKernel
from slopes.readings import numpy as reading
from slopes.readings.tangent import Tangent, TangentError, slope_of, value_of
from slopes.readings.trace import TraceError, record

LARGE = 2**12  #: from so many rows on, in one call or in many, a kernel is worth its compilation


class Derivatives:
    """(gradient, Hessian) of a loss for each prediction, of rows the diagonal of the Hessian; `of_row` has all of it.

    `fill` replaces a Hessian that is not positive, None keeps it.
    """

    def __init__(self, card: Loss, fill: float | None) -> None:
        self.card, self.fill = card, fill
        self._kernel: EntryKernel | None = None
        self._row_kernel: RowKernel | None = None
        self._rows = 0
        self._is_traced = are_literals(card.settings) and not (card.rowwise and card.slope_body is None)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kernel": None, "_row_kernel": None}

    def __call__(self, raw: Any, target: Any) -> tuple[Any, Any]:
        """Raise TypeError for a body that uses something without a second derivative."""
        try:
            return self._computed(raw, target)
        except TangentError as error:
            raise self._without_hessian(error) from None

    def _without_hessian(self, error: TangentError) -> TypeError:
        return TypeError(f"boosting: {self.card.name} has no Hessian: {error}")

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

    def _at(self, raw: Any, target: Any, direction: Any, other: Any = None) -> tuple[Any, Any]:
        """(gradient, its derivative in the direction).

        Of rows whose card has no derivative, both are numbers: the slope in the `other` direction, by default the same,
        and its derivative.
        """
        card = self.card
        labels = card.rowwise and str(target.dtype).startswith(("int", "uint"))
        if card.slope_body is not None:
            there = target if labels else Tangent(target)
            result = card.slope_body(Tangent(raw, direction), there, **card.settings)
            return value_of(result), 0.0 if slope_of(result) is None else slope_of(result)
        there = target if labels else Tangent(Tangent(target))
        outer = Tangent(direction if other is None else other)
        result = card.body(Tangent(Tangent(raw, direction), outer), there, **card.settings)
        slope = slope_of(result)
        gradient, hessian = value_of(slope), slope_of(slope)
        return 0.0 if gradient is None else gradient, 0.0 if hessian is None else hessian

    def _of_rows(self, raw: Any, target: Any) -> tuple[Any, Any]:
        if raw.ndim != 2 or len(raw) != len(target):
            raise ValueError(
                f"boosting: {self.card.name} takes a row of raw scores, one for each class, for each of {len(target)} "
                f"targets; got shape {raw.shape}: give the library num_class"
            )
        if len(target):  # a kernel would read beyond the row
            _check_class(target.min(), raw.shape[1])
            _check_class(target.max(), raw.shape[1])
        raw = np.ascontiguousarray(raw, np.float64)
        self._rows += raw.size
        gradient, hessian = np.empty_like(raw), np.empty_like(raw)
        for place, direction in enumerate(np.eye(raw.shape[1])):
            first, second = self._along(raw, target, np.broadcast_to(direction, raw.shape))
            is_row = np.ndim(first) == 2
            gradient[:, place] = first[:, place] if is_row else first
            hessian[:, place] = second[:, place] if is_row and np.ndim(second) == 2 else second
        return gradient, hessian

    def of_row(self, raw: Any, label: int) -> tuple[Any, Any]:
        """(gradient, Hessian matrix) of one row; no entry of the Hessian is filled.

        Raises TypeError for a body that uses something without a second derivative, ValueError for a label that is none
        of the row's classes.
        """
        width = len(raw)
        _check_class(label, width)
        if self._row_kernel is not None:  # without anything that takes longer than the kernel
            rows, labels = np.empty((width, width)), np.empty(width, np.int64)
            first, second = np.empty((width, width)), np.empty((width, width))
            rows[:] = raw
            labels.fill(label)
            self._row_kernel.function(rows, labels, _eye(width), first, second)
            return first[0], second
        try:
            if self.card.slope_body is not None:
                self._rows += width
                rows, labels = np.tile(raw, (width, 1)).astype(np.float64), np.full(width, label)
                first, second = self._along(rows, labels, _eye(width))
            else:
                rows, labels = np.tile(raw, (width**2, 1)).astype(np.float64), np.full(width**2, label)
                directions = np.repeat(_eye(width), width, axis=0), np.tile(_eye(width), (width, 1))
                with reading.quiet():
                    pairs = self._at(rows, labels, *directions)
                first, second = (np.broadcast_to(x, width**2).reshape(width, width) for x in pairs)
        except TangentError as error:
            raise self._without_hessian(error) from None
        return first[0], np.array(np.broadcast_to(second, (width, width)), np.float64)

    def _along(self, raw: Any, target: Any, direction: Any) -> tuple[Any, Any]:
        """`_at` of rows, by the kernel from `LARGE` numbers on."""
        if self._is_traced and self._rows >= LARGE and is_available():
            if self._row_kernel is None:
                self._row_kernel = self._compile_rows()
            if self._row_kernel is not None:
                first, second = self._row_kernel(raw, target, direction)
                return first, second
        with reading.quiet():
            return self._at(raw, target, direction)

    def _compile_rows(self) -> RowKernel | None:
        def compute(raw: Any, target: Any, direction: Any) -> dict[str, Any]:
            gradient, second = self._at(raw, target, direction)
            return {"gradient": gradient, "second": second}

        names = ["prediction", "target", "direction"]
        try:
            program = record(compute, names, "float64", per={"target": "label"}, has_rows=True)
            return RowKernel(program, load(print_program(program, self.card.name, True)), False)
        except (TraceError, TangentError):
            self._is_traced = False
            return None

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


def _check_class(label: int, count: int) -> None:
    if not 0 <= label < count:
        raise ValueError(f"boosting: the target must be a class from 0 to {count - 1}, got {label}")


@lru_cache(maxsize=16)
def _eye(width: int) -> Any:
    return np.eye(width)
