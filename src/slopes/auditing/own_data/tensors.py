"""Checks of a batch's tensors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from slopes.auditing.evidence import attempt, is_lost
from slopes.auditing.form import Arguments
from slopes.auditing.own_data.prediction import finding
from slopes.auditing.report import Finding
from slopes.auditing.signatures import attribute_of
from slopes.auditing.subject import Subject, SubjectError

ENOUGH = 16  #: number of entries that do not all lie in [0, 1] by chance
SIGNS, ZERO_ONE = {-1.0, 1.0}, {0.0, 1.0}


def check_finite(subject: Subject, arguments: Arguments) -> Iterator[Finding]:
    for place, (name, x) in enumerate(zip(subject.form.names, arguments, strict=True)):
        if not x.is_floating_point() or bool(torch.isfinite(x).all()):
            continue
        bad = ~torch.isfinite(x)
        rows = torch.nonzero(bad.reshape(len(x), -1).any(dim=-1)).reshape(-1) if x.ndim else None
        small = tuple(y if rows is None or len(y) != len(x) else y[rows] for y in arguments)
        where = "" if rows is None else f", first in row {int(rows[0])}"
        yield finding(
            subject, small,
            f"training turns into NaN: {int(bad.sum())} of {x.numel()} entries of {name} are NaN or "
            f"infinite{where}", name,
            "look at the model from its first layer on, and at its inputs" if not place
            else "find them where the data is loaded; a mask must choose before the loss, as NaN * 0 is NaN",
            severity="warning" if place else "error", expected="finite numbers", shows=is_lost,
        )  # fmt: skip


def check_shapes(subject: Subject, arguments: Arguments) -> Iterator[Finding]:
    prediction, target, *_ = arguments
    shapes = f"{subject.form.names[0]} {tuple(prediction.shape)}, {subject.form.names[1]} {tuple(target.shape)}"
    wrong_labels = _labels_outside(subject, arguments)
    if wrong_labels is not None:
        yield wrong_labels
    try:
        subject(*arguments)
    except SubjectError as error:
        yield finding(
            subject, arguments, f"training stops at this batch: it raises for {shapes}: {error.cause}",
            (attempt(subject.call), "came"),
            "bring predictions and targets into the shapes and types that the loss takes", came="{0}",
        )  # fmt: skip
        return
    if _of_labels(subject, arguments) or len(arguments) > 2 or prediction.shape == target.shape:
        return
    try:
        made = np.broadcast_shapes(prediction.shape, target.shape)
    except ValueError:
        return
    if made == tuple(prediction.shape) and prediction.ndim == target.ndim:
        return  # a target for a whole row, perhaps
    yield finding(
        subject, arguments,
        f"training compares predictions with targets of other samples: {shapes} are broadcast to {made}",
        f"torch.broadcast_shapes({subject.form.names[0]}.shape, {subject.form.names[1]}.shape), "
        f"{subject.form.names[0]}.shape",
        "squeeze the prediction's last axis, or unsqueeze the target's: target.unsqueeze(-1)",
        severity="error" if subject.form.sure else "warning",
        came="values for {0}", expected="one for each of {1}",
    )  # fmt: skip


def _of_labels(subject: Subject, arguments: Arguments) -> bool:
    prediction, target, *_ = arguments
    kind = subject.form.kind
    rows = kind is not None and kind.rowwise and subject.form.spaces[1].has_classes
    return rows and not target.is_floating_point() and target.ndim == prediction.ndim - 1


def _classes(subject: Subject, prediction: Tensor) -> int:
    return prediction.shape[subject.form.class_axis(prediction.ndim)]


def _ignored_label(subject: Subject) -> int:
    label = attribute_of(subject.thing, "ignore_index")
    return label if type(label) is int else -100


def _labels_outside(subject: Subject, arguments: Arguments) -> Finding | None:
    if not _of_labels(subject, arguments):
        return None
    prediction, target, *_ = arguments
    classes = _classes(subject, prediction)
    counted = target[target != _ignored_label(subject)].long()
    outside = counted[(counted < 0) | (counted >= classes)]
    if not len(outside):
        return None
    first = int(counted.min()) == 1 and int(counted.max()) == classes
    rows = torch.isin(target, outside).reshape(len(target), -1).any(dim=-1) if target.ndim else ...
    return finding(
        subject, (prediction[rows], target[rows]),
        "training raises, or learns wrong classes: "
        + ("labels start at 1" if first else f"the label {int(outside[0])} is none of {classes} classes"),
        f"{subject.form.names[1]}.unique()",
        "subtract 1: classes are counted from 0" if first
        else f"give the model as many outputs as there are classes, or mark what is to be ignored ({int(outside[0])})",
        came="the labels {0}", expected=f"labels from 0 to {classes - 1}",
        shows=lambda seen: bool(torch.isin(outside, seen).any()),
    )  # fmt: skip


def check_targets(subject: Subject, arguments: Arguments) -> Iterator[Finding]:
    space = subject.form.spaces[1]
    if _of_labels(subject, arguments):
        yield from _label_counts(subject, arguments, _classes(subject, arguments[0]))
    elif (space.is_yes_or_no or space.is_sign) and arguments[1].numel() and len(arguments) == 2:
        yield from _two_values(subject, arguments)


def _two_values(subject: Subject, arguments: Arguments) -> Iterator[Finding]:
    name, space, target = subject.form.names[1], subject.form.spaces[1], arguments[1]
    sort = "error" if subject.form.sure else "note"
    values = target.double()
    seen = set(torch.unique(values)[:3].tolist())
    if space.is_yes_or_no and (float(values.min()) < 0 or float(values.max()) > 1):
        signs = seen <= SIGNS
        yield finding(
            subject, arguments,
            f"training learns wrong targets: {name} is "
            + ("-1 and 1" if signs else f"in [{values.min():g}, {values.max():g}]"),
            f"{name}.unique()",
            "write (target + 1) / 2" if signs else "divide by the largest, or write (target > 0).to(prediction.dtype)",
            severity=sort, expected="0 and 1, or chances between",
            shows=lambda seen: seen.min() < 0 or seen.max() > 1,
        )  # fmt: skip
    elif space.is_sign and seen == ZERO_ONE:
        yield finding(
            subject, arguments,
            f"training learns nothing from targets of 0: {name} is 0 and 1 where the loss reads signs",
            f"{name}.unique()",
            "write 2 * target - 1", severity=sort, expected="-1 and 1", shows=lambda seen: 0 in seen,
        )  # fmt: skip
    elif len(seen) == 1 and target.numel() >= ENOUGH:
        yield finding(
            subject, arguments, f"training sees one answer alone: every entry of {name} is {seen.pop():g}",
            f"{name}.unique()",
            "look whether the data is sorted by class, and shuffle it", severity="note",
            shows=lambda seen: len(seen) == 1,
        )  # fmt: skip


def _label_counts(subject: Subject, arguments: Arguments, classes: int) -> Iterator[Finding]:
    name, target = subject.form.names[1], arguments[1]
    counted = target[target != _ignored_label(subject)].long()
    seen = torch.unique(counted)
    missing = sorted(set(range(classes)) - set(seen.tolist()))
    if len(seen) == 1 and len(counted) >= ENOUGH:
        yield finding(
            subject, arguments, f"training sees one class alone: every label of the batch is {int(seen[0])}",
            f"{name}.unique()",
            "look whether the data is sorted by class, and shuffle it",
            severity="warning" if classes > 2 and target.ndim == 1 else "note",
            came="the label {0} alone", expected=f"labels of {classes} classes", shows=lambda seen: len(seen) == 1,
        )  # fmt: skip
    elif missing and len(counted) >= 20 * classes:
        yield finding(
            subject, arguments,
            f"training never sees class {missing[0]}: it is none of {len(counted)} labels", f"{name}.unique()",
            "count labels from 0, and give the model no more outputs than there are classes",
            severity="note", came="the labels {0}", expected=f"all of {classes} classes",
            shows=lambda seen: missing[0] not in seen,
        )  # fmt: skip
