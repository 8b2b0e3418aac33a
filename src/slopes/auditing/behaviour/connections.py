"""Check that every influence on a result has a gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from slopes.auditing.behaviour.contract import spoiled
from slopes.auditing.behaviour.differences import custom_function, differences_in_code, slopes, uneven_weights
from slopes.auditing.behaviour.learning import declared_roles, parameters
from slopes.auditing.evidence import attempt
from slopes.auditing.report import Finding, Skip, about
from slopes.auditing.source import source_of
from slopes.auditing.subject import Disconnected, Subject, SubjectError

REPAIR_CUT = (
    "argmax, round, comparisons, .detach(), .item(), .numpy(), .data and torch.tensor(x) end the graph: compute with "
    "tensors throughout, and put a smooth function in the place of the step (softmax, sigmoid, the probability itself)"
)

REPAIR_DEAD = (
    "put a smooth function in the place of a step (round, sign, a comparison); look for a hinge or clamp that is never "
    "passed, a factor of 0, and a result that is compared with itself"
)


@about("loss", "activation", once=True, by_gradients=True)
def connectivity(subject: Subject) -> Iterator[Finding]:
    if subject.form.learned:
        for examine in (_whole, _dead, _entries, _terms, _partly_cut):
            yield from examine(subject)
    yield from parameters(subject)
    if subject.form.has_fixed_shape:
        yield from declared_roles(subject)


def _whole(subject: Subject) -> Iterator[Finding]:
    arguments = subject.draw_few()
    name, wrong, raises = subject.form.names[0], "", False
    subject(*arguments)  # a call that raises without a gradient is not reported here
    try:
        subject.gradient(*arguments)
    except Disconnected as error:
        wrong = str(error)
    except SubjectError as error:
        if spoiled(subject):
            raise Skip("it changes its arguments in place; see purity") from None
        wrong, raises = f"no gradient: backward raises {error}", True
    if not wrong:
        return
    if not subject(*arguments).requires_grad and not raises:
        lines = [f"{subject.call}.requires_grad"]
    else:
        lines = [attempt(f"torch.autograd.grad({subject.call}.sum(), {name}, allow_unused=True)[0]"), "came"]
    steps = subject.family == "activation" and not _moves(subject)
    yield subject.script(arguments, *lines, grad=0).finding(
        f"training changes nothing {'before it' if subject.family == 'activation' else 'in the model'}: {wrong}",
        REPAIR_CUT,
        "warning" if steps else "error",
        came="no gradient",
        expected=f"the gradient by {name}",
        shows=lambda came: not isinstance(came, torch.Tensor) and came is not True,
    )


def _moves(subject: Subject) -> bool:
    """Whether a small step changes most entries of the result."""
    first, *rest = subject.draw()
    base, moved = subject(first, *rest), subject(first + 1e-6, *rest)
    return bool((base != moved).double().mean() > 0.5)


FLAT = "no training can lower it: its gradient is 0 everywhere, though its value varies"
CONSTANT = "no training learns from it: its gradient is 0 everywhere, and its value is always the same"
VANISHING = 1e3  #: gradients below so many units of rounding are 0: the rest of terms that cancel


def _dead(subject: Subject) -> Iterator[Finding]:
    draws = [subject.draw(seed) for seed in range(3)]
    if subject.space.is_unbounded:  # a threshold may be far, and rows of large numbers may be certain
        draws += [(size * first, *rest) for size in (0.01, 10.0, 100.0) for first, *rest in draws]
    values = []
    for arguments in draws:
        cotangent, weigh = uneven_weights(subject(*arguments))
        value, gradient = subject.gradient(*arguments, cotangent=cotangent)
        least = VANISHING * torch.finfo(value.dtype).eps
        if not float(gradient.abs().max()) <= least:
            return
        values.append(float(value.sum()))
    name = subject.form.names[0]
    total = f"({subject.call}{weigh}).sum()" if weigh else f"{subject.call}.sum()"
    yield subject.script(draws[0], f"{total}.backward()", f"{name}.grad", grad=0).finding(
        FLAT if max(values) - min(values) > least else CONSTANT,
        REPAIR_DEAD,
        "warning" if subject.family == "activation" else "error",
        came="a gradient of 0",
        expected="one that lowers it",
        shows=lambda gradient: not gradient.abs().max() > 1e-3,
    )


def _entries(subject: Subject) -> Iterator[Finding]:
    for seed in range(2):
        arguments = subject.draw(seed)
        cotangent, weigh = uneven_weights(subject(*arguments))
        for at in slopes(subject, arguments, cotangent, in_doubt=True):
            if at.came == 0 and at.off > 1e-6:
                yield differences_in_code(subject, arguments, at, weigh).finding(
                    f"training never corrects a part of {subject.form.names[0]}: an entry changes the result and has "
                    "no gradient",
                    REPAIR_CUT,
                    came="a gradient of {0}",
                    expected="{1}, by differences",
                    shows=at.is_between,
                )


def _partly_cut(subject: Subject) -> Iterator[Finding]:
    arguments = subject.draw()
    if custom_function(subject, arguments) is not None:
        return  # `backward` checks it
    cotangent, weigh = uneven_weights(subject(*arguments))
    wrong = [at for at in slopes(subject, arguments, cotangent, in_doubt=True) if at.off > 1e-4]
    if wrong:
        yield differences_in_code(subject, arguments, wrong[0], weigh).finding(
            "training follows a part of the result alone: the rest is hidden from the gradient, which is not the "
            "derivative",
            "if a weight or a step is detached on purpose, nothing; if not, find it by terms={name: function}",
            "note",
            came="a gradient of {0}",
            expected="{1}, by differences",
            shows=wrong[0].is_between,
        )


def _terms(subject: Subject) -> Iterator[Finding]:
    """Check that each declared term has a gradient, and passes it on to the whole."""
    terms = {name: _term(subject, name, function) for name, function in subject.declared.terms.items()}
    for name, term in terms.items():
        for finding in (*_whole(term), *_flat(term)):
            yield replace(finding, message=f"the term {name}: {finding.message}", severity="error")
    if terms:
        yield from _unheeded(subject, terms)


def _unheeded(subject: Subject, terms: dict[str, Subject]) -> Iterator[Finding]:
    """Report a term that has a share in the values and none in the gradients, by least squares."""
    arguments = subject.draw()
    mine, theirs = slopes(subject, arguments), [slopes(term, arguments) for term in terms.values()]
    entries = set.intersection(*({at.entry for at in found} for found in (mine, *theirs)))
    mine, *theirs = ([at for at in found if at.entry in entries] for found in (mine, *theirs))
    columns = torch.tensor([[at.due for at in found] for found in theirs]).double().T
    due, came = (torch.tensor([getattr(at, attribute) for at in mine]).double() for attribute in ("due", "came"))
    if len(entries) < len(terms):
        return
    shares, kept = (torch.linalg.lstsq(columns, column[:, None]).solution[:, 0] for column in (due, came))
    if float((columns @ shares - due).abs().max()) > 1e-4 * float(due.abs().max()):
        return  # it is no sum of these terms
    cut = (shares.abs() > 1e-3 * shares.abs().max()) & (kept.abs() < 1e-3 * shares.abs())
    if bool(cut.any()):
        name, worst = list(terms)[int(cut.int().argmax())], max(mine, key=lambda at: at.off)
        yield differences_in_code(subject, arguments, worst).finding(
            f"training ignores the term {name}: it is part of the value and not of the gradient",
            REPAIR_CUT,
            came="a gradient of {0}",
            expected=f"{{1}}, by differences, of which {name} has its share",
            shows=worst.is_between,
        )


def _flat(term: Subject) -> Iterator[Finding]:
    """Findings of `_dead` but for constant terms, which do no harm."""
    return (finding for finding in _dead(term) if finding.message == FLAT)


def _term(subject: Subject, name: str, function: Callable[..., object]) -> Subject:
    setup, given = source_of(function).assign(subject.variable)
    form = replace(subject.form, reduction=None)
    return subject.like(thing=function, setup=setup, given=given, form=form, name=name)
