"""The base of all kinds of losses.

A body sees clean arrays: one shape, rows on the last axis, nothing masked, values in range.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_
from types import ModuleType
from typing import Any, ClassVar, NamedTuple

import numpy as np

from slopes.constants import Array
from slopes.domains import Interval, OneOf, plain, shown
from slopes.kinds.examples import Arguments, Examples
from slopes.kinds.spaces import SPACES, Fault, Space, refuse

#: arguments besides the first that come out of a model
LEARNED = (
    "second", "positive", "negative", "rejected", "variance", "zero_logit", "evidence", "shape", "scale",
)  # fmt: skip
REDUCTIONS = OneOf(("mean", "sum", "none"))
DIVISOR = Interval(0.0, closed=True)
FindKernel = Callable[..., Any]
"""A function (prediction, axis, labels, smoothing) for the kernels of rows along the axis, or None."""


def no_kernel(prediction: Array, axis: int, labels: bool, smoothing: float = 0.0) -> None:
    """There is no kernel."""


def check_same_shape(owner: str, **arrays: Array) -> None:
    shapes = [tuple(array.shape) for array in arrays.values()]
    if all(shape == shapes[0] for shape in shapes[1:]):
        return
    named = " and ".join(f"{name} {shape}" for name, shape in zip(arrays, shapes, strict=True))
    try:
        outcome = f"broadcasting would give {np.broadcast_shapes(*shapes)}"
    except ValueError:
        outcome = "they do not broadcast either"
    raise ValueError(f"{owner}: {named} must have one shape; {outcome}.")


def check_shape_kept(owner: str, came: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if came != wanted:
        raise ValueError(f"{owner}: the body gives shape {came} where {wanted} is due, with one value for each entry")


def check_numbers(owner: str, computed: Any) -> None:
    if not hasattr(computed, "dtype") and (isinstance(computed, bool) or not isinstance(computed, (int, float))):
        raise TypeError(f"{owner}: the body must give an array or a number, got {shown(computed)}")


def check_broadcast(owner: str, name: str, shape: tuple[int, ...], other: str, wanted: tuple[int, ...]) -> None:
    """Raise ValueError unless a shape broadcasts to the wanted one, with one that does."""
    entries = zip(reversed(shape), reversed(wanted), strict=False)
    if len(shape) <= len(wanted) and all(size in (1, due) for size, due in entries):
        return
    axes = [axis for axis, size in enumerate(wanted) if (size,) == shape]
    axis = 1 if 1 in axes else min(axes, default=0)  # channels lie on axis 1
    hint = f"; its shape may be {shape + (1,) * (len(wanted) - 1 - axis)}" if axes else ""
    raise ValueError(f"{owner}: {name} {shape} does not broadcast to the shape of {other}, {wanted}{hint}")


def check_unreduced(owner: str, name: str, array: Array, wanted: tuple[int, ...]) -> None:
    """Raise ValueError unless a mask or weight has the shape of the unreduced loss."""
    if tuple(array.shape) != wanted:
        raise ValueError(f"{owner}: {name} {tuple(array.shape)} must have the shape of the unreduced loss, {wanted}")


def check_mask(owner: str, mask: Array) -> None:
    if "bool" not in str(mask.dtype):
        raise TypeError(f"{owner}: mask must be boolean (True counts), got dtype {mask.dtype}")


def valid_axis(owner: str, axis: Any, x: Array) -> int:
    """The axis as an integer; raise ValueError if x lacks it or is empty along it."""
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
    """Clean arguments of a body, and the reduction of its values."""

    r: ModuleType
    owner: str
    original: Array  #: first argument as given
    arguments: Arguments
    like: Array  #: in the shape of the unreduced values
    dtype: Any  #: of the result
    restore: Callable[[Array], Array] | None = None  #: a gradient to the first argument's layout
    coupled: bool = False  #: a value depends on other rows
    coefficient: Array | None = None  #: factor of each value, or None
    weighted: bool = False  #: the coefficient includes weights
    learns_weights: bool = False  #: a gradient by the weights may be wanted
    divisor: Any = None  #: the mean's denominator, or None
    denominator: Array | None = None  #: summed for the mean, in place of the coefficient
    may_be_zero: bool = False  #: the divisor's value cannot be read in a trace
    reduced: bool = True
    kernel: Any = None
    counts: Array | None = None  #: mask of values that count, if the kernel gets masked rows

    def reduce_by(self, reduction: str, divisor: Any) -> None:
        """Choose the divisor: of a mean, as given or else the sum of coefficients."""
        reduction = plain(reduction)
        REDUCTIONS.check(self.owner, "reduction", reduction)
        if divisor is not None and reduction != "mean":
            raise ValueError(
                f"{self.owner}: divisor replaces the mean's denominator; it does not go with {reduction!r}"
            )
        self.reduced = reduction != "none"
        if reduction == "mean":
            if divisor is not None:
                self.divisor = self._own(divisor)
                return
            self.divisor = self.count()
            if isinstance(self.divisor, (int, float)):  # the sum over nothing is 0
                self.divisor = self.divisor or math.inf
            elif hasattr(self.divisor, "ndim"):
                self.may_be_zero = True
            else:  # a symbol, torch.export's dynamic size
                self.divisor = max(self.divisor, 1)

    def count(self) -> Any:
        """A mean's denominator: a number if it is known and needs no gradient, else an array."""
        counted = self.coefficient if self.denominator is None else self.denominator
        if counted is None:
            return self.r.count(self.like)
        self.check_weights(": the mean divides by their sum; reduction='sum' and a divisor go with any")
        total = self.r.total(counted)
        return float(total) if self.r.is_concrete(counted) and not self.r.wants_gradient(counted) else total

    def check_weights(self, advice: str = "") -> None:
        """Raise ValueError for a concrete weight that is negative or not finite."""
        weights, r = self.coefficient, self.r
        if not self.weighted or weights is None or not r.is_concrete(weights) or not r.count(weights):
            return
        least, largest = r.extremes(weights)
        if not (least >= 0 and largest < math.inf):
            wrong = ~((weights >= 0) & (weights < math.inf))
            refuse(r, self.owner, "weight", weights, wrong, "must be >= 0 and finite", advice=advice)

    def _own(self, divisor: Any) -> Any:
        divisor = plain(divisor)
        if isinstance(divisor, (int, float)):
            DIVISOR.check(self.owner, "divisor", divisor)
            return float(divisor) or math.inf  # 0 gives 0, like the mean over nothing
        self.may_be_zero = True
        divisor = self.r.enter(divisor, f"{self.owner}: divisor", self.original)
        if divisor.ndim:
            raise ValueError(f"{self.owner}: divisor must be one number, got shape {tuple(divisor.shape)}")
        refuse(self.r, self.owner, "divisor", divisor, ~(divisor >= 0), "must be >= 0")
        return self.r.widen(divisor, like=self.like)

    def _scaled(self, values: Array) -> Array:
        if self.divisor is None or not self.may_be_zero:
            return values if self.divisor is None else values / self.divisor
        nothing = self.divisor == 0
        return self.r.where(nothing, 0.0, values / self.r.where(nothing, 1.0, self.divisor))

    def drop_infinite(self, value: Callable[..., Array], declared: Sequence[Argument]) -> None:
        """Remove values that are not finite where a weight is 0, as 0 · inf is NaN; the gradient by the weight is 0.

        Only where that gradient may be wanted: without it, a weight of 0 is a mask.
        """
        if not self.learns_weights:
            return
        r = self.r
        values = self._checked(r.differentiable(value, None, *map(r.stop_gradient, self.arguments)))
        lost = (self.coefficient == 0) & ~(abs(values) < math.inf)
        self.arguments = tuple(
            x if r.is_integer(x) else r.where(lost[..., None] if x.ndim > lost.ndim else lost, space.filler(r, x), x)
            for x, (_, space, _) in zip(self.arguments, declared, strict=True)
        )
        self.coefficient = r.where(lost, 0.0, self.coefficient)

    def _checked(self, values: Array) -> Array:
        """Raise ValueError or TypeError unless a body gave a number for each value."""
        check_numbers(self.owner, values)
        check_shape_kept(self.owner, tuple(getattr(values, "shape", ())), tuple(self.like.shape))
        return values

    def reduce(self, values: Array) -> Array:
        values = self._checked(values)
        if self.counts is not None:
            values = self.r.where(self.counts, values, 0.0)
        if self.coefficient is not None:
            values = values * self.coefficient
        return self._scaled(self.r.total(values)) if self.reduced else values

    def cotangent(self) -> Array:
        """Gradient of the reduced loss by each value."""
        counted = self.coefficient
        return self._scaled(self.r.where(self.like == self.like, 1.0, 1.0) if counted is None else counted)

    def values(self, value: Callable[..., Array], slope: Callable[..., Array] | None) -> Array:
        attach = self.r.with_vjp if self.coupled else self.r.differentiable
        return attach(value, slope, *self.arguments)

    def pull_back(self, name: str, value: Callable[..., Array], slope: Callable[..., Array] | None) -> Array:
        """Gradient of the reduced loss by the first argument."""
        counted = self.coefficient
        if slope is None or self.coupled:
            cotangent = self.cotangent()
            if slope is None:
                rows = self.r.slope_of(name, value, *self.arguments, cotangent=cotangent, coupled=self.coupled)
            else:
                rows = slope(*self.arguments, self.r.widen(cotangent, like=self.like))
        else:
            rows = slope(*self.arguments)
            if counted is not None:
                while counted.ndim < rows.ndim:
                    counted = counted[..., None]
                rows = rows * counted
            rows = self._scaled(rows)
        return rows if self.restore is None else self.restore(rows)


