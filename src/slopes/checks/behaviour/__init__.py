"""Checks of what a loss or an activation does, whatever it is made of.

Each takes a `slopes.checks.subject.Subject` and yields findings. What the author may have meant is asked in a note;
an error is what no author means. In float64, unless precision is the question, so that what is seen is the function.
"""

from __future__ import annotations

from slopes.checks.behaviour.calls import calling
from slopes.checks.behaviour.gradients import extreme_inputs, zeros_and_edges
from slopes.checks.behaviour.limits import known_limits
from slopes.checks.behaviour.precision import continuity, low_precision
from slopes.checks.behaviour.scores import direction, elicitation, saturation, score_space
from slopes.checks.report import Check

__all__ = ["CHECKS", "calling"]

CHECKS: list[Check] = [
    score_space,
    extreme_inputs,
    zeros_and_edges,
    direction,
    saturation,
    low_precision,
    known_limits,
    elicitation,
    continuity,
]
