"""Discovery by calls: the arguments that a subject takes, their shapes, and the spaces of their numbers.

Each candidate form is tried with a small batch. It is taken if the subject accepts it and behaves as losses of its kind
do: a regression is least (or, with a wrong sign, greatest) where prediction and target agree; a loss of logits falls
all the way as the right logit rises; a loss of probabilities does so from 0 to 1; a loss of a margin depends on the
product.
"""

from __future__ import annotations

import difflib
import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from slopes.auditing.form import Declared, Form
from slopes.auditing.report import Skip
from slopes.auditing.source import expression_of
from slopes.auditing.subject import NotATensor, Subject, SubjectError
from slopes.card import Activation, Card, Loss, Map
from slopes.domains import OneOf, shown
from slopes.kinds import KINDS, Kind

SPACES = ("logits", "probabilities", "log_probabilities")
TARGETS = ("target", "targets", "label", "labels", "y", "y_true", "true", "truth", "gt", "t", "ground_truth")
PREDICTIONS = (
    *("prediction", "predictions", "pred", "preds", "y_pred", "yhat", "y_hat", "input", "inputs", "logits"),
    *("output", "outputs", "z", "p", "probs", "probabilities", "scores"),
)
#: words in arguments' names that suggest a kind
TELLING = {"anchor": "triplets", "neg": "triplets", "var": "variance", "embed": "embeddings", "feature": "embeddings"}
EXTRAS = {"mask": "mask", "weight": "weight", "weights": "weight", "sample_weight": "weight"}
ROWS_2, IMAGE, IMAGES = (6, 4), (2, 1, 8, 8), (2, 3, 8, 8)
LABELLED = ((ROWS_2, -1), ((2, 4, 3), 1), ((2, 4, 5, 5), 1), ((2, 3, 4), -1))
PLAIN = ((8,), (8, 1), ROWS_2, IMAGE, IMAGES)
OVERLAPPING = (IMAGE, (2, 8, 8), IMAGES, (8,))


def subject_of(
    thing: Any, *, spec: str | None = None, declared: Declared | None = None, seed: int = 0, quick: bool = False
) -> tuple[Subject, list[str]]:
    """Return the subject for an object, and the facts found by calling it, in words.

    Raises ValueError for an unknown declaration, TypeError for an object that is no function of tensors, SubjectError
    if no way of calling it succeeds.
    """
    declared = declared or Declared()
    check_declared(declared)
    origin = thing
    if isinstance(thing, type):
        thing = _instance(thing, spec)
        origin = origin if spec else thing
    if not callable(thing):
        raise TypeError(f"audit takes a card, a function or a module, got {type(thing).__name__}")

    def make(form: Form) -> Subject:
        variable = "f" if form.kind is None else "loss"
        name, setup = expression_of(origin, variable, spec)
        return Subject(thing, form, name=name, setup=setup, declared=declared, seed=seed, quick=quick)

    form = _of_card(thing) if isinstance(thing, Card) else _find(thing, declared, make)
    subject = make(form)
    return subject, _facts(subject)


def check_declared(declared: Declared) -> None:
    """Raise ValueError for an unknown declaration, TypeError for one that is not text."""
    for name in ("kind", "space", "elicits", "divisor"):
        value = getattr(declared, name)
        if value is not None and not isinstance(value, str):
            raise TypeError(f"audit: {name} must be text, got {shown(value)}")
    if declared.divisor is not None:
        OneOf(("elements", "rows", "weights", "valid", "one")).check("audit", "divisor", declared.divisor)
    kinds = ("activation", *KINDS, "xgboost", "lightgbm", "catboost")
    if declared.kind is not None and declared.kind not in kinds:
        near = difflib.get_close_matches(declared.kind, kinds, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(kinds)}."
        raise ValueError(f"audit: no kind {declared.kind!r}; {hint}")
    if declared.space is not None:
        OneOf(SPACES).check("audit", "space", declared.space)
    if declared.elicits is not None and not re.fullmatch(r"mean|median|probability|quantile 0?\.\d+", declared.elicits):
        raise ValueError(
            f"audit: elicits must be 'mean', 'median', 'probability' or a quantile, as 'quantile 0.9', "
            f"got {declared.elicits!r}"
        )


def _instance(thing: type, spec: str | None) -> Any:
    try:
        return thing()
    except Exception as error:
        raise TypeError(
            f"audit: {spec or thing.__name__} is a class that cannot be made without arguments "
            f"({type(error).__name__}: {error}); give the instance that you train with"
        ) from error