class Argument(NamedTuple):
    """An argument of a loss; without `row` it lacks the rows' axis."""

    name: str
    space: Space
    row: bool = True


@dataclass(frozen=True)
class Kind:
    """An element-wise or row-wise kind.

    Other code asks for properties, not for a name.
    """

    name: str
    arguments: tuple[Argument, ...]
    rowwise: bool = False
    about: str = ""  #: a plot's axis label
    data: str = ""  #: its data in words, unless they are single predictions
    guess: int = 0  #: place among kinds tried for an unknown loss; 0: only by argument names
    name_parts: tuple[str, ...] = ()  #: of argument names that suggest it
    title_parts: tuple[str, ...] = ()  #: of names of functions and classes that suggest it
    known_spaces: tuple[tuple[str, ...], ...] = ()  #: arguments' spaces, likeliest first
    roles: tuple[str, ...] = ()  #: of the arguments, where a user declares them
    has_regions: ClassVar[bool] = False  #: rows are regions of pixels
    batched: ClassVar[bool] = False  #: the first axis must be the batch
    coupled: ClassVar[bool] = False  #: a value depends on other rows: the derivative takes a cotangent
    has_edges: ClassVar[bool] = False  #: entries at the edges of an example do not count
    has_fixed_shape: ClassVar[bool] = False  #: its examples take no other shapes
    example_maker: ClassVar[type[Examples]] = Examples

    own_options: ClassVar[tuple[str, ...]] = ()  #: besides an axis
    takes_labels: ClassVar[bool] = False  #: the target may be integer labels
    takes_integers: ClassVar[bool] = False  #: the target may be integers, labels or grades, without the axis of rows
    target_words: ClassVar[str] = ""  #: the target in words, unless its space says it

    @property
    def is_of_single_predictions(self) -> bool:
        """Whether it is fed a prediction per sample, and its target."""
        return not self.data

    @property
    def has_curve(self) -> bool:
        """Whether a line of examples can be drawn; each example of the others is a whole batch or image."""
        return self.has_regions or not self.batched

    @property
    def goal(self) -> Space | None:
        """Space of the target, in kinds of two arguments."""
        return self.arguments[1].space if len(self.arguments) == 2 else None

    @property
    def compares_numbers(self) -> bool:
        """Whether it compares numbers element-wise, no class or sign."""
        goal = self.goal
        return not self.rowwise and goal is not None and not goal.is_yes_or_no and not goal.is_sign

    @property
    def is_margin(self) -> bool:
        """Whether it is of a score times a sign."""
        return not self.rowwise and self.goal is not None and self.goal.is_sign

    @property
    def tells_yes_or_no(self) -> bool:
        """Whether each entry of the target is a yes or no."""
        return self.goal is not None and self.goal.is_yes_or_no and not self.has_regions

    @property
    def compares_distributions(self) -> bool:
        """Whether the target is a row of probabilities, no label."""
        return self.goal is not None and self.goal.has_classes and not self.takes_labels and not self.has_regions

    @property
    def compares_boxes(self) -> bool:
        return self.goal is not None and self.goal.has_corners

    @property
    def compares_logits(self) -> bool:
        """Whether prediction and target are logits, of a student and its teacher."""
        return self.rowwise and self.goal is not None and self.goal.is_logit

    @property
    def compares_vectors(self) -> bool:
        """Whether rows are vectors of any numbers."""
        return self.rowwise and self.arguments[0].space.is_real

    @property
    def compares_pairs(self) -> bool:
        """Whether the last argument tells the sign of a pair."""
        return len(self.arguments) == 3 and self.arguments[-1].space.is_sign

    @property
    def compares_triplets(self) -> bool:
        return self.compares_vectors and len(self.arguments) == 3 and not self.compares_pairs

    @property
    def predicts_vectors(self) -> bool:
        return self.compares_vectors and self.goal is not None and self.arguments[1].row

    @property
    def has_one_target_for_a_row(self) -> bool:
        """Whether a row of numbers has one number as its target."""
        goal = self.goal
        return self.rowwise and goal is not None and goal.is_real and not self.arguments[1].row

    @property
    def body(self) -> tuple[str, ...]:
        return tuple(argument.name for argument in self.arguments)

    @property
    def learned(self) -> tuple[int, ...]:
        """Places of the arguments that come out of a model."""
        return tuple(place for place, name in enumerate(self.body) if place == 0 or name in LEARNED)

    @property
    def place_of_weights(self) -> int | None:
        return self.roles.index("weight") if "weight" in self.roles else None

    def is_variant_of(self, other: Kind) -> bool:
        """Whether they differ at most in the spaces of their arguments."""
        return self.name == other.name

    def unreduced(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the unreduced loss."""
        return shape[:-1] if self.rowwise else shape

    def without_edges(self, values: Array, options: dict[str, Any]) -> Array:
        """The unreduced values but those at edges, which never count."""
        return values

    @property
    def masks_rows(self) -> bool:
        """Whether a mask and a weight have an entry for each row, and none for each of its entries."""
        return self.rowwise

    @property
    def symbols(self) -> tuple[str, ...]:
        """Arguments of the body as TeX."""
        known = {
            "prediction": "\\hat{y}", "target": "y", "variance": "v", "evidence": "nu", "shape": "alpha",
            "scale": "beta",
        }  # fmt: skip
        return tuple(known.get(name, name) for name in self.body)

    @property
    def options(self) -> tuple[str, ...]:
        """The kind's keywords of a call."""
        return ("axis", *self.own_options) if self.rowwise else self.own_options

    def signature(self) -> list[inspect.Parameter]:
        """Options as parameters of a signature."""
        declared = inspect.signature(type(self).enter).parameters
        return [declared[name] for name in self.options]

    def having(self, **spaces: str) -> Kind:
        """This kind with other spaces; class probabilities sum to 1."""
        unknown = spaces.keys() - {argument.name for argument in self.arguments}
        if unknown:
            raise TypeError(f"loss: a {self.name} loss has no argument {', '.join(unknown)}")
        first = self.arguments[0].name
        if spaces.get(first) == "probabilities" and (self.takes_labels or self.compares_distributions):
            spaces[first] = "distributions"
        changed = tuple(a._replace(space=SPACES[spaces[a.name]]) if a.name in spaces else a for a in self.arguments)
        return replace(self, arguments=changed)

    def variants(self) -> list[Kind]:
        """This kind with each of its common spaces."""
        return [self.having(**dict(zip(self.body, spaces, strict=False))) for spaces in self.known_spaces] or [self]

    def space_of(self, settings: dict[str, Any]) -> Space:
        return self.spaces(settings)[0]

    def spaces(self, settings: dict[str, Any]) -> list[Space]:
        """Each argument's space under the card's parameters."""
        first, *others = (argument.space for argument in self.arguments)
        if settings.get("from_probabilities"):
            first = SPACES["distributions" if self.rowwise else "probabilities"]
        elif settings.get("log_input") is False:
            first = SPACES["positive"]
        if settings.get("log_target"):
            others[0] = SPACES["log-probabilities"]
        return [first, *others]

    def body_arguments(self, settings: dict[str, Any]) -> tuple[Argument, ...]:
        """Arguments of a body with their spaces under the card's parameters."""
        pairs = zip(self.arguments, self.spaces(settings), strict=True)
        return tuple(argument._replace(space=space) for argument, space in pairs)

    def takes_any(self, settings: dict[str, Any]) -> bool:
        """Whether it is element-wise and takes any numbers, so that arguments reach the body unchanged."""
        unchecked = all(type(space) is Space and not space.rule for space in self.spaces(settings))
        return type(self) is Kind and not self.rowwise and unchecked

    def enter(
        self, r: ModuleType, owner: str, arguments: Arguments, *,
        weight: Array | None, mask: Array | None, settings: dict[str, Any], axis: int = -1,
        find_kernel: FindKernel = no_kernel,
    ) -> Batch:  # fmt: skip
        entered = enter_all(r, owner, self.arguments, arguments)
        first, spaces = entered[0], self.spaces(settings)
        if self.rowwise:
            axis = valid_axis(owner, axis, first)
        check_same_shape(owner, **{a.name: x for a, x in zip(self.arguments, entered, strict=True) if a.row})
        kernel = find_kernel(first, axis, False) if self.rowwise else None
        prepare = r.widen if kernel is None else r.for_kernel
        wide = prepare(first)
        clean = [wide, *(prepare(x, like=wide) for x in entered[1:])]
        if self.rowwise:
            clean = [r.moveaxis(x, axis, -1) if a.row else x for a, x in zip(self.arguments, clean, strict=True)]
        like = clean[0][..., 0] if self.rowwise else clean[0]
        batch = Batch(r, owner, first, (), like, r.result_dtype(first, loss=True), kernel=kernel)
        if self.rowwise:
            batch.restore = lambda rows: r.moveaxis(rows, -1, axis)
        faults = (fault for each in zip(spaces, clean, entered, strict=True) for fault in each[0].faults(r, *each[1:]))
        mask = select(batch, weight, mask, faults=faults)
        given = zip(self.arguments, spaces, clean, entered, strict=True)
        batch.arguments = tuple(self._valid(batch, mask, *each) for each in given)
        return batch

    def _valid(
        self, batch: Batch, mask: Array | None, argument: Argument, space: Space, x: Array, original: Array
    ) -> Array:
        """Fill masked entries; raise ValueError for a wrong shape or number."""
        r, owner, name, shape = batch.r, batch.owner, argument.name, tuple(batch.like.shape)
        if not argument.row and tuple(x.shape) != shape:
            raise ValueError(f"{owner}: {name} {tuple(x.shape)} must be {shape}, one for each row")
        space.check_shape(owner, name, x, original)
        if mask is not None:
            x = r.where(mask[..., None] if self.rowwise and argument.row else mask, x, space.filler(r, x))
        space.check(r, owner, name, x, original)
        return x

    def examples(self, settings: dict[str, Any]) -> Examples:
        return self.example_maker(self, settings)


def enter_all(r: ModuleType, owner: str, declared: Sequence[Argument], arguments: Arguments) -> list[Array]:
    """Arguments as arrays, on the first one's device."""
    first = r.enter(arguments[0], f"{owner}: {declared[0].name}")
    pairs = zip(declared[1:], arguments[1:], strict=True)
    return [first, *(r.enter(x, f"{owner}: {argument.name}", first) for argument, x in pairs)]


def select(
    batch: Batch, weight: Array | None, mask: Array | None, kept: Array | None = None, *,
    faults: Iterable[Fault] | None = None,
) -> Array | None:  # fmt: skip
    """Set the batch's coefficients; return the mask of values that count, if any.

    A weight of 0 is a mask. But its gradient is the value, so where it may be wanted only values of faulty arguments
    are masked; their gradient by the weight is 0. Without `faults` every 0 is a mask, as values depend on one another.
    """
    r, owner = batch.r, batch.owner
    wanted = tuple(batch.like.shape)
    given = {"weight": weight, "mask": mask}
    for name, array in given.items():
        if array is not None:
            given[name] = r.enter(array, f"{owner}: {name}", batch.original)
            check_unreduced(owner, name, given[name], wanted)
    weight, mask = given.values()
    if mask is not None:
        check_mask(owner, mask)
    conditions = [condition for condition in (mask, kept) if condition is not None]
    if weight is not None:
        weight, batch.weighted = r.widen(weight, like=batch.like), True
        if faults is None or not r.wants_gradient(weight):
            conditions.append(weight != 0)  # its value may be infinite, and 0 · inf is NaN
        else:
            batch.learns_weights = True
            conditions += [(weight != 0) | ~wrong for wrong in _rows_of(faults, wanted)]
    inside = reduce(and_, conditions) if conditions else None
    if weight is None:
        batch.coefficient = None if inside is None else r.widen(inside, like=batch.like)
    else:
        batch.coefficient = weight if inside is None else r.where(inside, weight, 0.0)
    return inside


def _rows_of(faults: Iterable[Fault], wanted: tuple[int, ...]) -> Iterator[Array]:
    """Masks of unreduced values."""
    for fault in faults:
        yield fault.wrong.any(-1) if fault.wrong.ndim > len(wanted) else fault.wrong


def checked_label(owner: str, ignore_index: Any) -> int:
    """Raise TypeError unless the label is an integer."""
    ignore_index = plain(ignore_index)
    if type(ignore_index) is not int:
        raise TypeError(f"{owner}: ignore_index must be an integer, got {ignore_index!r}")
    return ignore_index


def mask_ignored(
    r: ModuleType, owner: str, prediction: Array, target: Array, mask: Array | None, ignore_index: Any
) -> Array | None:
    """The mask without the places where the target is `ignore_index`, unless that is None."""
    if ignore_index is None:
        return mask
    kept: Array = target != checked_label(owner, ignore_index)
    if mask is None:
        return kept
    mask = r.enter(mask, f"{owner}: mask", prediction)
    check_mask(owner, mask)
    check_unreduced(owner, "mask", mask, tuple(kept.shape))
    return kept & mask
