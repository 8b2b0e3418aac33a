"""Discovery of a subject's form: candidates are tried with a small batch, and the fittest is taken."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slopes.auditing.adapters import Adapted, to_torch
from slopes.auditing.candidates import IMAGE, LABELLED, ROWS_2, candidates, suggested, with_axis, with_declared_space
from slopes.auditing.fitness import fitness, is_separable
from slopes.auditing.form import Declared, Form
from slopes.auditing.frameworks import FRAMEWORKS, Framework, framework_of
from slopes.auditing.growth import Budget, OverBudget
from slopes.auditing.process_state import preserved
from slopes.auditing.roles import example_kind
from slopes.auditing.signatures import EXTRAS, attribute_of, has_roles, reduction_way, required
from slopes.auditing.source import source_of
from slopes.auditing.subject import NotATensor, Subject, SubjectError
from slopes.auditing.torch_state import SETTINGS
from slopes.auditing.widths import has_row, widths_of, with_widths
from slopes.card import Activation, Card, Loss, Map
from slopes.kinds import DISTRIBUTION, KINDS, MULTILABEL, TRIPLETS, Kind
from slopes.kinds.spaces import LOG_PROBABILITIES, Space
from slopes.loading import describe

Refusal = SubjectError | OverBudget  #: of a call that gives nothing


def subject_of(
    thing: Any, *, spec: str | None = None, declared: Declared | None = None, seed: int = 0, quick: bool = False,
    budget: Budget | None = None,
) -> tuple[Subject, list[str]]:  # fmt: skip
    """(subject for an object, facts found by calling it).

    Raises TypeError for an object that is no function of tensors, SubjectError if no way of calling it succeeds, Skip
    if the time or the memory of the budget does not last until one does.
    """
    declared = declared or Declared()
    origin = thing
    if isinstance(thing, type):
        thing = make_instance(thing, spec)
        origin = origin if spec else thing
    if not callable(thing):
        raise TypeError(f"audit takes a card, a function or a module, got {type(thing).__name__}")

    source = source_of(origin, spec)
    name = "torch" if isinstance(thing, Card) else declared.framework or framework_of(thing)
    framework = FRAMEWORKS[name]
    if not framework.is_torch:
        thing, source = Adapted(thing, name, cache={}), replace(source, framework=framework)
        terms = {key: to_torch(x, name) for key, x in declared.terms.items()}
        declared = replace(declared, framework=name, terms=terms)

    def make(form: Form) -> Subject:
        subject = Subject(thing, form, source=source, declared=declared, seed=seed, quick=quick)
        subject.budget = budget or subject.budget
        return subject

    with preserved(SETTINGS):
        form = _of_card(thing, declared.example) if isinstance(thing, Card) else _find(thing, declared, make)
    if isinstance(thing, Card) and has_row(thing):
        thing = _as_function(thing)
    if framework.is_narrow:
        form = replace(form, dtype=torch.float32)
    subject = make(form)
    subject.find_changes()
    return subject, [*_facts(subject), *_of_framework(framework)]


def make_instance(thing: type, spec: str | None) -> Any:
    try:
        return thing()
    except (Exception, SystemExit) as error:
        raise TypeError(
            f"audit: {spec or thing.__name__} is a class that cannot be made without arguments "
            f"({describe(error)}); give the instance that you train with"
        ) from error


def _as_function(card: Card) -> Any:
    """A card with a row of numbers as a parameter, which takes rows of one length, and arrays of one library.

    Its promises are those of the card with numbers.
    """
    bound = {name: torch.as_tensor(x) if isinstance(x, np.ndarray) else x for name, x in card.bound.items()}
    return functools.partial(card._root, **bound)


def _of_card(card: Card, example: Any = None) -> Form:
    if isinstance(card, Loss):
        kind = card.kind
        shape = (2, 12, 3) if kind.has_regions else ROWS_2 if kind.rowwise else (8,)
        if kind.rowwise and (widths := widths_of(card)):
            shape = (*shape[:-1], widths[0])
        if example is not None:
            shape = tuple(example[0].shape)
        reduction = "keyword" if card.has_values else None
        return Form(kind=kind, shape=shape, settings=card.settings, reduction=reduction)
    assert isinstance(card, Activation)
    rows = isinstance(card, Map)
    return Form(shape=(6, 4 * card.parts) if rows else (64,), elementwise=not rows)


def _find(thing: Any, declared: Declared, make: Callable[[Form], Subject]) -> Form:
    names = required(thing)
    if declared.example is not None:
        return _of_example(thing, declared, make)
    if _is_activation(names, declared, make):
        return _of_activation(make)
    if names is not None and len(set(names) - set(EXTRAS)) > 3:
        raise TypeError(
            f"audit: takes {len(names)} arguments ({', '.join(names)}), and losses of more than three are not known; "
            "give example=(tensor, ...), one for each, or bind some with functools.partial"
        )
    known = _known(thing) if declared.kind is None else None
    if known is not None:
        return _shaped(known, thing, declared, make)
    return _fitting(thing, names, declared, make)


def _fitting(thing: Any, names: list[str] | None, declared: Declared, make: Callable[[Form], Subject]) -> Form:
    """The candidate that fits best; not sure if it is a guess."""
    title = str(attribute_of(thing, "__name__", type(thing).__name__))
    named = None if declared.kind else suggested(names or [], title)
    told = has_roles(names or [])
    groups = [with_widths(group, widths_of(thing)) for group in candidates(names, declared, named)]
    if declared.framework is not None and FRAMEWORKS[declared.framework].has_last_axis:
        groups = [group for group in map(with_axis, groups) if group]
    form, score = _fittest(make, groups, named, told)
    form = replace(form, reduction=reduction_way(thing))
    if declared.kind is not None or _is_of(form, named):
        return replace(form, sure=declared.kind is not None or score > 0)
    rival = "" if told or score < SURE else _rival(make, form, groups)
    return replace(form, sure=score >= SURE and not rival, rival=rival)


def _of_example(thing: Any, declared: Declared, make: Callable[[Form], Subject]) -> Form:
    """Form of a batch that was given; raise the subject's error if it refuses it."""
    signature = None if declared.call is not None else required(thing)
    kind, place = example_kind(declared.example, declared.roles, signature)
    way = reduction_way(thing)
    way = None if way == "keyword" and declared.call is not None else way
    form = Form(kind=kind, shape=kind.batch[0].shape, place=place, reduction=way)
    accepted, trouble = _accepted(make, [form])
    if accepted is None:
        raise trouble or TypeError("audit: it gives no finite number for the example")
    return accepted


