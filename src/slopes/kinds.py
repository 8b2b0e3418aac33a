"""What a loss is fed: the arguments, shapes, labels, masks, weights, reduction and sampling of each kind.

A body sees clean arrays: one shape, rows on the last axis, nothing masked, labels in range. It returns one value
per element or row; everything around that happens here, once for all losses of a kind.
"""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass
from functools import reduce
from operator import and_
from types import ModuleType
from typing import Any

import numpy as np

from slopes.domains import Interval, OneOf, UnitInterval
from slopes.ops import Array

REDUCTIONS = OneOf(("mean", "sum", "none"))
SPACES = OneOf(("real", "logits", "probabilities"))
DIVISOR = Interval(0.0, closed=True)


def same_shape(owner: str, **arrays: Array) -> None:
    """Raise ValueError unless the arrays have one shape, saying what broadcasting would have made of them."""
    shapes = [tuple(array.shape) for array in arrays.values()]
    if all(shape == shapes[0] for shape in shapes[1:]):
        return
    named = " and ".join(f"{name} {shape}" for name, shape in zip(arrays, shapes, strict=True))
    try:
        outcome = f"broadcasting would give {np.broadcast_shapes(*shapes)}"
    except ValueError:
        outcome = "they do not broadcast either"
    raise ValueError(f"{owner}: {named} must have one shape; {outcome}.")


def keeps_shape(owner: str, came: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Raise ValueError if a body does not give one value each, as when a parameter's shape widens the result."""
    if came != wanted:
        raise ValueError(f"{owner}: the body gives shape {came} where {wanted} is due, with one value for each entry")


def valid_axis(owner: str, axis: Any, x: Array) -> int:
    """The axis, or ValueError if x has no such axis."""
    if x.ndim == 0:
        raise ValueError(f"{owner}: needs at least one axis, got a single number")
    axis = axis.__index__() if hasattr(axis, "__index__") and not isinstance(axis, bool) else axis
    if type(axis) is not int or not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"{owner}: axis must be an integer in [{-x.ndim}, {x.ndim - 1}] for shape {tuple(x.shape)}, got {axis!r}"
        )
    if x.shape[axis] == 0:
        raise ValueError(f"{owner}: axis {axis} of shape {tuple(x.shape)} has no entries")
    return axis


@dataclass
class Batch:
    """The clean arguments of a body, and how its values become a number again."""

    r: ModuleType
    owner: str
    original: Array  #: the prediction as it came
    prediction: Array
    target: Array
    dtype: Any  #: of the result
    coefficient: Array | None = None  #: of each value; None is 1 everywhere
    axis: int | None = None  #: where the class axis was
    divisor: Any = None  #: the mean's denominator; None where nothing is divided
    denominator: Array | None = None  #: what each value counts in the mean, where that is not its coefficient
    may_be_zero: bool = False  #: whether the divisor is an array, at which a trace cannot look
    reduced: bool = True

    def reduce_by(self, reduction: str, divisor: Any) -> None:
        """Settle what the values are divided by: for a mean, by the sum of what counts, unless told otherwise."""
        REDUCTIONS.check(self.owner, "reduction", reduction)
        if divisor is not None and reduction != "mean":
            raise ValueError(
                f"{self.owner}: divisor replaces the mean's denominator; it does not go with {reduction!r}"
            )
        self.reduced = reduction != "none"
        if reduction == "mean":
            counted = self.coefficient if self.denominator is None else self.denominator
            if divisor is not None:
                self.divisor = self._own(divisor)
            elif counted is not None:
                self.divisor, self.may_be_zero = self.r.total(counted), True
            else:  # the sum over nothing is 0 already
                self.divisor = max(self.r.count(self.prediction if self.axis is None else self.prediction[..., 0]), 1)

    def _own(self, divisor: Any) -> Any:
        """A divisor of the caller's: a number, or an array of one."""
        if isinstance(divisor, (int, float)):
            DIVISOR.check(self.owner, "divisor", divisor)
            return float(divisor) or math.inf  # nothing counts: 0, as the mean over nothing is
        self.may_be_zero = True
        divisor = self.r.enter(divisor, f"{self.owner}: divisor", self.original)
        if divisor.ndim:
            raise ValueError(f"{self.owner}: divisor must be one number, got shape {tuple(divisor.shape)}")
        return self.r.widen(divisor, like=self.prediction)

    def _scaled(self, values: Array) -> Array:
        """The values divided by the divisor; 0 where there is nothing to divide by."""
        if self.divisor is None or not self.may_be_zero:
            return values if self.divisor is None else values / self.divisor
        nothing = self.divisor == 0
        return self.r.where(nothing, 0.0, values / self.r.where(nothing, 1.0, self.divisor))

    def reduce(self, values: Array) -> Array:
        """The unreduced values of a body, weighed and reduced."""
        prediction = self.prediction if self.axis is None else self.prediction[..., 0]
        keeps_shape(self.owner, tuple(values.shape), tuple(prediction.shape))
        if self.coefficient is not None:
            values = values * self.coefficient
        return self._scaled(self.r.total(values)) if self.reduced else values

    def pull_back(self, rows: Array) -> Array:
        """The gradient of the reduced loss from the slope of each value, in the prediction's own layout."""
        if self.coefficient is not None:
            rows = rows * (self.coefficient if self.axis is None else self.coefficient[..., None])
        rows = self._scaled(rows)
        return rows if self.axis is None else self.r.moveaxis(rows, -1, self.axis)


