"""The kernels of one loss of rows, with its parameters: of its values, and of values and gradient in one pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from slopes import kernels
from slopes.kernels.compiling import is_available
from slopes.kernels.row_kernel import RowKernel

if TYPE_CHECKING:
    from slopes.card import Card


class LossKernel:
    """Kernels of a loss of rows, made when they are needed; `slope` is the derivative with the parameters filled in."""

    def __init__(
        self, card: Card, settings: Mapping[str, Any], slope: Callable[..., Any] | None, dtype: str, labels: bool,
        arithmetic: str | None = None,
    ) -> None:  # fmt: skip
        self.slope = slope
        self._card, self._settings, self._dtype = card, settings, dtype
        self._labels, self._arithmetic = labels, arithmetic
        self._kernels: dict[tuple[str, ...], RowKernel] = {}

    def get(self, *outputs: str) -> RowKernel:
        """Return the kernel for "value", or for "value" and "vjp"; raise TraceError where there is none."""
        if outputs not in self._kernels:
            self._kernels[outputs] = kernels.row_kernel(
                self._card, outputs, self._dtype, labels=self._labels, arithmetic=self._arithmetic,
                settings=self._settings,
            )  # fmt: skip
        return self._kernels[outputs]


def find_loss_kernel(
    card: Card, settings: Mapping[str, Any], slope: Callable[..., Any] | None, size: int, width: int, dtype: str, *,
    labels: bool, has_slope: bool, arithmetic: str | None = None,
) -> LossKernel | None:  # fmt: skip
    """Return the kernels of a loss for rows of a width, of this many entries in all; None where they will not do."""
    if not is_available() or (size < kernels.LARGE_FOR_A_USER and not kernels.is_ours(card)):
        return None
    if has_slope and slope is None:
        return None
    if not all(isinstance(value, (bool, int, float, str)) for value in settings.values()):
        return None
    kernel = LossKernel(card, settings, slope, dtype, labels, arithmetic)
    try:
        program = kernel.get(*("value", "vjp") if has_slope else ("value",)).program
    except kernels.TraceError:
        return None
    places = [int(line.text) for line in program.lines if line.operation == "constant" and line.dtype == "int64"]
    return kernel if max(places, default=0) < width else None
