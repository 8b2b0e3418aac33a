"""Panels of the page, and positions in them, for the template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from slopes.comparing.report.scales import Axis

WIDTH, HEIGHT = 180.0, 122.0
LEFT, RIGHT, TOP, BOTTOM = 37.0, 5.0, 6.0, 17.0

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


def bottom() -> float:
    return HEIGHT - BOTTOM


def up(axis: Axis, value: float, top: float = TOP) -> float:
    return bottom() - axis.at(value) * (bottom() - top)


def ticks_up(axis: Axis, top: float = TOP) -> Ticks:
    return [(up(axis, value, top), label) for value, label in axis.ticks]


def path(points: Iterable[tuple[float, Number]]) -> str:
    """Path of a line, broken where y is None."""
    parts, pen = [], "M"
    for x, y in points:
        if y is None:
            pen = "M"
            continue
        parts.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L"
    return "".join(parts)


def band(xs: Sequence[float], lows: Sequence[float], highs: Sequence[float]) -> str:
    there = [(x, y) for x, y in zip(xs, highs, strict=True)]
    back = [(x, y) for x, y in zip(xs, lows, strict=True)][::-1]
    return path(there + back) + "Z"


def places_across(count: int, inset: float = 0.0) -> list[float]:
    start, end = LEFT + inset, WIDTH - RIGHT - inset
    return [start + (end - start) * (i / (count - 1) if count > 1 else 0.5) for i in range(count)]


def few(places: Sequence[float], labels: Sequence[str], most: int = 5) -> Ticks:
    """Ticks, or the first and last of too many."""
    ticks = list(zip(places, labels, strict=True))
    return ticks if len(ticks) <= most else [ticks[0], ticks[-1]]


def thinned(count: int, most: int) -> list[int]:
    """At most `most` evenly spaced epochs, with the first and the last."""
    if count <= most:
        return list(range(count))
    return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})
