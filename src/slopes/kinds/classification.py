"""The kind with a class axis, and the kind of a yes or no."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from types import ModuleType
from typing import Any, ClassVar

from slopes.constants import Array
from slopes.domains import UnitInterval, plain
from slopes.kinds.base import (
    Batch,
    FindKernel,
    Kind,
    check_same_shape,
    checked_label,
    enter_all,
    mask_ignored,
    no_kernel,
    select,
    valid_axis,
)
from slopes.kinds.examples import Arguments, Examples, LabelExamples
from slopes.kinds.spaces import DISTRIBUTIONS, Fault, refuse

UNIT = UnitInterval.__metadata__[0]  # type: ignore[attr-defined]
LABELS_OR_ROWS = "integer labels, or rows of probabilities"


@dataclass(frozen=True)
class Classification(Kind):
    """Losses of predictions with a class axis of logits or probabilities.

    The target is integer labels, without that axis, or probability rows, with it. For target rows t (labels as one-hot
    rows, smoothed) the loss is −Σ w_c t_c log p_c, and the mean divides by the sum of w_c t_c over rows that count.
    So one-hot rows and labels give the same number.
    """

    rowwise: bool = True
    own_options: ClassVar[tuple[str, ...]] = ("class_weight", "label_smoothing", "ignore_index")
    takes_labels: ClassVar[bool] = True
    takes_integers: ClassVar[bool] = True
    target_words: ClassVar[str] = LABELS_OR_ROWS
    example_maker: ClassVar[type[Examples]] = LabelExamples

    def enter(
        self, r: ModuleType, owner: str, arguments: Arguments, *,
        weight: Array | None, mask: Array | None, settings: dict[str, Any], axis: int = -1,
        class_weight: Array | None = None, label_smoothing: UnitInterval = 0.0, ignore_index: int | None = None,
        find_kernel: FindKernel = no_kernel,
    ) -> Batch:  # fmt: skip
        prediction, target = enter_all(r, owner, self.arguments, arguments)
        axis = valid_axis(owner, axis, prediction)
        moved = r.moveaxis(prediction, axis, -1)
        labelled = is_labels(owner, r, prediction, target, tuple(moved.shape[:-1]))
        label_smoothing = checked_smoothing(owner, label_smoothing)
        has_labels = labelled and class_weight is None
        kernel = find_kernel(prediction, axis, has_labels, float(label_smoothing) if has_labels else 0.0)
        prepare = r.widen if kernel is None else r.for_kernel
        wide = moved if kernel is not None and has_labels else prepare(moved)  # the kernel widens it
        classes, like = wide.shape[-1], prepare(wide[..., 0])
        batch = Batch(r, owner, prediction, (), like, r.result_dtype(prediction, loss=True), kernel=kernel)
        batch.restore = lambda rows: r.moveaxis(rows, -1, axis)
        kept = kept_labels(batch, target, labelled, ignore_index)
        rows = r.labels(target) if labelled else r.moveaxis(prepare(target, like=wide), axis, -1)
        space = self.spaces(settings)[0]
        faults = chain(space.faults(r, wide, prediction), target_faults(r, rows, target, classes, labelled))
        mask = select(batch, weight, mask, kept, faults=faults)
        if mask is not None:
            if kernel is None or space.rule:
                wide = r.where(mask[..., None], wide, space.filler(r, wide))
            else:
                batch.counts = mask
            rows = filled_target(r, mask, rows, classes, labelled)
        check_target(batch, rows, target, classes, labelled)
        space.check(r, owner, self.arguments[0].name, wide, prediction)
        if label_smoothing and (kernel is None or not has_labels):
            rows = r.one_hot(rows, like=wide) * (1.0 - label_smoothing) + label_smoothing / classes
        if class_weight is not None:
            rows = r.one_hot(rows, like=wide) * class_weights(batch, class_weight, classes)
            counted = r.sum(rows)[..., 0]
            batch.denominator = counted if batch.coefficient is None else counted * batch.coefficient
        batch.arguments = wide, rows
        return batch


@dataclass(frozen=True)
class Binary(Kind):
    """Losses of a score and the probability of a yes, entry by entry.

    Label smoothing has two classes: a target t becomes (1 − smoothing)·t + smoothing / 2. A target of
    `ignore_index`, which may lie outside [0, 1], does not count.
    """

    own_options: ClassVar[tuple[str, ...]] = ("label_smoothing", "ignore_index")

    def enter(
        self, r: ModuleType, owner: str, arguments: Arguments, *,
        weight: Array | None, mask: Array | None, settings: dict[str, Any], axis: int = -1,
        label_smoothing: UnitInterval = 0.0, ignore_index: int | None = None, find_kernel: FindKernel = no_kernel,
    ) -> Batch:  # fmt: skip
        label_smoothing = checked_smoothing(owner, label_smoothing)
        if ignore_index is not None:
            prediction, target = enter_all(r, owner, self.arguments, arguments)
            check_same_shape(owner, prediction=prediction, target=target)
            whole = r.labels(target) if r.is_integer(target) else target  # unsigned integers hold no −100
            arguments, mask = (prediction, target), mask_ignored(r, owner, prediction, whole, mask, ignore_index)
        batch = super().enter(r, owner, arguments, weight=weight, mask=mask, settings=settings, find_kernel=find_kernel)
        if label_smoothing:
            prediction, target = batch.arguments
            batch.arguments = prediction, target * (1.0 - label_smoothing) + label_smoothing / 2
        return batch


def checked_smoothing(owner: str, smoothing: Any) -> float:
    """Raise TypeError or ValueError unless the smoothing is a number from 0 to 1."""
    smoothing = plain(smoothing)
    if not isinstance(smoothing, (int, float)):
        raise TypeError(f"{owner}: label_smoothing must be a number, got {type(smoothing).__name__}")
    UNIT.check(owner, "label_smoothing", smoothing)
    return smoothing


def filled_target(r: ModuleType, mask: Array, rows: Array, classes: int, labelled: bool) -> Array:
    """Targets, valid in place of masked ones."""
    return r.where(mask, rows, 0) if labelled else r.where(mask[..., None], rows, 1.0 / classes)


def is_labels(owner: str, r: ModuleType, prediction: Array, target: Array, shape: tuple[int, ...]) -> bool:
    """Whether the target is labels, not rows; raise ValueError for any other."""
    if tuple(target.shape) == tuple(prediction.shape) and "bool" not in str(target.dtype):
        return False
    if tuple(target.shape) == shape and r.is_integer(target) and "bool" not in str(target.dtype):
        return True
    raise ValueError(
        f"{owner}: prediction {tuple(prediction.shape)} goes with integer labels {shape} or probability rows "
        f"{tuple(prediction.shape)}, got a target of {target.dtype} {tuple(target.shape)}."
    )


def kept_labels(batch: Batch, target: Array, labelled: bool, ignore_index: Any) -> Array | None:
    """Mask of labels other than `ignore_index`, or None."""
    if ignore_index is None:
        return None
    ignored = checked_label(batch.owner, ignore_index)
    if not labelled:
        raise ValueError(f"{batch.owner}: ignore_index goes with integer labels; mask probability rows instead")
    return batch.r.labels(target) != ignored


def check_target(batch: Batch, target: Array, original: Array, classes: int, labelled: bool) -> None:
    """Raise ValueError for a concrete label outside the classes, or row that is no distribution.

    For a label on a GPU the device raises, as soon as it has looked.
    """
    if batch.r.is_concrete(target):
        for fault in target_faults(batch.r, target, original, classes, labelled):
            refuse(batch.r, batch.owner, "label" if labelled else "target", *fault)
    elif labelled:
        batch.r.assert_on_gpu((target >= 0) & (target < classes), f"{batch.owner}: a label is none of the classes")


def target_faults(r: ModuleType, target: Array, original: Array, classes: int, labelled: bool) -> Iterator[Fault]:
    """Yield labels outside the classes, or rows that are no distributions."""
    if labelled:
        yield Fault(target, (target < 0) | (target >= classes), f"must lie in [0, {classes})")
    else:
        yield from DISTRIBUTIONS.faults(r, target, original)


def class_weights(batch: Batch, class_weight: Array, classes: int) -> Array:
    """Raise ValueError unless there is a finite one >= 0 for each class."""
    r, owner = batch.r, batch.owner
    weights = r.widen(r.enter(class_weight, f"{owner}: class_weight", batch.original), like=batch.like)
    if tuple(weights.shape) != (classes,):
        raise ValueError(f"{owner}: class_weight {tuple(weights.shape)} must be ({classes},), one per class")
    wrong = ~((weights >= 0) & (weights < math.inf))
    refuse(r, owner, "class_weight", weights, wrong, "must be >= 0 and finite")
    return weights
