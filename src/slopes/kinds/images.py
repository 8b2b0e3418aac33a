"""The kinds of images: compared by windows, or alone, by differences of neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from slopes import ops
from slopes.constants import Array
from slopes.domains import NumberOrNone, Odd, plain
from slopes.kinds.base import Argument, Batch, FindKernel, Kind, check_same_shape, enter_all, no_kernel, select
from slopes.kinds.examples import Arguments, Examples, Ordered
from slopes.kinds.spaces import NONNEGATIVE, REAL

Part = Callable[[Array], Array]
"""A function that gives the part of an array that lies at one place of all windows."""


WINDOW, SIGMA = Odd(), NumberOrNone(0.0)
LENGTH = 11  #: of a window, by default


class ImageExamples(Examples):
    """Images are a little larger than a window, whatever the shape asked for."""

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Arguments:
        prediction, target = rng.random((2, *shape[:1], 1, 12, 13))
        return prediction, target

    def stress(self, rng: np.random.Generator) -> Arguments:
        """Pairs that are far apart, that nearly agree, and that are nearly even."""
        prediction, target = self.sample(rng, (5,))
        size = np.logspace(-7, 0, 3)[:, None, None, None]
        prediction[:3] = target[:3] + size * (prediction[:3] - 0.5)
        prediction[3], target[3] = 0.25 + 1e-4 * prediction[3], 0.5 + 1e-5 * target[3]
        return prediction, target

    def perfect(self, rng: np.random.Generator) -> Arguments:
        _, target = self.sample(rng, (2,))
        return target.copy(), target

    def ordered(self, rng: np.random.Generator, drawn: Arguments) -> Ordered:
        yield from self._with_noise(rng, drawn[1], drawn[1:])

    def degenerate(self, drawn: Arguments, agreeing: Any) -> Iterator[tuple[str, Arguments]]:
        first, target = drawn
        yield "where prediction and target agree", (target.copy(), target)
        for value in (0.0, 1.0):
            yield f"for an image of {value:g} alone", (value + 0 * first, target)
            yield f"where both images are {value:g} alone", (value + 0 * first, value + 0 * target)


@dataclass(frozen=True)
class Images(Kind):
    """Images with height and width as the last two axes, compared within a window around each pixel.

    The weights of a window follow a normal distribution with `sigma` in pixels, or are equal with None. A window that
    leaves the image, or contains a masked pixel or one of weight 0, does not count. For each window a body gets a row:
    the squared mean and the variance of prediction − target, and those of prediction + target.
    """

    compares_vectors: ClassVar[bool] = False
    batched: ClassVar[bool] = True
    has_edges: ClassVar[bool] = True
    has_fixed_shape: ClassVar[bool] = True
    masks_rows: ClassVar[bool] = False
    example_maker: ClassVar[type[Examples]] = ImageExamples

    @property
    def body(self) -> tuple[str, ...]:
        return ("moments",)

    def body_arguments(self, settings: dict[str, Any]) -> tuple[Argument, ...]:
        return (Argument("moments", NONNEGATIVE),)

    @property
    def symbols(self) -> tuple[str, ...]:
        return ("m",)

    def unreduced(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    def without_edges(self, values: Array, options: dict[str, Any]) -> Array:
        return _cropped(values, options.get("window", LENGTH) // 2)

    @property
    def options(self) -> tuple[str, ...]:
        return "window", "sigma"

    def enter(
        self, r: ModuleType, owner: str, arguments: Arguments, *,
        weight: Array | None, mask: Array | None, settings: dict[str, Any], axis: int = -1,
        find_kernel: FindKernel = no_kernel, window: int = LENGTH, sigma: float | None = 1.5,
    ) -> Batch:  # fmt: skip
        prediction, target = enter_all(r, owner, self.arguments, arguments)
        check_same_shape(owner, prediction=prediction, target=target)
        weights = _weights(owner, plain(window), plain(sigma))
        if prediction.ndim < 2 or min(prediction.shape[-2:]) < window:
            raise ValueError(
                f"{owner}: takes images with height and width on the last two axes, each at least as long as the "
                f"window of {window}; got shape {tuple(prediction.shape)}"
            )
        wide = r.widen(prediction)
        other = r.widen(target, like=wide)
        batch = Batch(r, owner, prediction, (), wide, r.result_dtype(prediction, loss=True))
        counts = select(batch, weight, mask)
        if counts is not None:
            wide, other = r.where(counts, wide, 0.0), r.where(counts, other, 0.0)

        def pull_back(wide: Array, other: Array, rows: Array) -> Array:
            by = [_cropped(rows[..., place], window // 2) for place in range(4)]
            apart, together = wide - other, wide + other
            return _pulled(r, apart, by[0], by[1], weights) + _pulled(r, together, by[2], by[3], weights)

        rows = r.with_vjp(lambda wide, other: _rows(r, wide, other, weights), pull_back, wide, other)
        batch.arguments, batch.restore = (rows,), lambda rows: pull_back(wide, other, rows)
        inside = _whole_windows(r, wide, counts, window)
        batch.coefficient = inside if batch.coefficient is None else inside * batch.coefficient
        return batch


def _weights(owner: str, window: Any, sigma: Any) -> list[float]:
    """Weights of a line of a window, from its middle to an end."""
    WINDOW.check(owner, "window", window)
    SIGMA.check(owner, "sigma", sigma)
    powers = [
        1.0 if sigma is None else math.exp(-0.5 * (place / sigma) * (place / sigma)) for place in range(window // 2 + 1)
    ]
    total = math.fsum(2 * powers[1:] + powers[:1])
    return [power / total for power in powers]


def _rows(r: ModuleType, wide: Array, other: Array, weights: list[float]) -> Array:
    moments = (*_moments(wide - other, weights), *_moments(wide + other, weights))
    squares = moments[0] ** 2, moments[1], moments[2] ** 2, moments[3]
    return reduce(ops.joined, (_placed(r, moment, len(weights) - 1)[..., None] for moment in squares))


def _moments(x: Array, weights: list[float]) -> tuple[Array, Array]:
    """(mean, variance) within each window.

    The variance is the mean of its lines' variances and the variance of their means, so that nothing cancels.
    """
    means, variances = _along(x, weights, -1)
    mean, variance = _along(means, weights, -2)
    return mean, variance + _mean(variances, weights, -2)


def _along(x: Array, weights: list[float], axis: int) -> tuple[Array, Array]:
    """(mean, variance) within each line of a window."""
    mean = _mean(x, weights, axis)
    return mean, _summed(lambda part: (part(x) - mean) ** 2, x, weights, axis)


def _mean(x: Array, weights: list[float], axis: int) -> Array:
    """Mean within each line of a window, or with weights of 1 the sum."""
    return _summed(lambda part: part(x), x, weights, axis)


def _summed(term: Callable[[Part], Array], like: Array, weights: list[float], axis: int) -> Array:
    """The weighted sum of a term over a line of a window, from its ends to its middle, where weights are largest."""
    reach = len(weights) - 1
    length = like.shape[axis] - 2 * reach

    def at(place: int) -> Array:
        start = reach + place
        window = slice(start, start + length)
        return term(lambda x: x[..., window] if axis == -1 else x[..., window, :])

    return reduce(
        add, (weights[place] * (at(place) + at(-place) if place else at(0)) for place in range(reach, -1, -1))
    )


def _pulled(r: ModuleType, x: Array, by_square: Array, by_variance: Array, weights: list[float]) -> Array:
    """Gradient by x, of gradients by each window's squared mean and variance."""
    means = _mean(x, weights, -1)
    mean = _mean(means, weights, -2)
    by_means = _pulled_along(r, means, mean, 2 * mean * by_square, by_variance, weights, -2)
    by_variances = _mean(r.padded(by_variance, 2 * (len(weights) - 1), -2), weights, -2)
    return _pulled_along(r, x, means, by_means, by_variances, weights, -1)


