"""Examples of arguments for a kind's losses: random, right, wrong, certain, degenerate, or along a curve.

Arguments are NumPy arrays, in the kind's order, with a row's entries last.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from slopes.kinds.spaces import Space

if TYPE_CHECKING:
    from slopes.kinds.base import Kind

Arguments = tuple[Any, ...]
Ordered = Iterator[tuple[str, Arguments, Arguments]]
"""Descriptions of better arguments, these, and worse ones."""


class Examples:
    def __init__(self, kind: Kind, settings: dict[str, Any]) -> None:
        self.kind, self.settings, self.spaces = kind, settings, kind.spaces(settings)
        self.space = self.spaces[0]  #: of the first argument
        self.goal = self.spaces[1] if len(self.spaces) > 1 else self.space  #: space of the target

    # ------------------------------------------------------------------------------------------ random

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Arguments:
        """`shape` is the first argument's."""
        rowwise = self.kind.rowwise
        pairs = zip(self.kind.arguments, self.spaces, strict=True)
        return tuple(space.draw(rng, shape if argument.row or not rowwise else shape[:-1]) for argument, space in pairs)

    def stress(self, rng: np.random.Generator) -> Arguments:
        """Random arguments for an audit, tiny and huge in an unbounded space.

        Some rows of logits nearly agree with their targets, where losses cancel.
        """
        first, *rest = self.sample(rng, (40, 5))
        if self.kind.rowwise:
            if not self.space.is_unbounded:
                return first, *rest
            first = first * np.logspace(-4, 2.3, 40)[:, None]
            if self.goal.has_classes and rest[0].shape == first.shape:
                noise = rng.standard_normal((10, 5)) * np.logspace(-7, 0, 10)[:, None]
                first[10:20] = np.log(rest[0][10:20]) + noise
            return first, *rest
        first, *rest = (argument.reshape(-1) for argument in (first, *rest))
        if not self.space.is_unbounded:
            return first, *rest
        sizes = np.concatenate([[0.0], np.logspace(-8, 4 if self.space.is_real else 3, 99)])
        beside = (_beside(space, rng, 200) for space in self.spaces[1:])
        others = (np.concatenate(pair) for pair in zip(rest, beside, strict=True))
        return (np.concatenate([first, sizes, -sizes]), *others)

    # ---------------------------------------------------------------------------------- right and wrong

    def hard(self, target: Any) -> Any:
        """Target with probabilities of 0 and 1 only."""
        if self.goal.is_yes_or_no:
            return np.round(target)
        return np.eye(target.shape[-1])[target.argmax(-1)] if self._has_rows(target) else target

    def other(self, target: Any, classes: int) -> Any:
        """Opposite of a yes or no, or another class per label or row."""
        if not self.goal.has_classes:
            return 1 - target
        return np.roll(target, 1, -1) if self._has_rows(target) else (target + 1) % classes

    def even(self, target: Any, classes: int) -> Any:
        """Target with equal shares of classes, or of yes and no."""
        place = np.arange(target.size).reshape(target.shape)
        return place % classes if self.goal.has_classes else (place % 2 == 0).astype(target.dtype)

    def right(self, target: Any, size: float, classes: int) -> Any:
        """Right prediction for a target, with logits of magnitude `size`; None if unknown."""
        if len(self.spaces) != 2 or not self.kind.arguments[1].row:
            return None
        if self.goal.has_classes:
            return self._right_rows(target if self._has_rows(target) else np.eye(classes)[target], size)
        if self.space.is_logit and self.goal.is_probability:
            return size * (2 * target - 1)
        if self.goal.is_sign:
            return size * target
        alike = self.space == self.goal or (self.space.is_probability and self.goal.is_yes_or_no)
        return target.copy() if alike else None

    def _right_rows(self, rows: Any, size: float) -> Any:
        if self.space.is_logit:
            return size * (2 * rows - 1)
        if self.space.is_log_probability:
            with np.errstate(divide="ignore"):
                return np.maximum(np.log(rows), -size)
        return rows if self.space.is_probability else 2 * rows - 1 if self.space.is_cosine else None

    def certain(self, drawn: Arguments, chance: float, value: int) -> Arguments:
        """Arguments with target `value` everywhere, predicted with this probability."""
        first, target, *rest = drawn
        if not self.goal.has_classes:
            p = chance if value else 1 - chance
            number = p if self.space.is_probability else math.log(p / (1 - p))
            return np.full_like(first, number), np.full_like(target, value), *rest
        classes = first.shape[-1]
        labels = np.full(first.shape[:-1], value)
        one_hot = np.eye(classes)[labels]
        rows = np.where(one_hot == 1, chance, (1 - chance) / (classes - 1))
        target = one_hot if self._has_rows(target) else labels
        return rows if self.space.is_probability else np.log(rows), target, *rest

    def perfect(self, rng: np.random.Generator) -> Arguments:
        _, target, *rest = self.sample(rng, (4, 3))
        if self.space.is_logit or self.goal.is_yes_or_no:
            target = self.hard(target)
        prediction = self.right(target, 1e4, 3)
        return target.copy() if prediction is None else prediction, target, *rest

    def ordered(self, rng: np.random.Generator, drawn: Arguments) -> Ordered:
        """Yield pairs of arguments, where a loss must be less for the first."""
        first, target, *rest = drawn
        if self.kind.is_margin:
            yield "the right sign", (5.0 * target, target), (-5.0 * target, target)
        elif self.space.tells_probability and self.goal.is_probability:
            target = self.hard(target)
            right, wrong = (self.right(x, 5.0, first.shape[-1]) for x in (target, self.other(target, first.shape[-1])))
            if right is not None and wrong is not None:
                if self.space.is_probability:  # so that logs are finite
                    right, wrong = right + 0.05 * (wrong - right), wrong + 0.05 * (right - wrong)
                yield "a prediction that is right", (right, target, *rest), (wrong, target, *rest)
        elif self.goal.is_count and self.space.is_real:  # such losses take the log of a count
            yield from self._with_noise(rng, np.log(target + 1), (target + 1, *rest))
        elif self.goal.is_count and self.space.is_positive:
            yield from self._with_noise(rng, target + 1.0, (target + 1, *rest))
        elif self.space == self.goal and not self.space.is_log_probability:
            yield from self._with_noise(rng, target, (target, *rest))

    def _with_noise(self, rng: np.random.Generator, right: Any, others: Arguments) -> Ordered:
        """Yield predictions from right to ever worse."""
        low, noise = self.space.low, rng.standard_normal(right.shape)
        for size in (0.1, 1.0, 10.0):
            moved = right + size * noise if math.isinf(low) else low + (right - low) * np.exp(size * noise / 4)
            moved = right + size if self.space.has_corners else moved
            yield "the target itself as prediction", (right, *others), (np.round(moved, 3), *others)

    # ----------------------------------------------------------------------------------------- degenerate

    def degenerate(self, drawn: Arguments, agreeing: Any) -> Iterator[tuple[str, Arguments]]:
        """Yield (description, arguments): zeros, ties, equal rows, and any `agreeing`, the right prediction."""
        first, *rest = drawn
        zero = np.zeros_like(first)
        if self.space.is_unbounded:
            yield "at 0", (zero, *rest)
            yield "where all are 1", (zero + 1, *rest)
            yield "where all are -1", (zero - 1, *rest)
            yield "where all are 1 or -1", (zero + 1.0 - 2.0 * (np.arange(first.size) % 2).reshape(first.shape), *rest)
        if agreeing is not None and agreeing.shape == first.shape:
            yield "where prediction and target agree", (agreeing, *rest)
            yield "where they agree but for one entry", (np.concatenate([first[:1], agreeing[1:]]), *rest)
        if self.kind.compares_boxes:
            yield from self._degenerate_boxes(first, rest[0])
        if self.space.is_probability and not self.kind.rowwise:
            for p in (0.5, 1e-12, 1 - 1e-12):
                yield f"at a probability of {p}", (zero + p, *rest)
        if self.space.is_unbounded and self.kind.rowwise:
            yield from self._degenerate_rows(drawn)

    def _degenerate_boxes(self, first: Any, target: Any) -> Iterator[tuple[str, Arguments]]:
        low, size = first[..., :2], first[..., 2:] - first[..., :2]
        point = np.concatenate([low, low], -1)
        yield "for a box without a width", (np.concatenate([low, low + size * [0, 1]], -1), target)
        yield "for a box without width and height", (point, target)
        yield "where both boxes are one point", (point, point)
        yield "for a box inside the other", (np.concatenate([low + 0.25 * size, low + 0.75 * size], -1), first)
        yield "for boxes that are apart", (first + 100.0, target)
        yield "for boxes that touch", (np.concatenate([low + size, low + 2 * size], -1), first)

    def _degenerate_rows(self, drawn: Arguments) -> Iterator[tuple[str, Arguments]]:
        first, *rest = drawn
        zero = np.zeros_like(first)
        if first.shape[0] > 1:
            yield "where a row is 0", (np.concatenate([zero[:1], first[1:]]), *rest)
            yield "where two rows are equal", (np.concatenate([first[:1], first[:1], first[2:]]), *rest)
        alike = [self.may_equal(place, x, first) for place, x in enumerate(rest, start=1)]
        if any(alike) and self.goal.is_real:
            for case, same in (("where both are equal", first), ("where both are 0", zero)):
                yield case, (same, *(same if a else x for a, x in zip(alike, rest, strict=True)))

    def may_equal(self, place: int, x: Any, first: Any) -> bool:
        """Whether an argument may have the numbers of the first."""
        return bool(x.shape == first.shape and x.dtype.kind == "f")

    # ---------------------------------------------------------------------------------------------- plots

    def span(self) -> tuple[float, float]:
        """First and last x of a plot."""
        space = self.space
        low, high = max(space.low, -4.0), min(space.high, 4.0)
        inset = (high - low) / 400 if space.open or (space.is_probability and not space.is_yes_or_no) else 0.0
        return low + inset, high - inset if space.high <= 4.0 else high

    def curve(self, x: Any) -> tuple[str, dict[str, Arguments]]:
        """A plot's axis label, and each line's arguments at every x; no lines where a point would be a whole batch."""
        if not self.kind.has_curve:
            return "", {}
        first, second, *_ = self.kind.arguments
        label = self.kind.about or self.space.axis or first.name
        if self.kind.rowwise:
            rest = [
                _row(argument.space, np.zeros_like(x)) if argument.row else np.ones_like(x)
                for argument in self.kind.arguments[1:]
            ]
            return label, {"": (_row(self.space, x, moving=True), *rest)}
        held = [
            np.full_like(x, float(space.is_positive or space.is_count or space.is_sign)) for space in self.spaces[1:]
        ]
        if self.goal.is_sign or self.goal.is_yes_or_no:
            values = (1, -1) if self.goal.is_sign else (1, 0)
            return label, {f"target {value}": (x, np.full_like(x, value), *held[1:]) for value in values}
        if not self.goal.is_real and not self.kind.about:
            label = f"prediction, the {second.name} being 1"
        return label, {"": (x, *held)}

    def _has_rows(self, target: Any) -> bool:
        return self.goal.has_classes and target.dtype.kind == "f"


