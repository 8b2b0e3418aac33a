"""Objectives of boosting: derivatives, start, link and metric of a loss, whatever the library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize

from slopes.boosting.derivatives import Derivatives
from slopes.card import Loss
from slopes.card.base import bind_parameters
from slopes.domains import Interval, shown
from slopes.readings import numpy

FLOOR = 1e-16
FACTOR = Interval(0.0)
#: values that replace a Hessian that is not positive
POLICIES = {"filled": 1.0, "floored": FLOOR, "exact": None, "constant": None}
TRIED = 65  #: scores, in search of the best valley
FARTHEST = 700.0  #: the exponential of a larger score may be infinite


class Objective:
    """A loss as the objective of a boosting library, which calls it with raw scores."""

    library: str

    def __init__(
        self, loss: Loss, *, hessian: str = "filled", factor: float = 1.0,
        inverse: Callable[[Any], Any] | None = None, **parameters: Any,
    ) -> None:  # fmt: skip
        if not isinstance(loss, Loss):
            raise TypeError(f"boosting: takes a loss of slopes, such as slopes.huber, got {shown(loss)}")
        if not isinstance(hessian, str) or hessian not in POLICIES:
            raise ValueError(f"boosting: hessian must be one of {', '.join(POLICIES)}, got {shown(hessian)}")
        FACTOR.check("boosting", "factor", factor)
        if not (inverse is None or callable(inverse)):
            raise TypeError(f"boosting: inverse must be a function of raw scores, got {shown(inverse)}")
        self.loss = bind_parameters("boosting", loss, parameters)
        self.hessian, self.factor = hessian, factor
        link = _inverse_link(self.loss)
        self.inverse, self._has_link = inverse or link, link is not _unchanged
        self._derivatives = Derivatives(self.loss, POLICIES[hessian])
        self.__name__ = loss.name

    def __repr__(self) -> str:
        return f"slopes.boosting.{self.library}({self.loss!r}, hessian={self.hessian!r}, factor={self.factor!r})"

    def gradient_and_hessian(self, raw: Any, target: Any, weight: Any = None) -> tuple[Any, Any]:
        """Return the derivatives of the weighted loss of each row by its raw score, in the shape of `raw`.

        A row of scores, one per class, has the diagonal of its Hessian. A target of weight 0 may be anything.
        """
        raw = np.asarray(raw)
        gradient, hessian = self._derivatives(raw, self._target(target, weight))
        if self.hessian == "constant":
            hessian = np.ones(raw.shape)
        if weight is not None and len(weight):
            by = np.asarray(weight, np.float64).reshape(-1, *[1] * (raw.ndim - 1))
            gradient, hessian = gradient * by, hessian * by
        return gradient, hessian if self.factor == 1 else hessian * self.factor

    def start(self, target: Any, weight: Any = None) -> Any:
        """Return the best constant raw score, or the best row of scores for classes from 0 on.

        It is 0 where no finite score is best, as for logistic loss with targets that are all 1. Raises ValueError for
        targets that the loss refuses, and for weights that have no positive sum.
        """
        target = self._target(target, weight)
        if target.ndim != 1 or not len(target):
            raise ValueError(f"boosting: a start needs a row of targets, one at least, got shape {target.shape}")
        weight = np.ones(len(target)) if weight is None else np.asarray(weight, np.float64)
        if weight.shape != target.shape:
            raise ValueError(f"boosting: weights {weight.shape} must have the shape of the targets, {target.shape}")
        if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.any()):
            raise ValueError("boosting: weights must be finite and >= 0, and one of them > 0")
        if self.loss.rowwise:
            return self._best_row(target, weight)
        return self._best_score(target, weight)

    def _best_score(self, target: Any, weight: Any) -> float:
        def rise(score: float) -> float:
            return float(weight @ self._derivatives(np.full(len(target), float(score)), target)[0])

        low, high = -1.0, 1.0
        while rise(low) > 0 and low > -1e300:
            low *= 2.0
        while rise(high) < 0 and high < 1e300:
            high *= 2.0
        if not (rise(low) <= 0 <= rise(high)):
            return 0.0
        if self.loss.bound or not self.loss.claims.convex:  # a claim is of the parameters by default
            low, high = self._valley(target, weight, low, high)
        score = float(brentq(rise, low, high, xtol=1e-13, rtol=1e-14)) if rise(low) <= 0 <= rise(high) else low
        return 0.0 if self._has_link and abs(score) > FARTHEST else score

    def _valley(self, target: Any, weight: Any, low: float, high: float) -> tuple[float, float]:
        """Neighbours of the best of many scores, as a loss that is not convex has several valleys."""
        scores = np.linspace(low, high, TRIED)
        if not self._has_link:  # scores are of the target's size
            scores = np.concatenate([scores, np.quantile(target, np.linspace(0, 1, TRIED))])
        scores = np.unique(scores)
        costs = [weight @ self.loss(np.full(len(target), score), target, reduction="none") for score in scores]
        best = int(np.argmin(costs))
        return float(scores[max(best - 1, 0)]), float(scores[min(best + 1, len(scores) - 1)])

    def _best_row(self, target: Any, weight: Any) -> Any:
        shares = np.bincount(target, weight)
        if (shares == 0).any():
            return np.zeros(len(shares))
        classes, shares = np.arange(len(shares)), shares / shares.sum()

        def risk(row: Any) -> tuple[float, Any]:
            rows = np.tile(row, (len(classes), 1))
            values = self.loss(rows, classes, reduction="none")
            return float(shares @ values), shares @ self._derivatives(rows, classes)[0]

        return minimize(risk, np.log(shares), jac=True, method="BFGS", options={"gtol": 1e-12}).x

    def predict(self, raw: Any) -> Any:
        """Return predictions for raw scores: means for log scores, probabilities for logits."""
        return self.inverse(np.asarray(raw, np.float64))

    def mean_loss(self, raw: Any, target: Any, weight: Any = None) -> float:
        """Return the weighted mean loss of raw scores."""
        weight = None if weight is None or not len(weight) else np.asarray(weight, np.float64)
        return float(self.loss(np.asarray(raw, np.float64), self._target(target, weight), weight=weight))

    def _target(self, target: Any, weight: Any) -> Any:
        """The target as numbers, of classes as integers; raise ValueError for one that the loss refuses.

        Those of weight 0 are filled.
        """
        target = np.asarray(target)
        if weight is not None and np.shape(weight) == target.shape:
            space = self.loss.kind.spaces(self.loss.settings)[1]
            filler = 0 if self.loss.rowwise else space.filler(numpy, target)
            target = np.where(np.asarray(weight) == 0, filler, target)
        if not self.loss.rowwise:
            numbers = target.astype(np.float64)
            if not np.isfinite(numbers).all():
                raise ValueError(f"boosting: targets must be finite, got {numbers[~np.isfinite(numbers)][0]}")
            self.loss.kind.spaces(self.loss.settings)[1].check(numpy, self.loss.name, "target", numbers, target)
            return numbers
        if target.dtype.kind not in "biuf":
            raise ValueError(f"boosting: classes must be numbered from 0, got an array of dtype {target.dtype}")
        wrong = ~((target >= 0) & (target % 1 == 0))
        if wrong.any():
            raise ValueError(f"boosting: classes must be numbered from 0, got {target[wrong][0]}")
        return target.astype(np.int64)


class Callback(Objective):
    """An objective that is a function, of raw scores and a data set or of scikit-learn's arguments."""

    def __call__(self, first: Any, second: Any, sample_weight: Any = None) -> tuple[Any, Any]:
        """Return (gradient, Hessian) for (raw scores, data set), or for (targets, raw scores, weights)."""
        if hasattr(second, "get_label"):
            return self.gradient_and_hessian(first, second.get_label(), second.get_weight())
        return self.gradient_and_hessian(second, first, sample_weight)


def _inverse_link(loss: Loss) -> Callable[[Any], Any]:
    kind = loss.kind
    if kind.has_regions or len(kind.arguments) != 2 or (kind.rowwise and not kind.takes_labels):
        raise TypeError(f"boosting: takes a loss of a prediction and a target, row by row; {loss.name} is none")
    prediction, target = kind.spaces(loss.settings)
    if not (prediction.is_real or prediction.is_logit):
        raise TypeError(
            f"boosting: raw scores are any numbers, but {loss.name} takes predictions that are {prediction.name}; "
            "give a loss of logits or of logarithms"
        )
    from slopes.catalogue import find

    if kind.rowwise:
        return find("softmax")
    if prediction.is_logit:
        return find("sigmoid") if target.is_yes_or_no else _unchanged
    return np.exp if prediction.is_real and not target.is_real and not target.is_sign else _unchanged


def _unchanged(raw: Any) -> Any:
    return raw
