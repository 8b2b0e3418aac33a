"""Losses of grades, classes that have an order."""

from __future__ import annotations

from slopes import ops
from slopes.card import loss
from slopes.facts import Paper
from slopes.ops import exp, expected, expm1, log, log1p, sigmoid, softplus, where


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
    return where(target == 0, 0.0, sigmoid(_against(prediction, target), times=-target))


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


def _surprise_between(z, t):
    has_both = 1 - expected(t, 1 + 0 * z) ** 2
    return expected(t**2 * softplus(-t * z), 1 + 0 * z) - log(1 - has_both * exp(-expected(t * z, 1 + 0 * z)))


@loss(
    "cumulative grades", convex=True,
    papers=(Paper("McCullagh", 1980, "Regression Models for Ordinal Data", "doi:10.1111/j.2517-6161.1980.tb01109.x"),),
    definition=_surprise_between,
)  # fmt: skip
def ordinal_logistic(prediction, target):
    """Proportional odds: the surprise at a grade, of rows of logits that the grade is above 0, above 1 and so on.

    A row is ``score[..., None] - thresholds``, with a threshold fewer than there are grades; they rise, and may be
    learnt. The chance of a grade is a difference of two sigmoids, whose logarithm is computed from the distance of both
    logits. The predicted grade is the number of positive logits, as for `coral`.
    """
    gap, is_between = _gap(prediction, target)
    near, far = where(gap < 0.7, gap, 0.7), where(gap < 0.7, 0.7, gap)
    within = where(gap < 0.7, log(-expm1(-near)), log1p(-exp(-far)))
    return coral.body(prediction, target) - where(is_between, within, 0.0)[..., 0]


def _gap(prediction, target):
    """(logit at the lower threshold less that at the upper one, whether there are both)."""
    is_between = ops.sum(target) == 0
    return where(is_between, ops.sum(ops.scaled(prediction, target)), 1.0), is_between


@ordinal_logistic.derivative
def _(prediction, target):
    gap, is_between = _gap(prediction, target)
    gap = ops.stop_gradient_if_tiny(gap, gap)  # second slopes would be NaN
    return coral.slope_body(prediction, target) - ops.scaled(where(is_between, exp(-gap) / -expm1(-gap), 0.0), target)