def _is_of(form: Form, kind: Kind | None) -> bool:
    return form.kind is not None and kind is not None and form.kind.is_variant_of(kind)


SURE = 0.7  #: least fitness of a form that is no guess, unless another fits as well


def _rival(make: Callable[[Form], Subject], best: Form, groups: Iterable[Sequence[Form]]) -> str:
    """Name of another kind whose form fits, for a loss that is not a sum over its entries."""
    if is_separable(make(best)):
        return ""
    for group in groups:
        kind = group[0].kind
        if kind is None or _is_of(best, kind) or group[0].place:
            continue
        form, _ = _accepted(make, group)
        if form is not None and fitness(make(form)) >= SURE:
            return kind.name
    return ""


def _is_activation(names: list[str] | None, declared: Declared, make: Callable[[Form], Subject]) -> bool:
    if declared.kind is not None:
        return declared.kind not in KINDS
    return len(names) == 1 if names is not None else _accepted(make, [Form(shape=(64,))])[0] is not None


def _fittest(
    make: Callable[[Form], Subject], groups: Iterable[Sequence[Form]], named: Kind | None = None, told: bool = False
) -> tuple[Form, float]:
    """(fittest form, its fitness); raise the error to report if none is accepted.

    A form of the kind that names suggest is taken if it fits, and one in the other order only if none in the order of
    names that are `told` does.
    """
    best: tuple[Form, float] | None = None
    trouble: Refusal | None = None
    for group in groups:
        if told and best is not None and best[1] >= SURE and group[0].place != best[0].place:
            break
        form, error = _accepted(make, group)
        trouble = _choose_error(trouble, error)
        if form is not None:
            score = fitness(make(form))
            if best is None or score > best[1]:
                best = form, score
            if score >= 1.0 or (score > 0.5 and _is_of(form, named)):
                break
    if best is None:
        raise trouble or TypeError("audit: it gives no finite number for any arguments that a loss may have")
    return best


