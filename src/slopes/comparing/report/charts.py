"""Data of the charts that the page's script draws: learning curves and training losses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from slopes.comparing.pair import Pair
from slopes.comparing.report import scales
from slopes.comparing.report.figures import curve_axis, mean_loss
from slopes.comparing.report.panels import thinned
from slopes.comparing.report.scales import Axis, Numbers
from slopes.comparing.results import Results

POINTS = 150  #: most epochs of a curve


def learning(study: Results, numbers: Numbers) -> list[dict[str, Any]]:
    """A chart per loss, or with a single activation one chart with a line per loss."""
    pairs = [pair for pair in study.pairs if pair.trained]
    losses = study.plan.names["loss"]
    axis = _axis(curve_axis(study, 0.07))
    label = f"validation {numbers.heading}"
    if len(study.plan.names["activation"]) == 1:
        groups = [("", pairs, [pair.loss for pair in pairs])]
    else:
        groups = []
        for loss in losses:
            own = [pair for pair in pairs if pair.loss == loss]
            groups.append((loss, own, [pair.activation for pair in own]))
    charts = []
    for place, (title, own, names) in enumerate(groups):
        if own:
            chart = _chart(study, f"learning-chart-{place}", title, label, axis, own, names)
            chart |= {"percent": numbers.metric.percent, "digits": numbers.digits, "unit": numbers.unit}
            for pair, series in zip(own, chart["series"], strict=True):
                curves = np.array([run.curve for run in pair.chosen], dtype=float)
                series["mean"] = _thin(curves.mean(0))
                if len(curves) > 1:
                    series |= {"low": _thin(curves.min(0)), "high": _thin(curves.max(0))}
            charts.append(chart)
    return charts


def training(study: Results) -> list[dict[str, Any]]:
    charts = []
    for place, loss in enumerate(study.plan.names["loss"]):
        pairs = [pair for pair in study.pairs if pair.loss == loss and pair.trained]
        means = [mean_loss(pair.chosen) for pair in pairs]
        axis = scales.logarithmic(value for values in means for value in values if value is not None)
        if pairs:
            names = [pair.activation for pair in pairs]
            chart = _chart(study, f"training-chart-{place}", loss, "training loss", _axis(axis), pairs, names)
            for series, values in zip(chart["series"], means, strict=True):
                series["mean"] = _thin(values)
            charts.append(chart)
    return charts


def _chart(
    study: Results, name: str, title: str, label: str, axis: dict[str, Any], pairs: Sequence[Pair], names: Sequence[str]
) -> dict[str, Any]:
    order = study.plan.names["activation"] if title else study.plan.names["loss"]
    return {
        "id": name,
        "title": title,
        "label": label,
        "axis": axis,
        "epochs": [epoch + 1 for epoch in thinned(study.plan.job.epochs, POINTS)],
        "series": [{"name": each, "place": order.index(each)} for each, _ in zip(names, pairs, strict=True)],
    }


def _axis(axis: Axis) -> dict[str, Any]:
    ticks = [[axis.place(value), label] for value, label in axis.ticks]
    ends = {"low": axis.low, "high": axis.high, "centre": axis.centre, "unit": axis.unit}
    return {"kind": axis.kind, **ends, "ticks": ticks, "nearest": scales.NEAREST}


def _thin(values: Iterable[float | None]) -> list[float | None]:
    listed = list(values)
    return [_short(listed[i]) for i in thinned(len(listed), POINTS)]


def _short(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")
