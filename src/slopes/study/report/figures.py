"""The figures of the page: numbers turned into positions, which the template draws.

Every figure is a set of small panels with shared axes, one per pair or function. In a panel the pair that it is
about stands out, and the others of its loss lie behind it in grey.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from slopes.study.statistics import estimate

if TYPE_CHECKING:
    from slopes.study.results import Pair, Run, Study

WIDTH, HEIGHT = 180.0, 122.0
LEFT, RIGHT, TOP, BOTTOM = 27.0, 5.0, 6.0, 17.0
ACCURACIES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)

Number = float | None
Scale = Callable[[float], float]


@dataclass
class Panel:
    """A small picture: what to draw, in the template's own units."""

    title: str
    value: str = ""  #: a number beside the title
    colour: int = 0  #: which of the page's colours
    xticks: list[tuple[float, str]] = field(default_factory=list)
    yticks: list[tuple[float, str]] = field(default_factory=list)
    shapes: list[tuple[str, str]] = field(default_factory=list)  #: (class, path)
    dots: list[tuple[str, float, float, float]] = field(default_factory=list)  #: (class, x, y, radius)
    bars: list[tuple[str, float, float, float, float]] = field(default_factory=list)  #: (class, x, y, width, height)
    texts: list[tuple[float, float, str]] = field(default_factory=list)
    context: str = ""  #: the id of what lies behind, in grey
    note: str = ""  #: a line below
    describes: str = ""  #: the panel in words, for who cannot see it


@dataclass
class Group:
    """The panels of one loss."""

    title: str
    note: str
    colour: int
    panels: list[Panel]


@dataclass
class Figure:
    """Groups of panels with what lies behind them."""

    groups: list[Group]
    contexts: dict[str, list[str]] = field(default_factory=dict)  #: id: paths


# --------------------------------------------------------------------------------------------- scales


def stretched(accuracy: float) -> float:
    """Accuracy on an axis that widens towards 1: equal steps divide the share of errors by equal factors."""
    return -math.log10(max(1 - accuracy, 1e-4))


def _linear(low: float, high: float, start: float, end: float) -> Scale:
    span = (high - low) or 1.0
    return lambda value: start + (min(max(value, low), high) - low) / span * (end - start)


def accuracy_axis(
    values: Iterable[float], start: float, end: float, gap: float
) -> tuple[Scale, list[tuple[float, str]]]:
    """A stretched axis that holds the accuracies, with ticks at least `gap` apart."""
    places = [stretched(value) for value in values]
    margin = 0.04 * (max(places) - min(places) or 1.0)
    low, high = max(min(places) - margin, 0.0), max(places) + margin
    scale = _linear(low, high, start, end)
    ticks: list[tuple[float, str]] = []
    for accuracy in ACCURACIES:
        place = stretched(accuracy)
        if low <= place <= high and all(abs(scale(place) - other) >= gap for other, _ in ticks):
            ticks.append((scale(place), _percent(accuracy)))
    return lambda value: scale(stretched(value)), ticks


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _bottom() -> float:
    return HEIGHT - BOTTOM


def _path(points: Iterable[tuple[float, Number]]) -> str:
    """A line through the points, broken where there is none."""
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
    """Evenly spaced positions across a panel."""
    start, end = LEFT + inset, WIDTH - RIGHT - inset
    return [start + (end - start) * (i / (count - 1) if count > 1 else 0.5) for i in range(count)]


def _few(places: Sequence[float], labels: Sequence[str], most: int = 5) -> list[tuple[float, str]]:
    """The ticks, or only the first and the last of too many."""
    ticks = list(zip(places, labels, strict=True))
    return ticks if len(ticks) <= most else [ticks[0], ticks[-1]]


# -------------------------------------------------------------------------------------------- figures

Draw = Callable[["Pair", Panel], str]


def _by_loss(study: Study, name: str, drawer: Callable[[list[Pair]], Draw]) -> Figure:
    """A panel for each pair, in groups by loss; what `draw` returns is the line that lies behind the others."""
    figure = Figure([])
    for colour, loss in enumerate(study.plan.names["loss"]):
        pairs = [pair for pair in study.pairs if pair.loss == loss]
        draw = drawer(pairs)
        context = f"{name}-{colour}"
        panels, lines = [], []
        for pair in pairs:
            panel = Panel(pair.activation, colour=colour, context=context)
            lines.append(draw(pair, panel))
            panels.append(panel)
        figure.contexts[context] = lines if len(lines) > 1 else []
        figure.groups.append(Group(loss, pairs[0].note, colour, panels))
    return figure


