"""Lines of a card's plot, sampled along the axis of its kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from slopes.card import Card, Loss

POINTS = 401  #: odd, so that 0 is among them


@dataclass(frozen=True)
class Line:
    """Curve and slope at x; the slope jumps at the indices `kinks`."""

    label: str  #: tells a card's lines apart; "" if there is one
    x: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    kinks: tuple[int, ...] = ()

    def broken_slope(self) -> np.ndarray:
        """Slope with NaN at every kink, so that no stroke bridges a jump."""
        broken = self.slope.copy()
        broken[list(self.kinks)] = np.nan
        return broken


@dataclass(frozen=True)
class Curve:
    card: Card
    axis: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Panel:
    title: str
    axis: str
    lines: list[tuple[str, np.ndarray, np.ndarray, list[tuple[float, float]]]]  #: (label, x, y, points to mark)

    def limits(self) -> tuple[float, float]:
        """Y range: all of it, unless a few points (poles) would flatten the rest."""
        parts = [y[np.isfinite(y)] for _, _, y, _ in self.lines]
        y = np.concatenate(parts) if any(part.size for part in parts) else np.zeros(1)
        low, high = float(y.min()), float(y.max())
        inner_low, inner_high = (float(q) for q in np.quantile(y, (0.05, 0.95)))
        if high - low > 4 * (inner_high - inner_low) > 0:
            low, high = max(low, inner_low), min(high, inner_high)
        pad = 0.06 * (high - low) or 0.5
        return low - pad, high + pad


def panels(cards: Iterable[Card]) -> list[tuple[Panel, Panel]]:
    """(value, slope) pair of panels for each axis; lines of several cards bear their names."""
    curves = [curve(card) for card in cards]
    pairs = []
    for axis in dict.fromkeys(c.axis for c in curves):
        drawn = [(c, line) for c in curves if c.axis == axis for line in c.lines]
        value, slope = Panel("value", axis, []), Panel("slope", axis, [])
        for c, line in drawn:
            label = ", ".join(part for part in (c.card.name if len(curves) > 1 else "", line.label) if part)
            for panel, y, stroke in (
                (value, line.value, line.value),
                (slope, line.slope, line.broken_slope()),
            ):
                marks = [(float(line.x[k]), float(y[k])) for k in line.kinks]
                panel.lines.append((label, line.x, stroke, marks))
        pairs.append((value, slope))
    return pairs


def curve(card: Card) -> Curve:
    kinks = _kinks(card)
    if isinstance(card, Loss):
        return _loss_curve(card, kinks)
    x = _grid(-4.0, 4.0, kinks)
    if not card.rowwise:
        line = Line("", x, np.asarray(card(x)), np.asarray(card.slope(x)), _indices(x, kinks))
        return Curve(card, "x", (line,))
    axis, label, _, _ = card.curve(x)  # type: ignore[attr-defined]
    value, slope = card.curve_of(x)  # type: ignore[attr-defined]
    return Curve(card, axis, (Line(label, x, value, slope, _indices(x, kinks)),))


def _loss_curve(card: Loss, kinks: tuple[float, ...]) -> Curve:
    examples = card.kind.examples(card.settings)
    x = _grid(*examples.span(), kinks)
    axis, arguments = examples.curve(x)
    lines = []
    for label, (prediction, *rest) in arguments.items():
        value, gradient = _values_and_slopes(card, (prediction, *rest))
        # A row moves along a straight line with x, so the slope by x is the gradient along it.
        direction = (prediction[-1] - prediction[0]) / (x[-1] - x[0])
        slope = (gradient * direction).reshape(x.size, -1).sum(axis=1)
        several = np.asarray(value).reshape(x.size, -1)  # of regions, a value per class
        lines.append(Line(label, x, several.mean(axis=1), slope / several.shape[1], _indices(x, kinks)))
    return Curve(card, axis, tuple(lines))


def _values_and_slopes(card: Loss, arguments: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Values and gradients of samples, one by one if the card only has reduced values."""
    if card.has_values:
        return card.value_and_slope(*arguments, reduction="none")
    pairs = [card.value_and_slope(*(x[n : n + 1] for x in arguments)) for n in range(len(arguments[0]))]
    return np.array([value for value, _ in pairs]), np.concatenate([gradient for _, gradient in pairs])


def _kinks(card: Card) -> tuple[float, ...]:
    """Kinks on the plot's axis: a loss claims them of the residual."""
    if isinstance(card, Loss) and not card.kind.compares_numbers:
        return ()
    return tuple(float(k) for k in card.claims.kinks or ())


def _grid(low: float, high: float, kinks: tuple[float, ...]) -> np.ndarray:
    """Even points, and each kink with its two neighbours."""
    inside = [near for k in kinks if low < k < high for near in (np.nextafter(k, -np.inf), k, np.nextafter(k, np.inf))]
    return np.unique(np.concatenate([np.linspace(low, high, POINTS), inside]))


def _indices(x: np.ndarray, kinks: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(int(index) for index in np.flatnonzero(np.isin(x, kinks)))
