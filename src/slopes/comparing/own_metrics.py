"""Metrics that a user asks for besides the task's: functions, and some by name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from slopes.comparing.metrics import Judged, Metric
from slopes.comparing.plain import name_function
from slopes.comparing.settings import check_settings, settings_of
from slopes.comparing.tasks import Task
from slopes.loading import describe

#: second argument of a function that takes probabilities, as in scikit-learn
_PROBABILITIES = ("y_score", "y_prob", "y_proba", "probabilities")
#: ends of the names of functions of which less is better, as in scikit-learn
_LOWER = ("_error", "_loss", "_deviance")
#: settings of each metric that has a name
_SETTINGS: dict[str, tuple[str, ...]] = {"recalls": (), "coverage": (), "pinball": ("quantile",)}


def own_metrics(given: Sequence[Any], task: Task) -> tuple[Metric, ...]:
    """Metrics of functions ``(targets, predictions)`` and of names."""
    found: list[Metric] = []
    for each in given:
        found += [_of_function(each)] if callable(each) else _by_name(each, task)
    return tuple(found)


def _of_function(function: Callable[..., Any]) -> Metric:
    name = name_function(function)
    higher = getattr(function, "higher_is_better", not name.partition("(")[0].endswith(_LOWER))
    return Metric(
        name,
        name.replace("_", " "),
        higher,
        False,
        0.01,
        partial(_measure, name, function),
        bounds=(-math.inf, math.inf),
    )


def _measure(name: str, function: Callable[..., Any], judged: Judged) -> Tensor:
    """Values by model; NaN, with a reason in `judged.missing`, where the function fails or gives no finite number."""
    values = []
    for place, given in enumerate(_arguments(function, judged)):
        try:
            value = float(function(*given))
            reason = "" if math.isfinite(value) else f"it is {value}"
        except Exception as error:  # a user's function may raise anything
            value, reason = math.nan, describe(error)
        if reason:
            judged.missing[name, place] = reason
        values.append(math.nan if reason else value)
    return torch.tensor(values, dtype=torch.float64)


def _arguments(function: Callable[..., Any], judged: Judged) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Targets and predictions of each model."""
    try:
        names = list(inspect.signature(function).parameters)
    except ValueError:
        names = []
    predicted = _predicted(judged, len(names) > 1 and names[1] in _PROBABILITIES)
    kind = judged.task.kind
    for target, each in zip(judged.targets, predicted, strict=True):
        if kind.has_classes and kind.has_positions:
            counted = target >= 0
            yield target[counted].numpy(), each[counted].numpy()
        else:
            yield _flat(target).numpy(), _flat(each).numpy()


def try_metrics(given: Sequence[Any], judged: Judged) -> None:
    """Call each function on the first model; ValueError if one fails or gives no number."""
    for function in filter(callable, given):
        call: Callable[..., Any] = function
        arguments = next(_arguments(call, judged))
        try:
            float(call(*arguments))
        except Exception as error:
            raise ValueError(f"compare: the metric {name_function(function)} fails: {describe(error)}.") from error


def _predicted(judged: Judged, is_probable: bool) -> Tensor:
    kind = judged.task.kind
    if kind.has_numbers or is_probable:
        return judged.predicted
    return judged.predicted_class if kind.has_classes else (judged.predicted > 0.5).to(judged.targets.dtype)


def _flat(values: Tensor) -> Tensor:
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _by_name(text: str, task: Task) -> list[Metric]:
    name, given = settings_of(text)
    if name in _SETTINGS:
        check_settings(name, given, _SETTINGS[name])
    if name == "recalls" and (task.kind.has_strata or task.kind.has_classes):
        return [
            Metric(
                f"recall_{label}", f"recall of {label}", True, True, 0.005, partial(_recall_of, place), False, (0, 1)
            )
            for place, label in enumerate(task.labels)
        ]
    if name == "coverage" and task.kind.has_numbers:
        return [Metric("coverage", "share of targets at most predicted", True, True, 0.005, _coverage, bounds=(0, 1))]
    if name == "pinball" and task.kind.has_numbers:
        quantile = given.get("quantile", 0.5)
        label = f"pinball loss of {quantile:g}"
        return [Metric(f"pinball_{quantile:g}", label, False, False, 0.01, partial(_pinball, quantile), in_units=True)]
    raise ValueError(
        f'compare: no metric {text!r} of a {task.kind} task; there are "recalls" of classes, "coverage" and '
        '"pinball(quantile=0.9)" of numbers, and functions of targets and predictions.'
    )


def _recall_of(place: int, judged: Judged) -> Tensor:
    true = judged.targets == place
    right = (_predicted(judged, False) == place) & true
    return right.flatten(1).sum(1).double() / true.flatten(1).sum(1).clamp_min(1)


def _coverage(judged: Judged) -> Tensor:
    return (judged.targets <= judged.predicted).double().mean((1, -1))


def _pinball(quantile: float, judged: Judged) -> Tensor:
    left = judged.targets - judged.predicted
    return torch.maximum(quantile * left, (quantile - 1) * left).mean((1, -1))
