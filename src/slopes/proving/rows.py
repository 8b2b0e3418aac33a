"""Verdicts on the claims of maps and of losses of rows: proved by the forms of their formulas, or refuted by rows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from mpmath import mpf, workdps

from slopes.card import Card, Loss, Map
from slopes.proving.claims import Outcome, refuted, shorten_upwards, still_open
from slopes.proving.numbers import LARGEST
from slopes.proving.results import OPEN, PROVED, Verdict
from slopes.proving.searching import HUGE
from slopes.readings import corners, curvature
from slopes.readings.curvature import AFFINE, CONVEX, FIXED, Form
from slopes.readings.interval import greatest, least
from slopes.truth.oracle import exact

DIGITS = 40
NEAR = 1e-12  #: how near a right prediction comes to the least value, as in the audit
BEYOND = 1e-9  #: part of the terms by that a chord must be exceeded before exact arithmetic looks at it
ROWS, WIDTH, ROUNDS = 64, 4, 8

Forms = list[Form]
Arguments = tuple[Any, ...]
Place = tuple[Any, ...]  #: of a value among those of the arguments


class RowJudge:
    """The forms of a card's formulas, made once, and examples of its arguments."""

    def __init__(self, card: Card) -> None:
        self.card: Any = card
        self.forms, self.lacking = _forms(card)
        self.samples = Samples(card)

    def judge(self, claim: str, stated: Any) -> Verdict:
        """Judge by each formula; what stays open is tried at examples."""
        start = time.process_time()
        prove, search = CLAIMS[claim]
        verdicts = []
        for name, forms in self.forms.items():
            outcome = prove(forms, stated, self.samples)
            verdicts.append(Verdict(claim=claim, stated=stated, by=name, **vars(outcome)))
            if outcome.status == PROVED:
                break
        if not verdicts:
            verdicts = [
                Verdict(claim=claim, stated=stated, status=OPEN, reason=f"its form is not known: {self.lacking}")
            ]
        verdict = verdicts[-1] if verdicts[-1].status == PROVED else verdicts[0]
        if verdict.status == OPEN:
            found = search(self.samples, stated)
            if found is not None:
                verdict = replace(verdict, status=found.status, reason=found.reason, points=found.points)
        return replace(verdict, seconds=time.process_time() - start)


def _forms(card: Any) -> tuple[dict[str, Forms], str]:
    """Return the forms of body and definition, one for each sort of target, and the reason why the first is missing."""
    made: dict[str, Forms] = {}
    lacking = ""
    bodies = {"body": card.body} | ({} if card.textbook is card.body else {"definition": card.textbook})
    curvature.forget_places()
    settings = card._settings({}, curvature)
    sorts = _arguments(card)
    for name, body in bodies.items():
        try:
            made[name] = [curvature.form(body(*arguments, **settings)) for arguments in sorts]
        except Exception as error:  # a user's body may do anything
            lacking = lacking or f"{type(error).__name__}: {error}"
    return made, lacking


def _arguments(card: Any) -> list[tuple[Any, ...]]:
    """Return arguments of a body: with a row and with labels as target if it takes both, boxes in each order."""
    if isinstance(card, Map):
        return [(curvature.variable("x", -LARGEST, LARGEST, AFFINE),)]
    if card.kind.compares_boxes:
        return list(corners.pairs_of_boxes(LARGEST))
    if card.kind.space_of(card.settings).falls:
        return list(corners.falling_rows(LARGEST))
    first, *others = card.kind.body_arguments(card.settings)
    is_prediction = first.space == card.kind.space_of(card.settings)
    prediction = _variable(card, first, AFFINE if is_prediction else 0)
    rest = tuple(_variable(card, argument, FIXED) for argument in others)
    made = [(prediction, *rest)]
    if card.kind.takes_labels:
        made.append((prediction, curvature.label("target"), *rest[1:]))
    return made


def _variable(card: Any, argument: Any, known: int) -> Form:
    space = argument.space
    high = 0.0 if space.is_log_probability else min(space.high, LARGEST)
    return curvature.variable(
        argument.name, max(space.low, -LARGEST), high, known, is_row=argument.row, sums_to_one=space.has_classes,
        is_hard=card.kind.has_regions and space.is_yes_or_no, is_nonzero=space.is_positive,
    )  # fmt: skip


