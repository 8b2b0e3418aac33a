"""Picture of the ranking beside the differences to the baseline, by matplotlib."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slopes.comparing.pair import Pair
from slopes.comparing.report import scales
from slopes.comparing.report.answer import of_pairs, split_of
from slopes.comparing.report.scales import Axis, Numbers
from slopes.comparing.results import Results
from slopes.extras import require

FORMATS = (".png", ".svg", ".pdf")
ROW, TOP, BOTTOM = 0.26, 0.85, 0.75  #: inches
PLOT, GAP, SIDE = 3.1, 0.3, 1.25
LONG = 30  #: most characters of a name
MARKS = {"better": "#00714d", "worse": "#b84500"}  #: colours of the verdicts


def draw(study: Results, path: str | os.PathLike[str] | None = None, metric: str | None = None) -> Any:
    """Return matplotlib's figure, or write it to a path and return the path.

    Raises LookupError for an unknown metric or if nothing was trained, ValueError for an unknown suffix, OSError where
    the file cannot be written.
    """
    require("Study.plot", "matplotlib")
    target = None if path is None else Path(path)
    if target is not None and target.suffix.lower() not in FORMATS:
        raise ValueError(f"plot: path must end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, got {str(path)!r}.")
    chosen = study.metric(metric)
    if not study.ranked(chosen.name):
        raise LookupError("plot: nothing was trained, so there is nothing to draw; the rows of table() say why.")
    from slopes.plotting.picture import PAPER, style

    with style():
        figure = _figure(study, chosen.name)
        if target is None:
            return figure
        try:
            figure.savefig(target, facecolor=PAPER)
        except OSError as error:
            raise type(error)(f"plot: cannot write {str(path)!r}: {error.strerror or error}") from error
    return target


def _figure(study: Results, metric: str) -> Any:
    from slopes.plotting.picture import FAINT, INK, Picture

    pairs = study.ranked(metric)
    numbers = Numbers.of(study.metric(metric), [pair.estimate(metric).mean for pair in pairs], study.plan.job.task.unit)
    titles = [f"{_cut(pair.activation)}  {_cut(pair.loss)}" for pair in pairs]
    names = 0.3 + 0.075 * max(map(len, titles))
    width = names + 2 * PLOT + GAP + SIDE
    height = TOP + ROW * len(pairs) + BOTTOM
    figure = Picture(figsize=(width, height))
    box = (BOTTOM / height, ROW * len(pairs) / height)
    left = figure.add_axes((names / width, box[0], PLOT / width, box[1]))
    right = figure.add_axes(((names + PLOT + GAP) / width, box[0], PLOT / width, box[1]))
    for axes in (left, right):
        axes.set_ylim(len(pairs) - 0.5, -0.5)
        axes.set_yticks([])
        axes.grid(axis="y", visible=False)
        axes.set_axisbelow(True)
    for row, title in enumerate(titles):
        where = left.get_yaxis_transform()
        left.text(-0.03, row, title, ha="right", va="center", color=INK, transform=where, clip_on=False)
    _ranking(left, study, pairs, numbers)
    _forest(right, study, pairs, numbers)
    unit = f" in {numbers.unit.strip()}" if numbers.unit and not numbers.metric.percent else ""
    title = f"{numbers.metric.label}{unit} on {study.plan.job.task.name}"
    figure.text(0.15 / width, 1 - 0.3 / height, title, size=13, weight="bold", va="center")
    figure.text(
        0.15 / width,
        0.18 / height,
        f"Seeds: {len(study.plan.seeds)}. Verdicts hold for {split_of(study)}.",
        size=8,
        color=FAINT,
    )
    return figure


def _cut(name: str) -> str:
    return name if len(name) <= LONG else f"{name[: LONG - 1]}…"


def _ranking(axes: Any, study: Results, pairs: Sequence[Pair], numbers: Numbers) -> None:
    seeds = {id(pair): [run.test[numbers.metric.name] for run in pair.chosen] for pair in pairs}
    estimates = [pair.estimate(numbers.metric.name) for pair in pairs]
    ends = [end for estimate in estimates for end in estimate[1:] if end is not None]
    axis = scales.of_metric(numbers.metric, [*(value for row in seeds.values() for value in row), *ends], 0.13)
    _across(axes, axis, f"mean, 95 % interval, seeds; {'higher' if numbers.metric.higher else 'lower'} is better")
    for row, (pair, estimate) in enumerate(zip(pairs, estimates, strict=True)):
        colour = _colour(study, pair)
        dots = [axis.at(value) for value in seeds[id(pair)]]
        axes.plot(dots, [row + 0.3] * len(dots), "o", color=colour, ms=2.6, alpha=0.5, mew=0)
        _bar(axes, axis, row, colour, *estimate)


def _forest(axes: Any, study: Results, pairs: Sequence[Pair], numbers: Numbers) -> None:
    from slopes.plotting.picture import FAINT, INK

    verdicts = of_pairs(study.verdicts(numbers.metric.name))
    ends = [v for each in verdicts.values() for k in ("difference", "low", "high") if (v := each[k]) is not None]
    axis = scales.of_differences(numbers.metric, ends, 0.13)
    baseline = f"{_cut(study.baseline.activation)} with {_cut(study.baseline.loss)}"
    _across(axes, axis, f"difference to {baseline}{', points' if numbers.metric.percent else ''}")
    margin = numbers.metric.margin
    axes.axvspan(axis.at(-margin), axis.at(margin), color="#eeede6", lw=0, zorder=0)
    axes.axvline(axis.at(0.0), color=FAINT, linewidth=0.9, zorder=1)
    for row, pair in enumerate(pairs):
        found = verdicts.get(pair.names)
        words = "baseline" if pair is study.baseline else found["verdict"] if found else ""
        style = {"color": MARKS.get(words, INK), "weight": "bold" if words in MARKS else "normal"}
        axes.text(1.04, row, words, va="center", transform=axes.get_yaxis_transform(), clip_on=False, **style)
        if found and found["difference"] == found["difference"]:
            _bar(axes, axis, row, _colour(study, pair), found["difference"], found["low"], found["high"])


def _across(axes: Any, axis: Axis, label: str) -> None:
    axes.set_xlim(0, 1)
    axes.set_xticks([axis.at(value) for value, _ in axis.ticks], [text for _, text in axis.ticks])
    axes.xaxis.tick_top()
    axes.set_xlabel(label, size=8)


def _bar(axes: Any, axis: Axis, row: int, colour: str, mean: float, low: float | None, high: float | None) -> None:
    from slopes.plotting.picture import PAPER

    if low is not None and high is not None:
        axes.plot([axis.at(low), axis.at(high)], [row, row], color=colour, linewidth=2, solid_capstyle="round")
    face = PAPER if axis.beyond(mean) else colour
    edge = colour if axis.beyond(mean) else PAPER
    axes.plot(axis.at(mean), row, "o", ms=6.5, mfc=face, mec=edge, mew=1, zorder=4, clip_on=False)


def _colour(study: Results, pair: Pair) -> str:
    from slopes.plotting.picture import COLOURS

    return COLOURS[study.plan.names["loss"].index(pair.loss) % len(COLOURS)]
