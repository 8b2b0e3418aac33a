"""Figures of the page, as positions for the template.

A figure has a panel per pair or function, on shared axes, with the others of its loss in grey behind it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from slopes.card import Card
from slopes.comparing.report import scales
from slopes.comparing.report.scales import Axis, Numbers
from slopes.comparing.results import Pair, Results, Run
from slopes.comparing.statistics import estimate

WIDTH, HEIGHT = 180.0, 122.0
LEFT, RIGHT, TOP, BOTTOM = 37.0, 5.0, 6.0, 17.0
POINTS = 60  #: most points of a line

Number = float | None
Ticks = list[tuple[float, str]]


@dataclass
class Panel:
    title: str
    value: str = ""  #: number beside the title
    colour: int = 0  #: index into the page's colours
    shapes: list[tuple[str, str]] = field(default_factory=list)  #: (class, path)
    dots: list[tuple[str, float, float, float]] = field(default_factory=list)  #: (class, x, y, radius)
    bars: list[tuple[str, float, float, float, float]] = field(default_factory=list)  #: (class, x, y, width, height)
    texts: list[tuple[float, float, str]] = field(default_factory=list)
    xticks: Ticks = field(default_factory=list)  #: empty if the group has ticks for all
    yticks: Ticks = field(default_factory=list)
    note: str = ""  #: line below
    describes: str = ""  #: alternative text


@dataclass
class Group:
    panels: list[Panel]
    id: str = ""  #: identifier in the page
    title: str = ""
    note: str = ""
    colour: int = 0
    xticks: Ticks = field(default_factory=list)
    yticks: Ticks = field(default_factory=list)
    rule: float | None = None  #: position of a vertical line
    behind: list[str] = field(default_factory=list)  #: grey paths


# ------------------------------------------------------------------------------------------ positions


def _bottom() -> float:
    return HEIGHT - BOTTOM


def _up(axis: Axis, value: float, top: float = TOP) -> float:
    return _bottom() - axis.at(value) * (_bottom() - top)


def _yticks(axis: Axis, top: float = TOP) -> Ticks:
    return [(_up(axis, value, top), label) for value, label in axis.ticks]


def _path(points: Iterable[tuple[float, Number]]) -> str:
    """Path of a line, broken where y is None."""
    parts, pen = [], "M"
    for x, y in points:
        if y is None:
            pen = "M"
            continue
        parts.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
    return "".join(parts)


def _band(xs: Sequence[float], lows: Sequence[float], highs: Sequence[float]) -> str:
    there = [(x, y) for x, y in zip(xs, highs, strict=True)]
    back = [(x, y) for x, y in zip(xs, lows, strict=True)][::-1]
    return _path(there + back) + "Z"


def _places(count: int, inset: float = 0.0) -> list[float]:
    start, end = LEFT + inset, WIDTH - RIGHT - inset
    return [start + (end - start) * (i / (count - 1) if count > 1 else 0.5) for i in range(count)]


def _few(places: Sequence[float], labels: Sequence[str], most: int = 5) -> Ticks:
    """Ticks, or the first and last of too many."""
    ticks = list(zip(places, labels, strict=True))
    return ticks if len(ticks) <= most else [ticks[0], ticks[-1]]


def thinned(count: int, most: int) -> list[int]:
    """At most `most` evenly spaced epochs, with the first and the last."""
    if count <= most:
        return list(range(count))
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})


# -------------------------------------------------------------------------------------------- figures

Draw = Callable[["Pair", Panel], str]


def _by_loss(study: Results, name: str, drawer: Callable[[Group, list[Pair]], Draw]) -> list[Group]:
    """Panel per trained pair, grouped by loss; `draw` returns the line for the background."""
    groups = []
    for colour, loss in enumerate(study.plan.names["loss"]):
        pairs = [pair for pair in study.pairs if pair.loss == loss and pair.chosen]
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
    places, drawn = _places(epochs), thinned(epochs, POINTS)
    xs = [places[i] for i in drawn]

    def draw(pair: Pair, panel: Panel) -> str:
        curves = np.array([run.curve for run in pair.chosen], dtype=float)
        edges = curves.mean(0), curves.min(0), curves.max(0)
        mean, low, high = ([_up(axis, edge[i]) for i in drawn] for edge in edges)
        line = _path(zip(xs, mean, strict=True))
        panel.shapes = [("band", _band(xs, low, high))] if len(curves) > 1 else []
        panel.shapes.append(("line", line))
        for run in pair.chosen:
            if run.diverged is not None:
                panel.shapes.append(("cross", _cross(places[run.diverged - 1], _up(axis, run.curve[run.diverged - 1]))))
        panel.value = numbers.full(curves[:, -1].mean())
        panel.describes = f"validation {numbers.metric.label} from {numbers.full(curves[:, 0].mean())} to {panel.value}"
        return line

    def drawer(group: Group, pairs: list[Pair]) -> Draw:
        group.xticks, group.yticks = _epochs(places), _yticks(axis)
        return draw

    return _by_loss(study, "learning", drawer)


def training(study: Results) -> list[Group]:
    epochs = study.plan.job.epochs
    places, drawn = _places(epochs), thinned(epochs, POINTS)

    def drawer(group: Group, pairs: list[Pair]) -> Draw:
        means = {pair.activation: mean_loss(pair.chosen) for pair in pairs}
        axis = scales.logarithmic(value for values in means.values() for value in values if value is not None)
        group.xticks, group.yticks = _epochs(places), _yticks(axis)

        def draw(pair: Pair, panel: Panel) -> str:
            values = means[pair.activation]
            line = _path((places[i], None if (v := values[i]) is None else _up(axis, v)) for i in drawn)
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
    grid, name = study.plan.rates, study.metrics[0].name
    found = {
        pair.names: {rate: estimate([run.validation[name] for run in runs]) for rate in grid if (runs := pair.at(rate))}
        for pair in study.ranking
    }
    ends = [end for each in found.values() for e in each.values() for end in e if end is not None]
    axis = scales.of_metric(study.metrics[0], ends, 0.14)
    places = dict(zip(grid, _places(len(grid), inset=12), strict=True))

    def draw(pair: Pair, panel: Panel) -> str:
        estimates = found[pair.names]
        line = _path((places[rate], _up(axis, e.mean)) for rate, e in estimates.items())
        panel.shapes = [("line", line)]
        for rate, e in estimates.items():
            x = places[rate]
            if e.low is not None and e.high is not None:
                panel.shapes.append(("whisker", _path([(x, _up(axis, e.low)), (x, _up(axis, e.high))])))
            chosen = rate == pair.rate
            panel.dots.append(("chosen" if chosen else "dot", x, _up(axis, e.mean), 4.0 if chosen else 2.2))
        panel.value = f"{pair.rate:g}" + (" at the edge" if pair.edge else "")
        panel.describes = "; ".join(f"{rate:g}: {numbers.full(e.mean)}" for rate, e in estimates.items())
        return line

    def drawer(group: Group, pairs: list[Pair]) -> Draw:
        group.xticks = _few(list(places.values()), [f"{rate:g}" for rate in grid])
        group.yticks, group.rule = _yticks(axis), places[study.shared_rate]
        return draw

    return _by_loss(study, "rates", drawer)


def gradients(study: Results) -> list[Group]:
    """Gradient norms by layer in the first and last epoch."""

    def drawer(group: Group, pairs: list[Pair]) -> Draw:
        norms = {pair.activation: [_norms(pair.chosen, epoch) for epoch in (0, -1)] for pair in pairs}
        axis = scales.logarithmic(v for both in norms.values() for each in both for v in each or () if v > 0)
        layers = max((len(each) for both in norms.values() for each in both if each), default=1)
        places = _places(layers, inset=8)
        group.yticks = _yticks(axis)
        group.xticks = _few(places, ["layer 1", *(str(layer) for layer in range(2, layers + 1))], 8)

        def line(values: Sequence[float] | None) -> str:
            points = zip(places, values or (), strict=False)
            return _path((x, _up(axis, v) if v > 0 else None) for x, v in points)

        def draw(pair: Pair, panel: Panel) -> str:
            first, last = norms[pair.activation]
            if first:
                panel.dots = [("dot", x, _up(axis, v), 2.2) for x, v in zip(places, first, strict=False) if v > 0]
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
    places = _places(slots, inset=26 if slots < 5 else 10)
    wide = min(22.0, 0.7 * (places[1] - places[0])) if slots > 1 else 22.0

    def draw(pair: Pair, panel: Panel) -> str:
        dead, saturated = (_share([getattr(run, name) for run in pair.chosen]) for name in ("dead", "saturated"))
        for x, gone, stuck in zip(places, dead, saturated, strict=False):
            middle, top = (_up(axis, share, TOP + 8) for share in (gone, gone + stuck))
            panel.bars.append(("dead", x - wide / 2, middle, wide, _bottom() - middle))
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
        group.xticks, group.yticks = _few(places, labels, 8), _yticks(axis, TOP + 8)
        return draw

    return _by_loss(study, "units", drawer)


def _share(shares: Sequence[Sequence[Sequence[float]]]) -> list[float]:
    """Mean over runs after the last epoch, by slot."""
    last = [run[-1] for run in shares if run and run[-1]]
    return [float(value) for value in np.mean(last, axis=0)] if last else []


def _percent(share: float) -> str:
    return "0" if share == 0 else f"{100 * share:.0f} %" if share >= 0.01 else "<1 %"


# ------------------------------------------------------------------------------------------ functions

Line = tuple[Any, Any, Any]  #: x, value, slope


def activation_curves(study: Results) -> list[Group]:
    job = study.plan.job
    found = [_tried(_activation_lines, activation) for activation in job.activations]
    finite = [y[np.isfinite(y)] for lines, _ in found for _, *both in lines for y in both]
    low = min(max(min((float(y.min()) for y in finite if y.size), default=0.0), -2.0), -0.5) - 0.1
    high = max(min(max((float(y.max()) for y in finite if y.size), default=0.0), 3.0), 1.0) + 0.1
    panels = []
    for name, activation, (lines, trouble) in zip(study.plan.names["activation"], job.activations, found, strict=True):
        panel = Panel(name, note=trouble or getattr(activation, "summary", ""), describes=trouble)
        _draw_function(panel, lines, -4.0, 4.0, low, high)
        if lines:
            x, value, _ = lines[0]
            panel.describes = f"{name}(0) = {float(value[np.abs(x).argmin()]):.3g}"
        panels.append(panel)
    ticks = [(_across(-4.0, 4.0)(t), _signed(t)) for t in (-4, 0, 4)]
    heights = _height(low, high)
    yticks = [(heights(t), _signed(t)) for t in range(math.ceil(low), math.floor(high) + 1)]
    return [Group(panels, "activations", xticks=ticks, yticks=yticks)]


def loss_curves(study: Results) -> list[Group]:
    """Each loss has its own axes, as units differ."""
    panels = []
    for colour, (name, loss) in enumerate(zip(study.plan.names["loss"], study.plan.job.losses, strict=True)):
        curve, trouble = _tried(_loss_curve, loss)
        summary = getattr(loss, "summary", "")
        panel = Panel(name, colour=colour, note=f"{trouble or curve.axis}. {summary}".strip(), describes=trouble)
        if not trouble:
            lines = [(line.x, line.value, line.broken_slope()) for line in curve.lines]
            first, last = (float(end) for end in np.round(lines[0][0][[0, -1]], 2))
            shown = np.concatenate([y[np.isfinite(y)] for _, *both in lines for y in both])
            low, high = (float(q) for q in np.quantile(shown, (0.01, 0.99))) if shown.size else (0.0, 1.0)
            low, high = min(low, 0.0), max(high, low + 1e-6)
            margin = 0.05 * (high - low)
            _draw_function(panel, lines, first, last, low - margin, high + margin)
            across, heights = _across(first, last), _height(low - margin, high + margin)
            panel.xticks = [(across(t), _signed(t)) for t in (first, (first + last) / 2, last)]
            panel.yticks = [(heights(t), _signed(t)) for t in scales.round_numbers(low, high, 5)]
            panel.describes = f"{name} against {curve.axis}"
        panels.append(panel)
    return [Group(panels, "losses")]


def _tried(sample: Callable[[Any], Any], function: Any) -> tuple[Any, str]:
    """(samples, "") or (nothing, reason), as a user's function may fail."""
    try:
        return sample(function), ""
    except Exception as error:
        return [], str(error) if isinstance(error, _NoCurveError) else "it cannot be drawn"


