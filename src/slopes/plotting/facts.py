"""Facts of a card in words, shown beside its picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from slopes import catalogue, description
from slopes.card import Card, Loss
from slopes.extras import install
from slopes.plotting.samples import curve


def collect(card: Card) -> dict[str, Any]:
    """Facts as plain values, for `rows` and for programs."""
    lines = curve(card).lines
    return {
        "name": card.name,
        "aliases": catalogue.aliases(card),
        "kind": description.kind(card),
        "signature": signature(card),
        "summary": card.summary,
        "parameters": description.parameters(card),
        "formula": _formula(card),
        "claims": {name: value for name, value in card.claims.stated().items() if name != "kinks"},
        "kinks": [{"at": float(line.x[k]), "slope": float(line.slope[k])} for line in lines[:1] for k in line.kinks],
        "papers": [paper._asdict() for paper in card.papers],
        "same_as": {} if card.switched else {library: peer.same for library, peer in card.same_as.items()},
    }


def rows(known: dict[str, Any]) -> list[tuple[str, str]]:
    """Facts as (label, text), without the headings."""
    name = known["name"]
    claims = "; ".join(WORDS[claim](value) for claim, value in known["claims"].items())
    listed = [
        ("kind", known["kind"]),
        ("also called", ", ".join(known["aliases"])),
        *(("parameter", description.default_words(parameter)) for parameter in known["parameters"]),
        # bound parameters may change the range, the slope, and more
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
    formula = known["formula"].get("text")
    return [*([("formula", formula)] if formula else []), *rows(known)]


def text(known: dict[str, Any]) -> str:
    lines = (f"{label}: {words}" for label, words in rows_with_formula(known))
    return "\n".join([known["signature"], known["summary"], *lines])


def signature(card: Card) -> str:
    """Arguments and parameters, as in "elu(x, *, alpha=1.0)"."""
    arguments = [argument.name for argument in card.kind.arguments] if isinstance(card, Loss) else card._arguments
    own = [f"{name}={description.written(value)}" for name, value in card.settings.items()]
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
    "ignores_target": lambda holds: "the same for every target" if holds else "another value for other targets",
    "detached": lambda holds: "a gradient that keeps a part constant" if holds else "the gradient of its value",
    "ulps": lambda value: f"right to {number(value)} units in the last place",
}


def _formula(card: Card) -> dict[str, str]:
    """The formula as text, TeX and MathML; {} if SymPy cannot run the body."""
    try:
        from slopes.plotting import formula
    except ImportError:
        return {"text": f"(needs sympy: {install('sympy')})"}
    try:
        return {"text": formula.text(card), "tex": card.tex, "mathml": formula.mathml(card)}
    except Exception:  # a user's body may call anything
        return {}
