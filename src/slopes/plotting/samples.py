"""Contents of a card's plot: lines, sampled along the axis of its kind, and facts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from slopes.card import Card, Loss
from slopes.extras import install
from slopes.ops import Constant

POINTS = 401  #: along the axis; an odd number, so that 0 is among them


@dataclass(frozen=True)
class Line:
    """A curve and its slope at the points x; the slope jumps at the indices `kinks`."""

    label: str  #: tells a card's lines apart; "" if there is one
    x: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    kinks: tuple[int, ...] = ()

    def broken_slope(self) -> np.ndarray:
        """The slope with NaN at every kink, so that no stroke bridges a jump."""
        broken = self.slope.copy()
        broken[list(self.kinks)] = np.nan
        return broken


@dataclass(frozen=True)
class Curve:
    """A card's lines and the label of their axis."""

    card: Card
    axis: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Panel:
    """Lines in one pair of axes: for each its label, x, y and the points to mark."""

    title: str
    axis: str
    lines: list[tuple[str, np.ndarray, np.ndarray, list[tuple[float, float]]]]

    def limits(self) -> tuple[float, float]:
        """Return the y range: all of it, unless a few points (poles) would flatten the rest."""
        parts = [y[np.isfinite(y)] for _, _, y, _ in self.lines]
        y = np.concatenate(parts) if any(part.size for part in parts) else np.zeros(1)
        low, high = float(y.min()), float(y.max())
        inner_low, inner_high = (float(q) for q in np.quantile(y, (0.05, 0.95)))
        if high - low > 4 * (inner_high - inner_low) > 0:
            low, high = max(low, inner_low), min(high, inner_high)
        pad = 0.06 * (high - low) or 0.5
        return low - pad, high + pad


def panels(cards: Iterable[Card]) -> list[tuple[Panel, Panel]]:
    """Return a (value, slope) pair of panels for each axis; lines of several cards bear their names."""
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
    """Sample the card along the axis of its kind."""
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
        value, gradient = card.value_and_slope(prediction, *rest, reduction="none")
        # A row moves along a straight line with x, so the slope by x is the gradient along it.
        direction = (prediction[-1] - prediction[0]) / (x[-1] - x[0])
        slope = (gradient * direction).reshape(x.size, -1).sum(axis=1)
        several = np.asarray(value).reshape(x.size, -1)  # of regions, a value per class
        lines.append(Line(label, x, several.mean(axis=1), slope / several.shape[1], _indices(x, kinks)))
    return Curve(card, axis, tuple(lines))


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


# -------------------------------------------------------------------------------------------- facts


def facts(card: Card) -> dict[str, Any]:
    """Return the facts of a card as plain values, for `rows` and for programs."""
    from slopes import catalogue

    lines = curve(card).lines
    return {
        "name": card.name,
        "aliases": catalogue.aliases(card),
        "kind": kind(card),
        "signature": signature(card),
        "summary": card.summary,
        "parameters": parameters(card),
        "formula": _formula(card),
        "claims": {name: value for name, value in card.claims.stated().items() if name != "kinks"},
        "kinks": [{"at": float(line.x[k]), "slope": float(line.slope[k])} for line in lines[:1] for k in line.kinks],
        "papers": [paper._asdict() for paper in card.papers],
        "same_as": {} if card.switched else {library: peer.same for library, peer in card.same_as.items()},
    }


def rows(known: dict[str, Any]) -> list[tuple[str, str]]:
    """Return facts as (label, text), without name, signature and summary, which are headings."""
    name = known["name"]
    claims = "; ".join(WORDS[claim](value) for claim, value in known["claims"].items())
    listed = [
        ("kind", known["kind"]),
        ("also called", ", ".join(known["aliases"])),
        *(("parameter", default_words(parameter)) for parameter in known["parameters"]),
        # Claims hold for the defaults: bound parameters may change the range, the slope, and more.
        ("claims at the defaults" if "(" in name else "claims", claims),
        (
            "kink",
            "; ".join(f"at {number(k['at'])}, slope there {number(k['slope'])}" for k in known["kinks"]),
        ),
        *(("elsewhere", f"{peer}.{expression}") for peer, expression in known["same_as"].items()),
        *(("paper", f"{p['authors']} ({p['year']}). {p['title']}. {p['link']}") for p in known["papers"]),
    ]
    return [(label, words) for label, words in listed if words]


def rows_with_formula(known: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the formula in one line, then `rows`."""
    formula = known["formula"].get("text")
    return [*([("formula", formula)] if formula else []), *rows(known)]


def text(known: dict[str, Any]) -> str:
    """Return the facts as lines of plain text."""
    lines = (f"{label}: {words}" for label, words in rows_with_formula(known))
    return "\n".join([known["signature"], known["summary"], *lines])


def entries(cards: Iterable[Card]) -> list[dict[str, Any]]:
    """Return names, kind, parameters and summary of each card once."""
    from slopes import catalogue

    return [
        {
            "name": card.name,
            "aliases": catalogue.aliases(card),
            "family": card.family,
            "kind": kind(card),
            "parameters": parameters(card),
            "summary": card.summary,
        }
        for card in dict.fromkeys(cards)
    ]


def kind(card: Card) -> str:
    """Describe the inputs of the card."""
    if isinstance(card, Loss):
        space = card.kind.space_of(card.settings)
        return f"{card.kind.name} loss, on {'real numbers' if space.is_real else space}"
    return "map of a row" if card.family == "map" else "activation"


def parameters(card: Card) -> list[dict[str, str]]:
    """Describe each parameter by name, domain and default."""
    return [
        {"name": name, "domain": "" if p.domain is None else str(p.domain), "default": _written(p.default)}
        for name, p in card.parameters.items()
    ]


def default_words(parameter: dict[str, str]) -> str:
    """Format a parameter as in "alpha=1.0 (> 0)": its default and its domain."""
    domain = f" ({parameter['domain']})" if parameter["domain"] else ""
    return f"{parameter['name']}={parameter['default']}{domain}"


def signature(card: Card) -> str:
    """Format arguments and parameters as in "elu(x, *, alpha=1.0)", bound values included."""
    arguments = [argument.name for argument in card.kind.arguments] if isinstance(card, Loss) else card._arguments
    own = [f"{name}={_written(value)}" for name, value in card.settings.items()]
    return f"{card.__name__}({', '.join([*arguments, *(['*'] if own else []), *own])})"


def number(value: float) -> str:
    """Format a number as in 1, 0.25, −∞."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.6g}".replace("-", "−")


WORDS: dict[str, Callable[[Any], str]] = {
    "range": lambda ends: f"values from {number(ends[0])} to {number(ends[1])}",
    "zero": lambda value: f"{number(value)} at 0",
    "lipschitz": lambda value: f"slope at most {number(value)} in size",
    "monotone": lambda holds: "never falls" if holds else "falls somewhere",
    "symmetry": str,
    "convex": lambda holds: "convex" if holds else "not convex",
    "minimum": lambda value: f"least value {number(value)}, at a perfect prediction",
    "ulps": lambda value: f"right to {number(value)} units in the last place",
}


def _written(value: Any) -> str:
    return value.text.lower() if isinstance(value, Constant) else repr(value)


def _formula(card: Card) -> dict[str, str]:
    """The formula as text, TeX and MathML; {} if SymPy cannot run the body."""
    try:
        from slopes.plotting import formula
    except ImportError:
        return {"text": f"(needs sympy: {install('sympy')})"}
    try:
        return {"text": formula.text(card), "tex": card.tex, "mathml": formula.mathml(card)}
    except Exception:  # a user's body may call anything, and its picture and facts are still worth showing
        return {}