class _NoCurveError(Exception):
    pass


def _activation_lines(activation: Any) -> list[Line]:
    if isinstance(activation, Card):
        from slopes.plotting.samples import curve

        return [(line.x, line.value, line.broken_slope()) for line in curve(activation).lines]
    import torch

    from slopes.models.replacing import module_of

    module = module_of(activation).eval()
    x = torch.linspace(-4, 4, 401).requires_grad_()
    value = module(x)
    (slope,) = torch.autograd.grad(value.sum(), x)
    if value.shape != x.shape or not torch.allclose(module(x[:1]), value[:1]):
        raise _NoCurveError("It mixes the entries of its input, so that no curve shows it")
    return [(x.detach().numpy(), value.detach().numpy(), slope.numpy())]


def _loss_curve(loss: Any) -> Any:
    from slopes.plotting.samples import curve

    if loss.kind.coupled:
        raise _NoCurveError("It compares the entries of a batch, so that no curve shows it")
    return curve(loss)


def _draw_function(panel: Panel, lines: Sequence[Line], first: float, last: float, low: float, high: float) -> None:
    across, heights = _across(first, last), _height(low, high)
    for x, value, slope in lines:
        for kind, numbers in (("slope", slope), ("value", value)):
            points = ((across(a), heights(b) if math.isfinite(b) else None) for a, b in zip(x, numbers, strict=True))
            panel.shapes.append((kind, _path(_straightened(list(points)))))


