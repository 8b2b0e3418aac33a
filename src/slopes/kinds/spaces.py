"""Spaces of numbers: bounds, a filler for masked entries, and random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, ClassVar, NamedTuple

import numpy as np

from slopes.constants import Array
from slopes.domains import OneOf

Draw = Callable[[np.random.Generator, tuple[int, ...]], Any]


class Fault(NamedTuple):
    """A rule, and where numbers break it."""

    numbers: Array
    wrong: Array  #: mask of the numbers
    rule: str
    came: str = ""  #: stands before a wrong number in the message
    advice: str = ""  #: ends the message


@dataclass(frozen=True)
class Space:
    """Numbers between two bounds, included unless `open`.

    Other code asks for properties, not for a name.
    """

    name: str
    draw: Draw
    low: float = -math.inf
    high: float = math.inf
    open: bool = False
    fill: float = 0.0
    whole: bool = False  #: drawn numbers may be rounded
    rule: str = ""
    advice: str = field(default="", compare=False)  #: ends the message on a number outside
    other: float = 1.0  #: a valid number other than the filler
    axis: str = ""  #: a plot's axis label
    words: str = ""  #: its numbers in words, if the name does not tell
    is_real: bool = False  #: all numbers, without a meaning such as a logit
    is_logit: bool = False
    is_probability: bool = False
    is_log_probability: bool = False
    is_cosine: bool = False
    is_yes_or_no: bool = False  #: a target's probabilities, mostly 0 or 1

    has_classes: ClassVar[bool] = False  #: a row has probabilities of classes
    has_corners: ClassVar[bool] = False  #: a row is a box
    is_sign: ClassVar[bool] = False
    has_edges: ClassVar[bool] = False  #: a row is 1 and −1 beside a grade, and 0 elsewhere
    falls: ClassVar[bool] = False  #: each entry of a row is less than the one before

    def __str__(self) -> str:
        return self.name

    @property
    def is_unbounded(self) -> bool:
        return self.is_real or self.is_logit

    @property
    def tells_probability(self) -> bool:
        return self.is_logit or self.is_probability or self.is_log_probability

    @property
    def is_positive(self) -> bool:
        return self.low == 0 and self.open and self.high == math.inf

    @property
    def is_half_line(self) -> bool:
        """Whether its only bound is below."""
        return self.low > -math.inf and self.high == math.inf

    @property
    def is_count(self) -> bool:
        return self.low == 0 and not self.open and self.high == math.inf

    def filler(self, r: ModuleType, like: Array) -> Any:
        """Valid value for masked entries of `like`."""
        return self.fill

    def check_shape(self, owner: str, name: str, rows: Array, original: Array) -> None:
        """Raise ValueError for rows of wrong length."""

    def check(self, r: ModuleType, owner: str, name: str, values: Array, original: Array) -> None:
        """Raise ValueError for a concrete invalid number."""
        if r.is_concrete(values):
            for fault in self.faults(r, values, original):
                refuse(r, owner, name, *fault)

    def faults(self, r: ModuleType, values: Array, original: Array) -> Iterator[Fault]:
        """Yield what may be wrong; `original` is the array as given. Masks keep the axis of rows."""
        if self.rule:
            yield Fault(values, self.is_outside(values), self.rule, advice=self.advice)

    def is_outside(self, values: Array) -> Array:
        """Mask of numbers outside the bounds; NaN is inside."""
        outside = (values <= self.low) if self.open else (values < self.low)
        return outside | (values > self.high)


#: for levels, which other code takes
ADVICE = "; of levels of 0 and 1 give the grades, levels.sum(-1)"


class Signs(Space):
    is_sign = True

    def is_outside(self, values: Array) -> Array:
        return (values != 1) & (values != -1)


class Steps(Signs):
    """Rows are 1 up to a step, −1 at it, and 0 behind it; no 0 stands before, as in levels of 0 and 1."""

    def is_outside(self, values: Array) -> Array:
        return super().is_outside(values) & (values != 0)

    def faults(self, r: ModuleType, values: Array, original: Array) -> Iterator[Fault]:
        yield from super().faults(r, values, original)
        first, rest, before = values[..., :1], values[..., 1:], values[..., :-1]
        for part, wrong in ((first, first == 0), (rest, (rest == 0) & (before == 1))):
            yield Fault(part, wrong, "must have a -1 before each 0", advice=ADVICE)


class Edges(Signs):
    """Rows are 1 at the last step that was passed, −1 at the next, which failed, and elsewhere 0."""

    has_edges = True

    def is_outside(self, values: Array) -> Array:
        return super().is_outside(values) & (values != 0)

    def filler(self, r: ModuleType, like: Array) -> Any:
        return r.where(r.arange(like.shape[-1], like) == 0, -1.0, 0.0)

    def faults(self, r: ModuleType, values: Array, original: Array) -> Iterator[Fault]:
        yield from super().faults(r, values, original)
        before, behind = values[..., :-1], values[..., 1:]
        alone = ((before == 1) & (behind != -1)) | ((behind == -1) & (before != 1))
        signs = r.sum(abs(values))
        at_ends = r.where(values[..., :1] == -1, 1.0, 0.0) + r.where(values[..., -1:] == 1, 1.0, 0.0)
        rule = "must be rows with a 1 at the last step that was passed, a -1 at the next and 0 elsewhere"
        wrong = alone.any(-1)[..., None] | (signs + at_ends != 2)
        yield Fault(signs, wrong, rule, "a row whose number of signs is ", "; or give integer grades")


class Falling(Space):
    """Rows whose entries fall, such as logits of a grade above ever higher ones."""

    falls = True

    def filler(self, r: ModuleType, like: Array) -> Any:
        return 0.0 - r.arange(like.shape[-1], like)

    def faults(self, r: ModuleType, values: Array, original: Array) -> Iterator[Fault]:
        rise = values[..., 1:] - values[..., :-1]
        yield Fault(rise, rise >= 0, self.rule, "a rise of ")


class Distributions(Space):
    """Rows sum to 1."""

    has_classes = True

    def __str__(self) -> str:
        return "probabilities"

    def filler(self, r: ModuleType, like: Array) -> Any:
        return 1.0 / like.shape[-1]

    def faults(self, r: ModuleType, values: Array, original: Array) -> Iterator[Fault]:
        yield from super().faults(r, values, original)
        half = "16" in str(original.dtype)  # float16's least step adds an error for each class
        tolerance = 2e-2 + 3e-8 * values.shape[-1] if half else 1e-3
        totals = r.sum(values)
        yield Fault(totals, abs(totals - 1) > tolerance, "must be rows that sum to 1", "a row that sums to ")


class Boxes(Space):
    """Rows are (x1, y1, x2, y2) with x1 <= x2 and y1 <= y2."""

    has_corners = True

    def filler(self, r: ModuleType, like: Array) -> Any:
        return r.where(r.arange(4, like) < 2, 0.0, 1.0)

    def check_shape(self, owner: str, name: str, rows: Array, original: Array) -> None:
        if rows.shape[-1] != 4:
            shape = tuple(original.shape)
            raise ValueError(f"{owner}: {name} must be rows of four, x1, y1, x2, y2, got shape {shape}")

    def faults(self, r: ModuleType, values: Array, original: Array) -> Iterator[Fault]:
        size = values[..., 2:] - values[..., :2]
        rule = "must be boxes x1, y1, x2, y2 with x1 <= x2 and y1 <= y2"
        yield Fault(size, size < 0, rule, "a width or height of ")


def refuse(
    r: ModuleType, owner: str, name: str, values: Array, wrong: Array, rule: str, came: str = "", advice: str = ""
) -> None:
    """Raise ValueError with the first wrong value, if values are concrete."""
    if r.is_concrete(values) and bool(wrong.any()):
        raise ValueError(f"{owner}: {name} {rule}, got {came}{values[wrong].reshape(-1)[0]}{advice}")


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return 3 * rng.standard_normal(shape)


def _distribution(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    rows = np.exp(_normal(rng, shape))
    return rows / np.sum(rows, axis=-1, keepdims=True)


def _box(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    low = rng.uniform(0, 2, (*shape[:-1], 2))
    return np.concatenate([low, low + rng.uniform(0.5, 3, low.shape)], axis=-1)


def _steps(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    steps = np.arange(shape[-1])
    failed = rng.integers(0, shape[-1] + 1, (*shape[:-1], 1))
    return np.where(steps < failed, 1.0, np.where(steps > failed, 0.0, -1.0))


def _edges(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    steps, failed = np.arange(shape[-1]), rng.integers(0, shape[-1] + 1, (*shape[:-1], 1))
    return np.where(steps == failed - 1, 1.0, np.where(steps == failed, -1.0, 0.0))


def _falling(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    falls = np.exp(rng.standard_normal(shape))
    return falls.mean(-1, keepdims=True) * shape[-1] / 2 + 3 * rng.standard_normal((*shape[:-1], 1)) - falls.cumsum(-1)


REAL = Space("real", _normal, whole=True, axis="prediction − target", words="real numbers", is_real=True)
LOGITS = Space("logits", _normal, whole=True, axis="logit", is_logit=True)
PROBABILITIES = Space(
    "probabilities", lambda rng, shape: 1 / (1 + np.exp(-_normal(rng, shape))), 0.0, 1.0, fill=0.5, whole=True,
    rule="must be probabilities in [0, 1]", other=0.25, axis="probability of 1", is_probability=True,
)  # fmt: skip
CHANCES = replace(
    PROBABILITIES, name="chances", draw=lambda rng, shape: np.clip(rng.uniform(-0.5, 1.5, shape), 0, 1), other=1.0,
    axis="", is_yes_or_no=True,
)  # fmt: skip
LOG_PROBABILITIES = Space(
    "log-probabilities", lambda rng, shape: np.log(_distribution(rng, shape)), fill=-1.0, other=-1.5,
    is_log_probability=True,
)  # fmt: skip  # there is no rule, as rounding may lift a log-probability above 0
LOG_LIKELIHOODS = Space(
    "log-likelihoods", lambda rng, shape: -np.exp(2 * rng.standard_normal(shape)), high=0.0, fill=-1.0,
    rule="must be <= 0", other=-1.5, words="log-likelihoods, <= 0",
)  # fmt: skip
POSITIVE = Space(
    "positive", lambda rng, shape: np.exp(rng.standard_normal(shape)), 0.0, open=True, fill=1.0, rule="must be > 0",
    other=7.0, words="numbers > 0",
)  # fmt: skip
NONNEGATIVE = Space(
    "non-negative",
    lambda rng, shape: rng.poisson(2.0, shape).astype(float),
    0.0,
    fill=1.0,
    whole=True,
    rule="must be >= 0",
    words="numbers >= 0",
)
ABOVE_MINUS_ONE = Space(
    "above -1",
    lambda rng, shape: np.expm1(rng.standard_normal(shape)),
    -1.0,
    open=True,
    rule="must be > -1",
    words="numbers > -1",
)
COSINES = Space(
    "cosines", lambda rng, shape: rng.uniform(-1, 1, shape), -1.0, 1.0, rule="must be cosines in [-1, 1]", other=0.25,
    is_cosine=True,
)  # fmt: skip
SIGNS = Signs(
    "signs", lambda rng, shape: rng.choice([-1.0, 1.0], shape), -1.0, 1.0, fill=1.0, whole=True, rule="must be -1 or 1"
)
STEPS = Steps(
    "steps between grades", _steps, -1.0, 1.0, fill=1.0, whole=True, rule="must be -1, 0 or 1",
)  # fmt: skip
EDGES = Edges("edges of grades", _edges, -1.0, 1.0, fill=1.0, whole=True, rule="must be -1, 0 or 1")
FALLING = Falling(
    "falling logits", _falling, axis="logit", words="logits that fall along each row",
    rule="must fall along each row, as score - thresholds does with rising thresholds",
)  # fmt: skip
DISTRIBUTIONS = Distributions(
    "distributions", _distribution, 0.0, 1.0, rule="must be probabilities in [0, 1]", is_probability=True
)
BOXES = Boxes("boxes", _box)

ALL = (
    REAL, LOGITS, PROBABILITIES, CHANCES, LOG_PROBABILITIES, LOG_LIKELIHOODS, POSITIVE, NONNEGATIVE, ABOVE_MINUS_ONE,
    COSINES, SIGNS, STEPS, EDGES, FALLING, DISTRIBUTIONS, BOXES,
)  # fmt: skip
SPACES = {space.name: space for space in ALL}


def read_space(owner: str, argument: str, given: Any, spaces: Iterable[Space] = ALL) -> str:
    """Name of one of the spaces; underscores may be written for its hyphens."""
    names = tuple(space.name for space in spaces)
    spelled = given.replace("_", "-") if isinstance(given, str) else given
    OneOf(names).check(owner, argument, spelled if spelled in names else given)
    return str(spelled)
