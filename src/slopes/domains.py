"""Domains of parameters, stated in a card's signature: ``alpha: Positive = 1.0``."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np


class Domain(ABC):
    """The base class; its text describes the admitted values."""

    has_rows: ClassVar[bool] = False  #: a value may be an array or a tuple of a number for each entry of a row

    @abstractmethod
    def admits(self, value: Any) -> bool:
        """Whether the value lies in the domain."""

    def outside(self) -> tuple[Any, ...]:
        """Values that must be refused, for the audit."""
        return ()

    def read(self, value: Any) -> Any:
        """Convert a given value to one that is checked and kept."""
        return plain(value)

    def check(self, owner: str, name: str, value: Any) -> None:
        """Raise ValueError unless the value is admitted."""
        if not self.admits(value):
            raise ValueError(f"{owner}: {name} must be {self}, got {self.described(value)}")

    def described(self, value: Any) -> str:
        """Format a refused value for a message."""
        return shown(value)


def plain(value: Any) -> Any:
    """Convert NumPy's numbers to Python's; anything with ``__array__`` but tensors to arrays."""
    if type(value) in (float, int, bool, str):
        return _as_float(value) if type(value) is int and abs(value) > EXACT else value
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and not value.ndim):
        number = value.item()
        return float(number) if isinstance(number, np.floating) else number  # item() keeps np.longdouble
    if hasattr(type(value), "__array__") and not isinstance(value, np.ndarray) and not is_tensor(value):
        return np.asarray(value)
    return value


EXACT = 2**53  #: a float holds every integer up to this


def _as_float(number: int) -> float:
    """Return the integer as a float if it fits; tensors take at most 64 bits."""
    try:
        return float(number)
    except OverflowError:
        return number


def is_tensor(value: Any) -> bool:
    """Whether it is a tensor or an array of JAX, without reading its values."""
    if isinstance(value, (bool, int, float, str)):
        return False
    return hasattr(value, "requires_grad") or hasattr(value, "aval")


def is_array(value: Any) -> bool:
    """Whether it is an array or tensor with axes."""
    return type(value) not in (float, int, bool, str) and bool(getattr(value, "shape", ()))


def is_tuple_of_numbers(value: Any) -> bool:
    """Whether it is a tuple of Python's numbers."""
    return type(value) is tuple and all([type(each) in (float, int) for each in value])


def shown(value: Any) -> str:
    """Return one short line for a message."""
    if isinstance(value, int) and abs(value) > EXACT and not isinstance(_as_float(value), float):
        digits = math.floor((value.bit_length() - 1) * math.log10(2)) + 1
        return f"an integer of {digits + (abs(value) >= 10**digits)} digits, which no float holds"
    if getattr(value, "shape", ()):
        return f"an array of shape {tuple(value.shape)}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:79]}…"


@dataclass(frozen=True)
class Interval(Domain):
    """The real numbers between two bounds, included if `closed`."""

    low: float = -math.inf
    high: float = math.inf
    closed: bool = False

    def __str__(self) -> str:
        at_least, at_most = (">=", "<=") if self.closed else (">", "<")
        bounds = [f"{at_least} {self.low:g}"] * (self.low > -math.inf) + [f"{at_most} {self.high:g}"] * (
            self.high < math.inf
        )
        return " and ".join(bounds) or "a finite number"

    def admits(self, value: Any) -> bool:
        """Whether each number is contained; a tensor passes, since reading it stops traces and waits."""
        if isinstance(value, np.ndarray):
            return value.dtype.kind in "fiu" and bool(np.all(self.contains(value)))
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            return is_tensor(value)
        number = _as_float(value) if type(value) is int else value
        return type(number) is not int and bool(self.contains(number))

    def contains(self, values: Any) -> Any:
        """Whether each number is finite and between the bounds."""
        if self.closed:
            inside = (self.low <= values) & (values <= self.high)
        else:
            inside = (self.low < values) & (values < self.high)
        return inside & (abs(values) < math.inf)

    def described(self, value: Any) -> str:
        """Format a refused value, or an array's first wrong number."""
        if isinstance(value, list):
            return f"{shown(value)}; give an array"
        if not isinstance(value, np.ndarray):
            is_infinite = isinstance(value, (float, np.floating)) and abs(value) == math.inf
            return f"{shown(value)}; give a finite number" if is_infinite else shown(value)
        if value.dtype.kind not in "fiu":
            return f"an array of dtype {value.dtype}"
        wrong = value[~self.contains(value)][0]
        return f"{wrong} in {shown(value)}"

    def other(self, value: float) -> float:
        """Return another number near the value, to repeat a check with."""
        near = (1.5 * value + 0.25, 0.5 * value + 0.125, (self.low + self.high) / 2, (self.low + value) / 2)
        return next(number for number in near if number != value and self.admits(number))

    def outside(self) -> tuple[Any, ...]:
        """Numbers beyond the bounds, NaN, inf and a string."""
        beyond = [edge for edge in (self.low - 1, self.high + 1) if abs(edge) < math.inf]
        edges = [] if self.closed else [edge for edge in (self.low, self.high) if abs(edge) < math.inf]
        return (*beyond, *edges, math.nan, math.inf, "1.0")


