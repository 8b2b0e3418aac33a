"""Objectives of LightGBM."""

from __future__ import annotations

from typing import Any

import numpy as np

from slopes.boosting.objective import Callback


class LightGBMObjective(Callback):
    """A loss as the `objective` of ``lightgbm.train`` and ``lightgbm.LGBMRegressor``.

    Give the start as ``init_score=objective.init_score(y)``. LightGBM leaves it out of its predictions:
    ``objective.predict(objective.start(y) + booster.predict(X))``. Other arguments and errors are as for `xgboost`.
    """

    library = "lightgbm"

    def init_score(self, target: Any, weight: Any = None) -> Any:
        """Return the start for each row, in the shape of its raw scores."""
        start = np.asarray(self.start(target, weight))
        return np.broadcast_to(start, (len(target), *start.shape)).copy()

    def metric(self, first: Any, second: Any, sample_weight: Any = None) -> tuple[str, float, bool]:
        """Return (name, weighted mean loss, False); the last: a higher loss is no better.

        It takes (raw scores, data set), as a `feval`, or (targets, raw scores, weights), as an `eval_metric`.
        """
        if hasattr(second, "get_label"):
            first, second, sample_weight = second.get_label(), first, second.get_weight()
        return self.loss.name, self.mean_loss(second, first, sample_weight), False
