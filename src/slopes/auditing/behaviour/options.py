"""Check of options: each changes the value or a gradient of some input."""

from __future__ import annotations

import contextlib
import inspect
import math
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from slopes.auditing.behaviour.batches import several
from slopes.auditing.behaviour.selection import keep_two_thirds, selections
from slopes.auditing.evidence import Script
from slopes.auditing.form import Arguments
from slopes.auditing.rebuilding import is_handed_on
from slopes.auditing.report import Finding, Skip, about
from slopes.auditing.signatures import EXTRAS, attribute_of, default_of
from slopes.auditing.subject import Subject, SubjectError

#: Names of options that choose how to compute or report, and leave the values alone.
MANNERS = re.compile(
    r"^_|^k$|inplace|in_place|chunk|block|tile|fused|memory|effici|check|valid|verbos|debug|log_stats|stab|safe|fast|seed|"
    r"worker|parallel|distrib|world|rank$|sync|gather|compile|jit|cache|reuse|strict|device|keep_?dim|backend|triton|"
    r"warn|threads|persistent|training|dtype|upcast|name"
)
SPEED = re.compile(r"performance|faster|speed|memory", re.IGNORECASE)
#: Names of sizes, which some constructors take for other parts of a model.
SIZES = re.compile(r"num_|^n_|_num$|classes|features|channels|size|dim$|length|width|height")
#: Names of axes.
AXES = re.compile(r"(^|_)(axis|dim)$")
INTEGERS, FLOATS = (0, 1, 2, 3, 5, -1), (0.0, 1.0, 0.5, 2.0, -1.0, 10.0, 1e3)
Outcome = tuple[tuple[Tensor, ...], ...]


@dataclass(frozen=True)
class Option:
    """A numeric or boolean option of the constructor or the call."""

    name: str
    value: Any
    of_call: bool

    @property
    def others(self) -> list[Any]:
        """Other values to try."""
        if isinstance(self.value, bool):
            return [not self.value]
        if isinstance(self.value, int):
            return [x for x in INTEGERS if x != self.value]
        known = (*FLOATS, self.value / 2, self.value * 2)
        return list(dict.fromkeys(x for x in known if x != self.value and math.isfinite(x)))


@about("loss", "activation", unless=("purity", "connectivity", "known_limits", "label_conventions", "accumulation"))
def idle_options(subject: Subject) -> Iterator[Finding]:
    """Check that each numeric or boolean option changes a value or a gradient, if only beside another option."""
    if subject.card is not None:
        raise Skip("a card's parameters have checks of their own")
    if subject.family == "loss":
        with contextlib.suppress(Skip):
            subject = several(subject)
    options = list(_options(subject))
    if not options:
        raise Skip("it has no numeric or boolean option")
    batches = _batches(subject)
    known: dict[str, Outcome | None] = {}
    for option in options:
        values = _idle_values(subject, option, options, batches, known)
        if values:
            yield _idle(subject, option, values)


# ---------------------------------------------------------------------------------------------- options


def _options(subject: Subject) -> Iterator[Option]:
    thing = subject.origin
    of_call = {name: default_of(thing, name) for name in subject.keywords}
    for place, given in enumerate((subject.constructor_arguments, of_call)):
        for name, value in given.items():
            numeric = type(value) in (bool, int, float) and value == value
            numeric = numeric and (bool(place) or not is_handed_on(thing, name))
            if numeric and name not in EXTRAS and not _may_be_idle(thing, name):
                yield Option(name, value, bool(place))


def _may_be_idle(thing: Any, name: str) -> bool:
    """Whether its name, its documentation or another method than the call's gives an option another purpose."""
    places = (thing, getattr(type(thing), "__init__", None), attribute_of(thing, "forward"), type(thing))
    documented = "\n".join(inspect.getdoc(x) or "" for x in places if x is not None)
    about = re.search(rf"\b{re.escape(name)}\b *:.{{0,300}}", documented, re.DOTALL)
    of_speed = about is not None and SPEED.search(about[0]) is not None
    return of_speed or MANNERS.search(name) is not None or _serves_another_method(thing, name)


def _serves_another_method(thing: Any, name: str) -> bool:
    """Whether a public method that the call does not reach reads the attribute, as the step of a schedule does."""
    methods: dict[str, Any] = {}
    for kind in reversed(type(thing).__mro__):
        if not kind.__module__.startswith(("torch.", "builtins")):
            methods |= {key: x.__code__ for key, x in vars(kind).items() if hasattr(x, "__code__")}
    reached, waiting = set[str](), ["forward", "__call__", "__init__"]
    while waiting:
        key = waiting.pop()
        if key in methods and key not in reached:
            reached.add(key)
            waiting.extend(methods[key].co_names)
    others = [code for key, code in methods.items() if key not in reached and not key.startswith("__")]
    return any(name in code.co_names for code in others if code.co_name not in ("extra_repr", "get_config"))


# --------------------------------------------------------------------------------------------- outcomes


def _idle_values(
    subject: Subject, option: Option, options: list[Option], batches: list[Arguments], known: dict[str, Outcome | None]
) -> list[Any]:
    """Values that change nothing, if none changes anything, whatever the other options are; else []."""
    accepted: list[Any] = []
    for context in _contexts(subject, option, options):
        key = repr(context)
        if key not in known:
            known[key] = _outcome(subject, context, batches)
        base = known[key]
        for value in (*option.others, *_labels(option, batches)):
            if base is None:
                break
            if AXES.search(option.name) and (value - option.value) % len(subject.form.shape) == 0:
                continue  # the same axis, counted from the other end
            came = _outcome(subject, {**context, (option.name, option.of_call): value}, batches, option.name)
            if came is not None and not _same(base, came):
                return []
            if came is not None and not context:
                accepted.append(value)
        if not accepted:
            return []
    return accepted