@dataclass(frozen=True)
class OrNone(Interval):
    """An interval or None, which turns the parameter off."""

    def __str__(self) -> str:
        return f"None or {super().__str__()}"

    def admits(self, value: Any) -> bool:
        """Whether it is None or in the interval."""
        return value is None or super().admits(value)

    def other(self, value: float | None) -> float:
        """Return another number, even if the parameter is off."""
        return super().other(self.low if value is None else value)


@dataclass(frozen=True)
class OfClasses(Interval):
    """The numbers of an interval, one for all classes, or an array with one for each."""

    has_rows = True


@dataclass(frozen=True)
class Odd(Domain):
    """The odd numbers."""

    def __str__(self) -> str:
        return "an odd number of pixels, at least 1"

    def admits(self, value: Any) -> bool:
        """Whether it is an odd integer of at least 1."""
        return type(value) is int and value >= 1 and value % 2 == 1


@dataclass(frozen=True)
class NumberOrNone(OrNone):
    """One number, or None."""

    def admits(self, value: Any) -> bool:
        """Whether it is None or a single number in the interval."""
        return value is None or (type(value) in (int, float) and super().admits(value))

    def described(self, value: Any) -> str:
        """Format a refused value."""
        return shown(value)


@dataclass(frozen=True)
class RowOrNone(OrNone):
    """A number of an interval for each entry of a row, one number for all, or None; lists and arrays become tuples."""

    has_rows = True

    def __str__(self) -> str:
        return f"None, a number {Interval.__str__(self)}, or one for each entry of a row"

    def read(self, value: Any) -> Any:
        """Convert to a number, a tuple of numbers or a tensor; anything else stays, to be refused."""
        return _with_tuple(value)

    def admits(self, value: Any) -> bool:
        """Whether it is None, a number in the interval, or a row of them that is not empty."""
        if isinstance(value, tuple):
            return bool(value) and all(type(each) in (float, int) and self.admits(each) for each in value)
        return not isinstance(value, np.ndarray) and super().admits(value)

    def described(self, value: Any) -> str:
        """Format a refused value, or a row's first wrong number."""
        if not isinstance(value, tuple) or not value:
            return shown(value)
        wrong = next(each for each in value if not self.admits((each,)))
        return f"{shown(wrong)} in {shown(value)}"


def _with_tuple(value: Any) -> Any:
    """Return lists and arrays of one axis as tuples, other values as they are."""
    value = plain(value)
    if isinstance(value, np.ndarray):
        value = value.tolist() if value.ndim == 1 and value.dtype.kind in "fiu" else value
    return tuple(map(plain, value)) if isinstance(value, (list, tuple, range)) else value


@dataclass(frozen=True)
class Coefficients(Domain):
    """Finite numbers that belong together, or a tensor of one axis; lists and arrays become tuples."""

    has_rows = True

    def __str__(self) -> str:
        return "a sequence of one or more finite numbers"

    def read(self, value: Any) -> Any:
        """Convert to a tuple or a tensor; anything else stays, to be refused."""
        return _with_tuple(value)

    def admits(self, value: Any) -> bool:
        """Whether there is a number, and each is finite; a tensor of numbers passes by its shape."""
        if isinstance(value, tuple):
            return bool(value) and is_tuple_of_numbers(value) and all(map(Interval().admits, value))
        return is_tensor(value) and len(value.shape) == 1 and value.shape[0] > 0 and "bool" not in str(value.dtype)

    def outside(self) -> tuple[Any, ...]:
        """A single number, no number at all, and sequences of others."""
        return (1.0, (), (1.0, math.nan), (math.inf,), ("1.0",), None)