def _beside(space: Space, rng: np.random.Generator, size: int) -> Any:
    """Targets for numbers of every size: 0, or for logits 0 or 1."""
    if space.is_real:
        return np.zeros(size)
    return rng.integers(0, 2, size) if space.is_yes_or_no else space.draw(rng, (size,))


def _row(space: Space, x: Any, moving: bool = False) -> Any:
    """Rows to plot: with x as first entry if `moving`, else fixed."""
    zero, one = np.zeros_like(x), np.ones_like(x)
    if space.is_real:
        entries = [x, one]
    elif space.has_corners:
        entries = [x, zero, x + 1, one]
    elif space.has_classes and moving:
        entries = [x, (1 - x) / 2, (1 - x) / 2]
    else:
        entries = [x if moving else one, zero, zero] if not space.is_logit or moving else [zero] * 3
    return np.stack(entries, axis=-1)


class LabelExamples(Examples):
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Arguments:
        return self.space.draw(rng, shape), rng.integers(0, shape[-1], shape[:-1])

    def stress(self, rng: np.random.Generator) -> Arguments:
        """Some rows are right and nearly certain."""
        prediction, target = super().stress(rng)
        if self.space.is_logit:
            prediction[np.arange(20), target[:20]] += 10 * np.arange(20)
        return prediction, target

    def curve(self, x: Any) -> tuple[str, dict[str, Arguments]]:
        """Rows of three classes: x for the right one, equal others."""
        space = self.space
        other = (1 - x) / 2 if space.is_probability else np.zeros_like(x)
        known = {"probability": space.is_probability, "logit": space.is_logit, "cosine": space.is_cosine}
        label = next((name for name, holds in known.items() if holds), "log-probability")
        rows = np.stack([x, other, other], axis=-1)
        return f"{label} of the right class", {"": (rows, np.zeros(x.shape, dtype=int))}


