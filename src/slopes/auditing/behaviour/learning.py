"""Checks that all which is to be learned has a gradient: parameters, and the tensors whose roles are declared."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from slopes.auditing.behaviour.batches import close
from slopes.auditing.evidence import attempt
from slopes.auditing.form import Arguments
from slopes.auditing.report import Finding, Skip
from slopes.auditing.subject import Disconnected, Subject, SubjectError
from slopes.kinds.declared import ROLES

REPAIR_PARAMETER = (
    "compute with the parameter itself: .data, .detach(), no_grad and .item() end the graph, and so does "
    "torch.autograd.grad without create_graph=True"
)
SEEDS = range(3)


def parameters(subject: Subject) -> Iterator[Finding]:
    """Check that each parameter that changes the value has a gradient, and that all are registered."""
    yield from _unregistered(subject)
    known = {name: p for name, p in subject.parameters().items() if p.is_floating_point() and p.numel()}
    if not known:
        return
    cut = _cut(subject, known)
    if cut:
        yield _without_gradient(subject, cut[0], len(cut), len(known))
    elif subject.is_module and subject.family == "loss" and next(subject.thing.parameters(), None) is not None:
        shapes = ", ".join(f"{name} {tuple(p.shape)}" for name, p in subject.thing.named_parameters())
        subject.facts.append(
            f"it has parameters of its own ({shapes}): the optimiser must be given {subject.variable}.parameters(), too"
        )


def _cut(subject: Subject, known: Mapping[str, torch.nn.Parameter]) -> list[str]:
    """Parameters that change the value, and have no gradient for any batch."""
    waiting = dict(known)
    for seed in SEEDS:
        came = subject(*subject.draw(seed)).sum()
        if came.requires_grad:
            slopes = torch.autograd.grad(came, list(waiting.values()), allow_unused=True)
            still = (x is None or not bool(x.any()) for x in slopes)
            waiting = {name: p for (name, p), stays in zip(waiting.items(), still, strict=True) if stays}
        if not waiting:
            return []
    if len(waiting) < len(known):  # a model inside may be a teacher, which is to stay as it is
        own = {f"{subject.variable}.get_parameter({name!r})" for name in getattr(subject.thing, "_parameters", {})}
        waiting = {name: p for name, p in waiting.items() if name in own}
    return [name for name, p in waiting.items() if _changes(subject, p)]


def _changes(subject: Subject, parameter: torch.nn.Parameter) -> bool:
    """Whether another value of the parameter changes a result; the parameter is restored."""
    arguments, kept = subject.draw(), parameter.detach().clone()
    before = subject(*arguments).detach()
    try:
        with torch.no_grad():
            parameter.add_(0.1 + 0.1 * parameter.abs())
        with contextlib.suppress(SubjectError):
            return not close(subject(*arguments), before)
    finally:
        with torch.no_grad():
            parameter.copy_(kept)
    return False


def _without_gradient(subject: Subject, name: str, count: int, of: int) -> Finding:
    lines = attempt(f"torch.autograd.grad({subject.call}.sum(), {name}, allow_unused=True)[0]"), "came"
    code = subject.like(given={**subject.given, **subject.models})
    shown = [f"# {model} is the one that call names" for model in subject.models]
    which = name.partition("'")[2].rstrip("')")
    owner = name.partition(".")[0]
    return code.script(subject.draw(), *shown, *lines).finding(
        f"training will never change {'any parameter' if count == of else f'the parameter {which}'} of {owner}: the "
        "value depends on it, and it has no gradient",
        REPAIR_PARAMETER,
        came="no gradient",
        expected=f"a gradient by {which}",
        shows=lambda came: not isinstance(came, Tensor) or not came.any(),
    )


def _unregistered(subject: Subject) -> Iterator[Finding]:
    """Report tensors of a module that ask for a gradient, and that no optimiser will be given."""
    if not subject.is_module:
        return
    known = {id(p) for p in subject.thing.parameters()}
    for path, module in subject.thing.named_modules():
        for name, x in _leaves({k: v for k, v in vars(module).items() if not k.startswith("_")}):
            if id(x) not in known:
                place = f"{subject.variable}.{path}{'.' * bool(path)}{name}"
                listed = f"any(p is {place} for p in {subject.variable}.parameters())"
                yield subject.script(subject.draw(), listed).finding(
                    f"training will never change {name}, unless it is a parameter of another module: it asks for a "
                    f"gradient, and {subject.variable}.parameters() leaves it out, so no optimiser is given it",
                    "make it a torch.nn.Parameter that is an attribute of the module, or put several into a "
                    "torch.nn.ParameterList; plain lists and tensors are not registered",
                    "warning",
                    expected="True",
                    came="{0}, whether it is among the parameters",
                    shows=lambda listed: not listed,
                )
                return


def _leaves(held: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield (code after the module, tensor) of leaves that require a gradient, in lists and dicts, too."""
    if isinstance(held, Tensor):
        if held.requires_grad and held.is_leaf:
            yield path, held
    elif isinstance(held, (list, tuple)):
        for place, x in enumerate(held[:64]):
            yield from _leaves(x, f"{path}[{place}]")
    elif isinstance(held, dict):
        for key, x in list(held.items())[:64]:
            yield from _leaves(x, f"{path}[{key!r}]" if path else str(key))


