"""Exact values and slopes of a card, at as many digits as asked of the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from slopes.card import Card, Loss

LARGEST = 20_000  #: digits of working precision at which the search for agreement ends


def exact(card: Card[Any], digits: int = 50) -> Exactly:
    """Return the card as a function that gives `digits` right digits, as mpmath numbers.

    Called like the card, on numbers or arrays; floats mean their binary value. ``.slope`` gives the derivative.
    The working precision is raised until two results agree, so that cancellation in the body does no harm.
    Needs ``slopes[audit]``.
    """
    try:
        import mpmath  # noqa: F401
    except ImportError:
        raise ImportError("slopes.exact needs mpmath: pip install 'slopes[audit]'") from None
    if not isinstance(card, Card):
        raise TypeError(f"exact takes a card, got {type(card).__name__}")
    if type(digits) is not int or digits < 1:
        raise ValueError(f"exact: digits must be a positive integer, got {digits!r}")
    return Exactly(card, digits)


class Exactly:
    """A card in the exact reading; see `exact`."""

    def __init__(self, card: Card[Any], digits: int) -> None:
        self.card, self.digits = card, digits

    def __repr__(self) -> str:
        return f"slopes.exact({self.card!r}, digits={self.digits})"

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Return the card's value: one mpmath number, or an object array of them."""
        return self._converge(self.card, arguments, options)

    def slope(self, *arguments: Any, **options: Any) -> Any:
        """Return the derivative by the first argument, in its shape."""
        return self._converge(self.card.slope, arguments, options)  # type: ignore[attr-defined]

    def vjp(self, *arguments: Any, **options: Any) -> Any:
        """Return the cotangent (the second argument) pulled back through a map."""
        return self._converge(self.card.vjp, arguments, options)  # type: ignore[attr-defined]

    def difference(self, *arguments: Any, **options: Any) -> Any:
        """Return the slope of the body by differences, which knows nothing of the card's derivative."""
        bare = self.card.with_() if self.card._derivative else self.card
        bare._derivative = None
        return self._converge(bare.slope, arguments, options)  # type: ignore[attr-defined]

    def definition(self, *arguments: Any, **options: Any) -> Any:
        """Return the value of the card's textbook definition."""
        textbook = self.card.with_()
        textbook.body = self.card.definition or self.card.body
        return self._converge(textbook, arguments, options)

    def _converge(self, compute: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        from slopes.readings.exact import Exact, precision

        loss = isinstance(self.card, Loss)
        digits, before = self.digits + 10, None
        while True:
            with precision(digits):
                entered = [
                    np.asarray(argument) if loss and place and np.asarray(argument).dtype.kind in "iu" else Exact(argument)
                    for place, argument in enumerate(arguments)
                ]
                result = np.asarray(compute(*entered, **options))
                if before is not None and self._agree(before, result, digits > LARGEST):
                    return result[()] if result.ndim == 0 else result
            if digits > LARGEST:
                raise ArithmeticError(f"{self!r}: no agreement below {LARGEST} digits; the body cancels without end")
            before, digits = result, 2 * digits

    def _agree(self, before: Any, after: Any, last: bool) -> bool:
        bound = 10.0**-self.digits if self.digits < 300 else 0
        for a, b in zip(before.reshape(-1), after.reshape(-1), strict=True):
            if a == b or (a != a and b != b):
                continue
            if abs(a - b) > abs(b) * bound:
                return False
        return True
