"""Figures of a study's trainings: a panel per pair, on shared axes, with the others of its loss in grey behind it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from slopes.comparing.pair import Pair, Run
from slopes.comparing.report import scales
from slopes.comparing.report.panels import (
    TOP,
    Group,
    Number,
    Panel,
    Ticks,
    band,
    bottom,
    few,
    path,
    places_across,
    thinned,
    ticks_up,
    up,
)  # fmt: skip
from slopes.comparing.report.scales import Axis, Numbers
from slopes.comparing.results import Results
from slopes.comparing.statistics import estimate

POINTS = 60  #: most points of a line

Draw = Callable[["Pair", Panel], str]


def _by_loss(study: Results, name: str, drawer: Callable[[Group, list[Pair]], Draw]) -> list[Group]:
    """Panel per trained pair, grouped by loss; `draw` returns the line for the background."""
    groups = []
    for colour, loss in enumerate(study.plan.names["loss"]):
        pairs = [pair for pair in study.pairs if pair.loss == loss and pair.trained]
        if not pairs:
            continue
        group = Group([], f"{name}-{colour}", loss, pairs[0].note, colour)
        draw = drawer(group, pairs)
        lines = []
        for pair in pairs:
            panel = Panel(pair.activation, colour=colour)
            lines.append(draw(pair, panel))
            group.panels.append(panel)
        group.behind = lines if len(lines) > 1 else []
        groups.append(group)
    return groups


def curve_axis(study: Results, gap: float) -> Axis:
    """Axis of the first metric on validation data."""
    values = (value for pair in study.ranking for run in pair.chosen for value in run.curve)
    return scales.of_metric(study.metrics[0], values, gap)


def learning(study: Results, numbers: Numbers) -> list[Group]:
    """First metric on validation data by epoch: the mean over seeds, and a band from worst to best."""
    epochs = study.plan.job.epochs
    axis = curve_axis(study, 0.13)
    places, drawn = places_across(epochs), thinned(epochs, POINTS)
    xs = [places[i] for i in drawn]

    def draw(pair: Pair, panel: Panel) -> str:
        curves = np.array([run.curve for run in pair.chosen], dtype=float)
        edges = curves.mean(0), curves.min(0), curves.max(0)
        mean, low, high = ([up(axis, edge[i]) for i in drawn] for edge in edges)
        line = path(zip(xs, mean, strict=True))
        panel.shapes = [("band", band(xs, low, high))] if len(curves) > 1 else []
        panel.shapes.append(("line", line))
        for run in pair.chosen:
            if run.diverged is not None:
                panel.shapes.append(("cross", _cross(places[run.diverged - 1], up(axis, run.curve[run.diverged - 1]))))
        panel.value = numbers.full(curves[:, -1].mean())
        panel.describes = f"validation {numbers.metric.label} from {numbers.full(curves[:, 0].mean())} to {panel.value}"
        return line

    def drawer(group: Group, pairs: list[Pair]) -> Draw:
        group.xticks, group.yticks = _epochs(places), ticks_up(axis)
        return draw

    return _by_loss(study, "learning", drawer)


def training(study: Results) -> list[Group]:
    epochs = study.plan.job.epochs
    places, drawn = places_across(epochs), thinned(epochs, POINTS)

    def drawer(group: Group, pairs: list[Pair]) -> Draw:
        means = {pair.activation: mean_loss(pair.chosen) for pair in pairs}
        axis = scales.logarithmic(value for values in means.values() for value in values if value is not None)
        group.xticks, group.yticks = _epochs(places), ticks_up(axis)

        def draw(pair: Pair, panel: Panel) -> str:
            values = means[pair.activation]
            line = path((places[i], None if (v := values[i]) is None else up(axis, v)) for i in drawn)
            panel.shapes = [("line", line)]
            finite = [value for value in values if value is not None]
            panel.value = f"{finite[-1]:.2g}" if finite else "–"
            panel.describes = f"training loss from {finite[0]:.2g} to {finite[-1]:.2g}" if finite else "no finite loss"
            return line

        return draw

    return _by_loss(study, "training", drawer)


def _epochs(places: Sequence[float]) -> Ticks:
    count = len(places)
    return [(places[0], "1")] * (count > 1) + [(places[-1], f"epoch {count}")]


def mean_loss(runs: Sequence[Run]) -> list[Number]:
    """Mean training loss by epoch over the runs still finite; None where it is not above 0."""
    means: list[Number] = []
    for losses in zip(*(run.training_loss for run in runs), strict=True):
        finite = [value for value in losses if value is not None]
        mean = float(np.mean(finite)) if finite else 0.0
        means.append(mean if 0 < mean < math.inf else None)
    return means


def _cross(x: float, y: float) -> str:
    return f"M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6"


def rates(study: Results, numbers: Numbers) -> list[Group]:
    """First metric on validation data by learning rate, with intervals."""
    grid, metric = study.plan.rates, study.metrics[0]
    found = {
        pair.names: {
            rate: estimate([run.validation[metric.name] for run in runs], metric.bounds)
            for rate in grid
            if (runs := pair.at(rate))
        }
        for pair in study.ranking
    }
    ends = [end for each in found.values() for e in each.values() for end in e if end is not None]
    axis = scales.of_metric(metric, ends, 0.14)
    places = dict(zip(grid, places_across(len(grid), inset=12), strict=True))

    def draw(pair: Pair, panel: Panel) -> str:
        estimates = found[pair.names]
        line = path((places[rate], up(axis, e.mean)) for rate, e in estimates.items())
        panel.shapes = [("line", line)]
        for rate, e in estimates.items():
            x = places[rate]
            if e.low is not None and e.high is not None:
                panel.shapes.append(("whisker", path([(x, up(axis, e.low)), (x, up(axis, e.high))])))
            chosen = rate == pair.rate
            panel.dots.append(("chosen" if chosen else "dot", x, up(axis, e.mean), 4.0 if chosen else 2.2))
        panel.value = f"{pair.rate:g}" + (" at the edge" if pair.edge else "")
        panel.describes = "; ".join(f"{rate:g}: {numbers.full(e.mean)}" for rate, e in estimates.items())
        return line

    def drawer(group: Group, pairs: list[Pair]) -> Draw:
        group.xticks = few(list(places.values()), [f"{rate:g}" for rate in grid])
        group.yticks, group.rule = ticks_up(axis), places[study.shared_rate]
        return draw

    return _by_loss(study, "rates", drawer)


def gradients(study: Results) -> list[Group]:
    """Gradient norms by layer in the first and last epoch."""

    def drawer(group: Group, pairs: list[Pair]) -> Draw:
        norms = {pair.activation: [_norms(pair.chosen, epoch) for epoch in (0, -1)] for pair in pairs}
        axis = scales.logarithmic(v for both in norms.values() for each in both for v in each or () if v > 0)
        layers = max((len(each) for both in norms.values() for each in both if each), default=1)
        places = places_across(layers, inset=8)
        group.yticks = ticks_up(axis)
        group.xticks = few(places, ["layer 1", *(str(layer) for layer in range(2, layers + 1))], 8)

        def line(values: Sequence[float] | None) -> str:
            points = zip(places, values or (), strict=False)
            return path((x, up(axis, v) if v > 0 else None) for x, v in points)

        def draw(pair: Pair, panel: Panel) -> str:
            first, last = norms[pair.activation]
            if first:
                panel.dots = [("dot", x, up(axis, v), 2.2) for x, v in zip(places, first, strict=False) if v > 0]
                panel.describes = "first epoch, by layer: " + ", ".join(f"{v:.2g}" for v in first)
            else:
                panel.note = "every run diverged at once"
                panel.describes = panel.note
            panel.shapes = [("line", line(first)), ("later", line(last))]
            return line(first)

        return draw

    return _by_loss(study, "gradients", drawer)


def _norms(runs: Sequence[Run], epoch: int) -> list[float] | None:
    """Mean norm by layer over the runs still finite."""
    rows = [row for run in runs if run.gradient and (row := run.gradient[epoch])]
    return [float(value) for value in np.mean(rows, axis=0)] if rows else None


def units(study: Results) -> list[Group]:
    """Dead and saturated units by slot after the last epoch."""
    axis = Axis("linear", 0.0, 1.0, ((0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")))
    slots = max(len(run.slots) for run in study.runs)
    places = places_across(slots, inset=26 if slots < 5 else 10)
    wide = min(22.0, 0.7 * (places[1] - places[0])) if slots > 1 else 22.0

    def draw(pair: Pair, panel: Panel) -> str:
        dead, saturated = (_share([getattr(run, name) for run in pair.chosen]) for name in ("dead", "saturated"))
        for x, gone, stuck in zip(places, dead, saturated, strict=False):
            middle, top = (up(axis, share, TOP + 8) for share in (gone, gone + stuck))
            panel.bars.append(("dead", x - wide / 2, middle, wide, bottom() - middle))
            panel.bars.append(("saturated", x - wide / 2, top, wide, middle - top))
            if slots < 5:
                panel.texts.append((x, top - 3, _percent(gone + stuck)))
        panel.describes = (
            "dead: " + ", ".join(f"{v:.0%}" for v in dead) + "; saturated: " + ", ".join(f"{v:.0%}" for v in saturated)
        )
        return ""

    def drawer(group: Group, pairs: list[Pair]) -> Draw:
        labels = [str(slot + 1) for slot in range(slots)]
        labels[0] = "slot 1"
        group.xticks, group.yticks = few(places, labels, 8), ticks_up(axis, TOP + 8)
        return draw

    return _by_loss(study, "units", drawer)


def _share(shares: Sequence[Sequence[Sequence[float]]]) -> list[float]:
    """Mean over runs after the last epoch, by slot."""
    last = [run[-1] for run in shares if run and run[-1]]
    return [float(value) for value in np.mean(last, axis=0)] if last else []


def _percent(share: float) -> str:
    return "0" if share == 0 else f"{100 * share:.0f} %" if share >= 0.01 else "<1 %"