def _of_card(card: Card) -> Form:
    """Return a card's form, which follows from its kind."""
    if isinstance(card, Loss):
        kind = card.kind
        shape = {"boxes": (6, 4), "embeddings": (6, 4), "overlap": (2, 12, 3)}.get(
            kind.name, ROWS_2 if kind.rowwise else (8,)
        )
        return Form(kind=kind, shape=shape, settings=card.settings, reduction="keyword")
    assert isinstance(card, Activation)
    rows = isinstance(card, Map)
    return Form(shape=(6, 4 * card.parts) if rows else (64,), elementwise=not rows)


# -------------------------------------------------------------------------------------------- signatures


def arguments_of(thing: Any) -> Mapping[str, inspect.Parameter] | None:
    """Return the arguments of a call by name; None if the signature cannot be read."""
    try:
        return inspect.signature(thing.forward if isinstance(thing, torch.nn.Module) else thing).parameters
    except (TypeError, ValueError):
        return None


def required(thing: Any) -> list[str] | None:
    """Return the names of the required positional arguments; None if the signature cannot be read."""
    found = arguments_of(thing)
    if found is None:
        return None
    parameters = list(found.values())
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in parameters if p.kind in by_place and p.default is p.empty]
    if not names and any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    second = parameters[1] if len(names) == 1 < len(parameters) else None
    if second is not None and second.default is None and second.name in TARGETS:
        names.append(second.name)  # it only seems optional
    return names


def keywords(thing: Any) -> list[str]:
    """Return the names of all arguments that can be given by name."""
    parameters = (arguments_of(thing) or {}).values()
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def default_of(thing: Any, name: str) -> Any:
    """Return the default of an argument; `inspect.Parameter.empty` if there is no argument or no default."""
    found = (arguments_of(thing) or {}).get(name)
    return inspect.Parameter.empty if found is None else found.default


# ---------------------------------------------------------------------------------------------- the search


def _find(thing: Any, declared: Declared, make: Callable[[Form], Subject]) -> Form:
    names = required(thing)
    if declared.kind == "activation" or (declared.kind is None and names is not None and len(names) == 1):
        return _of_activation(make)
    if names is None and declared.kind is None:
        with_one = _first(make, [Form(shape=(64,))])
        if with_one is not None:
            return _of_activation(make)
    if names is not None and len([name for name in names if name not in EXTRAS]) > 3:
        raise TypeError(
            f"audit: takes {len(names)} arguments ({', '.join(names)}), and losses of more than three are not known; "
            "bind some with functools.partial"
        )
    known = _known(thing) if declared.kind is None else None
    if known is not None:
        return _shaped(known, thing, declared, make)
    best, sure_from, trouble = None, 1.0, None
    for group in _candidates(names, declared):
        form, error = _accepted(make, group)
        trouble = _telling(trouble, error)
        if form is None:
            continue
        score = fitness(make(form))
        if best is None or score > best[0]:
            best = score, form
        if score >= sure_from:
            break
    if best is None:
        raise trouble or TypeError("audit: it gives no finite number for any arguments that a loss may have")
    kind = best[1].kind
    sure = best[0] >= 0.7 or declared.kind is not None or (kind is not None and kind.name == _named(names or []))
    return replace(best[1], sure=sure, reduction=_reduction(thing))


def _accepted(make: Callable[[Form], Subject], group: Sequence[Form]) -> tuple[Form | None, SubjectError | None]:
    """Return the first form of a group that gives a finite number, or else None and the error to report."""
    trouble = None
    for form in group:
        for attempt in (form, replace(form, dtype=torch.float32), replace(form, numpy=True)):
            subject = make(attempt)
            try:
                came = subject(*subject.draw())
            except SubjectError as error:
                trouble = _telling(trouble, error)
                continue
            if bool(torch.isfinite(came.double()).any()):
                return _in_numpy(make, attempt, subject) or attempt, None
    return None, trouble


def _in_numpy(make: Callable[[Form], Subject], form: Form, subject: Subject) -> Form | None:
    """Return the form in NumPy, if results are NumPy's, or a tensor must not require a gradient; else None."""
    if subject.oddities.get("type") not in ("a float64", "a float32", "a ndarray") and not _wants_none(subject):
        return None
    other = make(replace(form, numpy=True))
    try:
        other(*other.draw())
    except SubjectError:
        return None
    return other.form


