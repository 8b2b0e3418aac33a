"""Conversion of a network's outputs and a task's targets to a loss's arguments, and of outputs to predictions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

import slopes
from slopes.card import Loss
from slopes.comparing.plain import PlainLoss
from slopes.comparing.tasks import Task, TaskKind
from slopes.kinds import Kind
from slopes.kinds.spaces import Space

Map = Callable[[Tensor], Tensor]
#: A loss that exceeds this for ½ and the target 0 divides by its target.
_HUGE = 1e4
_TINY = torch.finfo(torch.float32).tiny


class Unfit(ValueError):
    """A loss does not fit a task."""


@dataclass(frozen=True, eq=False)
class Feed:
    note: str  #: suffix of the loss's name; "" where the fit is native
    fed: str  #: description of the loss's arguments
    prediction: Map  #: of the outputs
    target: Map  #: of the targets
    natural: Map
    """Map from outputs to predictions, in float64, with any leading axes.

    These are probabilities of the classes (…, class), the probability of a yes (…,), also for each label (…, label) or
    pixel (…, height, width), or the mean in the units of the target (…, column).
    """
    mask: Map | None = None  #: of the targets: True where the loss counts; None if all do

    def __call__(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Arguments of the loss, for a batch of one model."""
        prediction = self.prediction(outputs)
        target = self.target(targets)
        return prediction, target.to(prediction.dtype) if target.is_floating_point() else target

    def apply(self, loss: Loss | PlainLoss, outputs: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
        """Loss of a batch of one model, over the targets that count."""
        masked = {} if self.mask is None else {"mask": self.mask(targets)}
        values: Tensor = loss(*self(outputs, targets), reduction=reduction, **masked)
        return values


def feed(loss: Loss | PlainLoss, task: Task) -> Feed:
    """Feed of a loss; Unfit if the task has none."""
    if not isinstance(loss, PlainLoss):
        made = _feed(loss, task)
        return replace(made, mask=partial(_counts, 0 if loss.kind.rowwise else task.outputs)) if task.ignores else made
    made = _as_they_are(task) if loss.card is None else _feed(loss.card, task)
    if loss.card is not None and task.ignores and not loss.card.kind.takes_labels:
        raise Unfit(
            f"{loss.name} has no mask, and {int((task.targets < 0).sum())} targets are left out; take the card "
            f"slopes.{loss.card.name}"
        )
    return _in_rows(made, task.targets.ndim) if task.kind.has_classes and task.kind.has_positions else made


def _counts(classes: int, targets: Tensor) -> Tensor:
    """Mask of labels that count; with an axis of `classes` where the loss has a value for each."""
    return (targets >= 0).unsqueeze(-1).expand(*targets.shape, classes) if classes else targets >= 0


def _in_rows(made: Feed, axes: int) -> Feed:
    """Feed with one row for each token or pixel, as targets of `axes` axes have them."""

    def joined(one: Map) -> Map:
        return lambda x: one(x).flatten(0, axes - 1)

    return replace(made, prediction=joined(made.prediction), target=joined(made.target))


def _feed(loss: Loss, task: Task) -> Feed:
    space = loss.kind.space_of(loss.settings)
    if loss.kind.is_of_single_predictions and not loss.kind.has_regions and not _is_output(loss.kind, space):
        raise _unfit(loss, task.kind, f"takes {space}, which no output of the networks is")
    if loss.claims.ignores_target:
        raise _unfit(loss, task.kind, "is the same for every target: add it to another loss")
    if task.kind.has_classes:
        return _classes(loss, task)
    return _numbers(loss, task) if task.kind.has_numbers else _yes_or_no(loss, task)


def _as_they_are(task: Task) -> Feed:
    """Feed from outputs and targets of one shape, or from logits and labels."""
    if task.kind.has_classes:
        return Feed("", "logits and labels", _same, _same, _softmax)
    if task.kind.has_numbers:
        return _numbers(slopes.mse, task)
    if task.kind.has_rows_of_labels:
        return Feed("", "a logit and 0 or 1 for each label", _same, _same, lambda z: torch.sigmoid(z.double()))
    axis = -3 if task.kind.has_pixels else -1

    def chance(outputs: Tensor) -> Tensor:
        return torch.sigmoid(outputs.squeeze(axis).double())

    return Feed("", "a logit and 0 or 1, in the shape of the outputs", _same, lambda y: y.unsqueeze(axis), chance)


def _is_output(kind: Kind, space: Space) -> bool:
    """Whether outputs of a network can be mapped to the space."""
    if kind.takes_labels or kind.compares_distributions:
        return space.tells_probability
    if kind.tells_yes_or_no and not kind.rowwise:
        return space.is_logit or space.is_probability
    if kind.compares_numbers:
        return not (space.is_logit or space.is_cosine or space.is_sign or space.has_corners)
    return space.is_unbounded


def _unfit(loss: Loss, kind: TaskKind, why: str = "") -> Unfit:
    if not loss.kind.is_of_single_predictions or not why:
        data = loss.kind.data or f"the kind {loss.kind.name!r}"
        why = f"is a loss of {data}, which {kind.targets} cannot be fed to"
    return Unfit(f"{loss.name} {why}; take one such as {kind.suitable}")


# ------------------------------------------------------------------------------------------- classes


def _classes(loss: Loss, task: Task) -> Feed:
    """Feed from a logit for each class, and labels."""
    kind, space, classes = loss.kind, loss.kind.space_of(loss.settings), task.outputs

    def rows(labels: Tensor) -> Tensor:
        # vmap cannot trace one_hot
        return (labels.unsqueeze(-1) == torch.arange(classes, device=labels.device)).float()

    if kind.takes_labels or kind.compares_distributions:
        note, words, head = _link(space)
        target, told = (_same, "labels") if kind.takes_labels else (rows, "one-hot rows")
        return Feed(note, f"{words} and {told}", head, target, _softmax)
    if kind.compares_numbers:
        note, words, head = _of_chances(loss, task.kind)
        return Feed(note, f"{words} and one-hot rows", _above_zero(loss, head), _logs(loss, rows), _softmax)
    if kind.tells_yes_or_no and not kind.rowwise:
        told = "a yes or no for each class"
        if space.is_probability:
            note = "one-vs-rest on sigmoid probabilities"
            return Feed(note, f"a sigmoid probability and {told}", torch.sigmoid, rows, _shares)
        return Feed("one-vs-rest on logits", f"a logit and {told}", _same, rows, _shares)
    if kind.is_margin:
        _check_falls(loss, task.kind)
        return Feed(
            "one-vs-rest on scores", "a score and 1 or −1 for each class", _same, lambda y: 2 * rows(y) - 1, _shares
        )
    if kind.tells_yes_or_no:
        # If only differences of scores count, single sigmoids have no meaning.
        natural = _softmax if _shifts_freely(loss) else _shares
        return Feed("on rows of one label", "a row of logits and its one label", _same, rows, natural)
    if kind.predicts_vectors:
        return Feed("on logits and one-hot rows", "logits and one-hot rows, as vectors", _same, rows, _softmax)
    if kind.has_regions and task.kind.has_pixels:
        if kind.arguments[1].space.is_yes_or_no:
            return Feed("one-vs-rest on maps", "maps of logits, and a mask for each class", _same, rows, _shares)
        return Feed("", "maps of logits, and labels", _same, _same, _softmax)
    raise _unfit(loss, task.kind, "is a loss of regions of pixels, which classes do not have" * kind.has_regions)


def _same(x: Tensor) -> Tensor:
    return x


def _softmax(outputs: Tensor) -> Tensor:
    return torch.softmax(outputs.double(), -1)


def _shares(outputs: Tensor) -> Tensor:
    """Sigmoids of a row, divided by their sum."""
    return torch.softmax(logsigmoid(outputs.double()), -1)


Link = tuple[str, str, Map]
"""(note, words, map) from a row of logits to the space of a loss of rows."""
_SOFTMAX: Link = "on softmax probabilities", "softmax probabilities", lambda z: torch.softmax(z, -1)
_LOG_SOFTMAX: Link = "on log-softmax", "logs of softmax probabilities", lambda z: torch.log_softmax(z, -1)


def _link(space: Space) -> Link:
    return ("", "logits", _same) if space.is_logit else _SOFTMAX if space.is_probability else _LOG_SOFTMAX


def _of_chances(loss: Loss, kind: TaskKind) -> Link:
    """Link for a loss of numbers, on probabilities or 0 and 1."""
    first, second = loss.kind.spaces(loss.settings)
    if second.is_positive:
        raise _unfit(loss, kind, "takes targets above 0, which a no is not")
    if _divides(loss):
        raise _unfit(loss, kind, "divides by its target, which is 0 for a no")
    return _LOG_SOFTMAX if first.is_log_probability or _is_log(loss) else _SOFTMAX


def _above_zero(loss: Loss, head: Map) -> Map:
    """Clamp a head above 0 where the loss refuses 0."""
    held = loss.kind.space_of(loss.settings).is_positive
    return (lambda outputs: head(outputs).clamp_min(_TINY)) if held else head


def _logs(loss: Loss, rows: Map) -> Map:
    """Take the log of targets where the loss takes logs."""
    logged = loss.kind.spaces(loss.settings)[1].is_log_probability
    return (lambda targets: rows(targets).log()) if logged else rows


# ----------------------------------------------------------------------------------------- yes or no


#: axis of the outputs to drop, and words for a logit's place, by kinds of tasks whose sample has several logits
_LOGITS: dict[TaskKind, tuple[int | None, str]] = {
    TaskKind.MASKS: (-3, " of each pixel"),
    TaskKind.LABELS: (None, " of each label"),
}


def _yes_or_no(loss: Loss, task: Task) -> Feed:
    """Feed from the logit of a yes: per sample, (…, 1), per label, (…, label), or per pixel, (…, 1, height, width)."""
    kind, space = loss.kind, loss.kind.space_of(loss.settings)
    axis, each = _LOGITS.get(task.kind, (-1, ""))

    def logit(outputs: Tensor) -> Tensor:
        return outputs if axis is None else outputs.squeeze(axis)

    def rows_of(head: Map) -> Map:
        """Apply a map of rows to the logits of no and yes, 0 and z."""
        return lambda outputs: head(torch.stack([torch.zeros_like(logit(outputs)), logit(outputs)], -1))

    def natural(outputs: Tensor) -> Tensor:
        return torch.sigmoid(logit(outputs).double())

    def made(note: str, fed: str, prediction: Map, target: Map) -> Feed:
        return Feed(note, fed + each, prediction, target, natural)

    if kind.tells_yes_or_no and (not kind.rowwise or task.kind.has_rows_of_labels):
        if space.is_logit:
            return made("", "a logit and a yes or no", logit, _same)
        words = "a sigmoid probability and a yes or no"
        return made("on sigmoid probabilities", words, lambda z: torch.sigmoid(logit(z)), _same)
    if kind.is_margin:
        _check_falls(loss, task.kind)
        return made("on signs", "a score and 1 or −1", logit, lambda y: 2 * y - 1)
    if kind.compares_numbers:
        return made(*_number_of_yes(loss, task.kind, logit, rows_of))
    if kind.takes_labels or kind.compares_distributions:
        note, words, head = _link(space)
        target, told = (_label, "a label") if kind.takes_labels else (_no_and_yes, "a one-hot row")
        return made(note or "on the logits 0 and z", f"{words} of no and yes, and {told}", rows_of(head), target)
    if kind.tells_yes_or_no:
        return made("on the logits 0 and z", "logits of no and yes, and a one-hot row", rows_of(_same), _no_and_yes)
    if kind.has_regions and task.kind.has_pixels:
        return Feed(*_maps(kind, logit, rows_of), natural)
    raise _unfit(loss, task.kind, "is a loss of regions of pixels, which a yes or no does not have" * kind.has_regions)


Way = tuple[str, str, Map, Map]
"""(note, words, map of the outputs, map of the targets) of a feed."""


def _number_of_yes(loss: Loss, kind: TaskKind, logit: Map, rows_of: Callable[[Map], Map]) -> Way:
    """Way to feed a loss of numbers with a yes or no as 1 or 0."""
    if _of_chances(loss, kind) is _LOG_SOFTMAX:
        words = "logs of the probabilities of no and yes, and a one-hot row"
        return "on log-probabilities", words, rows_of(_LOG_SOFTMAX[2]), _logs(loss, _no_and_yes)
    prediction = _above_zero(loss, lambda z: torch.sigmoid(logit(z)))
    return "on sigmoid probabilities", "a sigmoid probability and 0 or 1", prediction, _same


def _maps(kind: Kind, logit: Map, rows_of: Callable[[Map], Map]) -> Way:
    if kind.arguments[1].space.is_yes_or_no:
        return "", "a map of logits and its mask", lambda z: logit(z).unsqueeze(-1), lambda y: y.unsqueeze(-1)
    words = "the maps of background and object, as logits, and labels"
    return "on background and object", words, rows_of(_same), _label


def _label(targets: Tensor) -> Tensor:
    return targets.long()


def _no_and_yes(targets: Tensor) -> Tensor:
    return torch.stack([1 - targets, targets], -1)


# ------------------------------------------------------------------------------------------- numbers


def _numbers(loss: Loss, task: Task) -> Feed:
    """Feed from standardised numbers, in units of the target where the loss needs them."""
    assert task.centre is not None  # `make` has set them for these kinds
    assert task.scale is not None
    centre, scale = task.centre, task.scale
    if not loss.kind.compares_numbers:
        raise _unfit(loss, task.kind)
    first, second = loss.kind.spaces(loss.settings)
    if first.tells_probability:
        raise _unfit(loss, task.kind, f"takes {first.name}, which numbers are not")
    if second.is_half_line:
        _check_targets(loss, task, above=second.is_positive)
        # The initial prediction is the mean, as for standardised targets.
        start = centre.clamp_min(_TINY).log()

        def natural(outputs: Tensor) -> Tensor:
            return (outputs.double() + start.double()).exp()

        if _is_log(loss):
            return Feed("log link", "the log of the mean, and targets", lambda z: z + start, _same, natural)
        mean = _above_zero(loss, lambda z: (z + start).exp())
        return Feed("log link", "the mean, which is an exponential, and targets", mean, _same, natural)

    def units(outputs: Tensor) -> Tensor:
        return outputs * scale + centre

    def in_units(outputs: Tensor) -> Tensor:
        return outputs.double() * scale.double() + centre.double()

    if _divides(loss):
        none = int((task.targets == 0).sum())
        if none:
            raise _unfit(loss, task.kind, f"divides by its target, which is 0 in {none} of {task.targets.numel()}")
        return Feed("in units of the target", "predictions and targets in their units", units, _same, in_units)
    return Feed("", "standardised predictions and targets", _same, lambda y: (y - centre) / scale, in_units)


def _check_targets(loss: Loss, task: Task, *, above: bool) -> None:
    wrong = int((task.targets <= 0 if above else task.targets < 0).sum())
    if wrong:
        least, many = float(task.targets.min()), task.targets.numel()
        wanted = f"takes targets {'>' if above else '>='} 0"
        raise _unfit(loss, task.kind, f"{wanted}, and {wrong} of {many} are not (the least is {least:g})")


# ------------------------------------------- properties that cards do not declare, found by calling a loss


def _is_log(loss: Loss) -> bool:
    """Whether the prediction is a log: any number, while no target is below 0."""
    first, second = loss.kind.spaces(loss.settings)
    return first.is_real and (second.is_positive or second.is_count)


def _value(loss: Loss, prediction: Any, target: Any) -> float:
    return float(loss(torch.tensor(prediction), torch.tensor(target)))


def _divides(loss: Loss) -> bool:
    if loss.kind.space_of(loss.settings).is_log_probability:
        return False
    value = _value(loss, [0.5], [0.0])
    return not math.isfinite(value) or value > _HUGE


def _check_falls(loss: Loss, kind: TaskKind) -> None:
    """Refuse a loss that does not fall with the score of a yes, such as a distance."""
    if _value(loss, [4.0], [1.0]) >= _value(loss, [-4.0], [1.0]):
        raise _unfit(loss, kind, "rises with the score of a yes, as a loss of distances does")


def _shifts_freely(loss: Loss) -> bool:
    """Whether a loss of rows ignores a shift of a row's logits."""
    rows = [[0.5, -1.0, 0.25]], [[1.5, 0.0, 1.25]]
    values = [_value(loss, row, [[0.0, 1.0, 0.0]]) for row in rows]
    return math.isclose(*values, rel_tol=1e-5)
