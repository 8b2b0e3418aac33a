"""Curves by matplotlib, as PNG or SVG, or as a figure for notebooks."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from slopes.card import Card
from slopes.plotting.samples import Panel, panels

# Okabe and Ito's colours, safe for the colour-blind, and lighter twins for a dark page
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b3589a", "#4aa3d6", "#b8860b", "#8c3b2a", "#5f6670")
DARK = ("#56a9e8", "#f08a3c", "#33c79a", "#dd8cc3", "#8fd0f5", "#e3b23c", "#d97b66", "#a8b0bb")
CSS_DPI = 96  #: CSS pixels per inch
LABEL = 0.16  #: height of a label in inches
STROKES = ("-", (0, (5, 1.6)), (0, (1.2, 1.4)))  # for more lines than colours
INK, FAINT, GRID, PAPER = "#1f2328", "#6b7280", "#d9dde3", "#ffffff"
STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so pictures are the same everywhere
    "font.size": 9,
    "text.parse_math": False,  # a dollar sign in a docstring is no formula
    "svg.fonttype": "path",
    "svg.hashsalt": "slopes",
    "axes.edgecolor": GRID,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelcolor": FAINT,
    "axes.unicode_minus": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "text.color": INK,
    "savefig.dpi": 200,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in this package's style instead of the user's rcParams."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


class Picture(Figure):
    """Figure that notebooks show even without pyplot."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        stream = io.BytesIO()
        with style():
            self.savefig(stream, format="png", dpi=2 * CSS_DPI)  # for dense screens
        png, width = base64.b64encode(stream.getvalue()).decode(), round(CSS_DPI * self.get_figwidth())
        return {"image/png": png, "text/plain": repr(self)}, {"image/png": {"width": width}}


def image(cards: Sequence[Card], form: str, heading: bool = True) -> bytes:
    """Bytes that are always the same for the same cards."""
    with style():
        stream = io.BytesIO()
        unstamped = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
        draw(cards, heading).savefig(stream, format=form, metadata=unstamped, facecolor=PAPER)
    return stream.getvalue()


@style()
def draw(cards: Sequence[Card], heading: bool = True) -> Picture:
    """Value and slope, under the name of a single card with `heading`."""
    pairs = panels(cards)
    head = 0.75 if heading and len(cards) == 1 else 0.15
    widest = max((len(label) for panel, _ in pairs for label, *_ in panel.lines), default=0)
    margin = 0.35 + 0.078 * min(widest, 30)
    tall = max(2.15, LABEL * max(len(panel.lines) for panel, _ in pairs))
    width, height = 7.4 + 2 * margin, head + (tall + 0.85) * len(pairs)
    figure = Picture(figsize=(width, height))
    if heading and len(cards) == 1:
        figure.text(0.55 / width, 1 - 0.32 / height, cards[0].name, size=14, weight="bold")
        summary = textwrap.shorten(cards[0].summary, 110, placeholder=" …")
        figure.text(0.55 / width, 1 - 0.58 / height, summary, size=9, color=FAINT)
    for row, pair in enumerate(pairs):
        for column, panel in enumerate(pair):
            left = 0.55 + column * (3.6 + margin)
            bottom = height - head - (tall + 0.85) * (row + 1) + 0.5
            axes = figure.add_axes((left / width, bottom / height, 3.1 / width, tall / height))
            _draw_panel(axes, panel)
    return figure


def _draw_panel(axes: Any, panel: Panel) -> None:
    low, high = panel.limits()
    first = panel.lines[0][1]
    axes.set_xlim(np.round(first[0], 2), np.round(first[-1], 2))
    axes.set_ylim(low, high)
    axes.set_title(panel.title, loc="left", size=9.5, weight="bold", color=INK)
    axes.set_xlabel(panel.axis)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.set_axisbelow(True)
    if low < 0 < high:
        axes.axhline(0, color=FAINT, linewidth=0.8, zorder=1)
    ends = []
    for index, (label, x, y, marks) in enumerate(panel.lines):
        colour, stroke = COLOURS[index % len(COLOURS)], STROKES[index // len(COLOURS) % len(STROKES)]
        axes.plot(x, y, color=colour, linestyle=stroke, linewidth=1.8, solid_capstyle="round", zorder=3)
        for x_mark, y_mark in marks:
            axes.plot(
                x_mark, y_mark, "o", color=colour, markersize=5, markeredgecolor=PAPER, markeredgewidth=1, zorder=4,
                clip_on=False,
            )  # fmt: skip
        finite = y[np.isfinite(y)]
        if label and finite.size:
            ends.append((float(np.clip(finite[-1], low, high)), label, colour))
    gap = LABEL / (axes.figure.get_figheight() * axes.get_position().height) * (high - low)
    places = _spread([end for end, *_ in ends], gap, high + gap)
    for (end, label, colour), place in zip(ends, places, strict=True):
        across = {"color": colour, "transform": axes.transAxes, "clip_on": False}
        height = (place - low) / (high - low)
        axes.plot((1.01, 1.045), ((end - low) / (high - low), height), linewidth=0.7, **across)
        axes.text(1.06, height, label, va="center", **across)


def _spread(ends: list[float], gap: float, ceiling: float) -> list[float]:
    """Heights of labels: where the lines end, but crowded ones spread."""
    order = sorted(range(len(ends)), key=ends.__getitem__)
    crowds: list[list[int]] = []
    for index in order:
        crowds.append([index])
        while (
            len(crowds) > 1
            and _middle(crowds[-1], ends) - _middle(crowds[-2], ends) < gap * len(crowds[-1] + crowds[-2]) / 2
        ):
            crowds[-2:] = [crowds[-2] + crowds[-1]]
    heights = [0.0] * len(ends)
    for crowd in crowds:
        for place, index in enumerate(crowd):
            heights[index] = _middle(crowd, ends) + gap * (place - (len(crowd) - 1) / 2)
    for index in reversed(order):
        heights[index] = min(heights[index], ceiling)
        ceiling = heights[index] - gap
    return heights


def _middle(crowd: list[int], ends: list[float]) -> float:
    return sum(ends[index] for index in crowd) / len(crowd)
