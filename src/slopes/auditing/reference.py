"""Comparison of a subject with a given reference, or with the nearest card of the catalogue."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slopes.auditing.behaviour.batches import asking
from slopes.auditing.discovery import subject_of
from slopes.auditing.evidence import Script
from slopes.auditing.form import Arguments, Declared
from slopes.auditing.report import Finding, Skip, about
from slopes.auditing.signatures import default_of, keywords
from slopes.auditing.subject import Subject, SubjectError
from slopes.card import Activation, Card, Loss
from slopes.domains import OneOf

EXTREMES = (0.0, 1e-4, 30.0, 100.0, 1e3)
REPAIR = "compare the two formulae term by term, and what each divides by"
CLOSE = 0.02  #: largest distance of a subject from a similar card
SAME = 1e-9  #: relative differences below it are rounding


# ---------------------------------------------------------------------------------------------- against


def comparison(subject: Subject, reference: Any) -> Callable[[Subject], Iterator[Finding]]:
    """Check of equality with a reference; raise TypeError if that does not take the subject's arguments."""
    other = _as_reference(subject, reference)

    @about(once=True)
    def against(subject: Subject) -> Iterator[Finding]:
        for compare in (_values, _gradients, _reductions, _edges):
            if (finding := compare(subject, other)) is not None:
                yield finding

    return against


def _as_reference(subject: Subject, reference: Any) -> Subject:
    from slopes import loading

    thing = loading.find(reference) if isinstance(reference, str) else reference
    kind = subject.form.kind
    declared = Declared(kind="activation" if kind is None else kind.name)
    spec = reference if isinstance(reference, str) else None
    try:
        other, _ = subject_of(thing, spec=spec, declared=declared, seed=subject.seed)
    except SubjectError as error:
        raise TypeError(f"audit: against={reference!r} does not take what the subject takes: {error}") from error
    form = replace(
        subject.form, place=other.form.place, extra=other.form.extra, reduction=other.form.reduction,
        numpy=other.form.numpy,
    )  # fmt: skip
    setup, objects = other.source.assign("reference")
    again = other.like(form=form, variable="reference", setup=setup, given=objects, notes={}, oddities={})
    try:
        again(*subject.draw())
    except SubjectError as error:
        raise TypeError(f"audit: against={reference!r} does not take what the subject takes: {error}") from error
    return again


def _slack(subject: Subject, reference: Subject) -> float:
    single = torch.float32 in (subject.form.dtype, reference.form.dtype)
    return 1e-4 if single else 1e-7


def _values(subject: Subject, reference: Subject) -> Finding | None:
    for seed in range(4):
        arguments = subject.draw(seed)
        if _differ(subject, reference, arguments):
            small = subject.smallest(arguments, lambda given: _differ(subject, reference, given))
            mine, wanted = subject(*small), reference(*small)
            if mine.shape != wanted.shape:
                how = f"gives shape {tuple(mine.shape)} where {reference.name} gives {tuple(wanted.shape)}"
                return _differs(subject, reference, small, how)
            return _differs(subject, reference, small, f"is not {reference.name}{_scale(subject, reference)}")
    return None


def _scale(subject: Subject, reference: Subject) -> str:
    pairs = [(s(*subject.draw(seed)).reshape(-1) for s in (subject, reference)) for seed in range(6)]
    mine, wanted = (torch.cat(results) for results in zip(*pairs, strict=True))
    return _factor(mine, wanted)


def _differ(subject: Subject, reference: Subject, arguments: Arguments) -> bool:
    mine, wanted = subject(*arguments), reference(*arguments)
    if mine.shape != wanted.shape:
        return True
    mine, wanted = mine.detach().double(), wanted.detach().double()
    scale = wanted[torch.isfinite(wanted)].abs().max() if bool(torch.isfinite(wanted).any()) else 1.0
    slack = _slack(subject, reference)
    return not torch.allclose(mine, wanted, rtol=slack, atol=slack * float(scale), equal_nan=True)


def _factor(mine: Tensor, wanted: Tensor) -> str:
    """Return ", but 0.5 times it" if one factor explains the difference, else ""."""
    ratio = (mine.detach().double() / wanted.detach().double()).reshape(-1)
    ratio = ratio[torch.isfinite(ratio)]
    if ratio.numel() and float((ratio - ratio[0]).abs().max()) <= 1e-6 * abs(float(ratio[0])):
        return f", but {float(ratio[0]):.6g} times it"
    return ""


