"""Curves by matplotlib, as PNG, SVG, or inside one HTML page that needs no network."""

from __future__ import annotations

import html
import io
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from slopes.card import Card
from slopes.plot.samples import Panel, facts, panels, rows

# Okabe and Ito's colours, which colour-blind people tell apart, each with a lighter twin for a dark page.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b3589a", "#4aa3d6", "#b8860b", "#8c3b2a", "#5f6670")
DARK = ("#56a9e8", "#f08a3c", "#33c79a", "#dd8cc3", "#8fd0f5", "#e3b23c", "#d97b66", "#a8b0bb")
LABEL = 0.16  #: the height of a label in inches
STROKES = ("-", (0, (5, 1.6)), (0, (1.2, 1.4)))  # once the colours are used up
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


def image(cards: Sequence[Card], form: str, heading: bool = True) -> bytes:
    """The picture as a file's content, "png" or "svg"; the same bytes for the same cards."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        figure = _figure(cards, heading)
        stream = io.BytesIO()
        unstamped = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
        figure.savefig(stream, format=form, metadata=unstamped, facecolor=PAPER)
    return stream.getvalue()


def _figure(cards: Sequence[Card], heading: bool) -> Figure:
    pairs = panels(cards)
    head = 0.75 if heading and len(cards) == 1 else 0.15
    widest = max((len(label) for panel, _ in pairs for label, *_ in panel.lines), default=0)
    margin = 0.35 + 0.078 * min(widest, 30)
    tall = max(2.15, LABEL * max(len(panel.lines) for panel, _ in pairs))
    width, height = 7.4 + 2 * margin, head + (tall + 0.85) * len(pairs)
    figure = Figure(figsize=(width, height))
    if heading and len(cards) == 1:
        figure.text(0.55 / width, 1 - 0.32 / height, cards[0].name, size=14, weight="bold")
        summary = textwrap.shorten(cards[0].summary, 110, placeholder=" …")
        figure.text(0.55 / width, 1 - 0.58 / height, summary, size=9, color=FAINT)
    for row, pair in enumerate(pairs):
        for column, panel in enumerate(pair):
            left = 0.55 + column * (3.6 + margin)
            bottom = height - head - (tall + 0.85) * (row + 1) + 0.5
            axes = figure.add_axes((left / width, bottom / height, 3.1 / width, tall / height))
            _draw(axes, panel)
    return figure


def _draw(axes: Any, panel: Panel) -> None:
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
                x_mark,
                y_mark,
                "o",
                color=colour,
                markersize=5,
                markeredgecolor=PAPER,
                markeredgewidth=1,
                zorder=4,
                clip_on=False,
            )
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
    """The heights of the labels: where the lines end, but a crowd of them is spread about its own middle."""
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


# --------------------------------------------------------------------------------------------- page


def page(cards: Sequence[Card]) -> bytes:
    """One HTML page: the picture, and for each card its formula and facts; light and dark."""
    names = ", ".join(card.name for card in cards)
    figure = _themed(image(cards, "svg", heading=False).decode())
    label = html.escape(f"Value and slope of {names}", quote=True)
    filled = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(names),
        light="".join(f"--c{k}: {colour}; " for k, colour in enumerate(COLOURS)),
        dark="".join(f"--c{k}: {colour}; " for k, colour in enumerate(DARK)),
        figure=figure.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1),
        cards="\n".join(_section(facts(card), alone=len(cards) == 1) for card in cards),
    )
    return filled.encode()


def _themed(svg: str) -> str:
    """The SVG element alone, its colours handed to the page's style sheet."""
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    names = {INK: "ink", FAINT: "faint", GRID: "grid", PAPER: "paper"} | {c: f"c{k}" for k, c in enumerate(COLOURS)}
    return re.sub("|".join(names), lambda found: f"var(--{names[found[0]]})", svg)


def _section(fact: dict[str, Any], alone: bool) -> str:
    formula = fact["formula"]
    shown = formula.get("mathml") or html.escape(formula.get("text", ""))
    source = (
        f"<details><summary>TeX</summary><code>{html.escape(formula['tex'])}</code></details>"
        if "tex" in formula
        else ""
    )
    table = "".join(f"<tr><th>{html.escape(label)}</th><td>{_linked(words)}</td></tr>" for label, words in rows(fact))
    heading = "" if alone else f"<h2>{html.escape(fact['name'])}</h2>"
    return (
        f"<section>{heading}<p>{html.escape(fact['summary'])}</p>"
        f'<p><code>{html.escape(fact["signature"])}</code></p><div class="formula">{shown}</div>{source}'
        f"<table>{table}</table></section>"
    )


def _linked(words: str) -> str:
    """The text for HTML, with arXiv, DOI and web addresses as links."""
    homes = {"arXiv:": "https://arxiv.org/abs/", "doi:": "https://doi.org/"}

    def link(found: re.Match[str]) -> str:
        target = homes.get(found[1], found[1]) + found[2]
        return f'<a href="{target}">{found[0]}</a>'

    return re.sub(r"(arXiv:|doi:|https?://)([^\s;]+)", link, html.escape(words))