def _wants_none(subject: Subject) -> bool:
    """Whether it passes tensors to NumPy, which refuses them if they require a gradient; np.maximum returns one."""
    first, *rest = subject.draw()
    try:
        subject(first.requires_grad_(), *rest)
    except SubjectError as error:
        return "call numpy() on Tensor" in str(error)
    return False


def _telling(first: SubjectError | None, error: SubjectError | None) -> SubjectError | None:
    """Return the error to report: the first, unless only the other came after the subject ran to its end."""
    if first is None or (error is not None and isinstance(error.cause, NotATensor)):
        return error or first
    return first


def _first(make: Callable[[Form], Subject], forms: Sequence[Form]) -> Form | None:
    """Return the first form that the subject accepts."""
    return _accepted(make, forms)[0]


def _reduction(thing: Any) -> str | None:
    """Return how to choose another reduction: by keyword or attribute; None if there is no way."""
    if "reduction" in keywords(thing):
        return "keyword"
    return "attribute" if getattr(thing, "reduction", None) in ("mean", "sum", "none") else None


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
    rows = _first(make, [replace(form, shape=shape, elementwise=False) for shape in ((6, 8), *shapes)])
    return replace(rows or form, elementwise=False)


def _entry_by_entry(subject: Subject, x: Tensor, y: Tensor) -> bool:
    """Whether changing one entry leaves the others unchanged."""
    moved = x.clone()
    moved.reshape(-1)[0] = 10.0
    try:
        again = subject(moved)
    except SubjectError:
        return True
    others = (again - y).detach().abs().reshape(-1)[1:]
    return not bool((others > 1e-12 * y.detach().abs().max()).any())


def _known(thing: Any) -> Form | None:
    """Return the form of a loss of torch.nn, torch.nn.functional or slopes.nn, from its card."""
    from slopes.catalogue import CARDS
    from slopes.nn.losses import LOSSES

    module = isinstance(thing, torch.nn.Module)
    if module and isinstance(getattr(thing, "card", None), Loss):
        form = _of_card(thing.card)
        return form if form.kind is None or form.kind.name != "overlap" else replace(form, shape=(2, 3, 12), axis=1)
    home = type(thing).__module__ if module else getattr(thing, "__module__", None)
    if home not in ("torch.nn.modules.loss", "torch.nn.functional", "slopes.nn"):
        return None
    own = getattr(thing, "card", None)
    if isinstance(own, Loss):  # slopes.nn has the classes on the axis after the samples
        form = _of_card(own)
        return replace(form, shape=(2, 3, 12), axis=1) if own.kind.name == "overlap" else form
    name = type(thing).__name__ if module else getattr(thing, "__name__", "")
    if name in ("TripletMarginWithDistanceLoss", "triplet_margin_with_distance_loss"):
        return Form(kind=KINDS["triplets"], shape=ROWS_2)  # its card takes the distances
    if name in ("MultiLabelMarginLoss", "multilabel_margin_loss"):
        return Form(kind=KINDS["multilabel"], shape=ROWS_2, target="lists")
    if name in ("KLDivLoss", "kl_div"):
        return Form(kind=KINDS["distribution"].having(prediction="log-probabilities"), shape=ROWS_2)
    folded = {key.lower(): card for key, (card, _) in LOSSES.items()} | {
        "binarycrossentropywithlogitsloss": "binary_cross_entropy",
        "binarycrossentropyloss": "binary_cross_entropy",
        "bceloss": "binary_cross_entropy",
    }
    bare = name.replace("_", "").lower()
    card: Any = CARDS.get(folded.get(bare) or folded.get(f"{bare}loss") or "")
    if card is None:
        return None
    settings = {key: getattr(thing, key) for key in card.parameters if module and hasattr(thing, key)}
    settings = {key: value for key, value in settings.items() if isinstance(value, (bool, int, float, str))}
    if bare.removesuffix("loss") in ("bce", "binarycrossentropy"):
        settings["from_probabilities"] = True
    return Form(kind=card.kind, settings={**card.settings, **settings}, shape=ROWS_2 if card.kind.rowwise else (8,))


