"""Check of the terms that a loss adds up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from slopes.auditing.behaviour.batches import close, several, twice
from slopes.auditing.form import Arguments
from slopes.auditing.report import NO_GRADIENTS, Finding, Skip, about
from slopes.auditing.source import source_of
from slopes.auditing.subject import Subject, SubjectError


@about("loss", unless=("connectivity", "reduction", "accumulation"))
def term_balance(subject: Subject) -> Iterator[Finding]:
    """Check that terms add up to the loss, in shares that no size changes."""
    terms = dict(subject.declared.terms) or _of_result(subject)
    if len(terms) < 2:
        raise Skip("declare the terms that it adds up, terms={name: function}, to see how they compare")
    subject = several(subject)
    arguments = subject.draw()
    parts = {name: _as(subject, term) for name, term in terms.items()}
    if subject.declared.terms and (finding := _not_added(subject, parts, arguments)) is not None:
        yield finding
        return
    if subject.form.numpy:
        raise Skip(NO_GRADIENTS)
    try:
        yield from _shares(subject, parts, arguments)
    except SubjectError as error:
        raise Skip(f"a term raises {error}") from None


def _as(subject: Subject, term: Callable[..., Any]) -> Subject:
    return subject.having(reduction=None).like(thing=term, notes={})


def _of_result(subject: Subject) -> dict[str, Callable[..., Any]]:
    """Terms that the loss returns by name."""
    came = subject.raw(*subject.draw())
    if not isinstance(came, Mapping) or subject.declared.call is not None:
        return {}
    names = [name for name, x in came.items() if name != "loss" and isinstance(x, Tensor) and x.requires_grad]
    return {str(name): lambda *given, _name=name, **options: subject.thing(*given, **options)[_name] for name in names}


def _not_added(subject: Subject, parts: dict[str, Subject], arguments: Arguments) -> Finding | None:
    values = {name: float(part.total(*arguments).detach()) for name, part in parts.items()}
    whole = float(subject.total(*arguments).detach())
    if close(whole, sum(values.values())):
        return None
    calls = _calls(subject)
    return (
        with_terms(subject)
        .script(arguments, ", ".join([subject.call, *calls.values()]))
        .finding(
            "training follows another sum than the declared terms: these do not add up to the loss",
            "declare each term with its factor, as it enters the sum; or a term is missing from the sum",
            expected=" + ".join(f"{{{place}}} ({name})" for place, name in enumerate(calls, start=1)),
            shows=lambda whole, *terms: not close(whole.sum(), sum(term.sum() for term in terms)),
        )
    )


def _shares(subject: Subject, parts: dict[str, Subject], arguments: Arguments) -> Iterator[Finding]:
    sizes = _norms(parts, arguments)
    if min(sizes.values()) == 0 or any(x != x for x in sizes.values()):
        return
    names = sorted(sizes, key=lambda name: sizes[name])
    total = sum(sizes.values())
    subject.facts.append(
        "its terms' gradients: " + ", ".join(f"{name} {100 * sizes[name] / total:.3g} %" for name in reversed(names))
    )
    for change, larger, severity in _larger(subject, arguments):
        grown = _norms(parts, larger)
        factors = {name: grown[name] / sizes[name] for name in names}
        first, last = (choose(names, key=lambda name: factors[name]) for choose in (max, min))
        if factors[last] > 0 and factors[first] / factors[last] > 1.9:
            ratio = factors[first] / factors[last]
            axis = 0 if "batch" in change else -1
            double = [f"{name} = torch.cat([{name}, {name}], {axis})" for name in subject.form.names]
            share = f"{norm_of(subject, first)} / {norm_of(subject, last)}"
            lines = *norm_by(subject), f"print({share})", *double, share
            script = with_terms(subject).script(arguments, *lines, grad=0)
            yield (
                script.finding(
                    f"training weighs its terms otherwise where {change}: the share of {first} against {last} grows "
                    f"{ratio:.3g}-fold",
                    "reduce all terms alike, by a mean over the rows: then their factor means the same for every size",
                    severity,
                    came=f"{first} : {last} = {{0:.4g}}, and then {{1:.4g}}",
                    expected="the same balance",
                    shows=lambda before, after: after / before > 1.9,
                )
            )
            return
    if sizes[names[0]] < 1e-4 * sizes[names[-1]]:
        share = f"{norm_of(subject, names[0])} / {norm_of(subject, names[-1])}"
        script = with_terms(subject).script(arguments, *norm_by(subject), share, grad=0)
        yield (
            script.finding(
                f"training all but ignores {names[0]}: its gradient is {sizes[names[0]] / sizes[names[-1]]:.2g} of "
                f"that of {names[-1]}",
                "give it a factor, or leave it out: at this size it changes nothing",
                "note",
                shows=lambda ratio: ratio < 1e-4,
            )
        )


def _norms(parts: dict[str, Subject], arguments: Arguments) -> dict[str, float]:
    return {name: float(part.gradient(*arguments)[1].norm()) for name, part in parts.items()}


def _larger(subject: Subject, arguments: Arguments) -> Iterator[tuple[str, Arguments, str]]:
    yield "the batch is taken twice", twice(arguments), "warning"
    kind = subject.form.kind
    assert kind is not None
    if not kind.rowwise and len(subject.form.shape) > 1:
        yield "each row is twice as long", tuple(torch.cat([x, x], -1) for x in arguments), "note"


def _calls(subject: Subject) -> dict[str, str]:
    if not subject.declared.terms:
        return {name: f"{subject.call}[{name!r}]" for name in _of_result(subject)}
    arguments = subject.call.removeprefix(subject.variable)
    return {name: f"term_{place}{arguments}" for place, name in enumerate(subject.declared.terms, start=1)}


def norm_by(subject: Subject) -> list[str]:
    """Code of a function for the norm of a term's gradient."""
    first = subject.form.names[0]
    return [
        "def norm(term):",
        "    if not term.requires_grad: return 0.0",
        f"    (gradient,) = torch.autograd.grad(term.sum(), {first}, allow_unused=True)",
        "    return 0.0 if gradient is None else gradient.norm()",
    ]


def norm_of(subject: Subject, term: str) -> str:
    """Code that calls the function of `norm_by`."""
    return f"norm({_calls(subject)[term]})"


def with_terms(subject: Subject) -> Subject:
    """Subject whose code names the declared terms term_1, term_2, …"""
    setup, given = list(subject.setup), dict(subject.given)
    for place, term in enumerate(subject.declared.terms.values(), start=1):
        more, objects = source_of(term).assign(f"term_{place}")
        setup, given = [*setup, *more], {**given, **objects}
    return subject.like(setup=setup, given=given)