def _pulled_along(
    r: ModuleType, x: Array, mean: Array, by_mean: Array, by_variance: Array, weights: list[float], axis: int
) -> Array:
    mean, by_mean, by_variance = (
        r.padded(each, 2 * (len(weights) - 1), axis) for each in (mean, by_mean, 2 * by_variance)
    )
    return _summed(lambda part: part(by_mean) + part(by_variance) * (x - part(mean)), mean, weights, axis)


def _placed(r: ModuleType, values: Array, reach: int) -> Array:
    """Values of windows at their middle pixels, and 0 at pixels without a window."""
    return r.padded(r.padded(values, reach, -1), reach, -2)


def _cropped(values: Array, reach: int) -> Array:
    height, width = values.shape[-2:]
    return values[..., reach : height - reach, reach : width - reach]


def _whole_windows(r: ModuleType, like: Array, counts: Array | None, window: int) -> Array:
    """1 where a window lies inside the image and all of its pixels count, else 0."""
    known = like == like
    left_out = r.widen(known & ~known if counts is None else ~counts, like=like)
    for axis in (-1, -2):
        left_out = _mean(left_out, [1.0] * (window // 2 + 1), axis)
    return _placed(r, r.widen(left_out == 0, like=like), window // 2)


class NeighbourExamples(Examples):
    """Images have some rows and columns, whatever the shape asked for."""

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Arguments:
        return (rng.standard_normal((*shape[:1], 1, 4, 5)),)

    def stress(self, rng: np.random.Generator) -> Arguments:
        """Images of every contrast."""
        (images,) = self.sample(rng, (8,))
        return (images * np.logspace(-7, 3, 8)[:, None, None, None],)

    def perfect(self, rng: np.random.Generator) -> Arguments:
        return (np.full((2, 1, 4, 5), rng.standard_normal()),)

    def ordered(self, rng: np.random.Generator, drawn: Arguments) -> Ordered:
        (images,) = drawn
        yield "an image of half the contrast", (0.5 * images,), (images,)


@dataclass(frozen=True)
class Neighbours(Kind):
    """Images with height and width as the last two axes.

    For each pixel a body gets a row: the pixel below less it, and the pixel on its right less it. Where there is none,
    or where one of both is masked or of weight 0, the difference is 0.
    """

    compares_vectors: ClassVar[bool] = False
    batched: ClassVar[bool] = True
    has_fixed_shape: ClassVar[bool] = True
    masks_rows: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()
    body: ClassVar[tuple[str, ...]] = ("differences",)
    symbols: ClassVar[tuple[str, ...]] = ("d",)
    example_maker: ClassVar[type[Examples]] = NeighbourExamples

    def body_arguments(self, settings: dict[str, Any]) -> tuple[Argument, ...]:
        return (Argument("differences", REAL),)

    def unreduced(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    def enter(
        self, r: ModuleType, owner: str, arguments: Arguments, *,
        weight: Array | None, mask: Array | None, settings: dict[str, Any], axis: int = -1,
        find_kernel: FindKernel = no_kernel,
    ) -> Batch:  # fmt: skip
        (images,) = enter_all(r, owner, self.arguments, arguments)
        if images.ndim < 2:
            raise ValueError(
                f"{owner}: takes images with height and width on the last two axes, got shape {tuple(images.shape)}"
            )
        wide = r.widen(images)
        batch = Batch(r, owner, images, (), wide, r.result_dtype(images, loss=True))
        counts = select(batch, weight, mask)
        if counts is not None:
            wide = r.where(counts, wide, 0.0)

        below, beside = (_rise(r, wide, counts, axis) for axis in (-2, -1))
        batch.arguments = (ops.joined(below[..., None], beside[..., None]),)
        batch.restore = lambda rows: sum(_pulled_apart(r, rows[..., axis], counts, axis) for axis in (-2, -1))
        return batch


def _rise(r: ModuleType, x: Array, counts: Array | None, axis: int) -> Array:
    """The next entry along an axis less each entry, and 0 where one of both is missing or does not count."""
    if not x.shape[axis]:
        return x
    differences = _after_first(x, axis) - _before_last(x, axis)
    return _after_first(r.padded(_counted(r, differences, counts, axis), 1, axis), axis)


def _pulled_apart(r: ModuleType, rises: Array, counts: Array | None, axis: int) -> Array:
    """Gradient by the entries, of gradients by each `_rise` along an axis."""
    if not rises.shape[axis]:
        return rises
    inside = r.padded(_counted(r, _before_last(rises, axis), counts, axis), 1, axis)
    return _before_last(inside, axis) - _after_first(inside, axis)


def _counted(r: ModuleType, differences: Array, counts: Array | None, axis: int) -> Array:
    if counts is None:
        return differences
    return r.where(_after_first(counts, axis) & _before_last(counts, axis), differences, 0.0)


def _after_first(x: Array, axis: int) -> Array:
    return x[..., 1:] if axis == -1 else x[..., 1:, :]


def _before_last(x: Array, axis: int) -> Array:
    return x[..., :-1] if axis == -1 else x[..., :-1, :]