def learning(study: Study) -> Figure:
    """Validation accuracy by epoch: the mean over seeds and the band from the worst to the best."""
    epochs = study.plan.epochs
    everything = [value for pair in study.pairs for run in pair.chosen for value in run.validation]
    scale, ticks = accuracy_axis(everything, _bottom(), TOP, 13)
    places = _places(epochs)
    labels = _epochs(epochs)

    def draw(pair: Pair, panel: Panel) -> str:
        curves = np.array([run.validation for run in pair.chosen])
        mean = [scale(value) for value in curves.mean(0)]
        line = _path(zip(places, mean, strict=True))
        low, high = ([scale(value) for value in edge] for edge in (curves.min(0), curves.max(0)))
        panel.xticks, panel.yticks = _few(places, labels, 1), ticks
        panel.shapes = [("band", _band(places, low, high)), ("line", line)]
        for run in pair.chosen:
            if run.diverged is not None:
                panel.shapes.append(
                    ("cross", _cross(places[run.diverged - 1], scale(run.validation[run.diverged - 1])))
                )
        panel.value = f"{100 * curves[:, -1].mean():.1f} %"
        panel.describes = f"validation accuracy rises from {curves[:, 0].mean():.1%} to {curves[:, -1].mean():.1%}"
        return line

    return _by_loss(study, "learning", lambda pairs: draw)


def training(study: Study) -> Figure:
    """Training loss by epoch, the mean over the seeds that are still finite, on a logarithmic axis per loss."""
    epochs = study.plan.epochs
    places = _places(epochs)

    def drawer(pairs: list[Pair]) -> Draw:
        means = {pair.activation: _mean_loss(pair.chosen) for pair in pairs}
        scale, ticks = _powers(value for values in means.values() for value in values if value is not None)

        def draw(pair: Pair, panel: Panel) -> str:
            values = means[pair.activation]
            line = _path((x, None if v is None else scale(v)) for x, v in zip(places, values, strict=True))
            panel.xticks = _few(places, _epochs(epochs), 1)
            panel.yticks, panel.shapes = ticks, [("line", line)]
            finite = [value for value in values if value is not None]
            panel.value = f"{finite[-1]:.2g}" if finite else "diverged"
            panel.describes = f"training loss falls from {finite[0]:.2g} to {finite[-1]:.2g}" if finite else "diverged"
            return line

        return draw

    return _by_loss(study, "training", drawer)


def _epochs(count: int) -> list[str]:
    return [str(epoch) for epoch in range(1, count)] + [f"epoch {count}"]


def _mean_loss(runs: list[Run]) -> list[Number]:
    """By epoch, the mean over the runs that were still finite; None where it is not above 0."""
    means: list[Number] = []
    for losses in zip(*(run.training_loss for run in runs), strict=True):
        finite = [value for value in losses if value is not None]
        mean = float(np.mean(finite)) if finite else 0.0
        means.append(mean if mean > 0 else None)
    return means


def _powers(values: Iterable[float]) -> tuple[Scale, list[tuple[float, str]]]:
    """A logarithmic scale from one power of ten to another, with a few of them as ticks."""
    exponents = [math.log10(value) for value in values] or [0.0]
    low, high = math.floor(min(exponents)), math.ceil(max(exponents))
    high = max(high, low + 1)
    scale = _linear(low, high, _bottom(), TOP)
    step = math.ceil((high - low) / 4)
    ticks = [(scale(power), _power(power)) for power in range(low, high + 1, step)]
    return lambda value: scale(math.log10(value)), ticks


def _cross(x: float, y: float) -> str:
    return f"M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6"


