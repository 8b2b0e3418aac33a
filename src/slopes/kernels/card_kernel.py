"""Kernels of one loss or map of rows, with its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from slopes import ops
from slopes.kernels.programs import are_literals, are_worthwhile
from slopes.kernels.rows import RowKernel, row_kernel
from slopes.readings.trace import TraceError

if TYPE_CHECKING:
    from slopes.card import Card, Map
    from slopes.kernels.gpu.rows import GpuRowKernel


class CardKernel:
    """Kernels made when first used."""

    by_result: CardKernel | None = None
    """The vjp of a map by its result."""

    def __init__(
        self, card: Card, settings: Mapping[str, Any], slope: Callable[..., Any] | None, dtype: str, labels: bool,
        arithmetic: str | None = None, language: str = "numba",
    ) -> None:  # fmt: skip
        self.slope = slope
        self._card, self._settings, self._dtype = card, settings, dtype
        self._labels, self._arithmetic, self.language = labels, arithmetic, language
        self._kernels: dict[tuple[str, ...], Any] = {}

    def get(self, *outputs: str) -> RowKernel | GpuRowKernel:
        if outputs not in self._kernels:
            self._kernels[outputs] = row_kernel(
                self._card, outputs, self._dtype, labels=self._labels, arithmetic=self._arithmetic,
                settings=self._settings, language=self.language,
            )  # fmt: skip
        return self._kernels[outputs]  # type: ignore[no-any-return]


@lru_cache(maxsize=64)
def _smooth(card: Card) -> Card:
    """A loss that smooths labels itself; a program cannot hold the rows of the general path."""

    def smoothed(body: Callable[..., Any]) -> Callable[..., Any]:
        def compute(prediction: Any, target: Any, *, smoothing: float, **settings: Any) -> Any:
            rows = ops.one_hot(target, like=prediction) * (1.0 - smoothing) + smoothing / prediction.shape[-1]
            return body(prediction, rows, **settings)

        return compute

    body = smoothed(card.body)
    signature = inspect.signature(card.body, eval_str=True)
    added = inspect.Parameter("smoothing", inspect.Parameter.KEYWORD_ONLY, default=0.0)
    body.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), added]
    )
    body.__name__ = body.__qualname__ = card._root.name
    body.__module__ = card.__module__
    made: Card = type(card)(body, kind=card.kind)  # type: ignore[attr-defined]
    if card.slope_body is not None:
        made.derivative(smoothed(card.slope_body))
    return made


def find_loss_kernel(
    card: Card, settings: Mapping[str, Any], slope: Callable[..., Any] | None, size: int, width: int, dtype: str, *,
    labels: bool, smoothing: float, has_slope: bool, arithmetic: str | None = None, language: str = "numba",
) -> CardKernel | None:  # fmt: skip
    if not are_worthwhile(card, size, language) or not are_literals(settings):
        return None
    if has_slope and slope is None:
        return None
    if smoothing:
        card, settings = _smooth(card), {**settings, "smoothing": smoothing}
        slope = slope and partial(card.slope_body, **settings)
    kernel = CardKernel(card, settings, slope, dtype, labels, arithmetic, language)
    try:
        program = kernel.get(*("value", "vjp") if has_slope else ("value",)).program
    except TraceError:
        return None
    places = [int(line.text) for line in program.lines if line.operation == "constant" and line.dtype == "int64"]
    return kernel if max(places, default=0) < width else None


def find_map_kernel(
    card: Map, settings: Mapping[str, Any], pull_back: Callable[..., Any] | None, size: int, dtype: str,
    outputs: tuple[str, ...], arithmetic: str | None = None, language: str = "numba",
) -> CardKernel | None:  # fmt: skip
    if not are_worthwhile(card, size, language) or not are_literals(settings):
        return None
    kernel = CardKernel(card, settings, pull_back, dtype, False, arithmetic, language)
    if card.by_result is not None and outputs == ("value", "vjp") and language == "numba":
        kernel.by_result = CardKernel(card.by_result, settings, card.by_result.slope_body, dtype, False, arithmetic)
    try:
        for output in outputs:
            (kernel if output == "value" else kernel.by_result or kernel).get(output)
    except TraceError:
        return None
    return kernel
