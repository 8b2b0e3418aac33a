"""Curves as small SVG pictures, whose colours are the page's."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator

import numpy as np

from slopes.card import Loss
from slopes.plotting.samples import Curve, Line, Panel

WIDTH, HEIGHT = 560, 340
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 12, 44  #: margins of the axes
CAPTION = "Value (solid) and slope (dashed)"


def draw_figure(curve: Curve, functions: str, label: str, caption: str = CAPTION) -> str:
    """Return a figure with a picture and its caption, which a script makes live for functions that it can compute."""
    span, card = " ".join(f"{end:g}" for end in curve.lines[0].x[[0, -1]]), curve.card
    axis = (
        curve.axis if isinstance(card, Loss) and card.rowwise else card._arguments[0]
    )  # of others sliders move the rest
    attributes = f'data-function="{functions}" data-span="{span}" data-axis="{html.escape(axis)}"'
    caption += name_colours([line.label for line in curve.lines if line.label])
    return f'<figure class="curve" {attributes}>{draw(curve, label)}<figcaption>{caption}</figcaption></figure>'


def name_colours(labels: list[str]) -> str:
    """Return names in the colours of their curves, as the end of a caption."""
    keys = [f'<span class="c{k % 8} key">{html.escape(label)}</span>' for k, label in enumerate(labels)]
    return f": {', '.join(keys)}." if keys else "."


def draw(curve: Curve, label: str) -> str:
    """Return a picture of a card's values and slopes in one panel; `label` describes it to those who cannot see it."""
    strokes = [stroke for line in curve.lines for stroke in (line.value, line.broken_slope())]
    first = curve.lines[0].x
    limits = Panel("", "", [("", first, stroke, []) for stroke in strokes]).limits()
    frame = _Frame((float(first[0]), float(first[-1])), limits)
    parts = [*frame.axes(curve.axis)]
    for number, line in enumerate(curve.lines):
        colour = f"c{number % 8}"
        strokes_of = (("slope", line.broken_slope()), ("value", line.value))
        paths = "".join(f'<path class="{kind} {colour}" d="{frame.path(line.x, y)}"/>' for kind, y in strokes_of)
        parts.append(frame.clip(paths))
        parts.extend(frame.dots(line, colour))
    return (
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(label, quote=True)}">'
        f"{''.join(parts)}</svg>"
    )


def draw_thumbnail(curve: Curve) -> str:
    """Return a small picture of the values alone, with neither axes nor words."""
    line = curve.lines[0]
    x, y = line.x[::5], line.value[::5]
    frame = _Frame((float(x[0]), float(x[-1])), Panel("", "", [("", x, y, [])]).limits(), (120, 72), (4, 4, 4, 4))
    return (
        '<svg class="thumbnail" viewBox="0 0 120 72" aria-hidden="true">'
        f'<path class="grid" d="{frame.cross()}"/><path class="value c0" d="{frame.path(x, y)}"/></svg>'
    )


def choose_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Return round numbers between two bounds, at most so many."""
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step *= next(factor for factor in (1, 2, 5, 10, 20) if (high - low) / (step * factor) <= most)
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def write_number(value: float) -> str:
    """Return a tick's number, with a true minus."""
    return f"{value:.6g}".replace("-", "−")


class _Frame:
    """Axes: from numbers to places in the picture."""

    def __init__(
        self, x: tuple[float, float], y: tuple[float, float], size: tuple[int, int] = (WIDTH, HEIGHT),
        margins: tuple[int, int, int, int] = (LEFT, RIGHT, TOP, BOTTOM),
    ) -> None:  # fmt: skip
        left, right, top, bottom = margins
        self.x, self.y = x, y
        self.left, self.right, self.top, self.bottom = left, size[0] - right, top, size[1] - bottom

    def across(self, x: float) -> float:
        return self.left + (x - self.x[0]) / (self.x[1] - self.x[0]) * (self.right - self.left)

    def down(self, y: float) -> float:
        return self.bottom - (y - self.y[0]) / (self.y[1] - self.y[0]) * (self.bottom - self.top)

    def path(self, x: np.ndarray, y: np.ndarray) -> str:
        """Return the path of a stroke, which is broken where y is no number; far outside it is cut."""
        room = self.bottom - self.top
        parts, drawing = [], False
        for a, b in zip(x.tolist(), y.tolist(), strict=True):
            if math.isnan(b):
                drawing = False
                continue
            height = min(max(self.down(b), self.top - room), self.bottom + room)
            parts.append(f"{'L' if drawing else 'M'}{self.across(a):.1f} {height:.1f}")
            drawing = True
        return "".join(parts)

    def cross(self) -> str:
        """Return the path of the lines through 0, as far as they are inside."""
        parts = []
        if self.x[0] < 0 < self.x[1]:
            parts.append(f"M{self.across(0):.1f} {self.top}V{self.bottom}")
        if self.y[0] < 0 < self.y[1]:
            parts.append(f"M{self.left} {self.down(0):.1f}H{self.right}")
        return "".join(parts)

    def axes(self, label: str) -> Iterator[str]:
        """Yield grid, numbers and the label of the horizontal axis."""
        across, down = choose_ticks(*self.x), choose_ticks(*self.y, most=6)
        lines = [f"M{self.across(x):.1f} {self.top}V{self.bottom}" for x in across]
        lines += [f"M{self.left} {self.down(y):.1f}H{self.right}" for y in down]
        yield f'<path class="grid" d="{"".join(lines)}"/><path class="zero" d="{self.cross()}"/>'
        for x in across:
            yield f'<text x="{self.across(x):.1f}" y="{self.bottom + 17}" text-anchor="middle">{write_number(x)}</text>'
        for y in down:
            yield f'<text x="{self.left - 6}" y="{self.down(y) + 5:.1f}" text-anchor="end">{write_number(y)}</text>'
        middle = (self.left + self.right) / 2
        yield f'<text x="{middle}" y="{self.bottom + 37}" text-anchor="middle">{html.escape(label)}</text>'

    def dots(self, line: Line, colour: str) -> Iterator[str]:
        """Yield a dot at each kink: the slope there is the card's choice."""
        for place in line.kinks:
            at = self.across(float(line.x[place]))
            for kind, y in (("value", line.value[place]), ("slope", line.slope[place])):
                yield f'<circle class="{kind} {colour}" cx="{at:.1f}" cy="{self.down(float(y)):.1f}" r="4"/>'

    def clip(self, inside: str) -> str:
        """Return strokes without their parts beyond the axes."""
        width, height = self.right - self.left, self.bottom - self.top
        place = f'x="{self.left}" y="{self.top}" width="{width}" height="{height}"'
        return f'<svg {place} viewBox="{self.left} {self.top} {width} {height}">{inside}</svg>'
