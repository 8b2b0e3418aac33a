"""Checks of a card's statements: claims, definition, minimum and peers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

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


def claims(subject: Subject) -> Iterator[Finding]:
    """Check that claims hold, with the tightest numbers, and that definition and body agree."""
    stated = subject.card.claims.stated() if not subject.card.bound else {}  # claims are made at the defaults
    for name, claimed in stated.items():
        refuted = CLAIM_CHECKS[name](subject, claimed)
        if refuted:
            imports = (
                "from slopes.auditing.cards.claims import CLAIM_CHECKS",
                "from slopes.auditing.cards.subject import Subject",
            )
            yield subject.script(*imports, f"CLAIM_CHECKS[{name!r}](Subject(f), f.claims.{name})").finding(
                f"claims {name}={claimed!r}, but {refuted}",
                "correct the claim, or the function",
                expected=f"{name}={claimed!r}",
                shows=bool,
            )
    yield from _definition(subject)


def _curve(subject: Subject, result: str = "value") -> tuple[Any, Any]:
    """(x, results) to try claims at; for rows x is the first logit, and the others are 0."""
    card: Any = subject.card
    if isinstance(card, Loss):
        settings = card.settings
        x = np.linspace(0.001, 0.999, 999) if card.kind.space_of(settings).is_probability else LINE
        _, lines = card.kind.examples(settings).curve(x)
        came = subject.call(result, next(iter(lines.values())))
        return x, came[..., 0] if result == "slope" and card.rowwise else came
    if isinstance(card, Map):
        return LINE, card.curve_of(LINE)[result == "slope"]
    return LINE, subject.call(result, (LINE,))


def _range(subject: Subject, claimed: tuple[float, float]) -> str | None:
    _, values = _curve(subject)
    far = np.array([-1e300, -1e4, 1e4, 1e300])
    outer = values if isinstance(subject.card, (Loss, Map)) else np.concatenate([values, subject.call("value", (far,))])
    low, high = float(np.min(outer)), float(np.max(outer))
    if low < claimed[0] - SLACK or high > claimed[1] + SLACK:
        return f"its values reach from {low!r} to {high!r}"
    loose = [
        abs(reached - bound) > 1e-3 for reached, bound in ((low, claimed[0]), (high, claimed[1])) if abs(bound) < np.inf
    ]
    return f"its values only reach from {low!r} to {high!r}" if any(loose) else None


def _zero(subject: Subject, claimed: float) -> str | None:
    came = float(subject.call("value", (np.array(0.0),)))
    return None if abs(came - claimed) <= 1e-15 else f"the value at 0 is {came!r}"


def _lipschitz(subject: Subject, claimed: float) -> str | None:
    _, slopes = _curve(subject, "slope")
    steepest = float(np.max(abs(slopes)))
    if steepest > claimed + SLACK:
        return f"its slope reaches {steepest!r}"
    return f"its slope only reaches {steepest!r}" if steepest < claimed - 1e-4 else None


def _monotone(subject: Subject, claimed: bool) -> str | None:
    x, values = _curve(subject)
    falls = np.diff(values) < 0
    if claimed == bool(falls.any()):
        return f"it falls at {float(x[:-1][falls][0])!r}" if claimed else "it never falls"
    return None


def _symmetry(subject: Subject, claimed: str) -> str | None:
    if claimed not in ("odd", "even"):
        return "a symmetry is 'odd' or 'even'"
    sign = -1 if claimed == "odd" else 1
    mirrored = sign * subject.call("value", (-LINE,))
    values = subject.call("value", (LINE,))
    off = abs(values - mirrored) > 1e-15 * abs(values)
    if not off.any():
        return None
    at, value, mirror = (float(x[off][0]) for x in (LINE, values, mirrored))
    return f"at {at!r} it is {value!r} and its mirror image {mirror!r}"


def _convex(subject: Subject, claimed: bool) -> str | None:
    x, slopes = _curve(subject, "slope")
    falls = np.diff(slopes) < -1e-12
    if claimed == bool(falls.any()):
        return f"its slope falls at {float(x[:-1][falls][0])!r}" if claimed else "its slope never falls"
    return None


def _kinks(subject: Subject, claimed: tuple[float, ...]) -> str | None:
    for kink in claimed:
        sides = [float(_slope_at(subject, kink + step)) for step in (-1e-9, 1e-9)]
        if abs(sides[0] - sides[1]) < 1e-6:
            return f"the slope on both sides of {kink} is {sides[0]!r}"
    x, slopes = _curve(subject, "slope")
    jumps = [
        float(at) for at in x[:-1][abs(np.diff(slopes)) > 0.05] if not any(abs(at - kink) < 0.02 for kink in claimed)
    ]
    return f"its slope also jumps at {jumps[0]!r}" if jumps else None


def _slope_at(subject: Subject, x: float) -> Any:
    if isinstance(subject.card, Map):
        return subject.card.curve_of(np.array([x]))[1][0]
    arguments: tuple[Any, ...] = (np.array([x]),)
    if isinstance(subject.card, Loss):
        _, lines = subject.card.kind.examples(subject.card.settings).curve(arguments[0])
        arguments = next(iter(lines.values()))
    return subject.call("slope", arguments)[0]


CLAIM_CHECKS: dict[str, Callable[[Subject, Any], str | None]] = {
    "range": _range,
    "zero": _zero,
    "lipschitz": _lipschitz,
    "monotone": _monotone,
    "symmetry": _symmetry,
    "convex": _convex,
    "kinks": _kinks,
    "minimum": lambda subject, claimed: None,  # the check `minimum` looks at it
    "ulps": lambda subject, claimed: None if claimed > ULPS else f"{ULPS:g} are allowed anyway",
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
            f"the definition gives {textbook[index]!s:.22} where the body gives {body[index]!s:.22}",
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
            f"is {float(values[index])!r}, below the minimum of {least!r}",
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
            f"is {float(perfect[worst])!r} at a perfect prediction, not {least!r}",
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
            f"nothing was compared with {library}: {error}",
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
            f"is {float(mine[index])!r} where {library}.{expression} is {float(theirs[index])!r}",
            "correct the function, or name the peer and its arguments as they are",
            expected="{1}, by " + f"{library}.{expression}".replace("{", "{{").replace("}", "}}"),
            shows=lambda mine, theirs: not libraries.agrees(library, theirs, mine),
        )


def theirs_of(arguments: tuple[Any, ...]) -> tuple[str, str]:
    return "from slopes.truth import libraries", spell(arguments)
