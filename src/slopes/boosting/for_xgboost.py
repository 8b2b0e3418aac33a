"""Objectives of XGBoost."""

from __future__ import annotations

from typing import Any

from slopes.boosting.objective import Callback


class XGBoostObjective(Callback):
    """A loss as the `obj` of ``xgboost.train``, or the `objective` of ``xgboost.XGBRegressor``.

    Give the start as ``base_score=objective.start(y)``; of classes, ``base_margin`` takes a row for each sample.
    Booster and regressor predict raw scores, which `predict` turns into predictions. `hessian` is "filled" (1 where it
    is not positive, so that `mae` and `pinball` grow trees), "floored" (at least 1e-16), "exact" or "constant" (1);
    `factor` multiplies it. `inverse` replaces the inverse link. Other keywords are the loss's parameters.

    Raises TypeError for a loss of anything but a raw score and its target, ValueError for an unknown policy.
    """

    library = "xgboost"

    def metric(self, first: Any, second: Any, sample_weight: Any = None) -> tuple[str, float] | float:
        """Return (name, weighted mean loss) for (raw scores, data set), as a `custom_metric`.

        For scikit-learn's arguments (targets, raw scores, weights), as an `eval_metric`, return the loss alone.
        """
        if hasattr(second, "get_label"):
            return self.loss.name, self.mean_loss(first, second.get_label(), second.get_weight())
        return self.mean_loss(second, first, sample_weight)
