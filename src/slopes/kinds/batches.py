"""Kinds of regions of pixels, and of batches of embeddings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

from slopes import ops
from slopes.constants import Array
from slopes.domains import OneOf
from slopes.kinds.base import (
    Argument,
    Batch,
    FindKernel,
    Kind,
    check_same_shape,
    enter_all,
    no_kernel,
    select,
    valid_axis,
)
from slopes.kinds.classification import (
    LABELS_OR_ROWS,
    check_target,
    class_weights,
    filled_target,
    is_labels,
    kept_labels,
    target_faults,
)
from slopes.kinds.examples import Arguments, EmbeddingExamples, Examples, RegionExamples
from slopes.kinds.others import FLAG
from slopes.kinds.spaces import CHANCES, DISTRIBUTIONS, LOGITS, NONNEGATIVE, PROBABILITIES, REAL, Fault

OVER = OneOf(("sample", "batch", "all"))
MODE = OneOf(("multiclass", "multilabel"))


@dataclass(frozen=True)
class Overlap(Kind):
    """Overlap of predicted and true regions of pixels.

    The prediction has samples on the first axis and a class axis. The target is labels or rows, as for classification,
    or with ``mode="multilabel"`` a probability per class and pixel. A body gets probabilities, targets and weights with
    the pixels of a region on the last axis, and returns one value per region: with `over` "sample" a class of a sample,
    with "batch" a class over the batch, with "all" everything. `mask` and `weight` have one entry per pixel.
    """

    has_regions: ClassVar[bool] = True
    takes_integers: ClassVar[bool] = True
    target_words: ClassVar[str] = LABELS_OR_ROWS
    example_maker: ClassVar[type[Examples]] = RegionExamples
    batched: ClassVar[bool] = True
    ranked: bool = False  #: a body also gets log-odds, which differ where p rounds to 1
    scores: bool = False  #: a body gets logits; targets are probabilities per class and pixel
    joint: bool = False  #: a body returns one value per sample

    @property
    def body(self) -> tuple[str, ...]:
        return ("prediction", "target", "weight", "odds")[: 3 + self.ranked]

    def body_arguments(self, settings: dict[str, Any]) -> tuple[Argument, ...]:
        first = LOGITS if self.scores else PROBABILITIES
        return tuple(map(Argument, self.body, (first, CHANCES, NONNEGATIVE, REAL)))

    def unreduced(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """(samples, classes), or (samples,) if classes are joined."""
        return shape[:1] if self.joint else (shape[0], shape[-1])

    @property
    def options(self) -> tuple[str, ...]:
        every = "axis", "mode", "over", "from_probabilities", "class_weight", "ignore_index"
        lacking = ("mode", "from_probabilities", "ignore_index") * self.scores + ("class_weight",) * self.joint
        return tuple(option for option in every if option not in lacking)

    def enter(
        self, r: ModuleType, owner: str, arguments: Arguments, *,
        weight: Array | None, mask: Array | None, settings: dict[str, Any], axis: int = -1,
        find_kernel: FindKernel = no_kernel, mode: str = "multiclass",
        over: str = "sample", from_probabilities: bool = False, class_weight: Array | None = None,
        ignore_index: int | None = None,
    ) -> Batch:  # fmt: skip
        self._check_options(owner, mode, over, from_probabilities, class_weight)
        prediction, target = enter_all(r, owner, self.arguments, arguments)
        axis = _class_axis(owner, axis, prediction)
        wide = r.moveaxis(r.widen(prediction), axis, -1)
        classes, pixel = wide.shape[-1], wide[..., 0]
        several = self.scores or mode == "multilabel"
        if several:
            check_same_shape(owner, prediction=prediction, target=target)
        labelled = not several and is_labels(owner, r, prediction, target, tuple(pixel.shape))
        batch = Batch(r, owner, prediction, (), pixel, r.result_dtype(prediction, loss=True))
        kept = kept_labels(batch, target, labelled, ignore_index)
        space = PROBABILITIES if several else DISTRIBUTIONS
        rows = r.labels(target) if labelled else r.moveaxis(r.widen(target, like=wide), axis, -1)

        def find_faults() -> Iterator[Fault]:
            yield Fault(wide, ~(abs(wide) < math.inf), "must be finite")
            if from_probabilities:
                yield from space.faults(r, wide, prediction)
            if several:
                yield from PROBABILITIES.faults(r, rows, target)
            else:
                yield from target_faults(r, rows, target, classes, labelled)

        counts = select(batch, weight, mask, kept, faults=find_faults())
        batch.check_weights()
        if counts is not None:
            wide = r.where(counts[..., None], wide, 1.0 / classes if from_probabilities else 0.0)
        rows = _read_target(batch, rows, target, classes, several, labelled, counts)
        if from_probabilities:
            space.check(r, owner, "prediction", wide, prediction)
        self._make_regions(batch, over, wide, rows, several, from_probabilities)
        if class_weight is not None:
            batch.coefficient = _spread(r, class_weights(batch, class_weight, classes), batch.like)
        given = from_probabilities or self.scores

        def restore(rows: Array) -> Array:
            rows = _pixels(r, over, rows, tuple(wide.shape))
            return r.moveaxis(rows if given else _pull_back(wide, rows, several), -1, axis)

        batch.restore = restore
        return batch

    def _make_regions(
        self, batch: Batch, over: str, wide: Array, rows: Array, several: bool, from_probabilities: bool
    ) -> None:
        """Give the batch its arguments by region; the weights of pixels become one of them."""
        r = batch.r
        probabilities = wide
        if not (from_probabilities or self.scores):
            probabilities = r.with_vjp(
                lambda logits: _probabilities(logits, several),
                lambda logits, cotangent: _pull_back(logits, cotangent, several),
                wide,
            )
        regions = _regions(r, over, r.one_hot(rows, like=wide))
        weights = _regions(
            r, over, _spread(r, 1.0 if batch.coefficient is None else batch.coefficient[..., None], wide)
        )
        batch.arguments = _regions(r, over, probabilities), regions, weights
        if self.ranked:
            odds = _log_odds(wide, several, from_probabilities)
            batch.arguments = *batch.arguments, _regions(r, over, ops.stop_gradient(odds))
        batch.like = regions[..., 0] if regions.shape[-1] else r.sum(regions)[..., 0]  # one per region
        batch.coefficient, batch.weighted, batch.learns_weights = None, False, False
        if self.joint:
            batch.like, batch.coupled = batch.like[..., 0], True

    def _check_options(self, owner: str, mode: str, over: str, from_probabilities: bool, class_weight: Any) -> None:
        MODE.check(owner, "mode", mode)
        OVER.check(owner, "over", over)
        FLAG.check(owner, "from_probabilities", from_probabilities)
        if self.joint and over == "all":
            raise ValueError(f"{owner}: joins the classes as it is, over a sample or the batch; got over='all'")
        if class_weight is not None and over == "all":
            raise ValueError(f"{owner}: class_weight weighs regions of one class; it does not go with over='all'")


def _class_axis(owner: str, axis: Any, prediction: Array) -> int:
    """Raise ValueError for the first axis, which has the samples."""
    place = valid_axis(owner, axis, prediction)
    if prediction.ndim < 2 or place % prediction.ndim == 0:
        raise ValueError(
            f"{owner}: prediction {tuple(prediction.shape)} must have samples first and a class axis behind, "
            f"got axis {place}"
        )
    return place


def _read_target(
    batch: Batch, rows: Array, target: Array, classes: int, several: bool, labelled: bool, counts: Array | None
) -> Array:
    """Fill labels or rows where they do not count, and check them."""
    if counts is not None:
        rows = filled_target(batch.r, counts, rows, classes, labelled)
    if several:
        PROBABILITIES.check(batch.r, batch.owner, "target", rows, target)
    else:
        check_target(batch, rows, target, classes, labelled)
    return rows


def _spread(r: ModuleType, weights: Array | float, like: Array) -> Array:
    """The weights in the shape of another array, whatever its numbers."""
    return r.widen(r.where(like == like, weights, weights), like=like)


def _probabilities(logits: Array, several: bool) -> Array:
    """Probabilities: of each class by itself if a pixel may have several, else of a row."""
    return ops.sigmoid(logits) if several else ops.softmax(logits)


def _pull_back(logits: Array, cotangent: Array, several: bool) -> Array:
    """Gradient by logits, from one by `_probabilities`."""
    if several:
        return ops.sigmoid(logits, times=cotangent * ops.sigmoid(-logits))
    return ops.softmax_pulled_closely(logits, cotangent)


def _log_odds(x: Array, several: bool, from_probabilities: bool) -> Array:
    """Of probabilities, logits of several classes, or rows of logits."""
    if from_probabilities:
        return ops.log(x) - ops.log(1 - x)
    return x if several else ops.softmax_logit(x)


def _regions(r: ModuleType, over: str, x: Array) -> Array:
    """Reshape (samples, pixels…, classes) to (…regions, pixels)."""
    samples, *pixels, classes = x.shape
    size = math.prod(pixels)
    if over == "all":
        return x.reshape(samples * size * classes)
    x = r.moveaxis(x.reshape(samples, size, classes), -1, 0 if over == "batch" else 1)
    return x.reshape(classes, samples * size) if over == "batch" else x


def _pixels(r: ModuleType, over: str, x: Array, shape: tuple[int, ...]) -> Array:
    samples, *pixels, classes = shape
    size = math.prod(pixels)
    if over == "all":
        return x.reshape(shape)
    if over == "batch":
        x = x.reshape(classes, samples, size)
    return r.moveaxis(x, 0 if over == "batch" else 1, -1).reshape(shape)


@dataclass(frozen=True)
class Embeddings(Kind):
    """Vectors with integer labels, each the anchor of one value.

    A body gets the vectors and two boolean matrices (anchor, other): positives, with the anchor's label, and negatives.
    Anchors without positives do not count.
    """

    batched: ClassVar[bool] = True
    takes_integers: ClassVar[bool] = True
    coupled: ClassVar[bool] = True
    example_maker: ClassVar[type[Examples]] = EmbeddingExamples

    @property
    def body(self) -> tuple[str, ...]:
        return "embeddings", "positives", "negatives"

    def body_arguments(self, settings: dict[str, Any]) -> tuple[Argument, ...]:
        return tuple(map(Argument, self.body, (REAL, CHANCES, CHANCES)))

    @property
    def options(self) -> tuple[str, ...]:
        """None: vectors lie on the last axis."""
        return ()

    def enter(
        self, r: ModuleType, owner: str, arguments: Arguments, *,
        weight: Array | None, mask: Array | None, settings: dict[str, Any], axis: int = -1,
        find_kernel: FindKernel = no_kernel,
    ) -> Batch:  # fmt: skip
        vectors, labels = enter_all(r, owner, self.arguments, arguments)
        if vectors.ndim != 2 or tuple(labels.shape) != tuple(vectors.shape[:1]) or not r.is_integer(labels):
            raise ValueError(
                f"{owner}: takes embeddings (batch, features) and integer labels (batch,), got {tuple(vectors.shape)} "
                f"and {labels.dtype} {tuple(labels.shape)}"
            )
        valid_axis(owner, -1, vectors)
        wide, labels = r.widen(vectors), r.labels(labels)
        batch = Batch(r, owner, vectors, (), wide[..., 0], r.result_dtype(vectors, loss=True), coupled=self.coupled)
        places = r.widen(r.arange(wide.shape[0], wide), like=wide)
        same, pairs = labels[:, None] == labels[None, :], places[:, None] != places[None, :]
        counts = select(batch, weight, mask)
        if counts is not None:
            wide = r.where(counts[..., None], wide, 1.0)
            pairs = pairs & counts[None, :]
        positives, negatives = same & pairs, ~same & pairs
        has_one = r.widen(positives.any(-1), like=wide)
        batch.coefficient = has_one if batch.coefficient is None else has_one * batch.coefficient
        batch.arguments = wide, positives, negatives
        return batch