def rates(study: Study) -> Figure:
    """Validation accuracy by learning rate, with intervals over seeds and a dot at the rate that was chosen."""
    grid = study.plan.rates
    found = {
        (pair.activation, pair.loss): [estimate([run.validation[-1] for run in pair.at(rate)]) for rate in grid]
        for pair in study.pairs
    }
    ends = [end for each in found.values() for e in each for end in (e.mean, e.low, e.high) if end is not None]
    scale, ticks = accuracy_axis([min(max(end, 0.0), 1.0) for end in ends], _bottom(), TOP, 13)
    places = _places(len(grid), inset=12)

    def draw(pair: Pair, panel: Panel) -> str:
        estimates = found[pair.activation, pair.loss]
        line = _path((x, scale(e.mean)) for x, e in zip(places, estimates, strict=True))
        panel.xticks, panel.yticks = _few(places, [f"{rate:g}" for rate in grid]), ticks
        panel.shapes = [("line", line)]
        for x, rate, e in zip(places, grid, estimates, strict=True):
            if e.low is not None and e.high is not None:
                panel.shapes.append(("whisker", _path([(x, scale(e.low)), (x, scale(e.high))])))
            chosen = rate == pair.rate
            panel.dots.append(("chosen" if chosen else "dot", x, scale(e.mean), 4.0 if chosen else 2.2))
        panel.value = f"{pair.rate:g}" + (" at the edge" if pair.edge else "")
        panel.describes = "; ".join(f"{rate:g}: {e.mean:.1%}" for rate, e in zip(grid, estimates, strict=True))
        return line

    return _by_loss(study, "rates", lambda pairs: draw)


def gradients(study: Study) -> Figure:
    """Gradient norm by layer, in the first and in the last epoch, on one logarithmic axis per loss."""

    def drawer(pairs: list[Pair]) -> Draw:
        norms = {pair.activation: [_norms(pair.chosen, epoch) for epoch in (0, -1)] for pair in pairs}
        scale, ticks = _powers(v for both in norms.values() for each in both for v in each or () if v > 0)

        def line(values: Sequence[float] | None) -> str:
            if not values:
                return ""
            places = _places(len(values), inset=8)
            return _path((x, scale(v) if v > 0 else None) for x, v in zip(places, values, strict=True))

        def draw(pair: Pair, panel: Panel) -> str:
            first, last = norms[pair.activation]
            panel.yticks = ticks
            if first:
                places = _places(len(first), inset=8)
                panel.xticks = _few(places, ["layer 1", *(str(layer) for layer in range(2, len(first) + 1))], 8)
                panel.dots = [("dot", x, scale(v), 2.2) for x, v in zip(places, first, strict=True) if v > 0]
                panel.describes = "first epoch, by layer: " + ", ".join(f"{v:.2g}" for v in first)
            else:
                panel.note = "every run diverged at once"
            panel.shapes = [("line", line(first)), ("later", line(last))]
            return line(first)

        return draw

    return _by_loss(study, "gradients", drawer)


def _norms(runs: list[Run], epoch: int) -> list[float] | None:
    """Per layer, the mean norm over the runs that were still finite in that epoch."""
    rows = [row for run in runs if (row := run.gradient[epoch]) is not None]
    return [float(value) for value in np.mean(rows, axis=0)] if rows else None


def _power(exponent: int) -> str:
    digits = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{digits}" if exponent not in (0, 1) else ("1", "10")[exponent]


def units(study: Study) -> Figure:
    """The share of dead and of saturated units in each hidden layer, after the last epoch."""
    scale = _linear(0, 1, _bottom(), TOP + 8)

    def draw(pair: Pair, panel: Panel) -> str:
        dead, saturated = (
            np.mean([getattr(run, name)[-1] for run in pair.chosen], axis=0) for name in ("dead", "saturated")
        )
        places = _places(len(dead), inset=26)
        panel.xticks = (
            [(x, f"layer {i}") for i, x in enumerate(places, 1)]
            if len(dead) < 4
            else _few(places, [str(i + 1) for i in range(len(dead))], 8)
        )
        panel.yticks = [(scale(share), _percent(share)) for share in (0, 0.5, 1)]
        for x, gone, stuck in zip(places, dead, saturated, strict=True):
            middle, top = scale(gone), scale(gone + stuck)
            panel.bars.append(("dead", x - 11, middle, 22, _bottom() - middle))
            panel.bars.append(("saturated", x - 11, top, 22, middle - top))
            panel.texts.append(
                (
                    x,
                    top - 3,
                    "0" if gone + stuck == 0 else f"{100 * (gone + stuck):.0f} %" if gone + stuck >= 0.01 else "<1 %",
                )
            )
        panel.describes = (
            "dead: " + ", ".join(f"{v:.0%}" for v in dead) + "; saturated: " + ", ".join(f"{v:.0%}" for v in saturated)
        )
        return ""

    return _by_loss(study, "units", lambda pairs: draw)


# ------------------------------------------------------------------------------------------ functions