def _gradients(subject: Subject, reference: Subject) -> Finding | None:
    for seed in range(2):
        arguments = subject.draw(seed)
        came = subject(*arguments)
        uneven = torch.linspace(0.5, 1.5, came.numel(), dtype=came.dtype).reshape(came.shape)
        try:
            wanted = reference.gradient(*arguments, cotangent=uneven)[1]
            mine = subject.gradient(*arguments, cotangent=uneven)[1]
        except Skip:
            return None
        if not torch.allclose(mine, wanted, rtol=1e-6, atol=_slack(subject, reference) * float(wanted.abs().max())):
            weights = f" * {subject.spell(uneven)}" if came.ndim else ""
            seen = [
                f"torch.autograd.grad(({call}{weights}).sum(), {subject.form.names[0]})[0]"
                for call in (subject.call, _call_of(reference, subject))
            ]
            return _script(subject, reference, arguments, seen, grad=0).finding(
                f"training takes other steps than with {reference.name}: the values are the same, and the gradient is "
                "another",
                "look for a detach, a clamp, or a hand-written backward of another function",
                came="{0:.9g}",
                expected="{1:.9g}",
            )
    return None


def _reductions(subject: Subject, reference: Subject) -> Finding | None:
    if None in (subject.form.reduction, reference.form.reduction):
        return None
    arguments = subject.draw()
    for reduction in ("none", "sum", "mean"):
        mine, wanted = (s(*arguments, reduction=reduction).detach() for s in (subject, reference))
        if mine.shape != wanted.shape or not torch.allclose(mine, wanted, rtol=_slack(subject, reference)):
            how = f"differs from {reference.name} with reduction={reduction!r}"
            factor = _factor(mine, wanted) if mine.shape == wanted.shape else ""
            return _differs(subject, reference, arguments, how + factor, reduction)
    return None


def _edges(subject: Subject, reference: Subject) -> Finding | None:
    first, *rest = subject.draw()
    if not subject.space.is_unbounded:
        return None
    for size in EXTREMES:
        for sign in (1.0, -1.0):
            arguments = (torch.full_like(first, sign * size), *rest)
            is_finite = bool(torch.isfinite(reference.total(*arguments)))
            if is_finite and _edge_differs(subject, reference, arguments):
                small = subject.smallest(arguments, lambda given: _edge_differs(subject, reference, given))
                how = f"leaves {reference.name} at predictions of {sign * size:g}"
                return _differs(subject, reference, small, how)
    return None


def _edge_differs(subject: Subject, reference: Subject, arguments: Arguments) -> bool:
    mine, wanted = subject.total(*arguments).detach(), reference.total(*arguments).detach()
    return not bool(((mine - wanted).abs() <= 1e-3 * wanted.abs() + 1e-12).all())


def _differs(
    subject: Subject, reference: Subject, arguments: Arguments, how: str, reduction: str | None = None
) -> Finding:
    calls = [subject.call, _call_of(reference, subject)]
    if reduction is not None:
        calls = [asking(x, reduction, call) for x, call in zip((subject, reference), calls, strict=True)]
    return _script(subject, reference, arguments, calls).finding(
        f"training gives other numbers than its reference: it {how}",
        REPAIR,
        came="{0:.9g}",
        expected=f"{{1:.9g}}, by {reference.name}",
    )


def _call_of(reference: Subject, subject: Subject) -> str:
    if reference.form.numpy == subject.form.numpy:
        return reference.call
    made = "{0}.numpy()" if reference.form.numpy else "torch.from_numpy({0})"
    return reference.called(**{name: made.format(name) for name in subject.form.names})


def _script(
    subject: Subject, reference: Subject, arguments: Arguments, seen: list[str], grad: int | None = None
) -> Script:
    setup, given = [*subject.setup, *reference.setup_for(arguments)], {**subject.given, **reference.given}
    return subject.like(setup=setup, given=given).script(arguments, ", ".join(seen), grad=grad)


# ------------------------------------------------------------------------------------------ fingerprints


