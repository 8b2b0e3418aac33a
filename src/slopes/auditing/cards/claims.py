"""Checks of a card's statements: claims, definition, minimum and peers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from slopes.auditing.cards.subject import Subject, spell
from slopes.auditing.evidence import attempt
from slopes.auditing.report import Finding, Skip
from slopes.card import Loss, Map
from slopes.truth import libraries
from slopes.truth.errors import ULPS, peak
from slopes.truth.samples import DIGITS

LINE = np.linspace(-12, 12, 4801)  #: numbers at which claims are tried; for a loss, predictions
SLACK = 1e-7  #: tolerance of a claimed number, which has eight digits


class _Refutation(NamedTuple):
    """A claim refuted by results at points of the card's curve."""

    how: str
    result: str  #: "value", "slope" or, without points, "ulps" or "gap", by which two slopes differ
    at: Any  #: the points: x, the prediction, or a row's first entry
    refutes: Callable[[Any], Any]  #: whether these results refute it
    arguments: tuple[Any, ...] = ()  #: if they are no points of the curve


def claims(subject: Subject) -> Iterator[Finding]:
    """Check that claims hold, with the tightest numbers, and that definition and body agree."""
    stated = subject.card.claims.stated() if not subject.card.bound else {}  # claims are made at the defaults
    for name, claimed in stated.items():
        refuted = CLAIM_CHECKS[name](subject, claimed)
        if refuted:
            yield subject.script(*_code(subject, refuted)).finding(
                f"who trains with it relies on a wrong claim: {name}={claimed!r}, but {refuted.how}",
                "correct the claim, or the function",
                expected=f"{name}={claimed!r}",
                shows=lambda results, refutes=refuted.refutes: bool(refutes(results)),
            )
    yield from _definition(subject)


def _arguments(subject: Subject, x: Any) -> tuple[Any, ...]:
    """Arguments at points of the card's curve."""
    card: Any = subject.card
    if isinstance(card, Loss):
        return next(iter(card.kind.examples(card.settings).curve(x)[1].values()))
    if isinstance(card, Map):
        rows = card.curve(x)[2]
        return rows, np.eye(card(rows).shape[1])[np.zeros(len(x), int)]
    return (x,)


def _entry(subject: Subject, result: str) -> int | None:
    """The place of a curve's results in their rows."""
    card: Any = subject.card
    if isinstance(card, Map):
        return int(card.curve(np.zeros(1))[3]) if result == "slope" else 0
    return 0 if card.rowwise and result == "slope" else None


def _results(subject: Subject, result: str, x: Any) -> Any:
    results, entry = subject.call(result, _arguments(subject, x)), _entry(subject, result)
    return results if entry is None else results[..., entry]


def _code(subject: Subject, refuted: _Refutation) -> tuple[str, ...]:
    if refuted.result == "ulps":
        return ("f.claims.ulps",)
    if refuted.result == "gap":
        kept, whole = (f"{name} = {subject.exact_of(name)}" for name in ("calculus", "difference"))
        return spell(refuted.arguments), kept, whole, "float(np.max(abs(calculus - difference)))"
    entry = _entry(subject, refuted.result)
    call = subject.call_of(refuted.result) + ("" if entry is None else f"[..., {entry}]")
    return spell(refuted.arguments or _arguments(subject, np.array(refuted.at))), call


def _line(subject: Subject) -> Any:
    card: Any = subject.card
    if isinstance(card, Loss) and card.kind.space_of(card.settings).is_probability:
        return np.linspace(0.001, 0.999, 999)
    return LINE


def _curve(subject: Subject, result: str = "value") -> tuple[Any, Any]:
    """(x, results) to try claims at; for rows x is the first logit, and the others are 0."""
    return _line(subject), _results(subject, result, _line(subject))


