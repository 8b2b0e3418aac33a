"""Picture of a diagnosis."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from slopes.diagnosing.results import Measurements
from slopes.models.units import FLAT
from slopes.plotting.picture import COLOURS, FAINT, GRID, INK, Picture, style

BLUE, RED = COLOURS[0], COLOURS[1]
AMBER = COLOURS[5]
TITLE = {"loc": "left", "size": 9.5, "weight": "bold"}


def picture(found: Measurements, title: str) -> Picture:
    with style():
        figure = Picture(figsize=(10, 1.5 + 0.34 * max(len(found.layers), 2)), layout="constrained")
        outputs, units, gradients = figure.subplots(1, 3, sharey=True)
        places = range(len(found.layers))
        _outputs(outputs, found)
        _units(units, found)
        _gradients(gradients, found)
        outputs.set(yticks=places, yticklabels=[layer.name for layer in found.layers])
        outputs.set_ylim(max(len(found.layers), 1) - 0.5, -0.5)
        for axes in (outputs, units, gradients):
            axes.grid(axis="y", visible=False)
        figure.suptitle(title, x=0.01, ha="left", color=FAINT, size=9)
    return figure


def _outputs(axes: Any, found: Measurements) -> None:
    """Draw percentiles of the outputs: 1 to 99 thin, 25 to 75 thick, and the median."""
    for place, layer in enumerate(found.layers):
        low, quarter, median, three, high = layer.percentiles
        axes.plot((low, high), (place, place), color=BLUE, linewidth=1, solid_capstyle="butt")
        axes.plot((quarter, three), (place, place), color=BLUE, linewidth=7, alpha=0.45, solid_capstyle="butt")
        axes.plot(median, place, "|", color=BLUE, markersize=11, markeredgewidth=2)
    axes.set_title("Outputs: 1 to 99 %, quartiles", **TITLE)


def _units(axes: Any, found: Measurements) -> None:
    places = range(len(found.layers))
    dead = [layer.dead for layer in found.layers]
    saturated = [layer.saturated for layer in found.layers]
    axes.barh(places, [1] * len(dead), color=GRID, alpha=0.5, height=0.6)
    axes.barh(places, dead, color=RED, height=0.6, label="dead")
    axes.barh(places, saturated, left=dead, color=AMBER, height=0.6, label="saturated")
    flat = [layer.flat for layer in found.layers]
    axes.plot(flat, places, "d", color=INK, markersize=5, label=f"slopes under {FLAT:g}", clip_on=False)
    axes.set(xlim=(0, 1), xticks=(0, 0.5, 1), xticklabels=("0 %", "50 %", "100 %"))
    axes.set_title("Units", **TITLE)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.09), ncols=3, frameon=False, fontsize=8, handlelength=1)


def _gradients(axes: Any, found: Measurements) -> None:
    there = [(layer.gradient, place) for place, layer in enumerate(found.layers) if 0 < layer.gradient < math.inf]
    if there:
        axes.plot(*zip(*there, strict=True), "o-", color=BLUE, linewidth=1.2, markersize=4.5)
        axes.set_xscale("log")
        middle = math.sqrt(min(there)[0] * max(there)[0])
        axes.set_xlim(min(middle / 15, min(there)[0] / 2), max(middle * 15, max(there)[0] * 2))
        axes.xaxis.set_major_locator(LogLocator(numticks=6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0e}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title("Gradient norm by the outputs", **TITLE)
