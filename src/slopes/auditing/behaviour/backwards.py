"""Checks of hand-written backwards: if autograd derives everything, there is nothing to check."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import replace

import torch

from slopes.auditing.behaviour.differences import Slope, custom_function, differences_in_code, slopes, uneven_weights
from slopes.auditing.evidence import attempt
from slopes.auditing.form import Arguments
from slopes.auditing.report import Finding, Skip, about
from slopes.auditing.subject import Subject

BEFORE = ("derivative", "numpy_equals_torch", "connectivity")  #: checks that report wrong backwards of cards, or cuts


@about("loss", "activation", unless=BEFORE, once=True)
def backward(subject: Subject) -> Iterator[Finding]:
    for seed, by in itertools.product(range(2), subject.form.learned):
        arguments = subject.draw(seed)
        function = _by_hand(subject, arguments)
        uneven = subject.family == "activation" and not subject.form.elementwise  # its rows may have constant sums
        cotangent, weigh = uneven_weights(subject(*arguments)) if uneven else (None, "")
        found = slopes(subject, arguments, cotangent, by=by, in_doubt=True)
        wrong = [at for at in found if at.off > 1e-6]
        if not wrong:
            continue
        if any(at.due != 0 for at in found) and not _gives_its_argument(subject, arguments):
            yield _not_the_derivative(subject, function, arguments, wrong, weigh, by)
        yield differences_in_code(subject, arguments, wrong[0], weigh, by).finding(
            f"training follows a gradient of its own: {function} gives one that is not the derivative of "
            + ("its argument, which it gives as it is" if any(at.due for at in found) else "a constant"),
            "if a straight-through, surrogate, reversed or clipped gradient is meant, nothing",
            "note",
            shows=wrong[0].is_between,
        )


def _gives_its_argument(subject: Subject, arguments: Arguments) -> bool:
    return torch.equal(subject(*arguments).detach(), arguments[0])


def _by_hand(subject: Subject, arguments: Arguments) -> str:
    """Name of the autograd.Function in use; raise Skip without one, or if its gradient is no derivative by intent."""
    if subject.card is not None and subject.card.claims.detached:
        raise Skip("it claims that its gradient keeps a part constant")
    function = custom_function(subject, arguments)
    if function is None:
        raise Skip("autograd derives it: no backward was written by hand")
    return function


def _not_the_derivative(
    subject: Subject, function: str, arguments: Arguments, wrong: list[Slope], weigh: str, by: int = 0, where: str = ""
) -> Finding:
    worst = max(wrong, key=lambda at: at.off)
    if subject.form.kind is None and subject.form.elementwise and not weigh:
        arguments, worst = (arguments[0].reshape(-1)[worst.entry : worst.entry + 1],), replace(worst, entry=0)
    return differences_in_code(subject, arguments, worst, weigh, by).finding(
        f"training steps in a wrong direction: the backward of {function} is not the derivative of its forward{where}",
        "multiply the whole incoming gradient, entry by entry, with the derivative of what forward computes; or leave "
        "the backward to autograd",
        came="a gradient of {0:.8g}",
        expected="{1:.8g}, by differences",
        shows=worst.is_between,
    )


@about("loss", "activation", unless=(*BEFORE, "backward"), once=True)
def upstream_gradient(subject: Subject) -> Iterator[Finding]:
    """Check that a hand-written backward uses the incoming gradient."""
    arguments = subject.draw()
    function = _by_hand(subject, arguments)
    came, gradient = subject.gradient(*arguments)
    if came.ndim == 0:
        _, scaled = subject.gradient(*arguments, cotangent=torch.full_like(came, 3.5))
        if not torch.allclose(scaled, 3.5 * gradient, rtol=1e-6, atol=1e-12):
            small = subject.draw_few()
            name = subject.form.names[0]
            lines = f"{subject.call}.backward()", f"once, {name}.grad = {name}.grad, None"
            yield subject.script(
                small, *lines, f"(3.5 * {subject.call}).backward()", f"{name}.grad, 3.5 * once", grad=0
            ).finding(
                f"training takes wrong steps where the loss has a factor: the backward of {function} ignores the "
                "incoming gradient",
                "multiply what backward returns with grad_output",
                came="a gradient of {0} for 3.5 times the loss",
                expected="{1}",
                shows=lambda came, due: not torch.allclose(came, due, rtol=1e-6, atol=1e-12),
            )
    whole = subject if subject.form.reduction is None else _unreduced(subject)
    cotangent, weigh = uneven_weights(whole(*arguments))
    if cotangent is None:
        return
    found = slopes(whole, arguments, cotangent, in_doubt=True)
    wrong = [at for at in found if at.off > 1e-6]
    if wrong and any(at.due != 0 for at in found) and not _gives_its_argument(whole, arguments):
        yield _not_the_derivative(
            whole, function, arguments, wrong, weigh, where=" where the results do not count alike"
        )


def _unreduced(subject: Subject) -> Subject:
    if subject.form.reduction == "attribute":
        return subject.tuned(reduction="none")
    lines = ["import functools", f"{subject.variable} = functools.partial({subject.variable}, reduction='none')"]
    return subject.like(thing=functools.partial(subject.thing, reduction="none"), setup=[*subject.setup, *lines])


@about("loss", "activation", unless=(*BEFORE, "backward", "upstream_gradient"), once=True)
def second_derivative(subject: Subject) -> Iterator[Finding]:
    """Check that a hand-written backward has a right derivative or raises."""
    first, *rest = subject.draw()
    near = (first / 8, *rest) if subject.space.is_unbounded else (first, *rest)  # nearer to 0, where pieces meet
    for arguments in ((first, *rest), near):
        yield from _differentiated_again(subject, arguments)


def _differentiated_again(subject: Subject, arguments: Arguments) -> Iterator[Finding]:
    function = _by_hand(subject, arguments)
    name = subject.form.names[0]
    leaf = arguments[0].clone().requires_grad_()
    one = torch.ones((), dtype=leaf.dtype, requires_grad=True)  # once_differentiable looks at the incoming gradient
    (gradient,) = torch.autograd.grad(one * subject.total(leaf, *arguments[1:]), leaf, create_graph=True)
    weights, weigh = uneven_weights(gradient)
    assert weights is not None
    small = subject.draw_few()
    lines = (
        "one = torch.ones((), requires_grad=True)",
        f"(slope,) = torch.autograd.grad(one * {subject.call}.sum(), {name}, create_graph=True)",
    )
    try:
        if gradient.requires_grad:
            torch.autograd.backward((weights * gradient).sum())  # `grad` would skip a node that raises
    except RuntimeError as error:
        yield subject.script(small, *lines, attempt("slope.sum().backward()"), "came", grad=0).finding(
            f"training with a gradient penalty raises: {function} has no second derivative: "
            f"{str(error).splitlines()[0][:100]}",
            "gradient penalties and Hessians need one: write the backward in differentiable operations",
            "note",
        )
    second = torch.zeros_like(gradient) if leaf.grad is None else leaf.grad
    found = slopes(subject, arguments, of_gradient=weights, gradient=second, in_doubt=True)
    wrong = [at for at in found if at.off > 1e-5]
    if not wrong:
        return
    worst = max(wrong, key=lambda at: at.off)
    given, entry = arguments, worst.entry
    if subject.form.kind is None and subject.form.elementwise:
        given, entry, weigh = (arguments[0].reshape(-1)[entry : entry + 1],), 0, ""
    yield subject.script(
        given,
        f"step = torch.zeros_like({name})",
        f"step.view(-1)[{entry}] = 1e-5",
        f"def gradient({name}):",
        f"    total = torch.ones((), requires_grad=True) * {subject.call}.sum()",
        f"    (slope,) = torch.autograd.grad(total, {name}, create_graph=True)",
        f"    return {f'(slope{weigh})' if weigh else 'slope'}.sum()",
        f"gradient({name}).backward()",
        f"difference = (gradient({name} + step) - gradient({name} - step)) / 2e-5",
        f"{name}.grad.view(-1)[{entry}].item() if {name}.grad is not None else 0.0, difference.item()",
        grad=0,
    ).finding(
        f"training with a gradient penalty learns from wrong numbers: differentiated twice, {function} silently gives "
        "a wrong number",
        "save the input, and compute from it in backward with torch: what was computed in forward and kept on ctx is a "
        "constant to the second derivative; or decorate backward with once_differentiable",
        came="a second derivative of {0}",
        expected="{1}, by differences of the gradient",
        shows=worst.is_between,
    )
