"""Losses of grades, classes that have an order."""

from __future__ import annotations

from slopes import ops
from slopes.card import loss
from slopes.facts import Paper
from slopes.ops import exp, expected, log, sigmoid, softplus, where


def _surprise(z, t):
    return expected(t**2 * log(1 + exp(-t * z)), 1 + 0 * z)


def _against(prediction, target):
    """Logits of the opposite of each target: 0 at a step that was not tried."""
    return ops.scaled(prediction, -target)


@loss(
    "grades", convex=True,
    papers=(Paper(
        "Cao, Mirjalili, Raschka", 2019,
        "Rank consistent ordinal regression for neural networks with application to age estimation",
        "arXiv:1901.07884",
    ),),
    definition=_surprise,
)  # fmt: skip
def coral(prediction, target):
    """CORAL: the binary cross-entropies of the steps from each grade to the next, summed; of rows of logits.

    A grade has passed all steps below it and no other, so a row has one logit fewer than there are grades; the
    predicted grade is the number of positive logits. In the paper all logits of a row share one output, and each adds a
    bias of its own, so that chances do not rise from step to step; a linear layer alone does not see to it. The mean is
    over rows, as in the authors' code.
    """
    return ops.sum(where(target == 0, 0.0, softplus(_against(prediction, target))))[..., 0]


@coral.derivative
def _(prediction, target):
    return sigmoid(_against(prediction, target), times=-target)


@loss(
    "conditional grades", convex=True,
    papers=(Paper(
        "Shi, Cao, Raschka", 2021,
        "Deep neural networks for rank-consistent ordinal regression based on conditional probabilities",
        "arXiv:2111.08851",
    ),),
    definition=_surprise,
)  # fmt: skip
def corn(prediction, target):
    """CORN: the surprise at a grade that is reached step by step, until one fails; of rows of logits of the steps.

    A step counts for rows that have passed all steps below it, so chances of grades sum to 1. A row has one logit fewer
    than there are grades; the predicted grade is ``(sigmoid(logits).cumprod(-1) > 0.5).sum(-1)``. The mean is over
    rows; the authors' code divides by the number of all steps that count, which `divisor` can do.
    """
    return coral.body(prediction, target)


@corn.derivative
def _(prediction, target):
    return coral.slope_body(prediction, target)