@dataclass(frozen=True)
class Kind:
    """Element by element: prediction and target are any real numbers of one shape."""

    name: str = "regression"
    space: str = "real"  #: what a prediction is: "real", "logits" or "probabilities"
    options: tuple[str, ...] = ()  #: keywords of a call that belong to the kind
    rowwise = False

    def signature(self) -> list[inspect.Parameter]:
        """The options as parameters of the card's signature."""
        declared = inspect.signature(type(self).enter).parameters
        return [declared[name] for name in self.options]

    def space_of(self, settings: dict[str, Any]) -> str:
        """What a prediction is, given the card's parameters."""
        return "probabilities" if settings.get("from_probabilities") else self.space

    def enter(
        self, r: ModuleType, owner: str, prediction: Array, target: Array, *,
        weight: Array | None, mask: Array | None, settings: dict[str, Any],
    ) -> Batch:  # fmt: skip
        """Check the arguments and make them clean."""
        prediction, target = _pair(r, owner, prediction, target)
        same_shape(owner, prediction=prediction, target=target)
        wide = r.widen(prediction)
        batch = Batch(r, owner, prediction, wide, r.widen(target, like=wide), r.result_dtype(prediction, loss=True))
        mask = self._select(batch, tuple(prediction.shape), weight, mask)
        if mask is not None:
            fill = self._fill(settings)
            batch.prediction = r.where(mask, batch.prediction, fill)
            batch.target = r.where(mask, batch.target, fill)
        self._check_values(batch, settings)
        return batch

    def _fill(self, settings: dict[str, Any]) -> float:
        """A number that is a valid prediction and target, to stand where the mask hides one."""
        return 0.5 if self.space_of(settings) == "probabilities" else 0.0

    def _check_values(self, batch: Batch, settings: dict[str, Any]) -> None:
        """Any real numbers will do."""

    @staticmethod
    def _select(
        batch: Batch, shape: tuple[int, ...], weight: Array | None, mask: Array | None, kept: Array | None = None
    ) -> Array | None:
        """Turn weight, mask and kept labels, all of the unreduced shape, into coefficients; return what counts."""
        r, owner = batch.r, batch.owner
        given = {"weight": weight, "mask": mask}
        for name, array in given.items():
            if array is not None:
                array = given[name] = r.enter(array, f"{owner}: {name}", batch.original)
                if tuple(array.shape) != shape:
                    raise ValueError(
                        f"{owner}: {name} {tuple(array.shape)} must have the shape of the unreduced loss, {shape}"
                    )
        weight, mask = given.values()
        if mask is not None and "bool" not in str(mask.dtype):
            raise TypeError(f"{owner}: mask must be boolean (True counts), got dtype {mask.dtype}")
        conditions = [condition for condition in (mask, kept) if condition is not None]
        inside = reduce(and_, conditions) if conditions else None
        if weight is not None:
            weight = r.widen(weight, like=batch.prediction)
            batch.coefficient = weight if inside is None else r.where(inside, weight, 0.0)
            if not r.wants_gradient(weight):
                conditions.append(weight != 0)  # what weighs nothing is not read: its loss may be infinite
        elif inside is not None:
            batch.coefficient = r.widen(inside, like=batch.prediction)
        return reduce(and_, conditions) if conditions else None

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...], settings: dict[str, Any]) -> tuple[Any, Any]:
        """A random (prediction, target) of the shape, for the audit and the tests."""
        return 3 * rng.standard_normal(shape), 3 * rng.standard_normal(shape)

    def perfect(self, rng: np.random.Generator, settings: dict[str, Any]) -> tuple[Any, Any]:
        """A (prediction, target) of which the prediction is as right as can be."""
        target = 3 * rng.standard_normal((4, 3))
        return target.copy(), target

    def curve(self, x: Any, settings: dict[str, Any]) -> tuple[str, dict[str, tuple[Any, Any]]]:
        """What a plot shows: the label of its axis, and for each line (prediction, target) at every x."""
        return "prediction − target", {"": (x, np.zeros_like(x))}


