"""A card as a function of one number: an activation of x, a loss of a residual, a margin or a prediction."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from types import ModuleType
from typing import Any

import numpy as np

from slopes.card import Activation, Card, Gate, Loss, Map
from slopes.kinds.spaces import Space
from slopes.ops import joined
from slopes.proving.numbers import INFINITIES, LARGEST, middle
from slopes.readings.interval import Jet, Row

RESIDUAL, MARGIN = "residual", "margin"

Box = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """The numbers from `low` to `high`, and a box of the arguments beside them."""

    card: Card
    variable: str = "x"
    low: float = -LARGEST
    high: float = LARGEST
    beside: tuple[Box, ...] = ()
    names: tuple[str, ...] = ()  #: of the arguments beside
    is_reached: bool = True  #: whether the least value of a loss is that of its right prediction

    def arguments(self, x: Any, beside: tuple[Any, ...], add: Callable[[Any, Any], Any]) -> tuple[Any, ...]:
        """Return the card's arguments at x; `add` is its sum with a target."""
        if self.variable == RESIDUAL:
            return add(x, beside[0]), *beside
        return (x * beside[0] if self.variable == MARGIN else x), *beside

    def function(self, r: ModuleType, body: Callable[..., Any]) -> Callable[[Any], Any]:
        """Return a body as a function of the one number, in a reading that has boxes."""
        settings = self.card._settings({}, r)
        beside = tuple(r.constant(*box) for box in self.beside)
        return lambda x: body(*self.arguments(r.jet(x), beside, r.Shifted), **settings)

    def values_at_infinities(self) -> list[tuple[float, float, float]]:
        """Return (infinity, value by NumPy, last number before it) for activations."""
        if self.beside:
            return []
        values: Any = self.card(np.array(INFINITIES))
        return list(zip(INFINITIES, map(float, values), (self.low, self.high), strict=True))

    @property
    def is_point(self) -> bool:
        return all(low == high for low, high in self.beside)

    def points(self) -> Iterator[Line]:
        """Yield the lines at the corners of the box and at 0 and 1 in it."""
        for chosen in product(*({x for x in (0.0, 1.0, low, high) if low <= x <= high} for low, high in self.beside)):
            yield replace(self, beside=tuple((x, x) for x in chosen))

    def halves(self) -> list[Line]:
        """Return the lines of two boxes, or nothing if no side can be split."""
        for place, (low, high) in reversed(list(enumerate(self.beside))):
            half = middle(low, high)
            if half is not None:
                before, after = self.beside[:place], self.beside[place + 1 :]
                return [replace(self, beside=(*before, side, *after)) for side in ((low, half), (half, high))]
        return []

    def __str__(self) -> str:
        if not self.beside:
            return ""
        beside = zip(self.names, self.beside, strict=True)
        sides = (f"{name} {low!r}" if low == high else f"any {name}" for name, (low, high) in beside)
        return f", with {self.variable} for x and {' and '.join(sides)}"


def lines(card: Any) -> list[Line]:
    """Return the lines and boxes that together are all of a card's arguments.

    Of a gate, the value is 1; of a map, x is the first entry of the row (x, 0, 0).
    """
    if isinstance(card, Map):
        return [Line(_of_gate_alone(card) if isinstance(card, Gate) else _of_first_entry(card))]
    if not isinstance(card, Loss):
        return [Line(card)]
    first, *spaces = card.kind.spaces(card.settings)
    names = tuple(argument.name for argument in card.kind.arguments[1:])
    is_difference = first.is_real and spaces[0].is_real
    variable = RESIDUAL if is_difference else MARGIN if spaces[-1].is_sign else card.kind.arguments[0].name
    low, high = _boxes(first)[-1]
    if not first.open:
        low, high = max(first.low, -LARGEST), min(first.high, LARGEST)
    return [
        Line(card, variable, low, high, box, names, is_reached=not spaces[0].is_yes_or_no or box[0][0] == box[0][1])
        for box in product(*map(_boxes, spaces))
    ]


def _of_gate_alone(card: Any) -> Activation:
    """Return a gate as an activation, with 1 for the value."""

    def body(x: Any) -> Any:
        return card.body(x, 1.0, **card.settings)

    made = Activation(body, definition=lambda x: card.textbook(x, 1.0, **card.settings))
    return made._copy_with(name=card.name, claims=card.claims)


def _of_first_entry(card: Any) -> Activation:
    """Return the first entry of a map of the row (x, 0, 0) as an activation."""

    def of_row(body: Any) -> Callable[[Any], Any]:
        def first(x: Any) -> Any:
            if isinstance(x, Jet):
                return body(Row(x, (0, 0)), **card.settings)
            zero = 0 * x[..., None]
            return body(joined(x[..., None], joined(zero, zero)), **card.settings)[..., 0]

        return first

    made = Activation(of_row(card.body), definition=of_row(card.textbook))
    return made._copy_with(name=card.name, claims=card.claims)


def _boxes(space: Space) -> list[Box]:
    """Return the boxes of a space: ends that belong to it are boxes of their own, as formulas are others there."""
    ends = [(end, end) for end in (space.low, space.high) if abs(end) < math.inf and not space.open]
    if space.is_sign:
        return ends
    low = math.nextafter(space.low, math.inf) if space.low > -math.inf else -LARGEST
    high = math.nextafter(space.high, -math.inf) if space.high < math.inf else LARGEST
    return [*ends, (low, high)]
