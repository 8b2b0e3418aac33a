"""Objectives of CatBoost."""

from __future__ import annotations

from typing import Any

import numpy as np

from slopes.boosting.objective import Objective


class CatBoostObjective(Objective):
    """A loss as the `loss_function` of ``catboost.CatBoostRegressor``.

    CatBoost asks for an `eval_metric` beside it: the objective's `metric`. Give the start as the `baseline` of a pool;
    CatBoost leaves it out of its predictions: ``objective.predict(objective.start(y) + model.predict(X))``. Other
    arguments and errors are as for `xgboost`; losses of classes are refused with TypeError.
    CatBoost warns that it cannot compile the methods.
    """

    library = "catboost"

    def __init__(self, loss: Any, **options: Any) -> None:
        super().__init__(loss, **options)
        if self.loss.rowwise:
            raise TypeError(f"boosting: takes a loss of one raw score for CatBoost; {self.loss.name} takes rows")
        self.metric = Metric(self)

    def calc_ders_range(self, approxes: Any, targets: Any, weights: Any) -> Any:
        """Return a row (derivative, second derivative) of −loss for each raw score."""
        weight = None if weights is None else np.asarray(weights)
        gradient, hessian = self.gradient_and_hessian(np.asarray(approxes), np.asarray(targets), weight)
        return np.stack([-gradient, -hessian], axis=1).tolist()


class Metric:
    """The weighted mean loss, as CatBoost asks for a metric."""

    def __init__(self, objective: CatBoostObjective) -> None:
        self.objective = objective

    def is_max_optimal(self) -> bool:
        """Return False: a lower loss is better."""
        return False

    def evaluate(self, approxes: Any, target: Any, weight: Any) -> tuple[float, float]:
        """Return (sum of weighted losses, sum of weights)."""
        weights = np.ones(len(target)) if weight is None else np.asarray(weight)
        return self.objective.mean_loss(approxes[0], target, weights) * weights.sum(), float(weights.sum())

    def get_final_error(self, error: float, weight: float) -> float:
        """Return the mean."""
        return error / weight if weight else 0.0