@dataclass(frozen=True)
class Binary(Kind):
    """Element by element: the prediction is a logit or a probability, the target a probability in [0, 1]."""

    name: str = "binary"
    space: str = "logits"

    def _check_values(self, batch: Batch, settings: dict[str, Any]) -> None:
        check_probabilities(batch, "target", batch.target)
        if self.space_of(settings) == "probabilities":
            check_probabilities(batch, "prediction", batch.prediction)

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...], settings: dict[str, Any]) -> tuple[Any, Any]:
        """Logits or probabilities, with targets of 0, 1 and between."""
        logits = 3 * rng.standard_normal(shape)
        target = np.clip(rng.uniform(-0.5, 1.5, shape), 0, 1)
        return (1 / (1 + np.exp(-logits)) if self.space_of(settings) == "probabilities" else logits), target

    def perfect(self, rng: np.random.Generator, settings: dict[str, Any]) -> tuple[Any, Any]:
        """Certain of the right answer."""
        target = rng.integers(0, 2, (4, 3)).astype(float)
        return (target if self.space_of(settings) == "probabilities" else 1e4 * (2 * target - 1)), target

    def curve(self, x: Any, settings: dict[str, Any]) -> tuple[str, dict[str, tuple[Any, Any]]]:
        """A line for each of the two targets."""
        label = "probability of 1" if self.space_of(settings) == "probabilities" else "logit"
        return label, {f"target {value}": (x, np.full_like(x, value)) for value in (1, 0)}


@dataclass(frozen=True)
class Classification(Kind):
    """Row by row: the prediction has a class axis of logits or probabilities.

    The target is integer labels, without that axis, or probability rows, with it. One rule for all options: with
    target rows t (labels as one-hot rows, smoothing applied) the loss is −Σ w_c t_c log p_c and the mean divides
    by the sum of w_c t_c over what counts, so that one-hot rows always give what labels give.
    """

    name: str = "classification"
    space: str = "logits"
    options: tuple[str, ...] = ("axis", "class_weight", "label_smoothing", "ignore_index")
    rowwise = True

    def enter(
        self, r: ModuleType, owner: str, prediction: Array, target: Array, *,
        weight: Array | None, mask: Array | None, settings: dict[str, Any], axis: int = -1,
        class_weight: Array | None = None, label_smoothing: UnitInterval = 0.0, ignore_index: int | None = None,
    ) -> Batch:  # fmt: skip
        """Check the arguments and make them clean: classes last, labels in range, masked rows filled."""
        prediction, target = _pair(r, owner, prediction, target)
        axis = valid_axis(owner, axis, prediction)
        wide = r.moveaxis(r.widen(prediction), axis, -1)
        classes, shape = wide.shape[-1], tuple(wide.shape[:-1])
        labelled = self._is_labels(owner, r, prediction, target, shape)
        batch = Batch(r, owner, prediction, wide, target, r.result_dtype(prediction, loss=True), axis=axis)
        if ignore_index is not None:
            if type(ignore_index) is not int:
                raise TypeError(f"{owner}: ignore_index must be an integer, got {ignore_index!r}")
            if not labelled:
                raise ValueError(f"{owner}: ignore_index goes with integer labels; mask probability rows instead")
        if labelled:
            batch.target = r.labels(target)
        mask = self._select(batch, shape, weight, mask, None if ignore_index is None else batch.target != ignore_index)
        if not labelled:
            batch.target = r.moveaxis(r.widen(target, like=wide), axis, -1)
        if mask is not None:
            rows = mask[..., None]
            uniform = 1.0 / classes if self.space_of(settings) == "probabilities" else 0.0
            batch.prediction = r.where(rows, wide, uniform)
            batch.target = r.where(mask, batch.target, 0) if labelled else r.where(rows, batch.target, 1.0 / classes)
        if labelled:
            check_labels(batch, batch.target, classes)
        else:
            check_rows(batch, "target", batch.target, target)
        if self.space_of(settings) == "probabilities":
            check_rows(batch, "prediction", batch.prediction, prediction)
        if not isinstance(label_smoothing, (int, float)):
            raise TypeError(f"{owner}: label_smoothing must be a number, got {type(label_smoothing).__name__}")
        UNIT.check(owner, "label_smoothing", label_smoothing)
        if label_smoothing:
            rows = r.one_hot(batch.target, like=batch.prediction)
            batch.target = rows * (1.0 - label_smoothing) + label_smoothing / classes
        if class_weight is not None:
            self._weigh_classes(batch, class_weight, classes)
        return batch

    @staticmethod
    def _is_labels(owner: str, r: ModuleType, prediction: Array, target: Array, shape: tuple[int, ...]) -> bool:
        """Whether the target is integer labels, or else probability rows; ValueError if it is neither."""
        if tuple(target.shape) == tuple(prediction.shape) and "bool" not in str(target.dtype):
            return False
        if tuple(target.shape) == shape and r.is_integer(target) and "bool" not in str(target.dtype):
            return True
        raise ValueError(
            f"{owner}: prediction {tuple(prediction.shape)} goes with integer labels {shape} or probability rows "
            f"{tuple(prediction.shape)}, got a target of {target.dtype} {tuple(target.shape)}."
        )

    @staticmethod
    def _weigh_classes(batch: Batch, class_weight: Array, classes: int) -> None:
        """Weigh each class's part of a row, and count it by that weight."""
        r = batch.r
        weights = r.widen(r.enter(class_weight, f"{batch.owner}: class_weight", batch.original), like=batch.prediction)
        if tuple(weights.shape) != (classes,):
            raise ValueError(f"{batch.owner}: class_weight {tuple(weights.shape)} must be ({classes},), one per class")
        _refuse(batch, "class_weight", weights, ~(weights >= 0), "must be weights >= 0")
        batch.target = r.one_hot(batch.target, like=batch.prediction) * weights
        counted = r.sum(batch.target)[..., 0]
        batch.denominator = counted if batch.coefficient is None else counted * batch.coefficient

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...], settings: dict[str, Any]) -> tuple[Any, Any]:
        """Rows of logits or probabilities, with labels."""
        logits = 3 * rng.standard_normal(shape)
        rows = np.exp(logits) / np.sum(np.exp(logits), axis=-1, keepdims=True)
        prediction = rows if self.space_of(settings) == "probabilities" else logits
        return prediction, rng.integers(0, shape[-1], shape[:-1])

    def perfect(self, rng: np.random.Generator, settings: dict[str, Any]) -> tuple[Any, Any]:
        """Certain of the right class."""
        target = rng.integers(0, 3, 4)
        rows = np.eye(3)[target]
        return (rows if self.space_of(settings) == "probabilities" else 1e4 * rows), target

    def curve(self, x: Any, settings: dict[str, Any]) -> tuple[str, dict[str, tuple[Any, Any]]]:
        """The logit or probability of the right class among three, the others alike."""
        other = (1 - x) / 2 if self.space_of(settings) == "probabilities" else np.zeros_like(x)
        label = "probability" if self.space_of(settings) == "probabilities" else "logit"
        rows = np.stack([x, other, other], axis=-1)
        return f"{label} of the right class", {"": (rows, np.zeros(x.shape, dtype=int))}