@dataclass(frozen=True)
class Above(Interval):
    """The finite numbers above another parameter or, if `closed`, equal to it."""

    than: str = ""

    def __str__(self) -> str:
        return f"a finite number {'>=' if self.closed else '>'} {self.than}"

    def compare(self, owner: str, name: str, settings: Mapping[str, Any]) -> None:
        """Raise ValueError unless this parameter is greater."""
        value, bound = settings[name], settings[self.than]
        if is_tensor(value) or is_tensor(bound):
            return
        try:
            fit = bound <= value if self.closed else bound < value
        except ValueError:
            shapes = f"{self.than} {np.shape(bound)} and {name} {np.shape(value)}"
            raise ValueError(f"{owner}: {shapes} do not broadcast to one shape") from None
        if not (fit.all() if isinstance(fit, np.ndarray) else fit):
            given = f"{self.than}={_first_misfit(bound, fit)} and {name}={_first_misfit(value, fit)}"
            raise ValueError(f"{owner}: {name} must be {self}, got {given}")


def _first_misfit(value: Any, fit: Any) -> str:
    if not isinstance(value, np.ndarray):
        return shown(value)
    return f"{np.broadcast_to(value, fit.shape)[~fit][0]} in {shown(value)}"


@dataclass(frozen=True)
class OneOf(Domain):
    """One of a few values."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return "one of " + ", ".join(map(repr, self.values))

    def admits(self, value: Any) -> bool:
        """Whether it is one of them, with its type: 1 is not True."""
        return any(type(value) is type(member) and value == member for member in self.values)

    def outside(self) -> tuple[Any, ...]:
        """Values that are never listed."""
        return ("banana", None)


@dataclass(frozen=True)
class Noise(Domain):
    """Random numbers, one per entry, that a call with a generator draws; a number fixes them."""

    distribution: str
    low: float = -math.inf
    high: float = math.inf

    def __str__(self) -> str:
        bounds = f" in [{self.low:g}, {self.high:g}]" if self.low > -math.inf else ""
        return f"a number or an array of {self.distribution} noise{bounds}"

    def admits(self, value: Any) -> bool:
        """Whether each number could have been drawn."""
        return Interval(self.low, self.high, closed=True).admits(value)

    def outside(self) -> tuple[Any, ...]:
        """Values that could not have been drawn."""
        return Interval(self.low, self.high, closed=True).outside()


Number = float | Any  #: a number, an array beside arrays, or a tensor beside tensors
Real = Annotated[Number, Interval()]
Positive = Annotated[Number, Interval(0.0)]
PositiveOfClasses = Annotated[Number, OfClasses(0.0)]
NonNegative = Annotated[Number, Interval(0.0, closed=True)]
OpenUnitInterval = Annotated[Number, Interval(0.0, 1.0)]
UnitInterval = Annotated[Number, Interval(0.0, 1.0, closed=True)]
NonNegativeOrNone = Annotated[Number | None, OrNone(0.0, closed=True)]
UnitIntervalOrNone = Annotated[Number | None, OrNone(0.0, 1.0, closed=True)]
Levels = Annotated[Number | tuple[float, ...] | None, RowOrNone(0.0, 1.0)]
AboveOne = Annotated[Number, Interval(1.0)]
Numbers = Annotated[tuple[float, ...] | Any, Coefficients()]
Uniform = Annotated[Number, Noise("uniform", 0.0, 1.0)]
Gumbel = Annotated[Number, Noise("gumbel")]
Flag = Annotated[bool, OneOf((True, False))]


def type_and_remedy(x: Any) -> str:
    """Return a non-array's type, with any way to convert it."""
    name = f"the class {x.__name__}" if isinstance(x, type) else type(x).__name__
    if hasattr(x, "toarray"):
        return f"{name}; its toarray() makes an array"
    if isinstance(x, (str, bytes, dict, type)) or not isinstance(x, Iterable):
        return name
    values = "it" if type(x).__name__ in ("memoryview", "array") else "list(it)"
    return f"{name}; numpy.asarray({values}) makes an array"
