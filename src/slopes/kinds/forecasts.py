"""The kind of several predictions of one number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from slopes.constants import Array
from slopes.domains import is_array
from slopes.kinds.base import Batch, FindKernel, Kind, no_kernel
from slopes.kinds.examples import Arguments, Examples, Ordered


class ForecastExamples(Examples):
    def stress(self, rng: np.random.Generator) -> Arguments:
        """Rows of every size; some predictions nearly agree with their target, some are equal."""
        prediction, target = self.sample(rng, (40, 5))
        size = np.logspace(-4, 2.3, 40)
        prediction, target = prediction * size[:, None], target * size
        noise = rng.standard_normal((10, 5)) * np.logspace(-7, 0, 10)[:, None]
        prediction[10:20] = target[10:20, None] * (1 + noise)
        prediction[20:25, 2:] = prediction[20:25, :1]
        return prediction, target

    def perfect(self, rng: np.random.Generator) -> Arguments:
        target = self.goal.draw(rng, (4,))
        return _rows_of(target, 3), target

    def ordered(self, rng: np.random.Generator, drawn: Arguments) -> Ordered:
        first, target = drawn
        yield from self._with_noise(rng, _rows_of(target, first.shape[-1]), (target,))

    def degenerate(self, drawn: Arguments, agreeing: Any) -> Iterator[tuple[str, Arguments]]:
        yield from super().degenerate(drawn, agreeing)
        first, target = drawn
        yield "where all predictions are the target", (_rows_of(target, first.shape[-1]), target)

    def curve(self, x: Any) -> tuple[str, dict[str, Arguments]]:
        """Two predictions pass the target together, or as many as a parameter has numbers."""
        lengths = (shape[0] for shape in map(_shape, self.settings.values()) if shape)
        places = np.linspace(-1, 1, next(lengths, 2))
        return self.kind.about, {"": (x[..., None] + places, np.zeros_like(x))}


def _shape(value: Any) -> tuple[int, ...]:
    """The shape of a parameter, of a tuple as of an array."""
    return (len(value),) if isinstance(value, tuple) else tuple(value.shape) if is_array(value) else ()


def _rows_of(target: Any, length: int) -> Any:
    return np.repeat(target[..., None], length, axis=-1)


@dataclass(frozen=True)
class Forecasts(Kind):
    """Rows of several predictions, such as quantiles or the members of an ensemble, and one number for each row.

    A parameter may have a number for each prediction of a row.
    """

    compares_vectors: ClassVar[bool] = False
    target_words: ClassVar[str] = "a real number for each row"
    example_maker: ClassVar[type[Examples]] = ForecastExamples

    def enter(
        self, r: ModuleType, owner: str, arguments: Arguments, *,
        weight: Array | None, mask: Array | None, settings: dict[str, Any], axis: int = -1,
        find_kernel: FindKernel = no_kernel,
    ) -> Batch:  # fmt: skip
        def find(x: Array, axis: int, *others: Any) -> Any:
            return find_kernel(x, axis, *others) if x.shape[axis] > 1 else None  # a body may refuse a row of one

        batch = super().enter(
            r, owner, arguments, weight=weight, mask=mask, settings=settings, axis=axis, find_kernel=find
        )
        length = batch.arguments[0].shape[-1]
        for name, value in settings.items():
            shape = _shape(value)
            if shape not in ((), (length,)):
                raise ValueError(f"{owner}: {name} {shape} must be ({length},), one for each prediction of a row")
        return batch