# --------------------------------------------------------------------------------------------- proofs


def _prove_range(forms: Forms, stated: Any, samples: Samples) -> Outcome:
    low, high = least([form.bounds.low for form in forms]), greatest([form.bounds.high for form in forms])
    tightest = _shorten(low, -1), _shorten(high, 1)
    if low >= stated[0] and high <= stated[1]:
        return Outcome(status=PROVED, tightest=tightest)
    return still_open("its form shows wider bounds alone", tightest=tightest)


def _prove_minimum(forms: Forms, stated: Any, samples: Samples) -> Outcome:
    """No value is less, and some right prediction comes near, as in the audit."""
    low = least([form.bounds.low for form in forms])
    tightest = _shorten(low, -1)
    if low > stated + NEAR:
        return refuted(f"its least value is {float(low)!r} or more", tightest=tightest)
    if not low >= stated:
        return still_open("its form shows lower bounds alone", tightest=tightest)
    if not samples.reaches(stated):
        return still_open("no right prediction is known that reaches it", tightest=tightest)
    return Outcome(status=PROVED, tightest=tightest)


def _prove_convex(forms: Forms, stated: Any, samples: Samples) -> Outcome:
    is_convex = all(form.curvature & CONVEX for form in forms)
    if is_convex:
        return Outcome(status=PROVED) if stated else refuted("its form is convex")
    return still_open("its form does not show whether it is convex")


def _shorten(end: Any, sign: int) -> float:
    if not abs(end) < HUGE:
        return math.copysign(math.inf, float(end))
    return sign * shorten_upwards(sign * end) + 0.0


# ------------------------------------------------------------------------------------------ refutations


class Samples:
    """Examples of a card's arguments, its results there, and the exact ones."""

    def __init__(self, card: Any) -> None:
        self.card = card
        self.oracle = exact(card, DIGITS)
        self.options = {"reduction": "none"} if isinstance(card, Loss) else {}

    def batches(self) -> Iterator[Arguments]:
        """Yield right predictions first, then random, degenerate and wrong ones."""
        rng = np.random.default_rng(0)
        if isinstance(self.card, Map):
            for size in np.logspace(-2, 2, ROUNDS):
                yield (size * rng.standard_normal((ROWS, WIDTH)),)
            return
        examples = self.card.kind.examples(self.card.settings)
        yield examples.perfect(rng)
        for _ in range(ROUNDS):
            drawn = examples.stress(rng)
            yield drawn
            yield from (arguments for _, arguments in examples.degenerate(drawn, None))
            for _, better, worse in examples.ordered(rng, drawn):
                yield from (better, worse)

    def values(self, arguments: Arguments) -> Any:
        with np.errstate(all="ignore"):
            return np.asarray(self.card(*arguments, **self.options))

    def at(self, arguments: Arguments, place: Place) -> tuple[Arguments, Place]:
        """Return the arguments of a value alone, and its place among their values."""
        if isinstance(self.card, Loss) and self.card.kind.coupled:
            return arguments, place
        row = place[0]
        return tuple(argument[row : row + 1] for argument in arguments), (0, *place[1:])

    def exactly(self, arguments: Arguments, place: Place) -> Any:
        return self.oracle(*arguments, **self.options)[place]

    def reaches(self, stated: float) -> bool:
        """Whether the exact value of some right prediction is that near."""
        arguments = next(self.batches())
        values = abs(self.values(arguments) - stated)
        place = np.unravel_index(np.nanargmin(values), values.shape)
        with workdps(DIGITS):
            return bool(abs(self.exactly(*self.at(arguments, place)) - stated) <= NEAR)

    def outermost(self, sign: int) -> tuple[Any, Arguments] | None:
        """Return the exact value that is greatest for a sign of 1, least for −1, with its arguments."""
        found: tuple[float, Arguments, Any] | None = None
        for arguments in self.batches():
            values = sign * self.values(arguments)
            if np.isnan(values).all():
                continue
            place = np.unravel_index(np.nanargmax(values), values.shape)
            if found is None or values[place] > found[0]:
                found = float(values[place]), arguments, place
        if found is None:
            return None
        alone, place = self.at(*found[1:])
        return self.exactly(alone, place), alone

    def chords(self) -> Iterator[tuple[Arguments, Arguments]]:
        """Yield pairs of batches that differ in the prediction."""
        rng = np.random.default_rng(1)
        for first, *rest in self.batches():
            yield (first, *rest), (first[rng.permutation(len(first))], *rest)
            if self.card.kind.space_of(self.card.settings).is_unbounded:
                for size in (0.1, 1.0, 10.0):
                    yield (first, *rest), (first + size * rng.standard_normal(first.shape), *rest)

    def find_arch(self) -> tuple[Arguments, Arguments] | None:
        """Return two sets of arguments with a value between them above their chord."""
        for one, other in self.chords():
            between = one[0] / 2 + other[0] / 2
            ends, values = self.values(one) / 2 + self.values(other) / 2, self.values((between, *one[1:]))
            with np.errstate(all="ignore"):
                above = values - ends - BEYOND * (abs(ends) + abs(values)) - NEAR
            above = np.where(np.isfinite(above), above, -np.inf)
            place = np.unravel_index(np.argmax(above), above.shape)
            if above[place] > 0:
                first, alone = self.at(one, place)
                second, _ = self.at(other, place)
                if self._is_above(first, second, alone):
                    return first, second
        return None

    def _is_above(self, first: Arguments, second: Arguments, place: Place) -> bool:
        with workdps(DIGITS):
            middle = np.frompyfunc(lambda a, b: (mpf(a) + mpf(b)) / 2, 2, 1)(first[0], second[0])
            ends = [self.exactly(arguments, place) for arguments in (first, second)]
            return bool(self.exactly((middle, *first[1:]), place) > (ends[0] + ends[1]) / 2)

    def spell(self, arguments: Arguments) -> str:
        """Return the arguments by name, with six digits."""
        named = ("x",) if isinstance(self.card, Map) else [argument.name for argument in self.card.kind.arguments]
        return ", ".join(
            f"{name} {_spell(_as_lists(argument))}" for name, argument in zip(named, arguments, strict=True)
        )


