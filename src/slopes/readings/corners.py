"""The corners reading: bounds of a body of boxes or of rows that fall, by the forms of their entries in each order.

Four numbers of one axis have six orders with the smaller corner of each box first. In each, corners are the smallest
number plus gaps of at least 0, and lengths and areas are polynomials of these. The intersection of two boxes is at most
each of them since each term of the difference is at least 0. Entries of a row that falls are the last one plus gaps.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from itertools import combinations, product
from typing import Any, NoReturn

from slopes.readings import curvature, textbook
from slopes.readings.curvature import AFFINE, CurvatureError, Form


def __getattr__(name: str) -> NoReturn:
    if name.startswith("_"):
        raise AttributeError(name)
    raise CurvatureError(f"it uses slopes.ops.{name}, whose bounds are not known for corners")


def _by_entry(function: Callable[..., Any]) -> Any:
    """A function of rows, entry by entry; a row of one entry goes with each."""

    def apply(*arguments: Any) -> Row:
        length = max(len(x.entries) for x in arguments if isinstance(x, Row))
        rows = [x.entries if isinstance(x, Row) else (x,) for x in arguments]
        if any(len(row) not in (1, length) for row in rows):
            raise CurvatureError("it joins rows of several lengths")
        return Row(*(function(*(row[place % len(row)] for row in rows)) for place in range(length)))

    return apply


class Row(textbook.Algebra):
    """A row of known length, of forms or of comparisons."""

    __slots__ = ("entries",)
    __hash__ = None
    error = CurvatureError

    def __init__(self, *entries: Any) -> None:
        self.entries = entries

    def of(self, x: Any) -> Any:
        return x if isinstance(x, Row) else Row(curvature.form(x))

    def __getitem__(self, key: Any) -> Any:
        """An entry or a part along the last axis."""
        if not (isinstance(key, tuple) and len(key) == 2 and key[0] is ... and isinstance(key[1], (int, slice))):
            raise CurvatureError("it takes a view of a row of corners")
        part = self.entries[key[1]]
        return Row(*part) if isinstance(part, tuple) else part

    __neg__, __abs__, __invert__ = (_by_entry(each) for each in (operator.neg, operator.abs, operator.invert))
    __add__ = __radd__ = _by_entry(operator.add)
    __mul__ = __rmul__ = _by_entry(operator.mul)
    __truediv__, __pow__ = _by_entry(operator.truediv), _by_entry(operator.pow)
    __lt__, __le__, __gt__, __ge__, __eq__ = (
        _by_entry(each) for each in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq)
    )
    __and__, __or__ = _by_entry(operator.and_), _by_entry(operator.or_)


def pairs_of_boxes(greatest: float) -> Iterator[tuple[Row, Row]]:
    """Yield two boxes (x1, y1, x2, y2) for each order of their corners along both axes."""
    for across, along in product(_orders("x", greatest), _orders("y", greatest)):
        first, second = (Row(x[0], y[0], x[1], y[1]) for x, y in zip(across, along, strict=True))
        yield first, second


def _orders(axis: str, greatest: float) -> Iterator[tuple[tuple[Form, Form], tuple[Form, Form]]]:
    """Yield two intervals, each as its smaller and larger end; their curvature is unknown, as orders meet in kinks."""
    start = curvature.with_terms(curvature.variable(f"least {axis}", -greatest, greatest, 0, is_row=False))
    numbers = [start]
    for place in range(3):
        gap = curvature.variable(f"gap {place} of {axis}", 0.0, math.inf, 0, is_row=False)
        numbers.append(numbers[-1] + curvature.with_terms(gap))
    for chosen in combinations(range(4), 2):
        low, high = (numbers[place] for place in range(4) if place not in chosen)
        yield (numbers[chosen[0]], numbers[chosen[1]]), (low, high)


def falling_rows(greatest: float) -> Iterator[tuple[Row, Row]]:
    """Yield (row, 1 and −1 beside a grade) of one to three entries that fall, for each grade."""
    for steps, grade in product(range(1, 4), range(4)):
        if grade > steps:
            continue
        entries = [curvature.with_terms(curvature.variable("last entry", -greatest, greatest, AFFINE, is_row=False))]
        for place in range(steps - 1):
            gap = curvature.variable(f"gap {place}", 0.0, math.inf, AFFINE, is_row=False)
            entries.insert(0, entries[0] + curvature.with_terms(gap))
        yield Row(*entries), Row(*(curvature.form((at == grade - 1) - (at == grade)) for at in range(steps)))


maximum, minimum, absolute = (_by_entry(getattr(curvature, name)) for name in ("maximum", "minimum", "absolute"))
sqrt, exp, log, tanh = (_by_entry(getattr(curvature, name)) for name in ("sqrt", "exp", "log", "tanh"))
expm1, log1p, softplus = (_by_entry(getattr(curvature, name)) for name in ("expm1", "log1p", "softplus"))
isnan, angle = _by_entry(curvature.isnan), _by_entry(curvature.angle)


@_by_entry
def where(condition: Any, a: Any, b: Any) -> Any:
    """Also known if both are the same."""
    a, b = curvature.form(a), curvature.form(b)
    return a if a.place == b.place else curvature.where(condition, a, b)


def sum(x: Row) -> Row:
    total = x.entries[0]
    for each in x.entries[1:]:
        total = total + each
    return Row(total)


def expected(values: Row, target: Row) -> Any:
    return sum(values * target)[..., 0]


def entry(x: Row, place: int) -> Any:
    return x[..., place]


def joined(a: Row, b: Row) -> Row:
    return Row(*a.entries, *b.entries)


enter, quiet, differentiable, narrow, result_dtype = textbook.CALL
zero_dimensional = double = double_for = stop_gradient = with_slope_of = widen = textbook.unchanged
wants_gradient = textbook.wants_no_gradient
