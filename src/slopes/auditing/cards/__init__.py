"""Checks of a card, by exact arithmetic, its claims and its peers."""

from slopes.auditing.cards.claims import claims, minimum, peers
from slopes.auditing.cards.contract import dtype_and_shape, inputs_written, parameters_refused, shapes_refused
from slopes.auditing.cards.extremes import limits, no_nan
from slopes.auditing.cards.modes import forward_mode
from slopes.auditing.cards.numerics import (
    derivative,
    finite,
    numpy_equals_torch,
    slope_precision,
    value_precision,
    whole_range,
)
from slopes.auditing.report import Check

__all__ = ["CHECKS"]

CHECKS: list[Check] = [
    dtype_and_shape, inputs_written, shapes_refused, parameters_refused, finite, value_precision, slope_precision,
    derivative, numpy_equals_torch, forward_mode, claims, minimum, peers, limits, no_nan, whole_range,
]  # fmt: skip
