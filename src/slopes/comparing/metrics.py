"""Metrics of tasks, never the loss, for many models at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from slopes.comparing.feeding import Feed
from slopes.comparing.tasks import Task, TaskKind

BINS = 15  #: of the calibration error
_EPS = torch.finfo(torch.float64).eps  #: least probability that counts, as in scikit-learn
_MOST = torch.finfo(torch.float32).max  #: a larger prediction counts as infinite
_RARELY = 0.01  #: least predicted count, as a fraction of the mean; at 0 the deviance is infinite


class Metric(NamedTuple):
    name: str
    label: str
    higher: bool  #: more is better
    percent: bool  #: a fraction, shown in per cent
    margin: float  #: largest difference of no practical interest
    measure: Callable[[Judged], Tensor]  #: (model,)
    in_units: bool = False  #: it and its margin are in the units of the target
    bounds: tuple[float, float] = (0.0, math.inf)


@dataclass(frozen=True, eq=False)
class Judged:
    task: Task
    feed: Feed
    outputs: Tensor  #: (model, sample, …)
    targets: Tensor  #: (model, sample, …)
    missing: dict[tuple[str, int], str] = field(default_factory=dict)  #: reasons, by metric and model, for no value

    @cached_property
    def predicted(self) -> Tensor:
        """`Feed.natural`; where not finite, equal probabilities or the mean of the training targets."""
        natural = self.feed.natural(self.outputs)
        known = natural.abs() <= _MOST
        if not self._finite:
            known &= self.outputs.isfinite().reshape(natural.shape)  # the logit of a yes has one more axis
        if known.all():
            return natural
        if self.task.kind.has_classes:
            return torch.where(known.all(-1, keepdim=True), natural, 1 / natural.shape[-1])
        return torch.where(known, natural, 0.5 if self.task.centre is None else self.task.centre.double())

    @cached_property
    def predicted_class(self) -> Tensor:
        """Most likely class, (model, sample); the first where outputs are not finite."""
        likeliest = self.outputs.argmax(-1)
        return likeliest if self._finite else torch.where(self.outputs.isfinite().all(-1), likeliest, 0)

    @cached_property
    def chance(self) -> Tensor:
        """Predicted probability of the true class, or of the true yes or no."""
        if self.task.kind.has_classes:
            return self.predicted.gather(-1, self.targets.clamp_min(0).unsqueeze(-1)).squeeze(-1)
        return torch.where(self.targets == 1, self.predicted, 1 - self.predicted)

    @cached_property
    def yes_masks(self) -> tuple[Tensor, Tensor]:
        """Masks of predicted and true yeses."""
        return self.predicted > 0.5, self.targets == 1

    @cached_property
    def counted(self) -> Tensor | None:
        """Mask of the labels that count; None if all do."""
        return self.targets >= 0 if self.task.ignores else None

    def mean(self, values: Tensor) -> Tensor:
        """Mean of values (model, sample, …) that count, by model; 0 of none."""
        values = values.double().flatten(1)
        if self.counted is None:
            return values.mean(1)
        counted = self.counted.flatten(1)
        return (values * counted).sum(1) / counted.sum(1).clamp_min(1)

    @cached_property
    def by_class(self) -> tuple[Tensor, Tensor, Tensor]:
        """Numbers of right, predicted and true labels of each class, each (model, class)."""
        if self.task.kind.has_rows_of_labels:
            predicted, true = self.yes_masks
            return (predicted & true).sum(1).double(), predicted.sum(1).double(), true.sum(1).double()
        predicted, true = self.predicted_class.flatten(1), self.targets.flatten(1).clamp_min(0)
        counts = (
            torch.ones_like(true, dtype=torch.float64) if self.counted is None else self.counted.flatten(1).double()
        )
        none = torch.zeros(len(true), self.task.outputs, dtype=torch.float64)
        right = none.scatter_add(1, true, counts * (predicted == true))
        return right, none.scatter_add(1, predicted, counts), none.scatter_add(1, true, counts)

    @cached_property
    def _finite(self) -> bool:
        return bool(self.outputs.sum().isfinite())  # a sum takes a tenth of the time


def metrics_of(task: Task) -> tuple[Metric, ...]:
    return scaled(METRICS[task.kind], task)


def scaled(metrics: tuple[Metric, ...], task: Task) -> tuple[Metric, ...]:
    """Metrics with margins in the units of the target."""
    if task.scale is None:
        return metrics
    deviation = float(task.scale.mean())
    return tuple(m._replace(margin=m.margin * deviation) if m.in_units else m for m in metrics)


# ------------------------------------------------------------------------- classes, and yes or no


def _accuracy(judged: Judged) -> Tensor:
    return judged.mean(judged.predicted_class == judged.targets)


def _yes_accuracy(judged: Judged) -> Tensor:
    predicted, true = judged.yes_masks
    return judged.mean(predicted == true)


def _log_loss(judged: Judged) -> Tensor:
    return judged.mean(-judged.chance.clamp_min(_EPS).log())


def _brier(judged: Judged) -> Tensor:
    """Squared distance of probabilities from the one-hot truth."""
    return (judged.predicted.square().sum(-1) - 2 * judged.chance + 1).mean(1)


def _yes_brier(judged: Judged) -> Tensor:
    return judged.mean((1 - judged.chance).square())


def _calibration(judged: Judged) -> Tensor:
    sure = judged.predicted.max(-1).values
    return _calibration_error(sure, judged.predicted_class == judged.targets)


def _yes_calibration(judged: Judged) -> Tensor:
    return _calibration_error(judged.predicted, judged.yes_masks[1])


def _calibration_error(chance: Tensor, happened: Tensor) -> Tensor:
    """Expected calibration error over bins (0, 1/15], (1/15, 2/15], …."""
    places = (chance * BINS).ceil().long().clamp(1, BINS) - 1
    gaps = torch.zeros(len(chance), BINS, dtype=torch.float64, device=chance.device)
    return gaps.scatter_add(1, places, happened.double() - chance).abs().sum(1) / chance.shape[1]


def _recall(judged: Judged) -> Tensor:
    predicted, true = judged.yes_masks
    return _share(predicted & true, true)


def _precision(judged: Judged) -> Tensor:
    predicted, true = judged.yes_masks
    return _share(predicted & true, predicted)


def _balanced_accuracy(judged: Judged) -> Tensor:
    """Mean of recall and specificity; if only one class is present, its accuracy."""
    predicted, true = judged.yes_masks
    there = torch.stack([true.any(1), (~true).any(1)]).double()
    right = torch.stack([_share(predicted & true, true), _share(~predicted & ~true, ~true)])
    return (right * there).sum(0) / there.sum(0)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """Fraction of a mask (model, sample) in its part; 0 for an empty mask."""
    return part.sum(1).double() / whole.sum(1).clamp_min(1)


def _average_precision(judged: Judged) -> Tensor:
    return _precision_of(judged.predicted, judged.yes_masks[1])


def _mean_average_precision(judged: Judged) -> Tensor:
    """Mean over the labels that some sample has."""
    true = judged.yes_masks[1].transpose(1, 2)
    precision = _precision_of(judged.predicted.transpose(1, 2).flatten(0, 1), true.flatten(0, 1)).view(true.shape[:2])
    return precision.sum(1) / true.any(2).sum(1).clamp_min(1)


def _precision_of(chance: Tensor, true: Tensor) -> Tensor:
    """Mean, over the true yeses, of the precision at their own probability; ties count together; 0 without a yes."""
    order = chance.argsort(dim=1, descending=True)
    chance, yes = chance.gather(1, order), true.gather(1, order).double()
    places = torch.arange(chance.shape[1], device=chance.device).expand_as(chance)
    last = torch.ones_like(chance, dtype=torch.bool)
    last[:, :-1] = chance[:, :-1] != chance[:, 1:]
    # index of the last sample with the same probability
    ends = torch.where(last, places, chance.shape[1]).flip(1).cummin(1).values.flip(1)
    precision = (yes.cumsum(1) / (places + 1)).gather(1, ends)
    return (precision * yes).sum(1) / yes.sum(1).clamp_min(1)


def _macro_f1(judged: Judged) -> Tensor:
    """Mean F1 over the classes that are true or predicted somewhere."""
    right, predicted, true = judged.by_class
    return _mean_of_classes(2 * right, predicted + true)


def _mean_iou(judged: Judged) -> Tensor:
    """Mean over the classes that are true or predicted somewhere, each over all pixels."""
    right, predicted, true = judged.by_class
    return _mean_of_classes(right, predicted + true - right)


def _mean_of_classes(part: Tensor, whole: Tensor) -> Tensor:
    return (part / whole.clamp_min(1)).sum(1) / (whole > 0).sum(1).clamp_min(1)


# ------------------------------------------------------------------------------------------- regions


def _iou(judged: Judged) -> Tensor:
    """Intersection over union, over the pixels of all samples."""
    both, either = _overlap(judged, 1)
    return torch.where(either > 0, both / either.clamp_min(1), 1.0)


def _dice(judged: Judged) -> Tensor:
    """Mean Dice coefficient over samples."""
    both, either = _overlap(judged, 2)
    return torch.where(either > 0, 2 * both / (either + both).clamp_min(1), 1.0).mean(1)


def _overlap(judged: Judged, axis: int) -> tuple[Tensor, Tensor]:
    """Sizes of intersection and union, over the axes from `axis` on."""
    predicted, true = judged.yes_masks
    return (predicted & true).flatten(axis).sum(axis).double(), (predicted | true).flatten(axis).sum(axis).double()


# ------------------------------------------------------------------------------------------- numbers


def _rmse(judged: Judged) -> Tensor:
    return (judged.predicted - judged.targets).square().mean(1).sqrt().mean(-1)


def _mae(judged: Judged) -> Tensor:
    return (judged.predicted - judged.targets).abs().mean((1, -1))


def _r2(judged: Judged) -> Tensor:
    targets = judged.targets.double()
    left = (judged.predicted - targets).square().sum(1)
    whole = (targets - targets.mean(1, keepdim=True)).square().sum(1)
    alike = (left == 0).double()  # equal targets leave nothing to explain
    return torch.where(whole > 0, 1 - left / torch.where(whole > 0, whole, 1.0), alike).mean(-1)


def _poisson_deviance(judged: Judged) -> Tensor:
    assert judged.task.centre is not None
    targets = judged.targets.double()
    mean = torch.maximum(judged.predicted, _RARELY * judged.task.centre.double())
    return 2 * (torch.xlogy(targets, targets / mean) - targets + mean).mean((1, -1))


# metrics of several kinds of tasks
_LOG_LOSS = Metric("log_loss", "log loss", False, False, 0.01, _log_loss)
_YES_BRIER = Metric("brier", "Brier score", False, False, 0.005, _yes_brier)
_MACRO_F1 = Metric("macro_f1", "macro F1", True, True, 0.005, _macro_f1, bounds=(0.0, 1.0))
_RMSE = Metric("rmse", "RMSE", False, False, 0.01, _rmse, in_units=True)
_MAE = Metric("mae", "MAE", False, False, 0.01, _mae, in_units=True)

#: The first metric chooses the learning rate. Margins are half a per cent of the samples, a hundredth of a nat, or a
#: hundredth of the target's standard deviation. On a thousand samples, chance alone moves an accuracy of 95 % by more
#: than twice its margin.
METRICS: dict[TaskKind, tuple[Metric, ...]] = {
    TaskKind.CLASSES: (
        Metric("accuracy", "accuracy", True, True, 0.005, _accuracy, bounds=(0.0, 1.0)),
        _LOG_LOSS,
        Metric("brier", "Brier score", False, False, 0.005, _brier),
        Metric("calibration", "calibration error", False, True, 0.005, _calibration, bounds=(0.0, 1.0)),
    ),
    # Average precision needs no threshold: if a yes is rare, "no" is nearly always right, and losses that weight the
    # classes move the threshold.
    TaskKind.YES_OR_NO: (
        Metric("average_precision", "average precision", True, True, 0.005, _average_precision, bounds=(0.0, 1.0)),
        Metric("balanced_accuracy", "balanced accuracy", True, True, 0.005, _balanced_accuracy, bounds=(0.0, 1.0)),
        Metric("recall", "recall", True, True, 0.005, _recall, bounds=(0.0, 1.0)),
        Metric("precision", "precision", True, True, 0.005, _precision, bounds=(0.0, 1.0)),
        Metric("accuracy", "accuracy", True, True, 0.005, _yes_accuracy, bounds=(0.0, 1.0)),
        _LOG_LOSS,
        _YES_BRIER,
        Metric("calibration", "calibration error", False, True, 0.005, _yes_calibration, bounds=(0.0, 1.0)),
    ),
    TaskKind.NUMBERS: (
        _RMSE,
        _MAE,
        Metric("r2", "R²", True, False, 0.01, _r2, bounds=(-math.inf, 1.0)),
    ),
    # A few of the largest counts dominate the RMSE.
    TaskKind.COUNTS: (
        Metric("poisson_deviance", "Poisson deviance", False, False, 0.02, _poisson_deviance),
        _RMSE,
        _MAE,
    ),
    TaskKind.MASKS: (
        Metric("iou", "IoU", True, True, 0.005, _iou, bounds=(0.0, 1.0)),
        Metric("dice", "Dice", True, True, 0.005, _dice, bounds=(0.0, 1.0)),
        _LOG_LOSS,
    ),
    TaskKind.LABELS: (
        Metric("mean_average_precision", "mAP", True, True, 0.005, _mean_average_precision, bounds=(0.0, 1.0)),
        _MACRO_F1,
        Metric("accuracy", "accuracy of a label", True, True, 0.005, _yes_accuracy, bounds=(0.0, 1.0)),
        _LOG_LOSS,
        _YES_BRIER,
    ),
    TaskKind.TOKENS: (
        Metric("accuracy", "token accuracy", True, True, 0.005, _accuracy, bounds=(0.0, 1.0)),
        _MACRO_F1,
        _LOG_LOSS,
    ),
    TaskKind.CLASS_MASKS: (
        Metric("mean_iou", "mean IoU", True, True, 0.005, _mean_iou, bounds=(0.0, 1.0)),
        Metric("accuracy", "pixel accuracy", True, True, 0.005, _accuracy, bounds=(0.0, 1.0)),
        _LOG_LOSS,
    ),
}
