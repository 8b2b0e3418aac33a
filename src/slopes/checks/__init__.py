"""The audit: what would go wrong with a card, each fault with an input that shows it.

A check is a function of a `Subject` that yields findings; `CHECKS` is the list, in the order in which they run.
The same list tests the catalogue. A fault is reported by its primary check; later ones pass over its entries.
"""

from __future__ import annotations

from typing import Any

from slopes.card import Card
from slopes.checks.cases import Subject
from slopes.checks.claims import claims, minimum, peers
from slopes.checks.contract import dtype_and_shape, inputs_written, parameters_refused, shapes_refused
from slopes.checks.numerics import derivative, finite, numpy_equals_torch, slope_precision, value_precision
from slopes.checks.report import AuditError, Check, Finding, Report, run
from slopes.extras import require

__all__ = ["CHECKS", "AuditError", "Finding", "Report", "audit"]

CHECKS: list[Check] = [
    dtype_and_shape,
    inputs_written,
    shapes_refused,
    parameters_refused,
    finite,
    value_precision,
    slope_precision,
    derivative,
    numpy_equals_torch,
    claims,
    minimum,
    peers,
]


def audit(card: Card[Any], *, seed: int = 0) -> Report:
    """Audit a card, the catalogue's or one's own, and return what was found as a `Report`.

    `seed` chooses the random ones among the inputs. Needs ``slopes[audit]``; with torch the torch reading is
    audited too. Raises TypeError for what is no card.
    """
    if not isinstance(card, Card):
        raise TypeError(
            f"audit takes a card, got {type(card).__name__}: decorate the function with @slopes.activation() "
            'or @slopes.loss("regression")'
        )
    require("slopes.audit", "audit", "mpmath")
    return run(Subject(card, seed), CHECKS)