@dataclass(frozen=True)
class Likeness:
    """Distance of a subject from a card: the largest difference relative to the largest value, after scaling."""

    card: Card
    options: Mapping[str, Any]  #: options of the card's call
    distance: float
    factor: float = 1.0
    largest: float = 0.0  #: the absolute difference

    def __str__(self) -> str:
        over = self.options.get("over", "sample")
        name = repr(self.card) if over == "sample" else f"{self.card!r}(over={over!r})"
        return name if self.factor == 1.0 else f"{self.factor:.6g} × {name}"

    def call(self, subject: Subject, reduction: str) -> str:
        options = dict(self.options) if subject.form.kind is None else {**self.options, "reduction": reduction}
        shaped = ".reshape(1, -1, 1)" if options.get("mode") == "multilabel" else ""
        given = [name + shaped for name in subject.form.names] + [f"{name}={x!r}" for name, x in options.items()]
        return f"{'' if self.factor == 1.0 else f'{self.factor!r} * '}{self.card!r}({', '.join(given)})"


@about("loss", "activation")
def fingerprint(subject: Subject) -> Iterator[Finding]:
    """Check that the subject computes the function of its name, if the catalogue knows it."""
    if subject.card is not None:
        raise Skip("a card names its own function")
    named = _namesake(subject)

    def order(x: Likeness) -> tuple[Any, ...]:  # among equals, the plainest
        told = x.options.get("over", "sample") != "sample"
        return max(x.distance, SAME), x.factor != 1.0, x.card._root is not named, bool(x.card.bound), told

    likenesses = sorted(_likenesses(subject), key=order)
    if not likenesses:
        raise Skip("the catalogue has nothing of its kind")
    nearest = likenesses[0]
    subject.facts.append(_told(likenesses))
    if named is None or not nearest.distance <= 1e-6 or named.name == nearest.card._root.name:
        return
    own = min((x for x in likenesses if x.card._root is named), key=lambda x: x.distance, default=None)
    if own is not None and own.distance > max(100 * nearest.distance, 1e-6):
        arguments = next(_points(subject))
        small = subject.smallest(arguments, lambda given: _is_apart(own, subject, given))
        reduction = "none" if subject(*small).ndim else "mean"
        shown = subject.like(setup=["import slopes", *subject.setup])
        calls = [subject.call, *(x.call(subject, reduction) for x in (nearest, own))]
        yield shown.script(small, ", ".join(calls)).finding(
            f"training follows another function than its name says: it is called {subject.title} and computes "
            f"{nearest}, which is up to {own.largest:.2g} from {own}",
            f"use {own} if that was meant; or rename it: weights trained with one do not fit the other",
            "warning",
            came=f"{{0}}, as {nearest} gives ({{1}})",
            expected=f"{{2}}, as {own} gives",
            shows=lambda mine, nearest, own: not np.allclose(mine, own, rtol=1e-6, atol=0),
        )


def _is_apart(likeness: Likeness, subject: Subject, arguments: Arguments) -> bool:
    """Whether these arguments show at least half of the largest difference."""
    mine = subject(*arguments).detach().double()
    theirs = _values_of(likeness.card, dict(likeness.options), subject, [arguments], [mine])
    return theirs is not None and _distance(mine.reshape(-1), likeness.factor * theirs)[1] > likeness.largest / 2


def _told(likenesses: list[Likeness]) -> str:
    nearest, *others = likenesses
    if nearest.distance > CLOSE:
        return f"like nothing in the catalogue; the nearest is {nearest}, up to {nearest.largest:.2g} away"
    told = f"computes {nearest}"
    if nearest.distance > SAME:
        told = f"nearest in the catalogue: {nearest}, from which it differs by up to {nearest.largest:.2g}"
    other = next((x for x in others if SAME < x.distance <= CLOSE and x.distance > nearest.distance), None)
    return told if other is None else f"{told}; {other.largest:.2g} from {other}"


def _likenesses(subject: Subject) -> Iterator[Likeness]:
    from slopes.catalogue import CARDS

    batches = list(_points(subject))
    try:
        mine = [subject(*arguments).detach().double() for arguments in batches]
    except SubjectError:
        return
    for card in dict.fromkeys(CARDS.values()):
        for variant in _variants(card, subject):
            for options in _options(variant, subject):
                theirs = _values_of(variant, options, subject, batches, mine)
                if theirs is not None:
                    yield _likeness(variant, options, torch.cat([x.reshape(-1) for x in mine]), theirs)


def _points(subject: Subject) -> Iterator[Arguments]:
    if subject.form.kind is None and subject.form.elementwise and subject.form.shape == (64,):
        yield (torch.linspace(-6, 6, 64, dtype=subject.form.dtype),)
    else:
        yield from (subject.draw(seed) for seed in range(6))