def _refute_range(samples: Samples, stated: Any) -> Outcome | None:
    for sign, end in ((-1, stated[0]), (1, stated[1])):
        found = samples.outermost(sign)
        if found is not None and sign * found[0] > sign * end:
            return _refuted_at(samples, *found)
    return None


def _refute_minimum(samples: Samples, stated: Any) -> Outcome | None:
    found = samples.outermost(-1)
    return _refuted_at(samples, *found) if found is not None and found[0] < stated else None


def _refuted_at(samples: Samples, value: Any, arguments: Arguments) -> Outcome:
    return refuted(f"its value is {float(value)!r} at {samples.spell(arguments)}", _plain(arguments))


def _refute_convex(samples: Samples, stated: Any) -> Outcome | None:
    """An arch refutes that it is convex, and proves that it is not."""
    found = samples.find_arch()
    if found is None:
        return None
    if not stated:
        return Outcome(status=PROVED)
    ends = " and ".join(map(samples.spell, found))
    return refuted(f"its value in the middle is above its chord from {ends}", *map(_plain, found))


def _plain(arguments: Arguments) -> tuple[Any, ...]:
    """The arguments as tuples of Python's numbers."""
    return tuple(_as_tuple(_as_lists(argument)) for argument in arguments)


def _as_lists(argument: Any) -> Any:
    """The entries of a row, or of several rows that have one value together."""
    return (argument[0] if len(argument) == 1 else argument).tolist()


def _spell(x: Any) -> str:
    return f"[{', '.join(map(_spell, x))}]" if isinstance(x, list) else f"{x:.6g}"


def _as_tuple(x: Any) -> Any:
    return tuple(map(_as_tuple, x)) if isinstance(x, list) else x


Prover = Callable[[Forms, Any, Samples], Outcome]
Search = Callable[[Samples, Any], Outcome | None]

#: the proof of each claim, and the search for a row that refutes it
CLAIMS: dict[str, tuple[Prover, Search]] = {
    "range": (_prove_range, _refute_range),
    "minimum": (_prove_minimum, _refute_minimum),
    "convex": (_prove_convex, _refute_convex),
}
