"""Objectives of CatBoost."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, NoReturn

import numpy as np

from slopes.boosting.objective import POLICIES, Objective
from slopes.card import Loss


def catboost(loss: Any, **options: Any) -> CatBoostObjective:
    """A loss as the `loss_function` of ``catboost.CatBoostRegressor``, or for classes of ``CatBoostClassifier``.

    CatBoost asks for an `eval_metric` beside it: the objective's `metric`. Give the start as the `baseline` of a pool;
    CatBoost leaves it out of its predictions: ``objective.predict(objective.start(y) + model.predict(X))``. A loss of
    classes needs ``class_names=list(range(k))`` with k > 2, and gets the full Hessian of each row where it is convex or
    `hessian` is "exact", else the diagonal. Other arguments and errors are as for `xgboost`.
    CatBoost warns that it cannot compile the methods.
    """
    return (RowObjective if isinstance(loss, Loss) and loss.rowwise else ScoreObjective)(loss, **options)


catboost.__signature__ = inspect.signature(Objective)  # type: ignore[attr-defined]


class CatBoostObjective(Objective):
    """An objective with CatBoost's methods, which its subclasses have for a raw score or a row of them."""

    library = "catboost"
    unfit: ClassVar[tuple[str, str]]  #: (method that this sort of loss lacks, end of the message of a call to it)

    def __init__(self, loss: Any, **options: Any) -> None:
        super().__init__(loss, **options)
        self.metric = Metric(self)

    def __getattr__(self, name: str) -> NoReturn:
        method, advice = self.unfit
        raise AttributeError(f"boosting: {self.loss.name} takes {advice}" if name == method else name)


class ScoreObjective(CatBoostObjective):
    """An objective of one raw score for each row."""

    unfit = "calc_ders_multi", "one raw score; CatBoost has one without class_names"

    def calc_ders_range(self, approxes: Any, targets: Any, weights: Any) -> Any:
        """Return a row (derivative, second derivative) of −loss for each raw score."""
        weight = None if weights is None else np.asarray(weights)
        gradient, hessian = self.gradient_and_hessian(np.asarray(approxes), np.asarray(targets), weight)
        return np.stack([-gradient, -hessian], axis=1).tolist()


class RowObjective(CatBoostObjective):
    """An objective of a raw score for each class."""

    unfit = (
        "calc_ders_range",
        "a row of raw scores; give CatBoost class_names=list(range(k)), k > 2; of two classes it has one raw score, "
        "which binary_cross_entropy takes",
    )

    def __init__(self, loss: Any, **options: Any) -> None:
        super().__init__(loss, **options)
        self._fill = POLICIES[self.hessian]
        self._is_full = self.hessian == "exact" or bool(self.loss.claims.convex)

    def calc_ders_multi(self, approx: Any, target: float, weight: float) -> tuple[Any, Any]:
        """Return (derivatives, second derivatives) of −loss for one row of raw scores."""
        gradient, hessian = self._derivatives.of_row(approx, int(target))
        gradient = (gradient * -weight).tolist()
        if self.hessian == "constant":
            hessian = np.eye(len(gradient))
        elif self._fill is not None:
            diagonal = hessian.ravel()[:: len(gradient) + 1]
            filled = [x if x > 0 else self._fill for x in diagonal.tolist()]  # for a short row, faster than NumPy
            if self._is_full:
                diagonal[:] = filled
            else:
                hessian = np.diag(filled)
        return gradient, (hessian * (-weight * self.factor)).tolist()


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
        raw = np.stack(approxes, axis=1) if self.objective.loss.rowwise else approxes[0]
        return self.objective.mean_loss(raw, target, weights) * weights.sum(), float(weights.sum())

    def get_final_error(self, error: float, weight: float) -> float:
        """Return the mean."""
        return error / weight if weight else 0.0
