"""Checks of the behaviour of any loss or activation.

Each check takes a `slopes.checks.subject.Subject` and yields findings. A finding is a note if the author may have meant
the behaviour; an error is never meant. Checks compute in float64 unless they test precision, so that findings are about
the function itself.
"""

from __future__ import annotations

from slopes.checks.behaviour.backwards import backward, second_derivative, upstream_gradient
from slopes.checks.behaviour.calls import calling
from slopes.checks.behaviour.connections import connectivity
from slopes.checks.behaviour.contract import purity, shape_contract
from slopes.checks.behaviour.costs import layout_and_cost
from slopes.checks.behaviour.devices import device_and_dtype
from slopes.checks.behaviour.gradients import extreme_inputs, zeros_and_edges
from slopes.checks.behaviour.labels import label_conventions
from slopes.checks.behaviour.limits import known_limits
from slopes.checks.behaviour.masks import mask_independence
from slopes.checks.behaviour.precision import continuity, low_precision
from slopes.checks.behaviour.reductions import accumulation, reduction
from slopes.checks.behaviour.rows import degenerate_batch, row_independence
from slopes.checks.behaviour.scores import direction, elicitation, saturation, score_space
from slopes.checks.behaviour.terms import term_balance
from slopes.checks.report import Check

__all__ = ["CHECKS", "calling"]

CHECKS: list[Check] = [
    purity,  # first, because other checks compare results of repeated calls
    shape_contract,
    score_space,
    extreme_inputs,
    zeros_and_edges,
    connectivity,
    backward,
    upstream_gradient,
    second_derivative,
    direction,
    saturation,
    low_precision,
    row_independence,
    reduction,
    accumulation,
    degenerate_batch,
    mask_independence,
    label_conventions,
    known_limits,
    elicitation,
    continuity,
    term_balance,
    device_and_dtype,
    layout_and_cost,
]
