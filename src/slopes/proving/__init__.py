"""Prove the claims of an activation for all floating-point numbers, or refute them at one of these."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from slopes.card import Activation, Card, Map
from slopes.extras import require
from slopes.hints import did_you_mean

if TYPE_CHECKING:
    from slopes.proving.functions import Formula
    from slopes.proving.results import Proof, Verdict

__all__ = ["prove"]

PROVABLE = ("range", "zero", "lipschitz", "monotone", "convex", "symmetry", "kinks", "slope_roots")
NOTHING = {"range": (-math.inf, math.inf), "lipschitz": math.inf}  #: claims of any function
DIGITS = 40  #: of end points


def prove(card: Activation, *, claims: Mapping[str, Any] | None = None, effort: int = 20_000) -> Proof:
    """Prove an element-wise activation's claims for all float64 numbers, or refute them with an input.

    Each claim is `proved`, `refuted` with points that exact arithmetic confirms, or `open` with the interval where it
    could not be decided. The claims are of exact values, without rounding, at every finite float64 and so at every
    number of a shorter format; `range` and `monotone` also look at what NumPy gives at −inf and inf. A bound is proved
    if nothing exceeds it; the tightest one that could be proved is shown beside it.

    Intervals with end points of Arb are split until bounds of the value, the slope or the second derivative decide
    (Moore, Kearfott, Cloud, 2009, "Introduction to interval analysis"). The body is looked at, and the definition where
    the body does not decide. A symmetry is proved by the form of the formula.

    `claims` are other claims than the card's, by name: ``{"range": (0, inf), "lipschitz": 1.0}``, also `zero`,
    `monotone`, `convex`, `symmetry`, `kinks` and, to eight digits, `slope_roots`, all points where the derivative is 0.
    The card's own hold for its defaults: where parameters are bound, or a card claims nothing, the tightest range and
    Lipschitz constant are looked for. `effort` is the greatest number of intervals for a claim and a formula.

    Raises TypeError for anything but an element-wise activation, ValueError for a claim that cannot be stated and, with
    the reason, for a body that cannot be computed on intervals. Needs ``slopes[audit]``.
    """
    require("slopes.prove", "flint", "mpmath")
    if not isinstance(card, Activation) or isinstance(card, Map):
        what = f"{card.name}, a {card.family}" if isinstance(card, Card) else type(card).__name__
        raise TypeError(f"slopes.prove takes an element-wise activation, got {what}")
    stated = _stated(card, claims)
    from slopes.proving.functions import formulas
    from slopes.proving.results import Proof
    from slopes.readings.exact import precision

    with precision(DIGITS):
        looked_at = formulas(card)
        return Proof(card.name, tuple(_judge(card, looked_at, name, stated[name], effort) for name in stated))


def _stated(card: Activation, claims: Mapping[str, Any] | None) -> dict[str, Any]:
    if claims is None:
        own = {} if card.bound else card.claims.stated()
        claims = {name: own[name] for name in PROVABLE if name in own} or NOTHING
    for name, value in claims.items():
        if name not in PROVABLE:
            raise ValueError(f"slopes.prove: no claim {name!r}; {did_you_mean(name, PROVABLE)}")
        _check(name, value)
    return dict(claims)


def _check(name: str, value: Any) -> None:
    wanted = {
        "range": ("a pair (low, high)", _is_pair),
        "zero": ("a finite number", lambda x: _is_number(x) and math.isfinite(x)),
        "lipschitz": ("a number of at least 0", lambda x: _is_number(x) and x >= 0),
        "monotone": ("True or False", lambda x: isinstance(x, bool)),
        "convex": ("True or False", lambda x: isinstance(x, bool)),
        "symmetry": ("'odd' or 'even'", lambda x: x in ("odd", "even")),
        "kinks": ("a tuple of numbers", _is_tuple),
        "slope_roots": ("a tuple of numbers", _is_tuple),
    }
    words, is_fit = wanted[name]
    if not is_fit(value):
        raise ValueError(f"slopes.prove: {name} must be {words}, got {value!r}")


def _is_number(x: Any) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool) and not math.isnan(x)


def _is_tuple(x: Any) -> bool:
    return isinstance(x, tuple) and all(map(_is_number, x))


def _is_pair(x: Any) -> bool:
    return _is_tuple(x) and len(x) == 2 and bool(x[0] <= x[1])


def _judge(card: Activation, looked_at: list[Formula], claim: str, stated: Any, effort: int) -> Verdict:
    """The verdict by the first formula that proves the claim, else by the first one.

    A body may be refuted by a step that is too small for float64 to show, where its definition has none.
    """
    from slopes.proving.confirming import differ_by_rounding_alone
    from slopes.proving.results import PROVED, REFUTED

    start = time.process_time()
    verdicts = []
    for formula in looked_at:
        verdicts.append(_verdict(card, formula, claim, stated, effort))
        status, points = verdicts[-1].status, verdicts[-1].points
        if status == PROVED or (status == REFUTED and not differ_by_rounding_alone(card, points)):
            break
    chosen = verdicts[-1] if verdicts[-1].status == PROVED else verdicts[0]
    return replace(chosen, seconds=time.process_time() - start)


def _verdict(card: Activation, formula: Formula, claim: str, stated: Any, effort: int) -> Verdict:
    from slopes.proving.claims import PROVERS
    from slopes.proving.confirming import is_refuted
    from slopes.proving.results import OPEN, REFUTED, Verdict

    outcome = vars(PROVERS[claim](card, formula, stated, effort))
    if outcome["status"] == REFUTED and outcome["points"]:
        looked_at = card if formula.name == "body" else card._twin(body=card.textbook)
        if not is_refuted(looked_at, claim, stated, outcome["points"]):
            outcome = {**outcome, "status": OPEN, "reason": f"{outcome['reason']}, which exact arithmetic denies"}
    return Verdict(claim=claim, stated=stated, by=formula.name, **outcome)