class RegionExamples(Examples):
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Arguments:
        prediction = 3 * rng.standard_normal(shape)
        several = self.goal.is_yes_or_no
        return prediction, 1.0 * rng.integers(0, 2, shape) if several else rng.integers(0, shape[-1], shape[:-1])

    def stress(self, rng: np.random.Generator) -> Arguments:
        """Samples of six pixels and three classes, of small and large logits."""
        prediction, target = self.sample(rng, (8, 6, 3))
        return prediction * np.logspace(-3, 1.3, 8)[:, None, None], target

    def perfect(self, rng: np.random.Generator) -> Arguments:
        """Every class is present."""
        labels = np.stack([rng.permutation(np.arange(6) % 3) for _ in range(4)])
        target = np.eye(3)[labels] if self.goal.is_yes_or_no else labels
        return self.right(target, 1e4, 3), target

    def curve(self, x: Any) -> tuple[str, dict[str, Arguments]]:
        """Two pixels of two classes, logit x for the right one."""
        several = self.goal.is_yes_or_no
        right = np.stack([x, -x if several else np.zeros_like(x)], axis=-1)
        target = np.broadcast_to(np.eye(2) if several else [0, 1], (x.size, 2, 2)[: 2 + several])
        label = "logit of the right class, in both of two pixels"
        return label, {"": (np.stack([right, right[:, ::-1]], axis=1), target)}


