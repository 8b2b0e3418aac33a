"""Losses as scorers of scikit-learn, which names the truth first."""

from __future__ import annotations

from typing import Any

import numpy as np

from slopes.card import Loss
from slopes.card.base import bind_parameters
from slopes.extras import require


def scorer(loss: Loss, **parameters: Any) -> Any:
    """Return a scorer for scikit-learn: the negative mean loss of an estimator's predictions.

    ``sklearn.metrics.make_scorer(slopes.pinball)`` would pass the truth as the prediction. `parameters` are bound as by
    ``loss.with_``; sample weights become `weight`, of all outputs of a sample. Raises TypeError for a loss whose
    prediction is no number like its target, such as a logit, a logarithm or a box, and for a keyword of a call;
    ImportError without scikit-learn.
    """
    require("a scorer", "sklearn")
    from sklearn.metrics import make_scorer

    if not isinstance(loss, Loss):
        raise TypeError(f"scorer: takes a loss of slopes, as in slopes.scorer(slopes.pinball), got {loss!r}")
    if not loss.kind.compares_numbers or loss.kind.space_of(loss.settings) != loss.kind.arguments[1].space:
        given = ", ".join(f"{argument.name} ({argument.space.name})" for argument in loss.kind.arguments)
        raise TypeError(
            f"scorer: takes a loss whose prediction is a number like its target; {loss.name} takes {given}: write "
            f"make_scorer(lambda y, p: {loss.name}(p, y), response_method=...) for what your estimator predicts"
        )
    return make_scorer(_mean_loss, greater_is_better=False, loss=bind_parameters("scorer", loss, parameters))


def _mean_loss(truth: Any, prediction: Any, *, loss: Loss, sample_weight: Any = None) -> float:
    prediction, weight = np.asarray(prediction, np.float64), sample_weight
    if weight is not None:
        weight = np.asarray(weight, np.float64)
        weight = np.broadcast_to(weight.reshape(-1, *[1] * (prediction.ndim - 1)), prediction.shape)
    return float(loss(prediction, np.asarray(truth, np.float64), weight=weight))