def _range(subject: Subject, claimed: tuple[float, float]) -> _Refutation | None:
    x, values = _curve(subject)
    if not isinstance(subject.card, (Loss, Map)):
        x = np.concatenate([x, [-1e300, -1e4, 1e4, 1e300]])
        values = subject.call("value", (x,))
    ends = x[[np.argmin(values), np.argmax(values)]]
    low, high = float(np.min(values)), float(np.max(values))

    def leaves(ends: Any) -> bool:
        return bool(ends[0] < claimed[0] - SLACK or ends[1] > claimed[1] + SLACK)

    def falls_short(ends: Any) -> bool:
        return any(
            abs(reached - bound) > 1e-3 for reached, bound in zip(ends, claimed, strict=True) if abs(bound) < np.inf
        )

    if leaves((low, high)):
        return _Refutation(f"its values reach from {low!r} to {high!r}", "value", ends, leaves)
    if falls_short((low, high)):
        return _Refutation(f"its values only reach from {low!r} to {high!r}", "value", ends, falls_short)
    return None


def _zero(subject: Subject, claimed: float) -> _Refutation | None:
    came = float(subject.call("value", (np.array([0.0]),))[0])

    def differs(value: Any) -> bool:
        return not abs(value - claimed) <= 1e-15

    return _Refutation(f"the value at 0 is {came!r}", "value", [0.0], differs) if differs(came) else None


def _lipschitz(subject: Subject, claimed: float) -> _Refutation | None:
    x, slopes = _curve(subject, "slope")
    at = x[[np.argmax(abs(slopes))]]
    steepest = float(np.max(abs(slopes)))
    if steepest > claimed + SLACK:
        return _Refutation(f"its slope reaches {steepest!r}", "slope", at, lambda slope: abs(slope) > claimed + SLACK)
    if steepest < claimed - 1e-4:
        how = f"its slope only reaches {steepest!r}"
        return _Refutation(how, "slope", at, lambda slope: abs(slope) < claimed - 1e-4)
    return None


