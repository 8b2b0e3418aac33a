"""Audit of the tensors of a real training: predictions, targets and gradients."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch

from slopes.auditing.form import Arguments
from slopes.auditing.own_data.gradients import check_gradients
from slopes.auditing.own_data.prediction import ModelError, predict
from slopes.auditing.own_data.space import check_space
from slopes.auditing.own_data.tensors import check_finite, check_shapes, check_targets
from slopes.auditing.report import Finding, Report, Skip, about, run
from slopes.auditing.subject import Subject


def look(subject: Subject, model: Any, batch: Any, report: Report, watch: Callable[[str], None] | None = None) -> None:
    """Add findings on a batch to a report: (inputs, targets) of a model, or without one, (predictions, targets).

    A copy of the model runs in its current mode. A loss of several arguments takes a tuple of targets.
    """
    if model is not None and not callable(model):
        raise TypeError(f"audit: model must be a module or a function of the inputs, got {type(model).__name__}")
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        came = f"{len(batch)} parts" if isinstance(batch, (tuple, list)) else type(batch).__name__
        raise TypeError(f"audit: batch must be ({'predictions' if model is None else 'inputs'}, targets), got {came}")

    @about("loss")
    def own_data(subject: Subject) -> Iterator[Finding]:
        try:
            prediction = predict(copy.deepcopy(model), batch[0])
        except ModelError as error:
            yield error.finding()
            return
        targets = batch[1] if isinstance(batch[1], (tuple, list)) else (batch[1],)
        arguments = (prediction.tensor.detach(), *(torch.as_tensor(target) for target in targets))
        if len(arguments) != len(subject.form.names):
            raise Skip(f"the loss takes {', '.join(subject.form.names)}, and the batch holds {len(arguments)} tensors")
        report.facts.append(f"own data: {_told(subject, arguments)}")
        for look_at in (check_finite, check_shapes, check_targets, check_space):
            found = next(look_at(subject, arguments), None)
            if found is not None:
                yield found
                if found.severity == "error":
                    return
        yield from check_gradients(subject, arguments, prediction, report.facts)

    run(subject, [own_data], report, watch)


def _told(subject: Subject, arguments: Arguments) -> str:
    told = []
    for name, x in zip(subject.form.names, arguments, strict=True):
        span = f" in [{float(x.min()):.4g}, {float(x.max()):.4g}]" if x.numel() and x.dtype is not torch.bool else ""
        told.append(f"{name} {tuple(x.shape)} {str(x.dtype).removeprefix('torch.')}{span}")
    return ", ".join(told)
