"""Activations of half types: a function of one float16 or bfloat16 has only 2^16 results, so they are kept in tables.

Results are computed in float64 and rounded to odd in float32: cut off, with the last bit set if anything was. A float32
rounded to odd has 13 bits or more beyond a half type, so that rounding it again is right, also where it is near a tie.
Some results lie so near a tie that float64 cannot tell the side; `NEAR_TIES` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from slopes.constants import Array
from slopes.fast.near_ties import NEAR_TIES
from slopes.readings import numpy as reading

COUNT = 2**16  #: numbers of a half type
EVERY = np.arange(COUNT, dtype=np.uint16)  #: their bits
LEAST = 2**10  #: numbers that are computed in the time of the call itself
STEP = 2.0**-46  #: relative; leads out of `NEAR`
NEAR = 0.75 * STEP  #: a relative distance from a tie, within which float64's errors may be as large


class Format(NamedTuple):
    """A half type: functions from its bits to float64 and from float32 to its bits."""

    widen: Callable[[Array], Array]
    narrow: Callable[[Array], Array]
    digits: int
    """Binary digits of a normal number."""
    least: int
    """Exponent of the least number, a power of 2."""


def _widen_bfloat16(bits: Array) -> Array:
    return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def _narrow_to_bfloat16(singles: Array) -> Array:
    bits = singles.view(np.uint32)
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    return np.where(np.isnan(singles), 0x7FC0, rounded).astype(np.uint16)


FORMATS = {
    "float16": Format(
        lambda bits: bits.view(np.float16).astype(np.float64),
        lambda singles: singles.astype(np.float16).view(np.uint16),
        11,
        -24,
    ),
    "bfloat16": Format(_widen_bfloat16, _narrow_to_bfloat16, 8, -133),
}


def find_ties(values: Array, name: str) -> Array:
    """The tie of a half type next to each float64, or NaN if it is not near."""
    _, _, digits, least = FORMATS[name]
    unit = np.maximum(np.frexp(values)[1] - digits, least)
    ties = np.ldexp(np.floor(np.ldexp(values, -unit)) + 0.5, unit)
    return np.where(abs(values - ties) <= NEAR * abs(values), ties, np.nan)


class HalfActivation:
    """An activation of a half type, with its parameters.

    Entries are computed one by one until they are as many as the format has numbers, then once for all: parameters of
    a schedule change at each step.
    """

    def __init__(self, card: Any, name: str, settings: Mapping[str, Any]) -> None:
        self._card, self._name, self._settings = card, name, settings
        self._sides = {output: _find_sides(card, name, settings, output) for output in ("value", "slope")}
        self._computed = {"value": 0, "slope": 0}
        self._tables: dict[str, Array] = {}
        self._values: Array | None = None

    def find(self, output: str, bits: Array) -> Array:
        """Value or slope of numbers given by their bits, as float32 rounded to odd."""
        if self.has_table(output, bits.size):
            return self.table(output)[bits]
        self._computed[output] += max(bits.size, LEAST)
        return self._compute(output, bits)

    def has_table(self, output: str, count: int) -> bool:
        """Whether there is a table, or one pays that is looked up `count` times."""
        return output in self._tables or self._computed[output] + max(count, LEAST) >= COUNT

    def find_values(self, bits: Array) -> Array:
        """Bits of the values."""
        return self.values[bits] if "value" in self._tables else self.narrow(self.find("value", bits))

    def narrow(self, singles: Array) -> Array:
        """Bits of the half type for float32."""
        with np.errstate(all="ignore"):
            return FORMATS[self._name].narrow(singles)

    def table(self, output: str) -> Array:
        """Value or slope of every number, by its bits, as float32 rounded to odd."""
        if output not in self._tables:
            self._tables[output] = self._compute(output, EVERY)
        return self._tables[output]

    @property
    def values(self) -> Array:
        """Bits of every number's value."""
        if self._values is None:
            self._values = self.narrow(self.table("value"))
        return self._values

    def _compute(self, output: str, bits: Array) -> Array:
        with np.errstate(all="ignore"):
            x = FORMATS[self._name].widen(bits)
            _, value, slope = self._card.bind(reading, x, self._settings)
            results = np.asarray((value if output == "value" else slope)(x), np.float64)
            sides = self._sides[output]
            if sides is not None:
                is_near = ~np.isnan(find_ties(results, self._name))
                results = results * (1 + is_near * sides[bits] * STEP)
            return reading.round_to_odd(results)


def _find_sides(card: Any, name: str, settings: Mapping[str, Any], output: str) -> Array | None:
    """By the bits of a number, 1 or −1 where the size of an exact result near a tie is above or below it."""
    choices = {key: value for key, value in settings.items() if value != card.parameters[key].default}
    ranges = NEAR_TIES.get((card.body.__name__, name, output, *choices.items()))
    if ranges is None:
        return None
    sides = np.zeros(COUNT, np.int8)
    for start, stop, side in ranges:
        sides[start:stop] = side
    return sides


@lru_cache(maxsize=64)  # of 640 KiB each
def _find_once(card: Any, name: str, listed: tuple[tuple[str, Any, str], ...]) -> HalfActivation:
    return HalfActivation(card, name, {key: value for key, value, _ in listed})


def finder(card: Any, name: str, settings: Mapping[str, Any]) -> Callable[[], HalfActivation]:
    """Function that finds or makes one of our activations of float16 or bfloat16, whose settings are no arrays.

    A user's body may read a global that changes.
    """
    listed = tuple([(key, value, repr(value)) for key, value in settings.items()])  # 0.0 equals -0.0
    return lambda: _find_once(card._root, name, listed)