def _straightened(points: list[tuple[float, Number]]) -> list[tuple[float, Number]]:
    """Drop points within a tenth of a unit of the line between kept neighbours."""
    kept, passed = points[:1], []
    for point, after in pairwise(points[1:]):
        passed.append(point)
        if len(passed) > 30 or not _straight(kept[-1], after, passed):
            kept.append(point)
            passed = []
    return kept + points[-1:]


def _straight(start: tuple[float, Number], end: tuple[float, Number], between: list[tuple[float, Number]]) -> bool:
    (x0, y0), (x1, y1) = start, end
    if y0 is None or y1 is None or x0 == x1:
        return False
    return all(y is not None and abs(y0 + (y1 - y0) * (x - x0) / (x1 - x0) - y) < 0.1 for x, y in between)


def _across(first: float, last: float) -> Callable[[float], float]:
    return lambda x: LEFT + (x - first) / (last - first) * (WIDTH - RIGHT - LEFT)


def _height(low: float, high: float) -> Callable[[float], float]:
    """Vertical scale that reaches beyond the panel, which clips it."""
    far = 9 * (high - low)
    return lambda y: _bottom() - (min(max(y, low - far), high + far) - low) / (high - low) * (_bottom() - TOP)


def _signed(value: float) -> str:
    return f"{value + 0.0:.4g}".replace("-", "−")
