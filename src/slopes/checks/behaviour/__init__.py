"""Checks of what a loss or an activation does, whatever it is made of.

Each takes a `slopes.checks.subject.Subject` and yields findings. What the author may have meant is asked in a note;
an error is what no author means. In float64, unless precision is the question, so that what is seen is the function.
"""

from __future__ import annotations

from slopes.checks.behaviour.backwards import backward, second_derivative, upstream_gradient
from slopes.checks.behaviour.calls import calling
from slopes.checks.behaviour.connections import connectivity
from slopes.checks.behaviour.contract import purity, shape_contract
from slopes.checks.behaviour.gradients import extreme_inputs, zeros_and_edges
from slopes.checks.report import Check

__all__ = ["CHECKS", "calling"]

CHECKS: list[Check] = [
    shape_contract,
    extreme_inputs,
    zeros_and_edges,
    connectivity,
    backward,
    upstream_gradient,
    second_derivative,
    purity,
]