def _pair(r: ModuleType, owner: str, prediction: Array, target: Array) -> tuple[Array, Array]:
    prediction = r.enter(prediction, f"{owner}: prediction")
    return prediction, r.enter(target, f"{owner}: target", prediction)


UNIT = UnitInterval.__metadata__[0]  # type: ignore[attr-defined]
KINDS: dict[str, Kind] = {kind.name: kind for kind in (Kind(), Binary(), Classification())}


def check_probabilities(batch: Batch, what: str, values: Array) -> None:
    """Raise ValueError for a number outside [0, 1], where values can be looked at."""
    _refuse(batch, what, values, (values < 0) | (values > 1), "must be probabilities in [0, 1]")


def check_rows(batch: Batch, what: str, rows: Array, original: Array) -> None:
    """Raise ValueError for a row that is no distribution, where values can be looked at."""
    check_probabilities(batch, what, rows)
    if batch.r.is_concrete(rows):
        totals = batch.r.sum(rows)
        tolerance = (
            1e-3 if "16" not in str(original.dtype) else 2e-2 + 3e-8 * rows.shape[-1]
        )  # float16 has a least step
        _refuse(
            batch,
            what,
            totals,
            abs(totals - 1) > tolerance,
            "must be rows that sum to 1",
            "a row that sums to ",
        )


def check_labels(batch: Batch, labels: Array, classes: int) -> None:
    """Raise ValueError for a label that is no class, where values can be looked at."""
    _refuse(batch, "label", labels, (labels < 0) | (labels >= classes), f"must lie in [0, {classes})")


def _refuse(batch: Batch, what: str, values: Array, wrong: Array, rule: str, came: str = "") -> None:
    if batch.r.is_concrete(values) and bool(wrong.any()):
        raise ValueError(f"{batch.owner}: {what} {rule}, got {came}{values[wrong].reshape(-1)[0]}")