def activation_curves(study: Study) -> Figure:
    """Each activation and its slope, on shared axes."""
    import torch

    x = torch.linspace(-5, 5, 401)
    across = _linear(-5, 5, LEFT, WIDTH - RIGHT)
    found = [(card(x).detach(), card.slope(x)) for card in study.plan.activations]
    low = max(min(float(v.nan_to_num(0.0).min()) for pair in found for v in pair), -2.0)
    high = min(max(float(v.nan_to_num(0.0).max()) for pair in found for v in pair), 3.0)
    low, high = min(low, -0.5) - 0.1, max(high, 1.0) + 0.1
    scale = _open(low, high)
    ticks = [(scale(t), f"{t:g}".replace("-", "−")) for t in range(math.ceil(low), math.floor(high) + 1)]
    panels = []
    for name, card, (value, slope) in zip(study.plan.names["activation"], study.plan.activations, found, strict=True):
        panel = Panel(name, xticks=[(across(t), f"{t}".replace("-", "−")) for t in (-5, 0, 5)], yticks=ticks)
        for kind, numbers in (("slope", slope), ("value", value)):
            points = zip(x.tolist(), numbers.tolist(), strict=True)
            panel.shapes.append((kind, _path((across(a), scale(b) if math.isfinite(b) else None) for a, b in points)))
        panel.note = card.summary
        panel.describes = f"{name}(0) = {float(card(torch.zeros(1))[0]):.3g}"
        panels.append(panel)
    return Figure([Group("", "", 0, panels)])


def loss_curves(study: Study) -> Figure:
    """Each loss and its slope along the line that its kind shows; axes of their own, as their units differ."""
    panels = []
    for colour, (name, card) in enumerate(zip(study.plan.names["loss"], study.plan.losses, strict=True)):
        label, low, high, lines = _along(card)
        across = _linear(low, high, LEFT, WIDTH - RIGHT)
        shown = np.concatenate([np.concatenate([value, slope]) for _, value, slope in lines])
        shown = shown[np.isfinite(shown)]
        bottom, top = (float(np.quantile(shown, q)) for q in (0.01, 0.99)) if len(shown) else (0.0, 1.0)
        bottom, top = min(bottom, 0.0), max(top, bottom + 1e-6)
        margin = 0.05 * (top - bottom)
        scale = _open(bottom - margin, top + margin)
        panel = Panel(name, colour=colour, note=f"{label}. {card.summary}")
        panel.xticks = [(across(t), f"{t:g}".replace("-", "−")) for t in (low, (low + high) / 2, high)]
        panel.yticks = [(scale(t), f"{t:g}".replace("-", "−")) for t in _round_ticks(bottom, top)]
        for x, value, slope in lines:
            for kind, numbers in (("slope", slope), ("value", value)):
                points = zip(x, numbers, strict=True)
                panel.shapes.append(
                    (kind, _path((across(a), scale(b) if math.isfinite(b) else None) for a, b in points))
                )
        panel.describes = f"{name} against {label}"
        panels.append(panel)
    return Figure([Group("", "", 0, panels)])


def _open(low: float, high: float) -> Scale:
    """A vertical scale that does not clip: the panel does."""
    return lambda value: (
        _bottom()
        - (min(max(value, low - 9 * (high - low)), high + 9 * (high - low)) - low) / (high - low) * (_bottom() - TOP)
    )


def _along(card: Any) -> tuple[str, float, float, list[tuple[Any, Any, Any]]]:
    """(axis label, its ends, lines of (x, value, slope along the axis)) of a loss, in the range it is fed here."""
    import torch

    given = card.settings
    if card.kind.space_of(given) == "probabilities":
        low, high = 0.0, 1.0
    else:
        low, high = (-1.0, 1.0) if card.kind.name == "regression" else (-6.0, 6.0)
    x = np.linspace(low, high, 401) if low else np.linspace(0.005, 0.995, 199)
    label, curves = card.kind.curve(x, given)
    lines = []
    for prediction, *rest in curves.values():
        p = torch.as_tensor(prediction, dtype=torch.float64).requires_grad_()
        others = [torch.as_tensor(x) for x in rest]
        values = card(p, *(x.double() if x.is_floating_point() else x for x in others), reduction="none")
        (gradient,) = torch.autograd.grad(values.sum(), p)
        direction = np.gradient(np.asarray(prediction, dtype=float), x, axis=0)
        slope = (gradient.numpy() * direction).reshape(len(x), -1).sum(1)
        lines.append((x.tolist(), values.detach().numpy(), slope))
    return label, low, high, lines


def _round_ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers between the two."""
    raw = (high - low) / 4
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw)
    return [round(i * step, 10) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