def _shaped(form: Form, thing: Any, declared: Declared, make: Callable[[Form], Subject]) -> Form:
    """Return a known form with the first shape that the subject accepts."""
    spaced = _spaced(form.kind, declared) if form.kind is not None else None
    form = replace(form, kind=spaced, reduction=_reduction(thing))
    shapes = ((form.shape, form.axis), *LABELLED) if form.kind is not None and form.kind.rowwise else (
        (form.shape, -1), (IMAGE, -1)
    )  # fmt: skip
    return _first(make, [replace(form, shape=shape, axis=axis) for shape, axis in shapes]) or form


def _spaced(kind: Kind, declared: Declared) -> Kind:
    """Return the kind with the declared space, if its predictions are scores."""
    if declared.space is None or not kind.arguments[0].space.is_logit:
        return kind
    return _having(kind, declared.space.replace("_", "-"))


def _having(kind: Kind, space: str) -> Kind:
    """Return the kind with predictions in this space; probabilities of one class sum to 1 in each row."""
    rows = kind.name in ("classification", "distribution") and space == "probabilities"
    return kind.having(**{kind.arguments[0].name: "distributions" if rows else space})


def _candidates(names: list[str] | None, declared: Declared) -> Iterator[list[Form]]:
    """Yield groups of forms to try, the likeliest first; forms of a group differ only in their shapes."""
    names = names or []
    extra = {name: EXTRAS[name] for name in names[2:] if name in EXTRAS}
    count = len(names) - len(extra) if names else 2
    kinds = [declared.kind] if declared.kind else _kinds_for(count, names)
    for swapped in (True, False) if _target_first(names) else (False, True):
        for name in kinds:
            for kind in _spaces_to_try(KINDS[name], declared):
                for group in _layouts(kind):
                    yield [replace(form, swapped=swapped and len(form.names) == 2, extra=extra) for form in group]


def _layouts(kind: Kind) -> Iterator[list[Form]]:
    """Yield groups of forms of a kind, with the shapes that its arguments may have."""
    if kind.name in ("classification", "overlap"):
        space = kind.spaces({})[0].name
        labels = KINDS["classification"].having(prediction=space) if kind.name == "overlap" else kind
        for target in ("as drawn", "rows"):
            yield [Form(kind=labels, shape=shape, axis=axis, target=target) for shape, axis in LABELLED]
        if kind.name == "overlap":
            binary = KINDS["binary"].having(prediction=space)
            yield [Form(kind=binary, shape=shape) for shape in OVERLAPPING]
            yield [Form(kind=binary, shape=IMAGE, target="squeezed")]
    elif kind.rowwise:
        yield [Form(kind=kind, shape=shape) for shape in (ROWS_2, (2, 3, 4), (4,))]
    else:
        shapes = PLAIN[:1] if kind.name == "margin" else PLAIN
        yield [Form(kind=kind, shape=shape) for shape in shapes]
        if kind.name in ("binary", "margin"):
            yield [Form(kind=kind, shape=shape, target="whole") for shape in shapes[:3]]


def _kinds_for(count: int, names: list[str]) -> list[str]:
    """Return the kinds with this number of arguments, starting with kinds that the names suggest."""
    named = _named(names)
    if count >= 3:
        return list(dict.fromkeys([*([named] if named else []), "triplets", "variance", "pairs", "ranking"]))
    if named == "embeddings":
        return [named, "vectors"]
    if _views(names):
        return ["regression", "vectors"]
    return ["classification", "regression", "binary", "margin", "distribution", "vectors"]


def _named(names: list[str]) -> str | None:
    """Return the kind that the names of the arguments suggest."""
    return next((kind for word, kind in TELLING.items() if any(word in name.lower() for name in names)), None)


def _views(names: list[str]) -> bool:
    """Whether the names are of two views, such as z1 and z2, or z_i and z_j."""
    return len(names) == 2 and len(names[0]) > 1 and names[0][:-1] == names[1][:-1] and names[0] != names[1]


def _spaces_to_try(kind: Kind, declared: Declared) -> list[Kind]:
    """Return the kind with each possible space of its first argument, or with the declared one."""
    if declared.space is not None:
        return [_spaced(kind, declared)]
    others = {
        "classification": ("logits", "log-probabilities", "probabilities"),
        "overlap": ("logits", "probabilities"),
        "binary": ("logits", "probabilities"),
        "multilabel": ("logits", "probabilities"),
        "distribution": ("log-probabilities", "logits", "distributions"),
    }
    if kind.name == "regression":
        return [
            kind,
            kind.having(prediction="positive", target="positive"),
            kind.having(target="non-negative"),
            kind.having(prediction="positive", target="non-negative"),
        ]
    return [_having(kind, space) for space in others.get(kind.name, ())] or [kind]


