"""Properties of a card in words, from its claims, its program and its slopes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from slopes.card import Activation, Card, Map
from slopes.kernels.programs import program
from slopes.plotting.facts import number
from slopes.readings.trace import TraceError

FLAT = 1e-3  #: a slope below this passes next to nothing on
FAR = 1000.0  #: as far out as slopes are looked at
PLAIN = {
    "input", "constant", "float32", "float64", "rint", "fma", "where", "add", "subtract", "multiply", "divide",
    "negate", "absolute", "less", "less_equal", "equal", "not_equal", "and", "or", "not",
}  # fmt: skip  #: operations of arithmetic
ROOTS = {"sqrt"}
WAVES = {"sin", "cos", "snake", "snake_slope"}


def find_properties(card: Card) -> list[tuple[str, str]]:
    """Return (property, words) of a card: of an activation its flat parts too, of a loss its pull on outliers."""
    claims = card.claims.stated()
    rows = []
    if "range" in claims:
        low, high = claims["range"]
        bounded = "bounded" if math.isfinite(low) and math.isfinite(high) else "unbounded"
        rows.append(("values", f"{number(low)} to {number(high)} ({bounded})"))
    if "zero" in claims:
        rows.append(("at 0", f"{number(claims['zero'])}"))
    if "symmetry" in claims:
        rows.append(("symmetry", claims["symmetry"]))
    if "monotone" in claims:
        rows.append(("monotone", "yes" if claims["monotone"] else "no"))
    if "convex" in claims:
        rows.append(
            (
                "convex" if isinstance(card, Activation) else "convex in the prediction",
                "yes" if claims["convex"] else "no",
            )
        )
    if "kinks" in claims:
        rows.append(("kinks", ", ".join(map(number, claims["kinks"])) or "none"))
    if "lipschitz" in claims:
        rows.append(("slope", f"at most {number(claims['lipschitz'])} in size"))
    if isinstance(card, Activation) and not isinstance(card, Map):
        rows += flat_parts(card)
    words = arithmetic_of(card)
    return rows + ([("computed by", words)] if words else [])


def flat_parts(card: Activation) -> list[tuple[str, str]]:
    """Return the parts of the line, to both sides, where the slope is 0 or next to it."""
    size = np.concatenate([np.arange(0, 50, 0.01), np.linspace(50, FAR, 9501)])
    rows = []
    for sign, side in ((-1, "left"), (1, "right")):
        slopes = np.abs(np.asarray(card.slope(sign * size)))
        for words, flat in (
            (f"slope exactly 0, {side}", slopes == 0),
            (f"slope below {FLAT:g}, {side}", slopes < FLAT),
        ):
            if flat[-1]:
                steep = np.flatnonzero(~flat)
                start = sign * size[steep[-1]] if steep.size else 0.0
                rows.append((words, f"{'below' if sign < 0 else 'above'} {number(round(float(start), 2))}"))
                if "exactly" in words and np.array_equal(slopes == 0, slopes < FLAT):
                    break
    return rows


def arithmetic_of(card: Card) -> str:
    """Return the dearest operations of a card's value; "" for one that is no program."""
    try:
        operations = {line.operation for line in program(card, "value").lines}
    except TraceError:
        return ""
    if card.rowwise and not isinstance(card, Activation):
        return ""
    parts: list[Any] = []
    if operations & WAVES:
        parts.append("sine")
    if operations - PLAIN - ROOTS - WAVES - {"sum", "place_of_largest", "pick", "shift", "index", "width"}:
        parts.append("exponentials or logarithms")
    if operations & ROOTS:
        parts.append("a square root")
    return ", ".join(parts) if parts else "arithmetic alone"


def find_tags(card: Card) -> list[str]:
    """Return the properties of a card by which the gallery is filtered."""
    claims = card.claims
    is_curve = isinstance(card, Activation) and not isinstance(card, Map)
    ends = claims.range or (-math.inf, math.inf)
    holds = {
        "bounded": math.isfinite(ends[0]) and math.isfinite(ends[1]),
        "monotone": claims.monotone is True,
        "0 at 0": claims.zero == 0,
        "odd or even": claims.symmetry is not None,
        "without a kink": is_curve and not claims.kinks,
        "sparse": is_curve and float(np.mean(np.asarray(card(np.linspace(-4.0, 4.0, 801))) == 0)) >= 0.1,
        "arithmetic alone": arithmetic_of(card) == "arithmetic alone",
        "convex": claims.convex is True,
        "bounded slope": claims.lipschitz is not None,
        "in PyTorch": "torch" in card.same_as,
    }
    return [tag for tag, held in holds.items() if held]