class RankedPairExamples(Examples):
    def ordered(self, rng: np.random.Generator, drawn: Arguments) -> Ordered:
        signs = drawn[2]
        yield "the right order", (3.0 * signs, -3.0 * signs, signs), (-3.0 * signs, 3.0 * signs, signs)


class VectorPairExamples(Examples):
    def perfect(self, rng: np.random.Generator) -> Arguments:
        first = rng.standard_normal((4, 3))
        return first, first.copy(), np.ones(4)

    def ordered(self, rng: np.random.Generator, drawn: Arguments) -> Ordered:
        first, ones = drawn[0], np.ones_like(drawn[2])
        yield "a pair that is alike and belongs together", (first, first, ones), (first, -first, ones)

    def curve(self, x: Any) -> tuple[str, dict[str, Arguments]]:
        """A vector passes the other one."""
        moving, held = (np.stack([row, np.ones_like(x)], axis=-1) for row in (x, np.zeros_like(x)))
        lines = {f"target {value:g}": (moving, held, np.full_like(x, value)) for value in (1, -1)}
        return "x in first (x, 1), second being (0, 1)", lines


class TripletExamples(Examples):
    def perfect(self, rng: np.random.Generator) -> Arguments:
        anchor = rng.standard_normal((4, 3))
        return anchor, anchor.copy(), anchor + 1e3

    def ordered(self, rng: np.random.Generator, drawn: Arguments) -> Ordered:
        first = drawn[0]
        near, far = first + 0.1, first + 5 * np.sign(drawn[1])
        yield "a positive that is near, with a negative that is far,", (first, near, far), (first, far, near)

    def curve(self, x: Any) -> tuple[str, dict[str, Arguments]]:
        """An anchor passes positive and negative."""
        rows = [np.stack([entry, np.zeros_like(x)], axis=-1) for entry in (x, np.zeros_like(x), np.full_like(x, 2.0))]
        return "anchor, the positive at 0 and the negative at 2", {"": tuple(rows)}


class EmbeddingExamples(Examples):
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Arguments:
        """There are at least two vectors for each label."""
        return rng.standard_normal(shape), rng.permutation(np.arange(shape[0]) // 2 % max(shape[0] // 2, 1))

    def stress(self, rng: np.random.Generator) -> Arguments:
        vectors, labels = self.sample(rng, (7, 3))
        return vectors * np.logspace(-2, 1, 7)[:, None], labels

    def perfect(self, rng: np.random.Generator) -> Arguments:
        return np.eye(4)[np.arange(8) % 4], np.arange(8) % 4

    def ordered(self, rng: np.random.Generator, drawn: Arguments) -> Ordered:
        """Nothing: vectors are compared with one another."""
        yield from ()