def _accepted(make: Callable[[Form], Subject], group: Sequence[Form]) -> tuple[Form | None, Refusal | None]:
    """First form that gives a finite number, or else None and the error to report."""
    trouble: Refusal | None = None
    for form in group:
        for attempt in (form, replace(form, dtype=torch.float32), replace(form, numpy=True)):
            subject = make(attempt)
            try:
                came = subject(*subject.draw())
            except (SubjectError, OverBudget) as error:
                trouble = _choose_error(trouble, error)
                continue
            if bool(torch.isfinite(came.double()).any()):
                return _in_numpy(make, attempt, subject) or attempt, None
    return None, trouble


def _in_numpy(make: Callable[[Form], Subject], form: Form, subject: Subject) -> Form | None:
    """Form in NumPy, if the subject computes in NumPy; else None."""
    if subject.oddities.get("type") not in ("a float64", "a float32", "a ndarray") and not _refuses_gradients(subject):
        return None
    other = make(replace(form, numpy=True))
    try:
        other(*other.draw())
    except SubjectError:
        return None
    return other.form


def _refuses_gradients(subject: Subject) -> bool:
    """Whether it passes tensors to NumPy, which refuses them if they require a gradient; np.maximum returns one."""
    first, *rest = subject.draw()
    try:
        subject(first.requires_grad_(), *rest)
    except SubjectError as error:
        return "call numpy() on Tensor" in str(error)
    return False


def _choose_error(first: Refusal | None, error: Refusal | None) -> Refusal | None:
    """Choose the error to report: the first, or the one that came after the subject ran to its end."""
    if first is None or (error is not None and isinstance(error.cause, NotATensor)):
        return error or first
    return first


def _of_activation(make: Callable[[Form], Subject]) -> Form:
    shapes = ((64,), (6, 8), (2, 4, 6), (2, 4, 6, 6))
    form, trouble = _accepted(make, [Form(shape=shape) for shape in shapes])
    if form is None:
        raise trouble or TypeError("audit: it gives no finite number for numbers between -9 and 9")
    subject = make(form)
    (x,) = subject.draw()
    y = subject(x)
    if y.shape == x.shape and _entry_by_entry(subject, x, y):
        return form
    rows, _ = _accepted(make, [replace(form, shape=shape, elementwise=False) for shape in ((6, 8), *shapes)])
    return replace(rows or form, elementwise=False)


def _entry_by_entry(subject: Subject, x: Tensor, y: Tensor) -> bool:
    moved = x.clone()
    moved.reshape(-1)[0] = 10.0
    try:
        again = subject(moved)
    except SubjectError:
        return True
    if again.shape != y.shape:
        return False
    others = (again - y).detach().abs().reshape(-1)[1:]
    return not bool((others > 1e-12 * y.detach().abs().max()).any())


#: forms of losses of torch.nn that take other arguments than a card
APART = {
    "tripletmarginwithdistance": Form(kind=TRIPLETS, shape=ROWS_2),  # its card takes the distances
    "multilabelmargin": Form(kind=MULTILABEL, shape=ROWS_2, target="lists"),
    "kldiv": Form(kind=DISTRIBUTION.having(prediction=LOG_PROBABILITIES.name), shape=ROWS_2),
}


