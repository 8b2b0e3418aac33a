"""Check of the space of predictions: logits, log-probabilities or probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from slopes.auditing.form import Arguments
from slopes.auditing.own_data.prediction import finding
from slopes.auditing.own_data.tensors import ENOUGH
from slopes.auditing.report import Finding
from slopes.auditing.subject import Subject


def _in_unit(low: Tensor, high: Tensor, *sums: Tensor) -> bool:
    return bool(low >= 0 and high <= 1) and all(bool(((x - 1).abs() <= 1e-3).all()) for x in sums)


def _outside(low: Tensor, high: Tensor) -> bool:
    return bool(low < 0 or high > 1)


def _uneven(low: Tensor, high: Tensor, sums: Tensor) -> bool:
    return bool(((sums - 1).abs() > 1e-2).any())


SUMS = "{0}.sum({1})"
#: due space, sums over a row as code, test of the least and largest prediction and the sums, message, repair
Rule = tuple[str, str, Callable[..., bool], str, str]
SLOW = "training is slow and never gets the loss near 0"
RULES: tuple[Rule, ...] = (
    (
        "is_logit", SUMS, _in_unit,
        f"{SLOW}: {{0}} is probabilities, whose rows sum to 1, where logits are due: the softmax is taken twice",
        "take the softmax out of the model, or keep it for evaluation alone",
    ),
    (
        "is_logit", "", _in_unit,
        f"{SLOW}: every entry of {{0}} lies in [{{1:.3g}}, {{2:.3g}}] where logits are due: is a sigmoid taken twice?",
        "take the sigmoid (or ReLU) out of the model's end: the loss takes it itself",
    ),
    (
        "is_log_probability", SUMS, _in_unit,
        "training hardly learns from wrong predictions: {0} is probabilities where log-probabilities are due",
        "take log_softmax instead of softmax",
    ),
    (
        "is_log_probability", "{0}.exp().sum({1})", _uneven,
        "training never ends: the rows of {0} are no log-probabilities, as their exponentials do not sum to 1",
        "take log_softmax of the logits first",
    ),
    (
        "is_probability", "", _outside,
        "training turns into NaN or raises: {0} lies in [{1:.3g}, {2:.3g}] where probabilities are due",
        "take the sigmoid or softmax first, or better a loss of logits",
    ),
    (
        "is_probability", SUMS, _uneven, "training never ends: the rows of {0} do not sum to 1",
        "take the softmax over the classes' axis",
    ),
)  # fmt: skip


def _rules(subject: Subject, entries: int, rows: bool) -> Iterator[Rule]:
    assert subject.form.kind is not None
    for rule in RULES:
        space, sums, *_ = rule
        if not getattr(subject.space, space) or (sums and not rows):
            continue
        if subject.space.is_probability:  # rows of probabilities for other targets than labels may be anything
            if not sums or subject.form.kind.takes_labels:
                yield rule
        elif sums or entries >= ENOUGH:
            yield rule


def check_space(subject: Subject, arguments: Arguments) -> Iterator[Finding]:
    prediction, kind, name = arguments[0].double(), subject.form.kind, subject.form.names[0]
    if kind is None or not prediction.numel() or not arguments[0].is_floating_point():
        return
    low, high = prediction.min(), prediction.max()
    axis = subject.form.class_axis(prediction.ndim)
    rows = kind.rowwise and prediction.ndim > 1 and prediction.shape[axis] > 1
    for _, sums, test, message, repair in _rules(subject, prediction.numel(), rows):
        sums = sums.format(name, axis)
        if test(low, high, *([eval(sums, {name: prediction})] if sums else [])):
            yield finding(
                subject, arguments, message.format(name, float(low), float(high)),
                f"{name}.min(), {name}.max()" + (f", {sums}" if sums else ""), repair,
                severity="warning" if subject.form.sure else "note", came="numbers in [{0:.4g}, {1:.4g}]",
                expected=str(subject.space), shows=test,
            )  # fmt: skip
