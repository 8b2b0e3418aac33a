"""Prove the claims of a card for all floating-point numbers, or refute them at one of these."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from slopes.card import Activation, Card, Gate, Loss, Map
from slopes.extras import require
from slopes.hints import did_you_mean

if TYPE_CHECKING:
    from slopes.proving.results import Proof

__all__ = ["prove"]

PROVABLE = ("range", "zero", "lipschitz", "monotone", "convex", "symmetry", "kinks", "slope_roots", "minimum")
OF_GATES = ("range", "lipschitz", "monotone", "convex", "kinks")
OF_LOSSES = (*OF_GATES, "minimum")
OF_ROWS, OF_MAPS = ("range", "minimum", "convex"), ("range", "kinks")  #: of losses of rows, and of maps
UNPROVEN = ("ulps", "ignores_target", "detached")  #: claims that no interval decides
NOTHING = {"range": (-math.inf, math.inf), "lipschitz": math.inf}  #: claims of any function
DIGITS = 40  #: of end points


def prove(card: Card, *, claims: Mapping[str, Any] | None = None, effort: int = 20_000) -> Proof:
    """Prove the claims of an activation or a loss for all float64 numbers, or refute them with an input.

    Each claim is `proved`, `refuted` with points that exact arithmetic confirms, or `open` with the interval where it
    could not be decided. The claims are of exact values, without rounding, at every finite float64 and so at every
    number of a shorter format; of an activation, `range` and `monotone` also look at what NumPy gives at −inf and inf.
    A bound is proved if nothing exceeds it; the tightest one that could be proved is shown beside it.

    An element-wise loss is a function of one number: of the residual, prediction − target; of the margin, prediction ·
    target, if the target is a sign; else of the prediction. Its claims are proved for all targets and other arguments
    at once, in boxes that are split where that is too much. A gate is a function of the gate, with 1 for the value.

    Intervals with end points of Arb are split until bounds of the value, the slope or the second derivative decide
    (Moore, Kearfott, Cloud, 2009, "Introduction to interval analysis"). The body is looked at, and the definition where
    the body does not decide. A symmetry is proved by the form of the formula.

    Of losses of rows `range`, `minimum` and `convex` are proved, of maps `range`, for rows of any length, by rules for
    the forms of their formulas (Grant, Boyd, Ye, 2006, "Disciplined convex programming"); a row that refutes them is
    searched for among examples. Of boxes each order of their corners has a form, of rows that fall each length up to
    three. Log-probabilities are at most 0, targets of regions 0 or 1. A minimum is reached if a right prediction comes
    within 1e-12 of it. `kinks` of a map are where its first entry bends in the row (x, 0, 0). A card's other claims
    about rows stay open.

    `claims` are other claims than the card's, by name: ``{"range": (0, inf), "lipschitz": 1.0}``, also `zero`,
    `monotone`, `convex`, `symmetry`, `kinks`, `minimum` of a loss and, to eight digits, `slope_roots`, all points where
    the derivative is 0. The card's own hold for its defaults: where parameters are bound, or a card claims nothing, the
    tightest range and Lipschitz constant are looked for. `effort` is the greatest number of intervals for a claim and a
    formula.

    Raises TypeError for anything but an activation or a loss, ValueError for a claim that cannot be stated and, with
    the reason, for a body that cannot be computed. Needs ``slopes[audit]``.
    """
    require("slopes.prove", "flint", "mpmath")
    if not isinstance(card, (Activation, Loss)):
        raise TypeError(f"slopes.prove takes an activation or a loss, got {type(card).__name__}")
    if isinstance(card, Loss) and not card.has_values:
        raise TypeError(f"slopes.prove takes a loss with unreduced values; prove each term of {card.name} by itself")
    known = _provable(card)
    stated = _stated(card, known, claims)
    from slopes.proving.judging import Judge
    from slopes.proving.results import OPEN, Proof, Verdict
    from slopes.proving.rows import RowJudge
    from slopes.readings.exact import precision

    with precision(DIGITS):
        judge_of = cache(lambda is_of_rows: RowJudge(card) if is_of_rows else Judge(card, effort))
        of_rows = _is_of_rows(card)
        verdicts = [judge_of(of_rows and name != "kinks").judge(name, value) for name, value in stated.items()]
    reason = f"slopes.prove takes only {', '.join(known)} of {_words(card)}"
    for name, value in _own_claims(card, claims).items():
        if name not in known:
            verdicts.append(Verdict(claim=name, stated=value, status=OPEN, reason=reason))
    return Proof(card.name, tuple(verdicts))


def _is_of_rows(card: Any) -> bool:
    return bool(card.rowwise) and not isinstance(card, Gate)


def _words(card: Any) -> str:
    return f"a {card.family}{' of rows' * _is_of_rows(card)}"


def _provable(card: Any) -> tuple[str, ...]:
    if isinstance(card, Loss):
        return OF_ROWS if card.rowwise else OF_LOSSES
    if isinstance(card, Map):
        return OF_GATES if isinstance(card, Gate) else OF_MAPS
    return tuple(name for name in PROVABLE if name != "minimum")


def _own_claims(card: Card, claims: Mapping[str, Any] | None) -> dict[str, Any]:
    """The card's own claims that can be proved; none where others are given or parameters are bound."""
    own = {} if card.bound or claims is not None else card.claims.stated()
    return {name: value for name, value in own.items() if name not in UNPROVEN}


def _stated(card: Card, known: tuple[str, ...], claims: Mapping[str, Any] | None) -> dict[str, Any]:
    if claims is None:
        own = _own_claims(card, claims)
        claims = {name: own[name] for name in known if name in own}
        claims = claims or {name: value for name, value in NOTHING.items() if name in known}
    for name, value in claims.items():
        if name not in known:
            raise ValueError(f"slopes.prove: no claim {name!r} of {card.name}; {did_you_mean(name, known)}")
        _check(name, value)
    return dict(claims)


def _check(name: str, value: Any) -> None:
    wanted = {
        "range": ("a pair (low, high)", _is_pair),
        "zero": ("a finite number", lambda x: _is_number(x) and math.isfinite(x)),
        "minimum": ("a finite number", lambda x: _is_number(x) and math.isfinite(x)),
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