def _known(thing: Any) -> Form | None:
    """Form of a loss of torch.nn, torch.nn.functional or slopes.nn, from its card."""
    module = isinstance(thing, torch.nn.Module)
    home = type(thing).__module__ if module else attribute_of(thing, "__module__")
    own = attribute_of(thing, "card")
    if isinstance(own, Loss) and (module or home == "slopes.nn"):
        form = _of_card(own)
        return replace(form, shape=(2, 3, 12), axis=1) if own.kind.has_regions else form  # classes follow the samples
    if home not in ("torch.nn.modules.loss", "torch.nn.functional", "slopes.nn"):
        return None
    bare = _bare(type(thing).__name__ if module else str(attribute_of(thing, "__name__", "")))
    if bare in APART:
        return APART[bare]
    card = _card_of(bare)
    if card is None:
        return None
    held = _settings(thing, card) if module else {}
    if bare in ("bce", "binarycrossentropy"):
        held["from_probabilities"] = True
    return replace(_of_card(card), settings={**card.settings, **held})


def _settings(module: torch.nn.Module, card: Card) -> dict[str, Any]:
    held = {name: getattr(module, name, None) for name in card.parameters}
    return {name: value for name, value in held.items() if isinstance(value, (bool, int, float, str))}


def _card_of(bare: str) -> Any:
    from slopes.catalogue import CARDS
    from slopes.nn.losses import LOSSES

    folded = {_bare(name): card for name, (card, _) in LOSSES.items()}
    binary = dict.fromkeys(("bce", "binarycrossentropy", "binarycrossentropywithlogits"), "binary_cross_entropy")
    return CARDS.get((folded | binary).get(bare, ""))


def _bare(name: str) -> str:
    return name.replace("_", "").lower().removesuffix("loss")


def _shaped(form: Form, thing: Any, declared: Declared, make: Callable[[Form], Subject]) -> Form:
    spaced = with_declared_space(form.kind, declared) if form.kind is not None else None
    form = replace(form, kind=spaced, reduction=reduction_way(thing))
    shapes = ((form.shape, form.axis), *LABELLED) if form.kind is not None and form.kind.rowwise else (
        (form.shape, -1), (IMAGE, -1)
    )  # fmt: skip
    forms = with_widths([replace(form, shape=shape, axis=axis) for shape, axis in shapes], widths_of(thing))
    return _accepted(make, forms)[0] or form


def _values_of(x: Tensor, space: Space, form: Form) -> str:
    if not x.is_floating_point():
        return "labels"
    return "0 or 1" if space.is_sign and form.target == "zero_one" else str(space)


def _of_framework(framework: Framework) -> list[str]:
    if framework.is_torch:
        return []
    return [f"computed by {framework.title}, so devices, memory layouts and torch.compile are not checked"]


def _facts(subject: Subject) -> list[str]:
    form = subject.form
    if form.kind is None:
        return [f"an activation, {'element by element' if form.elementwise else 'of rows'}"]
    arguments = subject.draw()
    names = [*form.names]
    told = [
        f"{name} {tuple(x.shape)} of {_values_of(x, space, form)}"
        for name, x, space in zip(names, arguments, form.spaces, strict=True)
    ]
    told.insert(form.place, told.pop(0))
    if form.has_fixed_shape:
        return [f"a loss of {', '.join(told)}, as declared"]
    reduced = "one number" if subject(*arguments).ndim == 0 else "a value for each"
    rival = f" (it may be a {form.rival} loss)" * bool(form.rival)
    doubt = "" if form.sure else f"; a guess{rival}, so declare kind= and space= for a sharper audit"
    article = "an" if form.kind.name[0] in "aeiou" else "a"
    return [f"{article} {form.kind.name} loss of {', '.join(told)}; gives {reduced}{doubt}"]