def _labels(option: Option, batches: list[Arguments]) -> list[int]:
    """A label of each batch, which an option may name, as `ignore_index` does; none for an option of other numbers."""
    integers = [x for batch in batches for x in batch if not x.is_floating_point() and x.numel()]
    return [int(x.reshape(-1)[0]) for x in integers] if type(option.value) is int else []


Context = Mapping[tuple[str, bool], Any]


def _contexts(subject: Subject, option: Option, options: list[Option]) -> Iterator[Context]:
    """Yield settings of other options, first none: an option may do its work only beside another."""
    yield {}
    yield from _selecting(subject)
    for other in options:
        if (other.name, other.of_call) != (option.name, option.of_call):
            yield from ({(other.name, other.of_call): value} for value in other.others[:4])
    words = [((name, False), value) for name, value in subject.constructor_arguments.items()]
    words += [((name, True), default_of(subject.thing, name)) for name in subject.keywords]
    classes = subject.form.classes
    for place, value in words:
        if place[0] == "reduction":
            yield from ({place: way} for way in ("none", "sum", "mean") if way != value)
        elif value is None:
            yield from ({place: x} for x in (0.25, torch.linspace(0.5, 2, max(classes, 1)), 2))


def _selecting(subject: Subject) -> Iterator[Context]:
    """Yield masks and weights that keep two thirds of a batch."""
    if subject.form.kind is None:
        return
    with contextlib.suppress(SubjectError, Skip):
        for way in selections(subject):
            if not way.is_label:
                keep = keep_two_thirds(way.shape)
                shown = keep if way.is_mask else torch.where(keep, 2, 0.5)
                yield {(way.name, True): shown.to(way.dtype)}


def _batches(subject: Subject) -> list[Arguments]:
    """Ordinary arguments, large ones, and those with zeros, ties and agreement."""
    drawn = [subject.draw(seed) for seed in range(2)]
    if subject.space.is_unbounded:
        first, *rest = drawn[0]
        drawn.append((30 * first, *rest))
    if subject.form.kind is not None:
        with contextlib.suppress(SubjectError, Skip):
            drawn += [arguments for _, arguments in subject.degenerate()][:6]
    return drawn


def _outcome(subject: Subject, context: Context, batches: list[Arguments], named: str = "") -> Outcome | None:
    """Values and gradients of the batches; None if it raises, or warns of the option `named`."""
    settings = {name: value for (name, of_call), value in context.items() if not of_call}
    options = {name: value for (name, of_call), value in context.items() if of_call}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        changed = subject if not settings else _with(subject, settings)
    if changed is None:
        return None
    said = [str(warning.message) for warning in told]
    came: list[tuple[Tensor, ...]] = []
    try:
        for arguments in batches:
            came.append(tuple(_value_and_gradients(changed, arguments, options)))
            said += [str(warning.message) for warning in changed.warned]
    except (SubjectError, Skip, RuntimeError, TypeError):
        return None
    return None if named and any(named in text for text in said) else tuple(came)


def _with(subject: Subject, settings: Mapping[str, Any]) -> Subject | None:
    thing = subject.rebuilt(**settings)
    return None if thing is None else subject.like(thing=thing, notes={}, oddities={})


def _value_and_gradients(subject: Subject, arguments: Arguments, options: Mapping[str, Any]) -> Iterator[Tensor]:
    if not subject.form.numpy:
        leaves = [x.detach().clone().requires_grad_(x.is_floating_point()) for x in arguments]
        value = subject(*leaves, **options)
        if value.requires_grad:
            wanted = [x for x in leaves if x.requires_grad]
            slopes = torch.autograd.grad(value.sum(), wanted, allow_unused=True)
            yield from (torch.tensor([]) if x is None else x for x in slopes)
        yield value.detach()
        return
    yield subject(*arguments, **options)


def _same(one: Outcome, two: Outcome) -> bool:
    def equal(x: Tensor, y: Tensor) -> bool:
        if x.shape != y.shape or x.dtype != y.dtype:
            return False
        return torch.equal(x, y) or bool(((x == y) | (x.isnan() & y.isnan())).all())

    pairs = [(tuple(a), tuple(b)) for a, b in zip(one, two, strict=True)]
    return all(len(a) == len(b) and all(map(equal, a, b)) for a, b in pairs)


# --------------------------------------------------------------------------------------------- findings


def _idle(subject: Subject, option: Option, values: list[Any]) -> Finding:
    shown = [f"{x:g}" if type(x) is float else str(x) for x in values]
    tried = " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
    sized = bool(SIZES.search(option.name)) and isinstance(option.value, int)
    return _script(subject, option, values[-1]).finding(
        f"training is the same whatever {option.name} is set to: with {tried} value and gradient are those with "
        f"{option.value}, on every input that was tried",
        f"use {option.name} where it was meant, or take it out of the signature: who sets it trains with something "
        "else than was asked for",
        "note" if sized or not subject.form.sure else "warning",
        came=f"{{1}} with {option.name}={values[-1]}",
        expected=f"another number than {{0}} with {option.name}={option.value}",
        shows=lambda one, other: _same(((torch.as_tensor(one),),), ((torch.as_tensor(other),),)),
    )


def _script(subject: Subject, option: Option, value: Any) -> Script:
    """Code that prints the result with the option as it is, and with another value."""
    arguments = subject.draw_few()
    if option.of_call:
        return subject.script(arguments, f"{subject.call}, {subject.called(f'{option.name}={value!r}')}")
    code = subject.rebuilt_code(**{option.name: value})
    again = subject.like(variable="other").call
    return subject.script(arguments, f"other = {code}", f"{subject.call}, {again}")