def _target_first(names: list[str]) -> bool:
    """Whether the names suggest that the target comes before the prediction."""
    if len(names) < 2:
        return False
    first, second = (name.lower() for name in names[:2])
    return first in TARGETS and (second in PREDICTIONS or second not in TARGETS)


# ------------------------------------------------------------------------------------------------- fitness


def fitness(subject: Subject) -> float:
    """Return how well a subject behaves as its form predicts: from 0 to 1, or 0.5 if there is no test."""
    kind = subject.form.kind
    try:
        test = FITS.get(kind.name if kind is not None else "", _unknown)
        return test(subject)
    except (SubjectError, Skip):
        return 0.0


def along(subject: Subject, numbers: Sequence[float], target: float) -> Tensor:
    """Return the totals as the first prediction takes these numbers, for this target."""
    prediction, goal, *rest = subject.draw(1)
    goal = goal.clone()
    goal.reshape(-1)[0] = target
    came = []
    for number in numbers:
        moved = prediction.clone()
        moved.reshape(-1)[0] = number
        came.append(subject.total(moved, goal, *rest).detach().double())
    return torch.stack(came)


def _monotone(values: Tensor) -> int:
    """Return 1 if values rise, −1 if they fall, else 0; equal neighbours are allowed."""
    if not bool(torch.isfinite(values).all()):
        return 0
    steps, size = torch.diff(values), float(values.max() - values.min())
    if size <= 1e-9 * float(values.abs().max()):
        return 0
    slack = 1e-9 * size
    return 1 if bool((steps >= -slack).all()) else -1 if bool((steps <= slack).all()) else 0


def _regression(subject: Subject) -> float:
    positive = subject.space.is_positive
    counts = not positive and subject.form.spaces[1].is_count  # the prediction is the log of a count
    targets = (0.5, 1.0, 3.0) if positive or counts else (-1.75, 0.5, 2.25)
    offsets = [-0.375, -0.25, -0.125, 0.0, 0.125, 0.25, 0.5, 1.0]
    for target in targets:
        truth = math.log(target) if counts else target
        values = along(subject, [truth + offset for offset in offsets], target)
        if not bool(torch.isfinite(values).all()) or float(values.max() - values.min()) == 0:
            return 0.0
        best, worst = (int(i) for i in (values.argmin(), values.argmax()))
        if offsets[best] != 0.0 and offsets[worst] != 0.0:
            return 0.0
    return 1.0


def _vectors(subject: Subject) -> float:
    """Return 0.75 if the total is least or greatest where both vectors are equal, else 0."""
    first, second = subject.draw(1)
    at, near, far = (float(subject.total(second + s * (first - second), second).detach()) for s in (0.0, 0.3, 1.0))
    return 0.75 if (at < near < far) or (at > near > far) else 0.0


def _binary(subject: Subject) -> float:
    probabilities = subject.space.is_probability
    numbers = [0.02, 0.2, 0.4, 0.6, 0.8, 0.98] if probabilities else [-12.0, -4.0, -1.0, 0.0, 0.5, 1.0, 2.0, 6.0, 12.0]
    yes, no = (_monotone(along(subject, numbers, target)) for target in (1.0, 0.0))
    if yes * no != -1 or (not probabilities and _clamps(subject)):
        return 0.0
    prediction, goal = subject.draw(1)
    yeses = goal.reshape(prediction.shape) == 1
    moved = (torch.where(yeses, x, prediction) for x in numbers)
    alike = [subject.total(x, goal).detach().double() for x in moved]
    return 1.0 if _monotone(torch.stack(alike)) == yes else 0.0  # not monotone if a quotient has a pole


def _clamps(subject: Subject) -> bool:
    """Whether it changes only between 0 and 1, so that its predictions are probabilities."""
    values = along(subject, [-12.0, -4.0, -1.0, 0.2, 0.5, 0.8, 2.0, 6.0, 12.0], 1.0)
    below, inside, above = values[:3], values[3:6], values[6:]
    return bool((below == below[0]).all() and (above == above[0]).all() and (torch.diff(inside) != 0).all())


def _margin(subject: Subject) -> float:
    numbers = [-3.0, -0.5, 0.25, 0.75, 2.0]
    up, down = (along(subject, [sign * x for x in numbers], sign) for sign in (1.0, -1.0))
    rest = float((up - down).abs().max())
    return 1.0 if _monotone(up) and rest <= 1e-9 * max(float(up.abs().max()), 1e-9) else 0.0


