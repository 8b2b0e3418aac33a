"""Losses of forecasts: several predictions of one number, such as its quantiles or the members of an ensemble."""

from __future__ import annotations

from slopes import ops
from slopes.card import loss
from slopes.domains import Levels
from slopes.facts import Paper
from slopes.losses.regression import scaled_residual
from slopes.ops import absolute, maximum, sign, where


def _mean_of_pinballs(prediction, target, quantiles):
    low, high = ops.levels(quantiles, prediction)
    pinballs = maximum(low * (target[..., None] - prediction), high * (prediction - target[..., None]))
    return ops.sum(pinballs)[..., 0] / ops.sum(1 + 0 * prediction)[..., 0]


@loss(
    "forecasts", convex=True,
    papers=(
        Paper("Koenker, Bassett", 1978, "Regression quantiles", "doi:10.2307/1913643"),
        Paper("Wen et al.", 2017, "A multi-horizon quantile recurrent forecaster", "arXiv:1711.11053"),
    ),
    definition=_mean_of_pinballs,
)  # fmt: skip
def multi_quantile(prediction, target, *, quantiles: Levels = None):
    """Quantile losses of a row: the mean size of residuals, times the level where a prediction is low, else 1 − level.

    `quantiles` has a level for each prediction of a row, such as (0.1, 0.5, 0.9); by default they are the middles of
    equal parts, (k + ½) / K. PyTorch Forecasting doubles this mean, and Darts sums over the levels. The slope at a
    residual of 0 is 0, as in `pinball`.
    """
    low, high = ops.levels(quantiles, prediction)
    target = target[..., None]
    pinballs = absolute(scaled_residual(prediction, target, where(prediction > target, high, low)))
    return ops.sum(pinballs)[..., 0] / prediction.shape[-1]


@multi_quantile.derivative
def _(prediction, target, *, quantiles):
    low, high = ops.levels(quantiles, prediction)
    residual = prediction - target[..., None]
    return sign(residual) * where(residual > 0, high, low) / prediction.shape[-1]
