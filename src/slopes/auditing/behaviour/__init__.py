"""Checks of the behaviour of any loss or activation.

They compute in float64 unless they test precision, so that findings are about the function itself.
"""

from __future__ import annotations

from slopes.auditing.behaviour.backwards import backward, second_derivative, upstream_gradient
from slopes.auditing.behaviour.calls import calling
from slopes.auditing.behaviour.connections import connectivity
from slopes.auditing.behaviour.contract import purity, shape_contract
from slopes.auditing.behaviour.costs import layout_and_cost
from slopes.auditing.behaviour.devices import device_and_dtype
from slopes.auditing.behaviour.direction import direction
from slopes.auditing.behaviour.elicitation import elicitation
from slopes.auditing.behaviour.gradients import extreme_inputs, zeros_and_edges
from slopes.auditing.behaviour.labels import label_conventions
from slopes.auditing.behaviour.limits import known_limits
from slopes.auditing.behaviour.masks import mask_independence
from slopes.auditing.behaviour.options import idle_options
from slopes.auditing.behaviour.precision import continuity, low_precision
from slopes.auditing.behaviour.reductions import accumulation, reduction
from slopes.auditing.behaviour.rows import degenerate_batch, row_independence
from slopes.auditing.behaviour.saturation import saturation
from slopes.auditing.behaviour.scores import score_space
from slopes.auditing.behaviour.terms import term_balance
from slopes.auditing.behaviour.weights import sample_weights
from slopes.auditing.report import Check

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
    sample_weights,
    mask_independence,
    label_conventions,
    known_limits,
    elicitation,
    continuity,
    idle_options,
    term_balance,
    device_and_dtype,
    layout_and_cost,
]