def _classification(subject: Subject) -> float:
    prediction, target = subject.draw(1)
    axis = subject.form.axis
    shifted = prediction + 1.0
    base = subject.total(prediction, target).detach()
    if not bool(torch.isfinite(base)):
        return 0.0
    if subject.space.is_probability:
        return 0.8 if _raises_with(subject, target) and _looks_at_the_truth_alone(subject, target) else 0.0
    change = float(subject.total(shifted, target).detach() - base)
    invariant = abs(change) <= 1e-9 * max(1.0, float(base.abs()))
    if subject.space.is_log_probability:
        fits = not invariant and _raises_with(subject, target) and _looks_at_the_truth_alone(subject, target)
        return 0.8 if fits else 0.0
    if subject.form.target == "rows" and not invariant:
        return 0.0
    return 1.0 if invariant and axis is not None and _raises_with(subject, target) else 0.0


def _raises_with(subject: Subject, target: Tensor) -> bool:
    """Whether the total changes monotonically as predictions go from right to wrong."""
    size = 1.0  # no larger, because smoothed targets have a best size
    right, wrong = subject.right(target, size), subject.right(_other(subject, target), size)
    if right is None or wrong is None:
        return False
    if subject.space.is_probability:
        right, wrong = (0.9 * x + 0.1 / x.shape[subject.form.axis] for x in (right, wrong))
    shares = (0.0, 0.25, 0.5, 0.75, 1.0)
    return _monotone(torch.stack([subject.total(right + s * (wrong - right), target).detach() for s in shares])) != 0


def _looks_at_the_truth_alone(subject: Subject, target: Tensor) -> bool:
    """Whether it does not matter how the wrong classes share their part, as in minus the log of a probability."""
    right = subject.right(target, 1.0)
    wrong = subject.right(_other(subject, target), 1.0)
    third = subject.right(_other(subject, _other(subject, target)), 1.0)
    if right is None or wrong is None or third is None:
        return False
    shared = 0.5 * (wrong + third)
    one, two = (float(subject.total(0.6 * right + 0.4 * x, target).detach()) for x in (wrong, shared))
    return abs(one - two) <= 1e-9 * max(1.0, abs(one))


def _other(subject: Subject, target: Tensor) -> Tensor:
    """Return targets that all differ from the given ones."""
    if target.is_floating_point():
        return target.roll(1, subject.form.axis)
    return (target + 1) % subject.form.shape[subject.form.axis]


def _distribution(subject: Subject) -> float:
    prediction, target = subject.draw(1)
    base, once, twice = (float(subject.total(prediction + shift, target).detach()) for shift in (0.0, 1.0, 2.0))
    slack = 1e-9 * max(1.0, abs(base))
    if subject.space.is_logit:
        return 0.9 if abs(once - base) <= slack else 0.0
    if subject.space.is_log_probability:  # such losses are linear in them
        return 0.9 if abs(once - base) > slack and abs(twice - once - (once - base)) <= slack else 0.0
    other = target.roll(1, 0)
    shares = (0.5, 0.95, 1.0, 1.05)
    values = [float(subject.total(other + share * (target - other), target).detach()) for share in shares]
    return 0.7 if values[2] == min(values) < values[0] else 0.0


def _unknown(subject: Subject) -> float:
    return 0.5


FITS: dict[str, Callable[[Subject], float]] = {
    "regression": _regression,
    "binary": _binary,
    "margin": _margin,
    "classification": _classification,
    "distribution": _distribution,
    "vectors": _vectors,
}


# --------------------------------------------------------------------------------------------------- words


def _facts(subject: Subject) -> list[str]:
    form = subject.form
    if form.kind is None:
        return [f"an activation, {'element by element' if form.elementwise else 'of rows'}"]
    arguments = subject.draw()
    names = [*form.names]
    told = [
        f"{name} {tuple(x.shape)} of {'labels' if not x.is_floating_point() else space}"
        for name, x, space in zip(names, arguments, form.spaces, strict=True)
    ]
    if form.swapped:
        told[:2] = told[1::-1]
    reduced = "one number" if subject(*arguments).ndim == 0 else "a value for each"
    doubt = "" if form.sure else "; a guess, so declare kind= and space= for a sharper audit"
    return [f"a {form.kind.name} loss of {', '.join(told)}; gives {reduced}{doubt}"]