def _variants(card: Card, subject: Subject) -> Iterator[Card]:
    """Yield the card, its choices, and the card with the subject's parameters of the same names."""
    if not _takes_as_many(card, subject):
        return
    yield card
    for name, parameter in card.parameters.items():
        if isinstance(parameter.domain, OneOf):
            others = [value for value in parameter.domain.values if value != parameter.default]
            yield from (card.with_(**{name: value}) for value in others)
    given = {name: value for name, value in _own_parameters(subject).items() if name in card.parameters}
    try:
        same = all(value == card.parameters[name].default for name, value in given.items())
        if given and not same:
            yield card.with_(**given)
    except (TypeError, ValueError):
        return


def _takes_as_many(card: Card, subject: Subject) -> bool:
    kind = subject.form.kind
    if kind is None:
        return isinstance(card, Activation) and card.rowwise != subject.form.elementwise
    return isinstance(card, Loss) and len(card.kind.arguments) == len(kind.arguments)


def _own_parameters(subject: Subject) -> dict[str, Any]:
    thing = subject.thing
    if isinstance(thing, torch.nn.Module):
        return {name: value for name, value in vars(thing).items() if type(value) in (int, float)}
    defaults = {name: default_of(thing, name) for name in keywords(thing)}
    return {name: value for name, value in defaults.items() if type(value) in (int, float)}


def _options(card: Any, subject: Subject) -> Iterator[dict[str, Any]]:
    """Yield keyword sets under which the card accepts the subject's arguments."""
    kind, axis = subject.form.kind, subject.form.axis
    if kind is None:
        yield {} if subject.form.elementwise else {"axis": axis}
    elif card.kind.has_regions and (kind.takes_labels or (kind.tells_yes_or_no and not kind.rowwise)):
        shared = {"from_probabilities": subject.space.is_probability}
        if kind.tells_yes_or_no:  # all entries are the pixels of one region
            yield {"mode": "multilabel", "over": "all", "axis": -1} | shared
        elif len(subject.form.shape) > 2:
            yield from ({"axis": axis, "over": over} | shared for over in ("sample", "batch", "all"))
    elif card.kind.is_variant_of(kind) and card.kind.spaces(card.settings)[0] == subject.form.spaces[0]:
        yield {"axis": axis} if kind.rowwise and "axis" in card.kind.options else {}


def _values_of(
    card: Any, options: dict[str, Any], subject: Subject, batches: list[Arguments], mine: list[Tensor]
) -> Tensor | None:
    """Card's values for the batches, reduced as the subject's, or None."""
    if subject.form.kind is not None:
        options = options | {"reduction": "none" if mine[0].ndim else "mean"}
    if "mode" in options:
        batches = [tuple(x.double().reshape(1, -1, 1) for x in given) for given in batches]
    try:
        came = [card(*arguments, **options).detach().double() for arguments in batches]
    except (TypeError, ValueError, RuntimeError):
        return None
    if any(x.shape != y.shape for x, y in zip(came, mine, strict=True)):
        return None
    return torch.cat([x.reshape(-1) for x in came])


def _likeness(card: Card, options: Mapping[str, Any], mine: Tensor, theirs: Tensor) -> Likeness:
    """Distance as it is, or for a loss after a scaling that makes both equal."""
    distance, largest = _distance(mine, theirs)
    plain = Likeness(card, options, distance, largest=largest)
    if not isinstance(card, Loss) or plain.distance <= SAME:
        return plain
    ratios = mine / theirs
    ratios = ratios[torch.isfinite(ratios) & (ratios != 0)]
    if not ratios.numel():
        return plain
    factor = float(ratios.median())
    distance, largest = _distance(mine, factor * theirs)
    scaled = Likeness(card, options, distance, factor, largest)
    return scaled if scaled.distance <= SAME else plain


def _distance(mine: Tensor, theirs: Tensor) -> tuple[float, float]:
    """Largest difference (relative to the largest value, absolute) where both are finite."""
    both = torch.isfinite(mine) & torch.isfinite(theirs)
    scale = float(theirs[both].abs().max()) if bool(both.any()) else 0.0
    if not scale:
        return math.inf, math.inf
    largest = float((mine - theirs)[both].abs().max())
    return largest / scale, largest


def _namesake(subject: Subject) -> Card | None:
    from slopes.catalogue import CARDS

    def fold(name: str) -> str:
        return re.sub(r"(loss|activation|custom|^my|^naive)", "", name.replace("_", "").lower())

    folded = {fold(name): card for name, card in CARDS.items()}
    found = folded.get(fold(subject.title))
    return None if found is None or (found.family == "loss" and subject.family != "loss") else found