# ------------------------------------------------------------------------------------------ declared roles


def declared_roles(subject: Subject) -> Iterator[Finding]:
    """Check that each output of the model has a gradient, and that each given tensor has a share in one."""
    for place in subject.form.learned:
        moving = [_moving(subject, subject.draw(seed), place) for seed in SEEDS]
        still = ~torch.stack(moving).any(0)
        if bool(still.any()):
            yield _unlearned(subject, place, None if bool(still.all()) else int(still.int().argmax()))
            return
    for place in range(len(subject.form.names)):
        if place not in subject.form.learned:
            yield from _unheard(subject, place)


def _moving(subject: Subject, arguments: Arguments, place: int) -> Tensor:
    """Whether each column of an argument has a gradient that is not 0."""
    given = arguments[place]
    columns = given.shape[-1] if given.ndim > 1 else 1
    try:
        return subject.gradient(*arguments, by=place)[1].reshape(-1, columns).any(0)
    except Disconnected:
        return torch.zeros(columns, dtype=torch.bool)


def _unlearned(subject: Subject, place: int, column: int | None) -> Finding:
    name = subject.form.names[place]
    entries = "" if column is None else f"[..., {column}]"
    gradient = f"torch.autograd.grad({subject.call}.sum(), {name}, allow_unused=True)[0]"
    lines = (attempt(gradient), "came") if column is None else (gradient + entries,)
    return subject.script(subject.draw(), *lines, grad=place).finding(
        f"training will never improve {name}{entries}: it has no gradient",
        "let it into the loss as it is: .detach(), .data, .item(), round and comparisons end the graph; give it the "
        "role 'target' or 'reference' if it is not to learn",
        came="no gradient",
        expected=f"a gradient by {name}{entries}",
        shows=lambda came: not isinstance(came, Tensor) or not came.any(),
    )


def _unheard(subject: Subject, place: int) -> Iterator[Finding]:
    """Report a given tensor that changes no gradient, whatever it is."""
    values_differ = False
    shown = None
    for seed in SEEDS:
        arguments, other = subject.draw(seed), subject.draw(seed + 10)[place]
        changed = (*arguments[:place], other, *arguments[place + 1 :])
        if torch.equal(arguments[place], other):
            continue
        try:
            one, two = _gradients(subject, arguments), _gradients(subject, changed)
            values_differ |= not close(subject(*arguments), subject(*changed))
        except (SubjectError, Skip):
            return
        if not one or any(not torch.equal(x, y) for x, y in zip(one, two, strict=True)):
            return
        shown = arguments, changed
    if shown is None:
        return
    name, role = subject.form.names[place], subject.form.kind.roles[place]  # type: ignore[union-attr]
    first = subject.form.names[0] if subject.form.learned else next(iter(subject.parameters()))
    seen = f"torch.autograd.grad({subject.call}.sum(), {first}, allow_unused=True)[0]"
    again = subject.assign(shown[1])[place]
    grad = 0 if subject.form.learned else None
    yield subject.script(shown[0], f"print({seen})", again, seen, grad=grad).finding(
        f"training learns nothing from {name}: whatever it is, the gradient is the same"
        + (", though the value changes" if values_differ else ""),
        f"use {name} in the term that the model is to learn; look for another tensor in its place",
        "error" if ROLES[role].must_teach else "warning",
        came=f"{{1}} with another {name}",
        expected="another gradient than {0}",
        shows=lambda one, two: torch.equal(one, two),
    )


def _gradients(subject: Subject, arguments: Arguments) -> list[Tensor]:
    """Gradients by all that is learned, zeros where there is none."""
    leaves = [x.detach().clone().requires_grad_(n in subject.form.learned) for n, x in enumerate(arguments)]
    wanted = [leaves[n] for n in subject.form.learned] + list(subject.parameters().values())
    came = subject(*leaves, in_place=True)
    if not wanted or not came.requires_grad:
        return []
    slopes = torch.autograd.grad(came.sum(), wanted, allow_unused=True)
    return [torch.zeros_like(x) if slope is None else slope for x, slope in zip(wanted, slopes, strict=True)]
