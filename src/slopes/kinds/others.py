"""Kinds with a sign as target, grades, and triplets."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from slopes.constants import Array
from slopes.domains import Flag, OneOf
from slopes.kinds.base import Batch, FindKernel, Kind, enter_all, mask_ignored, no_kernel, valid_axis
from slopes.kinds.examples import (
    Arguments,
    Examples,
    Ordered,
    RankedPairExamples,
    TripletExamples,
    VectorPairExamples,
)
from slopes.kinds.spaces import refuse

FLAG: OneOf = Flag.__metadata__[0]  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Signed(Kind):
    """The last argument is −1 or 1, or with ``zero_one=True`` 0 or 1."""

    own_options: ClassVar[tuple[str, ...]] = ("zero_one",)

    def enter(
        self, r: ModuleType, owner: str, arguments: Arguments, *,
        weight: Array | None, mask: Array | None, settings: dict[str, Any], axis: int = -1, zero_one: bool = False,
        find_kernel: FindKernel = no_kernel,
    ) -> Batch:  # fmt: skip
        FLAG.check(owner, "zero_one", zero_one)
        if zero_one:
            *others, target = arguments
            target = r.enter(target, f"{owner}: {self.arguments[-1].name}")
            arguments = (*others, r.where(target == 1, 1.0, r.where(target == 0, -1.0, r.widen(target))))
        return super().enter(
            r, owner, arguments, weight=weight, mask=mask, settings=settings, axis=axis, find_kernel=find_kernel
        )


@dataclass(frozen=True)
class Ranking(Signed):
    example_maker: ClassVar[type[Examples]] = RankedPairExamples


@dataclass(frozen=True)
class Pairs(Signed):
    example_maker: ClassVar[type[Examples]] = VectorPairExamples


class ZeroInflatedExamples(Examples):
    def curve(self, x: Any) -> tuple[str, dict[str, Arguments]]:
        """A zero, which may be no count, and a count."""
        lines = {f"target {value:g}": (x, np.full_like(x, value), np.zeros_like(x)) for value in (0.0, 2.0)}
        return self.kind.about, lines


@dataclass(frozen=True)
class ZeroInflated(Kind):
    example_maker: ClassVar[type[Examples]] = ZeroInflatedExamples


@dataclass(frozen=True)
class Triplets(Kind):
    example_maker: ClassVar[type[Examples]] = TripletExamples


class StepExamples(Examples):
    def ordered(self, rng: np.random.Generator, drawn: Arguments) -> Ordered:
        steps = drawn[1]
        yield "the right steps", (5.0 * steps, steps), (-5.0 * steps, steps)

    def curve(self, x: Any) -> tuple[str, dict[str, Arguments]]:
        """Rows of a single step, which was passed."""
        return self.kind.about, {"": (x[..., None], np.ones(x.shape, dtype=int))}


class CumulativeExamples(StepExamples):
    """Rows that fall."""

    def stress(self, rng: np.random.Generator) -> Arguments:
        """Falls of every size, beside numbers of every size."""
        rows, target = self.sample(rng, (60, 5))
        rows[:40] *= np.logspace(-4, 2.3, 40)[:, None]
        rows[40:] += np.linspace(-40, 40, 20)[:, None]
        return rows, target

    def right(self, target: Any, size: float, classes: int) -> Any:
        return _surely(_grades(target), size, target.shape[-1])

    def perfect(self, rng: np.random.Generator) -> Arguments:
        target = self.sample(rng, (4, 3))[1]
        return self.right(target, 1e4, 3), target

    def ordered(self, rng: np.random.Generator, drawn: Arguments) -> Ordered:
        target, grades, steps = drawn[1], _grades(drawn[1]), drawn[1].shape[-1]
        right, wrong = _surely(grades, 5.0, steps), _surely((grades + 1) % (steps + 1), 5.0, steps)
        yield "the right grade", (right, target), (wrong, target)


def _grades(target: Any) -> Any:
    """Grades of rows that are 1 at the last step that was passed."""
    return np.where((target == 1).any(-1), target.argmax(-1) + 1, 0)


def _surely(grades: Any, size: float, steps: int) -> Any:
    """Rows of logits that predict these grades."""
    places = np.arange(steps)
    return np.where(places < grades[..., None], size, -size) - places


@dataclass(frozen=True)
class Grades(Kind):
    """Rows of logits of the steps from each of K grades to the next, and a grade from 0 to K − 1 for each row.

    A body gets rows of steps as target: 1 for a step that the grade has passed, −1 for the others, or if `conditional`
    −1 for the first of them and 0 for the rest, which were not tried. Such rows may also be given; rows of 0 and 1,
    as other code takes them, are refused. Grades of `ignore_index` do not count.
    """

    conditional: bool = False
    own_options: ClassVar[tuple[str, ...]] = ("ignore_index",)
    takes_integers: ClassVar[bool] = True
    target_words: ClassVar[str] = "integer grades, from 0 to the number of logits"
    example_maker: ClassVar[type[Examples]] = StepExamples

    def enter(
        self, r: ModuleType, owner: str, arguments: Arguments, *,
        weight: Array | None, mask: Array | None, settings: dict[str, Any], axis: int = -1,
        ignore_index: int | None = None, find_kernel: FindKernel = no_kernel,
    ) -> Batch:  # fmt: skip
        prediction, target = enter_all(r, owner, self.arguments, arguments)
        axis = valid_axis(owner, axis, prediction)
        moved = r.moveaxis(prediction, axis, -1)
        has_grades = target.ndim < prediction.ndim
        grades = target
        if has_grades:
            if tuple(target.shape) != tuple(moved.shape[:-1]) or not r.is_integer(target):
                raise ValueError(
                    f"{owner}: prediction {tuple(prediction.shape)} goes with integer grades {tuple(moved.shape[:-1])} "
                    f"or rows of steps {tuple(prediction.shape)}, got a target of {target.dtype} {tuple(target.shape)}."
                )
            grades = r.labels(target)
            mask = mask_ignored(r, owner, prediction, grades, mask, ignore_index)
            most = moved.shape[-1]
            inside = r.where(grades < 0, 0, r.where(grades > most, most, grades))  # others are refused below
            target = r.moveaxis(self._steps(r, inside, moved), -1, axis)
        elif ignore_index is not None:
            raise ValueError(f"{owner}: ignore_index goes with integer grades; mask rows of steps instead")
        batch = super().enter(
            r, owner, (prediction, target), weight=weight, mask=mask, settings=settings, axis=axis,
            find_kernel=find_kernel,
        )  # fmt: skip
        if has_grades:
            wrong = (grades < 0) | (grades > most)
            wrong = wrong if batch.coefficient is None else wrong & (batch.coefficient != 0)
            refuse(r, owner, "grade", grades, wrong, f"must lie in [0, {most}]")
            if not r.is_concrete(grades):
                r.assert_on_gpu(~wrong, f"{owner}: a grade does not lie in [0, {most}]")
        return batch

    def _steps(self, r: ModuleType, grades: Array, like: Array) -> Array:
        grades, steps = grades[..., None], r.arange(like.shape[-1], like)
        return r.where(steps < grades, 1.0, r.where(self.conditional & (steps > grades), 0.0, -1.0))


@dataclass(frozen=True)
class CumulativeGrades(Grades):
    """Rows of logits that fall, of a grade above each of the first K − 1, and a grade from 0 to K − 1 for each row.

    A body gets rows as target that are 1 at the last step that the grade has passed, −1 at the next, and elsewhere 0.
    """

    example_maker: ClassVar[type[Examples]] = CumulativeExamples

    def _steps(self, r: ModuleType, grades: Array, like: Array) -> Array:
        ahead = r.arange(like.shape[-1], like) - grades[..., None]
        return r.where(ahead == -1, 1.0, r.where(ahead == 0, -1.0, 0.0))
