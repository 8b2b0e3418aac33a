"""Critical-difference diagram of mean ranks, after Demšar (2006)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from slopes.comparing.across.ranks import Ranking

WIDTH, SIDE = 760.0, 170.0  #: of the drawing, and of the names on either side of the axis
AXIS, ROW, BAR = 46.0, 20.0, 7.0  #: place of the axis, and distances of names and of bars


class Line(NamedTuple):
    """A name with the line from its mean rank."""

    name: str
    mean: str
    path: str
    x: float  #: of the name
    y: float
    anchor: str  #: side of the name that the line touches


def draw(ranks: Ranking) -> dict[str, Any]:
    """Everything that the template draws: the axis from 1, the best, a line for each name, and bars of groups."""
    count = len(ranks.names)
    groups = ranks.groups
    start = AXIS + 14 + BAR * len(groups)
    half = math.ceil(count / 2)
    lines = [_line(ranks, place, half, start) for place in range(count)]
    bars = [
        f"M{_at(ranks, ranks.means[first]) - 4:.1f} {AXIS + 9 + BAR * row:.1f}H{_at(ranks, ranks.means[last]) + 4:.1f}"
        for row, (first, last) in enumerate(groups)
    ]
    critical = None if ranks.critical is None else min(ranks.critical, count - 1.0)
    return {
        "width": WIDTH,
        "height": start + ROW * half,
        "axis": AXIS,
        "ends": (SIDE, WIDTH - SIDE),
        "ticks": [(_at(ranks, rank), str(rank)) for rank in range(1, count + 1, math.ceil(count / 12))],
        "lines": lines,
        "bars": bars,
        "critical": None if critical is None else f"M{SIDE} 12V20M{SIDE} 16H{_at(ranks, 1 + critical):.1f}m0 -4v8",
        "describes": "; ".join(f"{line.name} {line.mean}" for line in lines),
    }


def _at(ranks: Ranking, rank: float) -> float:
    return SIDE + (float(rank) - 1) / (len(ranks.names) - 1) * (WIDTH - 2 * SIDE)


def _line(ranks: Ranking, place: int, half: int, start: float) -> Line:
    """The better half have their names on the left, from the top down, the others on the right, from the bottom up."""
    is_left = place < half
    row = place if is_left else len(ranks.names) - 1 - place
    x, y, end = _at(ranks, ranks.means[place]), start + ROW * row, SIDE - 10 if is_left else WIDTH - SIDE + 10
    path = f"M{x:.1f} {AXIS}V{y:.1f}H{end:.1f}"
    mean = f"{ranks.means[place]:.2f}"
    return Line(ranks.names[place], mean, path, end - 5 if is_left else end + 5, y, "end" if is_left else "start")
