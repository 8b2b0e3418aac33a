"""Exact values and slopes of a card, with a chosen number of digits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from slopes.card import Card, Loss, Map
from slopes.extras import require
from slopes.kernels.programs import are_literals
from slopes.truth.parts import SMALLEST, Balls, bits_of

LARGEST = 20_000  #: highest working precision in digits
FEW = 100  #: highest working precision in digits where another way serves as well
LEAST = -1100  #: power of 2 below which a number is 0 in any format; the least float is 2**-1074
ZERO = 400  #: from so many digits on a 0 is accepted: in float64 numbers below 1e-324 are 0


def exact(card: Card, digits: int = 50) -> Exactly:
    """Card as a function with `digits` right digits, as mpmath numbers.

    Call it like the card, on numbers or arrays; floats mean their binary value. ``.slope`` gives the derivative. Arb
    bounds the error of each number, and the working precision rises until the bound proves the digits. Where nothing
    can be proven, two precisions must agree: a 0 that is the difference of inexact numbers, NaN, and slopes by
    differences. Needs ``slopes[audit]``.
    """
    require("slopes.exact", "flint", "mpmath")
    if not isinstance(card, Card):
        raise TypeError(f"exact takes a card, got {type(card).__name__}")
    if type(digits) is not int or digits < 1:
        raise ValueError(f"exact: digits must be a positive integer, got {digits!r}")
    return Exactly(card, digits)


class Exactly:
    """A card in the exact reading; see `exact`."""

    def __init__(self, card: Card, digits: int, reach: int = 0, *, for_floats: bool = False) -> None:
        self.card: Any = card
        self.digits = digits
        self.reach = reach  #: further digits, so that a term of 10**-reach is not lost beside 1
        self.for_floats = for_floats  #: whether numbers below 2**LEAST need no digits

    def __repr__(self) -> str:
        return f"slopes.exact({self.card!r}, digits={self.digits})"

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Card's value: one mpmath number, or an object array of them."""
        return self._converge(self.card, arguments, options)

    def slope(self, *arguments: Any, **options: Any) -> Any:
        """Derivative by the first argument, in its shape."""
        return self._converge(self.card.slope, arguments, options, proven=self.card.slope_body is not None)

    def vjp(self, *arguments: Any, **options: Any) -> Any:
        """Cotangent (the second argument) pulled back through a map."""
        return self._converge(self.card.vjp, arguments, options, proven=self.card.slope_body is not None)

    def difference(self, *arguments: Any, **options: Any) -> Any:
        """Slope (of a map: the vjp) by differences of the body; NaN where they do not converge, as at a jump."""
        return self._converge(self._slope_of_body, arguments, options, unsettled=math.nan, proven=False)

    def calculus(self, *arguments: Any, **options: Any) -> Any:
        """Slope (of a map: the vjp) of the body by dual numbers: at a kink of one side, NaN where digits are lost."""
        from slopes.readings.exact import calculus

        with calculus():
            return self._converge(self._slope_of_body, arguments, options, unsettled=math.nan, limit=FEW)

    @property
    def _slope_of_body(self) -> Callable[..., Any]:
        bare: Any = self.card._copy_with(slope_body=None)
        return bare.vjp if isinstance(bare, Map) else bare.slope

    def definition(self, *arguments: Any, **options: Any) -> Any:
        """Value of the textbook definition."""
        return self._converge(self.card._copy_with(body=self.card.textbook), arguments, options)

    def definition_slope(self, *arguments: Any, **options: Any) -> Any:
        """Slope of the definition by calculus; see `tangent`."""
        textbook = self.card._copy_with(body=self.card.textbook)
        return self._with_card(textbook).tangent(*arguments, **options)

    def definition_with_slope(self, *arguments: Any, **options: Any) -> tuple[Any, Any]:
        """(`definition`, `definition_slope`), computed together, as arrays of balls; see `Balls`."""
        from slopes.readings.exact import with_tangent

        textbook = self._with_card(self.card._copy_with(body=self.card.textbook))
        both = textbook._converging(textbook._by_calculus(with_tangent), arguments, options)
        return tuple(np.frompyfunc(lambda x: (x.value, x.slope), 1, 2)(both))

    def _with_card(self, card: Card) -> Exactly:
        return Exactly(card, self.digits, self.reach, for_floats=self.for_floats)

    def tangent(self, *arguments: Any, **options: Any) -> Any:
        """Slope of an element-wise card's body by calculus; at a kink, the slope of one side."""
        from slopes.readings.exact import tangent

        return self._converge(self._by_calculus(tangent), arguments, options)

    def _by_calculus(self, derive: Callable[..., Any]) -> Callable[..., Any]:
        def compute(x: Any, *rest: Any, **options: Any) -> Any:
            return derive(lambda x, *rest: self.card(x, *rest, **options), x, *rest)

        return compute

    def _converge(
        self, compute: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any],
        unsettled: float | None = None, proven: bool = True, limit: int | None = None,
    ) -> Any:  # fmt: skip
        """Numbers of mpmath; see `_converging`."""
        return Balls(self._converging(compute, arguments, options, unsettled, proven, limit), self.digits)[()]

    def _converging(
        self, compute: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any],
        unsettled: float | None = None, proven: bool = True, limit: int | None = None,
    ) -> Any:  # fmt: skip
        """Compute balls with ever more digits until each entry has enough, of a dual number both parts.

        With `proven` the balls tell how many digits they have; without, two results must agree. Beyond the limit,
        return `unsettled` or, if that is None, raise ArithmeticError.
        """
        from slopes.readings.dual import Dual
        from slopes.readings.exact import number, precision

        self._check(arguments, options)
        loss, digits, bits = isinstance(self.card, Loss), self.digits + 10 + self.reach, bits_of(self.digits)
        nothing = number(2) ** LEAST

        def is_proven(x: Any) -> bool:
            if type(x) is Dual:
                return is_proven(x.value) and is_proven(x.slope)
            return bool(proven and (x.rel_accuracy_bits() >= bits or (self.for_floats and abs(x) < nothing)))

        def is_settled(before: Any, after: Any) -> bool:
            if type(before) is Dual:
                return is_settled(before.value, after.value) and is_settled(before.slope, after.slope)
            return is_proven(after) or self._agree(before, after, digits, proven)

        with precision(digits):
            entered = [_labels_or_exact(argument, loss and place > 0) for place, argument in enumerate(arguments)]
            result = np.asarray(compute(*entered, **options))
        if limit is None:
            limit = LARGEST if unsettled is None or self.card.rowwise else LARGEST // 6
        before = result
        open_ = np.asarray(~_mask(is_proven, result))
        while open_.any():
            if digits > limit:
                if unsettled is None:
                    raise ArithmeticError(f"{self!r}: no agreement below {limit} digits; the body cancels without end")
                result[open_] = number(unsettled)
                break
            digits *= 2
            result = result.copy()
            with precision(digits):
                again = self._separable(entered, options, open_)
                if again is None:
                    result = np.asarray(compute(*entered, **options))
                else:
                    result[again] = compute(*(_part(argument, again) for argument in entered), **options)
                open_[open_] = ~_mask(is_settled, before[open_], result[open_])
            before = result
        return result

    def _check(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Raise the card's errors for invalid arguments, unless they are mpmath numbers."""
        import mpmath

        if not any(isinstance(a, mpmath.mpf) or getattr(a, "dtype", None) == np.dtype(object) for a in arguments):
            given = arguments if isinstance(self.card, Loss) else arguments[:1]
            own = [a.copy() if isinstance(a, np.ndarray) else a for a in given]  # a body may write to them
            self.card(*own, **options)

    def _separable(self, entered: list[Any], options: dict[str, Any], open_: Any) -> Any:
        """Mask of entries or rows to compute again, or None for all together."""
        unreduced = not isinstance(self.card, Loss) or options.get("reduction") == "none"
        if open_.ndim == 0 or not unreduced or not (are_literals(options) and are_literals(self.card.settings)):
            return None
        if not self.card.rowwise:
            return open_
        together = isinstance(self.card, Loss) and self.card.kind.batched
        if together or entered[0].ndim != 2 or options.get("axis", -1) not in (-1, 1):
            return None
        return open_.any(axis=-1) if open_.ndim == 2 else open_

    def _agree(self, before: Any, after: Any, digits: int, proven: bool) -> bool:
        """Whether two results agree to `self.digits`; a 0 or NaN may have lost all digits."""
        if digits > 2 * ZERO and ((before.is_nan() and after.is_nan()) or max(abs(before), abs(after)) < SMALLEST):
            return True
        if not proven:
            before, after = before.mid(), after.mid()
        if after.is_nan() or after == 0:
            return digits > ZERO and before == after
        return not proven and bool(before == after or abs(before - after) * 10**self.digits < abs(after))


def limits_at_infinity(oracle: Callable[[Any], Any], signs: Any) -> list[float | None]:
    """Limits at infinities of an oracle of arrays, judged by two far points each; None where there is none."""
    return [_limit(near, far) for near, far in zip(*(oracle(signs * size) for size in (1e60, 1e80)), strict=True)]


def _limit(near: Any, far: Any) -> float | None:
    if abs(far) > 1e30:
        return float(np.copysign(np.inf, float(far)))
    if max(abs(near), abs(far)) < 1e-30:
        return 0.0
    return float(far) if abs(near - far) <= 1e-15 * abs(far) else None


def _mask(holds: Callable[..., bool], *arrays: Any) -> Any:
    return np.asarray(np.frompyfunc(holds, len(arrays), 1)(*arrays), dtype=bool)


def _part(argument: Any, chosen: Any) -> Any:
    part = argument[chosen]
    return part if argument.dtype.kind in "iu" else part.view(type(argument))


def _labels_or_exact(argument: Any, may_be_labels: bool) -> Any:
    from slopes.readings.exact import Exact

    array = np.asarray(argument)
    return array if may_be_labels and array.dtype.kind in "iu" else Exact(argument)
