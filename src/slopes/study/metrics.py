"""What a network is judged by: measures of the task, never the loss, for many models at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from slopes.study.feeding import Feed
from slopes.study.tasks import Task

BINS = 15  #: of the calibration error, all as wide
_EPS = torch.finfo(torch.float64).eps  #: the least probability that counts, as in scikit-learn
_MOST = torch.finfo(torch.float32).max  #: a prediction beyond is no number either
_RARELY = 0.01  #: of the mean count: a predicted count below counts as that, as a deviance of 0 would be infinite


class Metric(NamedTuple):
    """One measure of a task."""

    name: str
    label: str
    higher: bool  #: whether more is better
    percent: bool  #: whether it is a share, to be shown in per cent
    margin: float  #: differences up to this are of no practical interest
    measure: Callable[[Judged], Tensor]  #: (model,)
    in_units: bool = False  #: whether it, and so its margin, is in the units of the target


@dataclass(frozen=True, eq=False)
class Judged:
    """What models give for samples of a task, and what is true of these."""

    task: Task
    feed: Feed
    outputs: Tensor  #: (model, sample, …)
    targets: Tensor  #: (model, sample, …)

    @cached_property
    def predicted(self) -> Tensor:
        """What the outputs predict, in float64; see `Feed.natural`. What is no finite number becomes a guess."""
        natural = self.feed.natural(self.outputs)
        known = natural.abs() <= _MOST
        if not self._finite:
            known &= self.outputs.isfinite().reshape(natural.shape)  # a yes's logit has an axis of one more
        if known.all():
            return natural
        if self.task.kind == "classification":
            return torch.where(known.all(-1, keepdim=True), natural, 1 / natural.shape[-1])
        return torch.where(known, natural, 0.5 if self.task.centre is None else self.task.centre.double())

    @cached_property
    def named(self) -> Tensor:
        """The likeliest class, (model, sample): the first one for a guess."""
        named = self.outputs.argmax(-1)
        return named if self._finite else torch.where(self.outputs.isfinite().all(-1), named, 0)

    @cached_property
    def chance(self) -> Tensor:
        """The probability of what came true: of the right class, or of the yes or no."""
        if self.task.kind == "classification":
            return self.predicted.gather(-1, self.targets.unsqueeze(-1)).squeeze(-1)
        return torch.where(self.targets == 1, self.predicted, 1 - self.predicted)

    @cached_property
    def yes(self) -> tuple[Tensor, Tensor]:
        """Where a yes is predicted, and where it is true."""
        return self.predicted > 0.5, self.targets == 1

    @cached_property
    def _finite(self) -> bool:
        return bool(self.outputs.sum().isfinite())  # in a tenth of the time of a look at each


def judge(task: Task, feed: Feed, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """Return every measure of the task, (model,) in float64, of outputs and targets (model, sample, …).

    A prediction that is no finite number is judged as a guess that knows nothing of the sample: all classes alike,
    or the mean of the training targets.
    """
    judged = Judged(task, feed, outputs, targets)
    return {metric.name: metric.measure(judged) for metric in METRICS[task.kind]}


def score(task: Task, feed: Feed, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the primary measure alone, (model,) in float64; see `judge`."""
    return METRICS[task.kind][0].measure(Judged(task, feed, outputs, targets))


def metrics_of(task: Task) -> tuple[Metric, ...]:
    """The measures of a task, with their margins in the units of its target where they are."""
    if task.scale is None:
        return METRICS[task.kind]
    deviation = float(task.scale.mean())
    return tuple(m._replace(margin=m.margin * deviation) if m.in_units else m for m in METRICS[task.kind])


# ------------------------------------------------------------------------- classes, and yes or no


def _accuracy(judged: Judged) -> Tensor:
    return (judged.named == judged.targets).double().mean(1)


def _yes_accuracy(judged: Judged) -> Tensor:
    predicted, true = judged.yes
    return (predicted == true).double().mean(1)


def _log_loss(judged: Judged) -> Tensor:
    return -judged.chance.clamp_min(_EPS).log().flatten(1).mean(1)


def _brier(judged: Judged) -> Tensor:
    """The squared distance of the row of chances from that of the truth, 1 for one class."""
    return (judged.predicted.square().sum(-1) - 2 * judged.chance + 1).mean(1)


def _yes_brier(judged: Judged) -> Tensor:
    return (1 - judged.chance).square().mean(1)


def _calibration(judged: Judged) -> Tensor:
    """Of how sure the network is of the class that it names."""
    sure = judged.predicted.max(-1).values
    return _calibration_error(sure, judged.named == judged.targets)


def _yes_calibration(judged: Judged) -> Tensor:
    """Of the probability of a yes."""
    return _calibration_error(judged.predicted, judged.yes[1])


def _calibration_error(chance: Tensor, happened: Tensor) -> Tensor:
    """The expected calibration error: bins (0, 1/15], (1/15, 2/15], …, weighed by how many samples are in each."""
    places = (chance * BINS).ceil().long().clamp(1, BINS) - 1
    gaps = torch.zeros(len(chance), BINS, dtype=torch.float64, device=chance.device)
    return gaps.scatter_add(1, places, happened.double() - chance).abs().sum(1) / chance.shape[1]


