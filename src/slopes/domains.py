"""What a parameter may be: checked when it is bound, printed in messages and docs, sampled by the audit.

A card states a domain in its signature, as in ``alpha: Positive = 1.0``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np


class Domain(ABC):
    """The base of all domains; as text it says what it admits."""

    @abstractmethod
    def admits(self, value: Any) -> bool:
        """Whether the value lies in the domain."""

    def outside(self) -> tuple[Any, ...]:
        """Values that must be refused, for the audit."""
        return ()

    def check(self, owner: str, name: str, value: Any) -> None:
        """Raise ValueError naming owner, parameter, domain and value unless it is admitted.

        Tensors pass: to look at their values would stop a trace or wait for a device.
        """
        if _is_plain(value) and not self.admits(value):
            raise ValueError(f"{owner}: {name} must be {self}, got {value!r}")


def _is_plain(value: Any) -> bool:
    """Whether it is no tensor."""
    return isinstance(value, (bool, int, float, str)) or not hasattr(value, "requires_grad")


@dataclass(frozen=True)
class Interval(Domain):
    """The real numbers between two bounds, which belong to it only if `closed`."""

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
        """Whether the number, or each number of an array, lies between the bounds and is finite."""
        if isinstance(value, np.ndarray):
            return all(self.admits(entry) for entry in value.reshape(-1).tolist())
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            return False
        number: Any = value
        inside = self.low < number < self.high or (self.closed and self.low <= number <= self.high)
        return bool(inside) and abs(number) < math.inf

    def other(self, value: float) -> float:
        """Another number of the domain, near the value, at which to try what was tried there."""
        near = (1.5 * value + 0.25, 0.5 * value + 0.125, (self.low + self.high) / 2, (self.low + value) / 2)
        return next(number for number in near if number != value and self.admits(number))

    def outside(self) -> tuple[Any, ...]:
        """Numbers beyond the bounds, those that are no numbers, and text."""
        beyond = [edge for edge in (self.low - 1, self.high + 1) if abs(edge) < math.inf]
        edges = [] if self.closed else [edge for edge in (self.low, self.high) if abs(edge) < math.inf]
        return (*beyond, *edges, math.nan, math.inf, "1.0")


@dataclass(frozen=True)
class OrNone(Interval):
    """An interval, or None, which turns the parameter off."""

    def __str__(self) -> str:
        return f"None or {super().__str__()}"

    def admits(self, value: Any) -> bool:
        """Whether it is None, or lies in the interval."""
        return value is None or super().admits(value)

    def other(self, value: float | None) -> float:
        """A number, also where the parameter is off."""
        return super().other(self.low if value is None else value)


@dataclass(frozen=True)
class Above(Interval):
    """The finite numbers greater than another parameter of the card or, if `closed`, equal to it."""

    than: str = ""

    def __str__(self) -> str:
        return f"a finite number {'>=' if self.closed else '>'} {self.than}"

    def compare(self, owner: str, name: str, settings: Mapping[str, Any]) -> None:
        """Raise ValueError naming both parameters unless this one is the greater."""
        value, bound = settings[name], settings[self.than]
        if not (_is_plain(value) and _is_plain(bound)):
            return
        fit = bound <= value if self.closed else bound < value
        if not (fit.all() if isinstance(fit, np.ndarray) else fit):
            raise ValueError(f"{owner}: {name} must be {self}, got {self.than}={bound!r} and {name}={value!r}")


@dataclass(frozen=True)
class OneOf(Domain):
    """One of a few values."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return "one of " + ", ".join(map(repr, self.values))

    def admits(self, value: Any) -> bool:
        """Whether the value is one of them, type included: 1 is not True."""
        return any(type(value) is type(member) and value == member for member in self.values)

    def outside(self) -> tuple[Any, ...]:
        """Something that is never listed."""
        return ("banana", None)


@dataclass(frozen=True)
class Noise(Domain):
    """Random numbers, one for each entry, which a call draws if it is given a generator; a number holds them still."""

    distribution: str
    low: float = -math.inf
    high: float = math.inf

    def __str__(self) -> str:
        bounds = f" in [{self.low:g}, {self.high:g}]" if self.low > -math.inf else ""
        return f"a number or an array of {self.distribution} noise{bounds}"

    def admits(self, value: Any) -> bool:
        """Whether the number, or each of an array, could have been drawn."""
        return Interval(self.low, self.high, closed=True).admits(value)

    def outside(self) -> tuple[Any, ...]:
        """What could not have been drawn."""
        return Interval(self.low, self.high, closed=True).outside()


Real = Annotated[float, Interval()]
Positive = Annotated[float, Interval(0.0)]
NonNegative = Annotated[float, Interval(0.0, closed=True)]
OpenUnitInterval = Annotated[float, Interval(0.0, 1.0)]
UnitInterval = Annotated[float, Interval(0.0, 1.0, closed=True)]
UnitIntervalOrNone = Annotated[float | None, OrNone(0.0, 1.0, closed=True)]
AboveOne = Annotated[float, Interval(1.0)]
Uniform = Annotated[float, Noise("uniform", 0.0, 1.0)]
Gumbel = Annotated[float, Noise("gumbel")]
Flag = Annotated[bool, OneOf((True, False))]