def _monotone(subject: Subject, claimed: bool) -> _Refutation | None:
    x, values = _curve(subject)
    falls = np.diff(values) < 0
    if claimed != bool(falls.any()):
        return None
    if not claimed:
        return _Refutation("it never falls", "value", x[:: len(x) // 8], lambda values: (np.diff(values) >= 0).all())
    at = _first(falls)
    return _Refutation(f"it falls at {float(x[at])!r}", "value", x[at : at + 2], lambda values: np.diff(values) < 0)


def _symmetry(subject: Subject, claimed: str) -> _Refutation | None:
    sign = {"odd": -1, "even": 1}.get(claimed)
    if sign is None:
        return _Refutation("a symmetry is 'odd' or 'even'", "value", [1.0, -1.0], lambda values: True)
    values, mirrored = subject.call("value", (LINE,)), sign * subject.call("value", (-LINE,))

    def differ(value: Any, mirror: Any) -> Any:
        return abs(value - mirror) > 1e-15 * abs(value)

    off = differ(values, mirrored)
    if not off.any():
        return None
    at = _first(off)
    x, value, mirror = (float(each[at]) for each in (LINE, values, mirrored))
    how = f"at {x!r} it is {value!r} and its mirror image {mirror!r}"
    return _Refutation(how, "value", [x, -x], lambda both: differ(both[0], sign * both[1]))


def _convex(subject: Subject, claimed: bool) -> _Refutation | None:
    x, slopes = _curve(subject, "slope")
    falls = np.diff(slopes) < -1e-12
    if claimed != bool(falls.any()):
        return None
    if not claimed:
        thinned = x[:: len(x) // 8]
        return _Refutation("its slope never falls", "slope", thinned, lambda slopes: (np.diff(slopes) >= -1e-12).all())
    at = _first(falls)
    how = f"its slope falls at {float(x[at])!r}"
    return _Refutation(how, "slope", x[at : at + 2], lambda slopes: np.diff(slopes) < -1e-12)


def _kinks(subject: Subject, claimed: tuple[float, ...]) -> _Refutation | None:
    for kink in claimed:
        beside = np.array([kink - 1e-9, kink + 1e-9])
        left, right = map(float, _results(subject, "slope", beside))
        if abs(left - right) < 1e-6:
            how = f"the slope on both sides of {kink} is {left!r}"
            return _Refutation(how, "slope", beside, lambda slopes: abs(np.diff(slopes)) < 1e-6)
    x, slopes = _curve(subject, "slope")
    jumps = abs(np.diff(slopes)) > 0.05
    for kink in claimed:
        jumps &= abs(x[:-1] - kink) >= 0.02
    if not jumps.any():
        return None
    at = _first(jumps)
    how = f"its slope also jumps at {float(x[at])!r}"
    return _Refutation(how, "slope", x[at : at + 2], lambda slopes: abs(np.diff(slopes)) > 0.05)


def _ignores_target(subject: Subject, claimed: bool) -> _Refutation | None:
    card: Any = subject.card
    if not isinstance(card, Loss) or card.kind.goal is None:
        return _Refutation("it takes no target", "value", [0.0], lambda values: True)
    drawn, others = (card.kind.examples(card.settings).sample(np.random.default_rng(seed), (8, 5)) for seed in (0, 1))
    arguments = (np.concatenate([drawn[0]] * 2), np.concatenate([drawn[1], others[1]]))

    def differ(values: Any) -> bool:
        some, same = np.split(values, 2)
        return bool((abs(some - same) > 1e-9 * abs(same)).any())

    if differ(subject.call("value", arguments)) != claimed:
        return None
    how = "its values differ where targets alone do" if claimed else "other targets give the same values"
    return _Refutation(how, "value", [], lambda values: differ(values) == claimed, arguments)


def _detached(subject: Subject, claimed: bool) -> _Refutation | None:
    """By calculus `ops.stop_gradient` keeps its argument constant, by differences nothing is constant."""
    kept, whole = (subject.exact(name, np.float64) for name in ("calculus", "difference"))
    slack = SLACK * np.max(abs(whole))

    def differ(gap: Any) -> bool:
        return bool(gap > slack)

    if differ(np.max(abs(kept - whole))) == claimed:
        return None
    how = "no `ops.stop_gradient` of its body changes its gradient" if claimed else "its gradient keeps a part constant"
    return _Refutation(how, "gap", [], lambda gap: differ(gap) != claimed, subject.inputs(np.float64))


def _ulps(subject: Subject, claimed: float) -> _Refutation | None:
    if claimed > ULPS:
        return None
    return _Refutation(f"{ULPS:g} are allowed anyway", "ulps", [], lambda ulps: ulps <= ULPS)


def _first(mask: Any) -> int:
    return int(np.argmax(mask))


CLAIM_CHECKS: dict[str, Callable[[Subject, Any], _Refutation | None]] = {
    "range": _range,
    "zero": _zero,
    "lipschitz": _lipschitz,
    "monotone": _monotone,
    "symmetry": _symmetry,
    "convex": _convex,
    "kinks": _kinks,
    "minimum": lambda subject, claimed: None,  # the check `minimum` looks at it
    "ignores_target": _ignores_target,
    "detached": _detached,
    "ulps": _ulps,
}


def _definition(subject: Subject) -> Iterator[Finding]:
    if subject.card.textbook is subject.card.body:
        return
    arguments = subject.inputs(np.float64)
    if not subject.card.rowwise:
        chosen = np.max(np.abs(arguments), axis=0) <= 16  # further out a definition may cancel for ever
        arguments = tuple(argument[chosen] for argument in arguments)
    elif subject.card.family != "loss":
        arguments = arguments[:1]
    textbook = np.asarray(subject.exactly.definition(*arguments, **subject.options))
    body = np.asarray(subject.exactly(*arguments, **subject.options))
    off = np.frompyfunc(lambda a, b: bool(a == a and abs(a - b) > abs(b) * 1e-20), 2, 1)(textbook, body).astype(bool)
    if off.any():
        index = peak(off)
        body_of = subject.exact_of("value").replace("arguments[0]", "*arguments")
        definition_of = body_of.replace(f", {DIGITS})", f", {DIGITS}).definition", 1)
        entry = f"[{', '.join(map(str, (0, *index[1:])))}]"
        row = spell(tuple(argument[index[0] : index[0] + 1] for argument in arguments))
        yield subject.script(row, f"{definition_of}{entry}, {body_of}{entry}").finding(
            f"training follows another formula than the card shows: the definition gives {textbook[index]!s:.22} where "
            f"the body gives {body[index]!s:.22}",
            "one of the two is wrong: compare both with the paper",
            came="{0} by the definition",
            expected="{1}, as by the body",
            shows=lambda textbook, body: abs(textbook - body) > abs(body) * 1e-20,
        )


def minimum(subject: Subject) -> Iterator[Finding]:
    card: Any = subject.card
    if not isinstance(card, Loss) or card.claims.minimum is None:
        raise Skip("not a loss that claims a minimum")
    least = card.claims.minimum
    values = subject.call("value", subject.inputs(np.float64))
    if float(np.nanmin(values)) < least - 1e-12:
        index = peak(-values)
        yield subject.script(spell(subject.at(index, np.float64)), f"np.min({subject.call_of('value')})").finding(
            f"training may end at a senseless prediction: it is {float(values[index])!r}, below the minimum of "
            f"{least!r}",
            "look at the sign, and at the order of prediction and target",
            expected=f"{least!r} or more",
            shows=lambda came: came < least - 1e-12,
        )
    arguments = card.kind.examples(card.settings).perfect(subject.rng)
    perfect = card(*arguments, reduction="none")
    if np.isnan(perfect).any() and subject.faulty:
        return  # reported already, as not finite
    if not np.allclose(perfect, least, rtol=0, atol=1e-12):
        worst = peak(abs(perfect - least))
        entry = f"[{', '.join(map(str, worst))}]"
        yield subject.script(spell(arguments), f"{subject.call_of('value')}{entry}").finding(
            f"training does not end at right predictions: it is {float(perfect[worst])!r} at a perfect prediction, not "
            f"{least!r}",
            "the loss must be least where prediction and target agree; claim minimum=None if it need not",
            expected=f"{least!r}",
            shows=lambda came: not abs(came - least) <= 1e-12,
        )


def peers(subject: Subject) -> Iterator[Finding]:
    """Check that peers agree, away from the tails, where they lose digits."""
    if not subject.card.same_as:
        raise Skip("the card names no peers")
    if subject.card.switched or any(
        name not in peer.same for name in subject.card.bound for peer in subject.card.same_as.values()
    ):
        raise Skip("peers are named for other parameters")
    absent = []
    for library, peer in subject.card.same_as.items():
        try:
            libraries.load(library)
        except ImportError:
            absent.append(library)
            continue
        yield from _compare_with_peer(subject, library, peer.same)
    if len(absent) == len(subject.card.same_as):
        raise Skip(f"not installed: {', '.join(absent)}")


def _compare_with_peer(subject: Subject, library: str, expression: str) -> Iterator[Finding]:
    card: Any = subject.card
    rng = subject.rng
    arguments: tuple[Any, ...]
    if isinstance(card, Loss):
        arguments = card.kind.examples(card.settings).sample(rng, (50, 5))
    else:
        arguments = (np.concatenate([np.linspace(-3, 3, 250), rng.uniform(-3, 3, 250)]).reshape(-1, 10),)
    mine = card(*arguments, reduction="none") if isinstance(card, Loss) else card(*arguments)
    try:
        theirs, _ = libraries.call(card, library, arguments)
    except AttributeError as error:  # another version of the library, or a misspelt name
        few = tuple(x[:1] for x in arguments)
        yield subject.script(*theirs_of(few), attempt(f"libraries.call(f, {library!r}, arguments)"), "came").finding(
            f"training may give another result than with {library}: nothing was compared: {error}",
            "install the version that has it, or correct the name",
            "note",
            shows=lambda came: isinstance(came, AttributeError),
        )
        return
    if not libraries.agrees(library, theirs, mine):
        few = tuple(x[:2] for x in arguments)
        if theirs.shape != mine.shape:  # it reduces
            theirs, mine = np.mean(theirs), np.mean(mine)
        else:
            row = peak(abs(theirs - mine))[0]
            few = tuple(x[row : row + 1] for x in arguments)
        index = peak(abs(theirs - mine))
        call = subject.call_of("value").replace("arguments[0]", "*arguments")
        yield subject.script(*theirs_of(few), f"{call}, libraries.call(f, {library!r}, arguments)[0]").finding(
            f"training gives another result than with {library}: it is {float(mine[index])!r} where "
            f"{library}.{expression} is {float(theirs[index])!r}",
            "correct the function, or name the peer and its arguments as they are",
            expected="{1}, by " + f"{library}.{expression}".replace("{", "{{").replace("}", "}}"),
            shows=lambda mine, theirs: not libraries.agrees(library, theirs, mine),
        )


def theirs_of(arguments: tuple[Any, ...]) -> tuple[str, str]:
    return "from slopes.truth import libraries", spell(arguments)