def _recall(judged: Judged) -> Tensor:
    predicted, true = judged.yes
    return _share(predicted & true, true)


def _precision(judged: Judged) -> Tensor:
    predicted, true = judged.yes
    return _share(predicted & true, predicted)


def _balanced_accuracy(judged: Judged) -> Tensor:
    """The mean of the shares that are right of the yeses and of the noes; that of one, where there is no other."""
    predicted, true = judged.yes
    there = torch.stack([true.any(1), (~true).any(1)]).double()
    right = torch.stack([_share(predicted & true, true), _share(~predicted & ~true, ~true)])
    return (right * there).sum(0) / there.sum(0)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """How much of a whole, over (model, sample), is a part; 0 of nothing."""
    return part.sum(1).double() / whole.sum(1).clamp_min(1)


def _average_precision(judged: Judged) -> Tensor:
    """The mean, over the yeses, of the precision at the threshold that just names them; like chances fall together."""
    order = judged.predicted.argsort(dim=1, descending=True)
    chance, yes = judged.predicted.gather(1, order), judged.yes[1].gather(1, order).double()
    places = torch.arange(chance.shape[1], device=chance.device).expand_as(chance)
    last = torch.ones_like(chance, dtype=torch.bool)
    last[:, :-1] = chance[:, :-1] != chance[:, 1:]
    # where the last one with the same chance is: the least such place from there on
    ends = torch.where(last, places, chance.shape[1]).flip(1).cummin(1).values.flip(1)
    precision = (yes.cumsum(1) / (places + 1)).gather(1, ends)
    return (precision * yes).sum(1) / yes.sum(1).clamp_min(1)


# ------------------------------------------------------------------------------------------- regions


def _iou(judged: Judged) -> Tensor:
    """Over the pixels of all samples together."""
    both, either = _overlap(judged, 1)
    return torch.where(either > 0, both / either.clamp_min(1), 1.0)


def _dice(judged: Judged) -> Tensor:
    """The mean over samples."""
    both, either = _overlap(judged, 2)
    return torch.where(either > 0, 2 * both / (either + both).clamp_min(1), 1.0).mean(1)


def _overlap(judged: Judged, axis: int) -> tuple[Tensor, Tensor]:
    """How many pixels are in mask and prediction alike, and how many in either, from an axis on."""
    predicted, true = judged.yes
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
    alike = (left == 0).double()  # of targets that are all alike, nothing is to be explained
    return torch.where(whole > 0, 1 - left / torch.where(whole > 0, whole, 1.0), alike).mean(-1)


def _poisson_deviance(judged: Judged) -> Tensor:
    assert judged.task.centre is not None  # a count has its mean
    targets = judged.targets.double()
    mean = torch.maximum(judged.predicted, _RARELY * judged.task.centre.double())
    return 2 * (torch.xlogy(targets, targets / mean) - targets + mean).mean((1, -1))


#: The measures of each kind of task, the one that the learning rate is chosen by first.
#:
#: Margins are what is too little to matter in practice, unless told otherwise: half a per cent of the samples, a
#: hundredth of a nat, a hundredth of the target's standard deviation. On a thousand samples, chance alone moves an
#: accuracy of 95 % by more than twice that.
METRICS: dict[str, tuple[Metric, ...]] = {
    "classification": (
        Metric("accuracy", "accuracy", True, True, 0.005, _accuracy),
        Metric("log_loss", "log loss", False, False, 0.01, _log_loss),
        Metric("brier", "Brier score", False, False, 0.005, _brier),
        Metric("calibration", "calibration error", False, True, 0.005, _calibration),
    ),
    # first what needs no threshold: where a yes is rare, "no" for all is nearly always right, and losses that weigh
    # the classes differ in where half lies
    "binary": (
        Metric("average_precision", "average precision", True, True, 0.005, _average_precision),
        Metric("balanced_accuracy", "balanced accuracy", True, True, 0.005, _balanced_accuracy),
        Metric("recall", "recall", True, True, 0.005, _recall),
        Metric("precision", "precision", True, True, 0.005, _precision),
        Metric("accuracy", "accuracy", True, True, 0.005, _yes_accuracy),
        Metric("log_loss", "log loss", False, False, 0.01, _log_loss),
        Metric("brier", "Brier score", False, False, 0.005, _yes_brier),
        Metric("calibration", "calibration error", False, True, 0.005, _yes_calibration),
    ),
    "regression": (
        Metric("rmse", "RMSE", False, False, 0.01, _rmse, in_units=True),
        Metric("mae", "MAE", False, False, 0.01, _mae, in_units=True),
        Metric("r2", "R²", True, False, 0.01, _r2),
    ),
    # first what is fair to small counts and large ones; a few of the largest rule the RMSE
    "count": (
        Metric("poisson_deviance", "Poisson deviance", False, False, 0.02, _poisson_deviance),
        Metric("rmse", "RMSE", False, False, 0.01, _rmse, in_units=True),
        Metric("mae", "MAE", False, False, 0.01, _mae, in_units=True),
    ),
    "segmentation": (
        Metric("iou", "IoU", True, True, 0.005, _iou),
        Metric("dice", "Dice", True, True, 0.005, _dice),
        Metric("log_loss", "log loss", False, False, 0.01, _log_loss),
    ),
}
