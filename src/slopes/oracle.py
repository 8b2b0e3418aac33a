"""Exact values and slopes of a card, at as many digits as asked of the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from slopes.card import Card, Loss, Map
from slopes.readings import require

LARGEST = 20_000  #: digits of working precision at which the search for agreement ends
ZERO = 400  #: digits at which a 0 is believed: float64 reaches down to 1e-324, and lesser ones are 0 there


def exact(card: Card[Any], digits: int = 50) -> Exactly:
    """Return the card as a function that gives `digits` right digits, as mpmath numbers.

    Called like the card, on numbers or arrays; floats mean their binary value. ``.slope`` gives the derivative.
    The working precision is raised until two results agree, so that cancellation in the body does no harm.
    Needs ``slopes[audit]``.
    """
    require("mpmath", "slopes.exact", "audit")
    if not isinstance(card, Card):
        raise TypeError(f"exact takes a card, got {type(card).__name__}")
    if type(digits) is not int or digits < 1:
        raise ValueError(f"exact: digits must be a positive integer, got {digits!r}")
    return Exactly(card, digits)


class Exactly:
    """A card in the exact reading; see `exact`."""

    def __init__(self, card: Card[Any], digits: int) -> None:
        self.card: Any = card
        self.digits = digits

    def __repr__(self) -> str:
        return f"slopes.exact({self.card!r}, digits={self.digits})"

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Return the card's value: one mpmath number, or an object array of them."""
        return self._converge(self.card, arguments, options)

    def slope(self, *arguments: Any, **options: Any) -> Any:
        """Return the derivative by the first argument, in its shape."""
        return self._converge(self.card.slope, arguments, options)

    def vjp(self, *arguments: Any, **options: Any) -> Any:
        """Return the cotangent (the second argument) pulled back through a map."""
        return self._converge(self.card.vjp, arguments, options)

    def difference(self, *arguments: Any, **options: Any) -> Any:
        """Return the slope (of a map: the vjp) by differences of the body, whatever derivative the card has."""
        bare: Any = self.card.with_()
        bare.slope_body = None
        return self._converge(bare.vjp if isinstance(bare, Map) else bare.slope, arguments, options)

    def definition(self, *arguments: Any, **options: Any) -> Any:
        """Return the value of the card's textbook definition."""
        textbook = self.card.with_()
        textbook.body = self.card.textbook
        return self._converge(textbook, arguments, options)

    def _converge(self, compute: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        from slopes.readings.exact import number, precision

        loss = isinstance(self.card, Loss)
        digits = self.digits + 10

        def agree(a: Any, b: Any) -> bool:
            return self._agree(a, b, digits)

        with precision(digits):
            entered = [_labels_or_exact(argument, loss and place > 0) for place, argument in enumerate(arguments)]
            before = np.asarray(compute(*entered, **options))
        result = before.copy()
        unreduced = not isinstance(self.card, Loss) or options.get("reduction") == "none"
        rowwise = isinstance(self.card, Map) or (isinstance(self.card, Loss) and self.card.kind.rowwise)
        open_ = np.ones(result.shape, dtype=bool)  # entries on which two precisions have not agreed yet
        while open_.any():
            if digits > LARGEST:
                raise ArithmeticError(f"{self!r}: no agreement below {LARGEST} digits; the body cancels without end")
            digits *= 2
            with precision(digits):
                again = open_.any(axis=-1) if rowwise and result.ndim == 2 else open_  # rows go together
                if unreduced and result.ndim:
                    result[again] = compute(*(_part(argument, again) for argument in entered), **options)
                else:
                    result = np.asarray(compute(*entered, **options))
                settled = np.frompyfunc(agree, 2, 1)(before, result)
            open_ &= ~np.asarray(settled, dtype=bool)
            before = result.copy()
        import mpmath

        with precision(digits):
            public = np.asarray(np.frompyfunc(lambda value: mpmath.mp.make_mpf(number(value)._mpf_), 1, 1)(result))
        return public[()]

    def _agree(self, before: Any, after: Any, digits: int) -> bool:
        """Whether two results are one to the digits asked; a 0 may be a difference that has lost them all."""
        if after == 0:
            return bool(before == 0) and digits > ZERO
        return bool(
            before == after
            or (before != before and after != after)
            or abs(before - after) < abs(after) / 10**self.digits
        )


def _part(argument: Any, chosen: Any) -> Any:
    part = argument[chosen]
    return part if argument.dtype.kind in "iu" else part.view(type(argument))


def _labels_or_exact(argument: Any, may_be_labels: bool) -> Any:
    from slopes.readings.exact import Exact

    array = np.asarray(argument)
    return array if may_be_labels and array.dtype.kind in "iu" else Exact(argument)
