"""Losses of forecasts: several predictions of one number, such as its quantiles or the members of an ensemble."""

from __future__ import annotations

from slopes import ops
from slopes.card import loss
from slopes.domains import Flag, Levels
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


def _crps(prediction, target, fair):
    count = ops.sum(1 + 0 * prediction)[..., 0]
    near = ops.sum(absolute(prediction - target[..., None]))[..., 0] / count
    apart = ops.sum_pairs(lambda member, other: absolute(member - other), prediction)
    return near - apart / (2 * count * (count - 1 if fair else count))


@loss(
    "forecasts", papers=(
        Paper(
            "Gneiting, Raftery", 2007, "Strictly proper scoring rules, prediction, and estimation",
            "doi:10.1198/016214506000001437",
        ),
        Paper("Ferro", 2014, "Fair scores for ensemble forecasts", "doi:10.1002/qj.2270"),
    ),
    definition=_crps,
)  # fmt: skip
def crps_ensemble(prediction, target, *, fair: Flag = False):
    """Continuous ranked probability score: the members' mean distance to the target, less half of the one among them.

    A row has the members of an ensemble, or samples, in any order. The distance of a member to itself counts among
    them, or with `fair` it does not, so that ensembles of different sizes are comparable. Nothing cancels: it is twice
    the `multi_quantile` of the sorted members. The slope of a member that equals the target is 0.
    """
    low, high = _shares(prediction, fair)
    target = target[..., None]
    return ops.sum(absolute(scaled_residual(prediction, target, where(prediction > target, high, low))))[..., 0]


@crps_ensemble.derivative
def _(prediction, target, *, fair):
    low, high = _shares(prediction, fair)
    residual = prediction - target[..., None]
    return sign(residual) * where(residual > 0, high, low)


def _shares(prediction, fair):
    """Slopes of the score by a member below the target, with the sign changed, and by one above."""
    count = prediction.shape[-1]
    if fair and type(count) is int and count == 1:  # a kernel gets no such rows
        raise ValueError("crps_ensemble: with fair=True a row has two members or more, got one")
    low, high = ops.ranks(prediction)
    whole = count * (count - 1 if fair else count)
    own = 1 if fair else 0
    return (2 * low - own) / whole, (2 * high - own) / whole
