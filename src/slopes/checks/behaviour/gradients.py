"""Checks of gradients: finite where the value is, connected, and the derivative of what is computed."""

from __future__ import annotations

import copy
import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from slopes.checks.behaviour.contract import spoiled
from slopes.checks.behaviour.differences import Slope, custom_function, slopes
from slopes.checks.report import Finding, Skip, about
from slopes.checks.subject import Arguments, Disconnected, Subject, SubjectError, expression_of

SIZES = (1e-3, 1.0, 20.0, 50.0, 89.0, 100.0, 710.0, 1e3, 1e4)  #: exp overflows at 89 in float32, at 710 in float64
EXPONENTS = ("gamma", "alpha", "power", "exponent", "focusing", "focal_gamma")  #: parameters at which 0 and 1 are ends
LEARNING = ("second", "positive", "negative", "variance")  #: arguments besides the first that want a gradient
REPAIR_WHERE = (
    "both branches of torch.where are differentiated, and 0 · inf is NaN: hold the argument inside each branch "
    "(where(x > 0, x, 0)) or use the stable function (expm1, softplus, log_softmax, logsigmoid)"
)
REPAIR_VALUE = (
    "exp overflows, or what it left is 0: use the stable function (softplus, log_softmax, logsigmoid, expm1, "
    "scipy.special.expit), or take the largest number out first"
)
REPAIR_EDGE = (
    "sqrt, norm, pow, log and acos have no finite slope there: add a small number inside the root "
    "(sqrt(x + eps)), or choose what is taken with two torch.where, one before and one after"
)


@about("loss", "activation")
def extreme_inputs(subject: Subject) -> Iterator[Finding]:
    """Value and gradient are finite for numbers small and large, in float64 and float32, but for natural overflow."""
    _ordinary(subject)
    for dtype in dict.fromkeys((subject.form.dtype, torch.float32)):
        for arguments in _stressed(subject, dtype):
            wrong = _lost(subject, arguments)
            if wrong:
                named = f" ({str(dtype).removeprefix('torch.')})"
                yield _finding(subject, "extreme_inputs", arguments, wrong, f"{wrong}{named}", REPAIR_WHERE)
                return
    if subject.form.numpy:
        yield from _warned(subject)


def _ordinary(subject: Subject) -> None:
    """Raise Skip unless numbers of ordinary size give numbers: else it is not known which the subject is for."""
    if not bool(torch.isfinite(subject(*subject.draw())).all()):
        raise Skip("it gives no finite number for some numbers of ordinary size, so what it is for is not known")


def _stressed(subject: Subject, dtype: torch.dtype) -> Iterator[Arguments]:
    """Drawn arguments with the first one at every size and sign, where its space has such numbers."""
    first, *rest = subject.draw(dtype=dtype)
    if subject.space not in ("real", "logits", "positive"):
        yield first, *rest
        return
    for size in SIZES:
        for sign in (1.0,) if subject.space == "positive" else (1.0, -1.0):
            pattern = torch.where(torch.arange(first.numel()).reshape(first.shape) % 2 == 0, sign, -sign).to(dtype)
            yield torch.full_like(first, sign * size), *rest
            if subject.space != "positive":
                yield pattern * size, *rest


def _lost(subject: Subject, arguments: Arguments) -> str:
    """What is NaN or infinite and should not be, "" where all is well; what raises is another check's business."""
    try:
        value = subject(*arguments).detach()
        if bool(torch.isnan(value).any()):
            return "the value is nan"
        if bool(torch.isinf(value).any()):
            return "the value is inf" if _premature(subject, arguments) else ""
        if subject.form.numpy:
            return ""
        _, gradient = subject.gradient(*arguments)
        lost = ~torch.isfinite(gradient)
        if not bool(lost.any()):
            return ""
        if gradient.dtype == torch.float32 and subject.form.dtype == torch.float64:
            _, wide = subject.gradient(*(x.double() if x.is_floating_point() else x for x in arguments))
            if not bool((wide[lost].abs() < torch.finfo(torch.float32).max).any()):
                return ""  # too large for float32 by nature
        return f"the value is finite and the gradient is {gradient[lost].reshape(-1)[0].item()}"
    except (SubjectError, Disconnected):
        return ""


def _premature(subject: Subject, arguments: Arguments) -> bool:
    """Whether an infinite value is no natural overflow: float64 has a number for it, or it grew too slowly for that."""
    first, *rest = arguments
    if subject.space not in ("real", "logits", "positive") or not bool(first.any()):
        return False
    if first.dtype == torch.float32:
        wide = subject(*(x.double() if x.is_floating_point() else x for x in arguments)).detach()
        return bool(torch.isfinite(wide).all()) and float(wide.abs().max()) < 1e30
    sizes = [float(subject(first / 2**k, *rest).detach().abs().max()) for k in range(1, 8)]
    for k, (larger, smaller) in enumerate(itertools.pairwise(sizes), start=1):
        if larger < float("inf") and smaller > 0:
            return larger / smaller <= 2**8 and larger * (larger / smaller) ** k < 1e300
    return False


def _finding(
    subject: Subject, check: str, arguments: Arguments, wrong: str, message: str, repair: str, severity: str = "error"
) -> Finding:
    """A finding of `_lost`, by the smallest arguments of which it says the same."""
    small = subject.smallest(arguments, lambda given: _lost(subject, given) == wrong)
    if wrong.startswith("the value is finite"):
        code = subject.code(small, f"{subject.call}.sum().backward()", f"{subject.form.names[0]}.grad", grad=0)
        return Finding(check, message, code, repair, severity, wrong, "a finite gradient")
    return Finding(
        check, message, subject.code(small, subject.call), REPAIR_VALUE if repair == REPAIR_WHERE else repair,
        severity, wrong, "a finite value",
    )  # fmt: skip


def _warned(subject: Subject) -> Iterator[Finding]:
    """NumPy warns where a finite number comes: users see the warning, and lose sight of those that matter."""
    for arguments in _stressed(subject, subject.form.dtype):
        value = subject(*arguments)
        told = [str(warning.message) for warning in subject.warned if warning.category is RuntimeWarning]
        if told and bool(torch.isfinite(value).all()):
            names = subject.form.names[0]
            yield Finding(
                "extreme_inputs",
                f"NumPy warns of {told[0]}, though the value is finite",
                subject.code(subject.smallest(arguments, lambda given: _warns(subject, given)), subject.call),
                f"np.where computes both branches: hold the argument inside each, as in np.exp(-np.abs({names})), or "
                "use the stable function (scipy.special.expit, np.logaddexp)",
                severity="warning",
                came=f"RuntimeWarning: {told[0]}",
                expected="no warning",
            )
            return


def _warns(subject: Subject, arguments: Arguments) -> bool:
    subject(*arguments)
    return any(warning.category is RuntimeWarning for warning in subject.warned)


@about("loss", "activation", unless=("extreme_inputs",))
def zeros_and_edges(subject: Subject) -> Iterator[Finding]:
    """The gradient is finite where prediction and target agree, where rows are 0 or equal, and at a space's ends."""
    _ordinary(subject)
    for what, arguments in _edges(subject):
        wrong = _lost(subject, arguments)
        if wrong:
            message = f"{wrong.replace('the value is finite and ', '')} {what}"
            yield _finding(subject, "zeros_and_edges", arguments, wrong, message, REPAIR_EDGE)
            return
    yield from _at_other_exponents(subject)
    yield from _steep(subject)


def _edges(subject: Subject) -> Iterator[tuple[str, Arguments]]:
    first, *rest = subject.draw()
    kind = subject.form.kind
    if subject.space in ("real", "logits"):
        yield "at 0", (torch.zeros_like(first), *rest)
        yield "where all are 1", (torch.ones_like(first), *rest)
        yield "where all are -1", (-torch.ones_like(first), *rest)
    if rest:
        same = subject.right(rest[0], 50.0)
        if same is not None and same.shape == first.shape:
            yield "where prediction and target agree", (same, *rest)
            yield "where they agree but for one entry", (torch.cat([first[:1], same[1:]]), *rest)
    if subject.space == "probabilities" and kind is not None and not kind.rowwise:
        for p in (0.5, 1e-12, 1 - 1e-12):
            yield f"at a probability of {p}", (torch.full_like(first, p), *rest)
        return
    if kind is None or subject.space not in ("real", "logits"):
        return
    if kind.rowwise and first.shape[0] > 1:
        yield "where a row is 0", (torch.cat([torch.zeros_like(first[:1]), first[1:]]), *rest)
        yield "where two rows are equal", (torch.cat([first[:1], first[:1], first[2:]]), *rest)
    alike = [x.shape == first.shape and x.is_floating_point() for x in rest]
    if kind.rowwise and any(alike) and subject.form.spaces[1] == "real":
        yield "where both are equal", (first, *(first if a else x for a, x in zip(alike, rest, strict=True)))
        zero = torch.zeros_like(first)
        yield "where both are 0", (zero, *(zero if a else x for a, x in zip(alike, rest, strict=True)))


def _at_other_exponents(subject: Subject) -> Iterator[Finding]:
    """An exponent that users may choose keeps the gradient finite for certain predictions, right and wrong."""
    for other, line in _others(subject):
        for arguments in _certain(other):
            wrong = _lost(other, arguments)
            if wrong:
                yield _finding(
                    other, "zeros_and_edges", arguments, wrong, f"with {line}, {wrong}",
                    "pow with an exponent below 1 has no finite slope at 0: hold its base above 0 by clamp(min=eps), "
                    "compute it as exp(gamma * log p) from logsigmoid, or refuse such an exponent",
                    severity="note",
                )  # fmt: skip
                return


def _others(subject: Subject) -> Iterator[tuple[Subject, str]]:
    """The subject with each of its exponents at 0, 0.5 and 1, and what was set."""
    thing, variable = subject.thing, subject.variable
    if subject.card is not None:
        return  # a card says itself what its parameters may be
    for name in EXPONENTS:
        for value in (0.0, 0.5, 1.0):
            if subject.is_module and type(getattr(thing, name, None)) in (float, int):
                other = copy.deepcopy(thing)
                setattr(other, name, value)
                line = f"{variable}.{name} = {value}"
                yield subject.like(thing=other, setup=[*subject.setup, line]), f"{name}={value}"
            elif inspect.isfunction(thing) and type(_default(thing, name)) in (float, int):
                bound = functools.partial(thing, **{name: value})
                lines = ["import functools", f"{variable} = functools.partial({variable}, {name}={value})"]
                yield subject.like(thing=bound, setup=[*subject.setup, *lines]), f"{name}={value}"


def _default(function: Callable[..., object], name: str) -> object:
    parameter = inspect.signature(function).parameters.get(name)
    return None if parameter is None else parameter.default


def _certain(subject: Subject) -> Iterator[Arguments]:
    """Predictions that are right, and wrong, and sure of it."""
    _, *rest = subject.draw()
    right = subject.right(rest[0], 200.0) if rest else None
    if right is not None:
        yield right, *rest
        if subject.space != "probabilities":
            yield -right, *rest


def _steep(subject: Subject) -> Iterator[Finding]:
    """A gradient that is finite and huge moves a network out of reach in one step."""
    if subject.form.numpy or subject.space not in ("real", "logits"):
        return
    try:
        ordinary = max(float(subject.gradient(*subject.draw(seed))[1].abs().max()) for seed in range(3))
    except (SubjectError, Disconnected):
        return  # which is the business of `connectivity`
    for what, arguments in _edges(subject):
        _, gradient = subject.gradient(*arguments)
        largest = float(gradient.abs().max())
        if 0 < 1e4 * ordinary < largest:
            yield Finding(
                "zeros_and_edges",
                f"the gradient is {largest:.2g} {what}, and at most {ordinary:.2g} elsewhere",
                subject.code(arguments, f"{subject.call}.sum().backward()", f"{subject.form.names[0]}.grad", grad=0),
                REPAIR_EDGE,
                severity="note",
                came=f"{largest:.6g}",
                expected=f"a gradient of the size of {ordinary:.2g}",
            )
            return


@about("loss", "activation")
def connectivity(subject: Subject) -> Iterator[Finding]:
    """What changes the result has a gradient: of the whole, of each entry, of each declared term."""
    if subject.form.numpy:
        raise Skip("it computes in NumPy, which has no gradients")
    for examine in (_whole, _entries, _terms, _partly_cut):
        found = list(examine(subject))
        yield from found
        if found:
            return


REPAIR_CUT = (
    "argmax, round, comparisons, .detach(), .item(), .numpy(), .data and torch.tensor(x) end the graph: compute with "
    "tensors throughout, and put a smooth function in the place of the step (softmax, sigmoid, the probability itself)"
)


def _whole(subject: Subject) -> Iterator[Finding]:
    """There is a gradient at all."""
    arguments = subject.draw(rows=2 if len(subject.form.shape) > 1 else None)
    name, wrong = subject.form.names[0], ""
    try:
        subject.gradient(*arguments)
    except Disconnected as error:
        wrong = str(error)
    except SubjectError as error:
        if spoiled(subject):
            raise Skip("it changes its arguments in place, which purity tells") from None
        wrong = f"there is no gradient, for it raises {error}"
    if not wrong:
        return
    if "by" in wrong or "raises" in wrong:
        code = subject.code(arguments, f"{subject.call}.sum().backward()", f"{name}.grad", grad=0)
    else:
        code = subject.code(arguments, f"{subject.call}.requires_grad", grad=0)
    steps = subject.family == "activation" and not _moves(subject)
    yield Finding(
        "connectivity",
        wrong,
        code,
        REPAIR_CUT,
        severity="warning" if steps else "error",
        came="no gradient",
        expected=f"the gradient by {name}",
    )


def _moves(subject: Subject) -> bool:
    """Whether a small step of the first argument changes the result in most draws."""
    first, *rest = subject.draw()
    base, moved = subject(first, *rest), subject(first + 1e-6, *rest)
    return bool((base != moved).double().mean() > 0.5)


def _entries(subject: Subject) -> Iterator[Finding]:
    """No entry changes the result and has a derivative of 0."""
    for seed in range(2):
        arguments = subject.draw(seed)
        cotangent, weigh = _uneven(subject(*arguments))
        for at in slopes(subject, arguments, cotangent):
            if at.came == 0 and at.off > 1e-6:
                yield Finding(
                    "connectivity",
                    f"an entry of {subject.form.names[0]} changes the result and has no gradient",
                    _differences_in_code(subject, arguments, at.entry, weigh),
                    REPAIR_CUT,
                    came="a gradient of 0",
                    expected=f"{at.due:.6g}, by differences",
                )
                return


def _uneven(result: Tensor) -> tuple[Tensor | None, str]:
    """Another weight for each result, and what the result is multiplied with in code: a sum may hide what each does."""
    if result.ndim == 0:
        return None, ""
    count, shape = result.numel(), tuple(result.shape)
    weights = torch.arange(1, count + 1, dtype=result.dtype).reshape(shape) / count
    return weights, f" * torch.arange(1, {count + 1}).reshape({shape}) / {count}"


def _partly_cut(subject: Subject) -> Iterator[Finding]:
    """Where no backward was written by hand, autograd errs only by what was hidden from it: which may be meant."""
    arguments = subject.draw()
    if custom_function(subject, arguments) is not None:
        return  # the business of `backward`
    cotangent, weigh = _uneven(subject(*arguments))
    wrong = [at for at in slopes(subject, arguments, cotangent) if at.off > 1e-4]
    if wrong:
        yield Finding(
            "connectivity",
            "a part of the result is hidden from the gradient, which is not the derivative",
            _differences_in_code(subject, arguments, wrong[0].entry, weigh),
            "if a weight or a step is detached on purpose, nothing; if not, find it by terms={name: function}",
            severity="note",
            came=f"a gradient of {wrong[0].came:.6g}",
            expected=f"{wrong[0].due:.6g}, by differences",
        )


def _differences_in_code(subject: Subject, arguments: Arguments, entry: int, weigh: str = "", by: int = 0) -> str:
    """Prints one entry of the gradient by an argument, and the slope by differences."""
    name = subject.form.names[by]
    at, plus, minus = (subject.called(**{name: f"{name}{step}"}) for step in ("", " + step", " - step"))
    total = [f"({call}{weigh}).sum()" if weigh else f"{call}.sum()" for call in (at, plus, minus)]
    return subject.code(
        arguments,
        f"{total[0]}.backward()",
        f"step = torch.zeros_like({name})",
        f"step.view(-1)[{entry}] = 1e-5",
        f"slope = ({total[1]} - {total[2]}) / 2e-5",
        f"{name}.grad.view(-1)[{entry}].item(), slope.item()",
        grad=by,
    )


def _terms(subject: Subject) -> Iterator[Finding]:
    """Each declared term has a gradient, and passes it on to the whole."""
    terms = {name: _term(subject, name, function) for name, function in subject.declared.terms.items()}
    for name, term in terms.items():
        for finding in (*_whole(term), *_flat(term)):
            yield replace(finding, message=f"the term {name}: {finding.message}", severity="error")
            return
    if not terms:
        return
    arguments = subject.draw()
    mine, theirs = slopes(subject, arguments), [slopes(term, arguments) for term in terms.values()]
    entries = set.intersection(*({at.entry for at in found} for found in (mine, *theirs)))
    if len(entries) < len(terms):
        return
    columns = torch.tensor([[at.due for at in found if at.entry in entries] for found in theirs]).double().T
    due, came = (
        torch.tensor([getattr(at, what) for at in mine if at.entry in entries]).double() for what in ("due", "came")
    )
    shares, kept = (torch.linalg.lstsq(columns, column[:, None]).solution[:, 0] for column in (due, came))
    if float((columns @ shares - due).abs().max()) > 1e-4 * float(due.abs().max()):
        return  # it is no sum of these
    for place, name in enumerate(terms):
        if abs(shares[place]) > 1e-3 * float(shares.abs().max()) and abs(kept[place]) < 1e-3 * abs(shares[place]):
            yield Finding(
                "connectivity",
                f"the term {name} is part of the value and not of the gradient",
                _differences_in_code(subject, arguments, next(iter(sorted(entries)))),
                REPAIR_CUT,
                came=f"a gradient with {kept[place]:.3g} times that of {name}",
                expected=f"{shares[place]:.3g} times, as the value has it",
            )
            return


def _flat(term: Subject) -> Iterator[Finding]:
    """A term whose gradient is 0 everywhere, though its value is not the same everywhere."""
    draws = [term.draw(seed) for seed in range(3)]
    if any(bool(term.gradient(*arguments)[1].any()) for arguments in draws):
        return
    values = {float(term.total(*arguments).detach()) for arguments in draws}
    if len(values) > 1:
        name = term.form.names[0]
        yield Finding(
            "connectivity",
            "its gradient is 0 everywhere: it can change the value and never the network",
            term.code(draws[0], f"{term.call}.sum().backward()", f"{name}.grad", grad=0),
            REPAIR_CUT,
            came="a gradient of 0",
            expected="one that lowers the term",
        )


def _term(subject: Subject, name: str, function: Callable[..., object]) -> Subject:
    """A declared term as a subject that is called as the whole is."""
    path, colon, _ = subject.name.rpartition(":")
    own = f"{path}:{function.__name__}" if colon and inspect.isfunction(function) else None
    _, setup = expression_of(function, subject.variable, own)
    return subject.like(thing=function, setup=setup, form=replace(subject.form, reduction=None), name=name)


@about("loss", "activation", unless=("connectivity",))
def backward(subject: Subject) -> Iterator[Finding]:
    """A backward that was written by hand is the derivative of its forward, by differences in float64, off kinks."""
    learning = [place for place, name in enumerate(subject.form.names) if place == 0 or name in LEARNING]
    for seed, by in itertools.product(range(2), learning):
        arguments = subject.draw(seed)
        function = _by_hand(subject, arguments)
        uneven = subject.family == "activation" and not subject.form.elementwise  # of which a sum may be constant
        cotangent, weigh = _uneven(subject(*arguments)) if uneven else (None, "")
        found = slopes(subject, arguments, cotangent, by=by)
        wrong = [at for at in found if at.off > 1e-6]
        if not wrong:
            continue
        if any(at.due != 0 for at in found) and not _gives_its_argument(subject, arguments):
            yield _not_the_derivative(subject, "backward", function, arguments, wrong, weigh, by)
            return
        yield Finding(
            "backward",
            f"{function} gives a gradient that is not the derivative of "
            + ("its argument, which it gives as it is" if any(at.due for at in found) else "a constant"),
            _differences_in_code(subject, arguments, wrong[0].entry, weigh),
            "if a straight-through, surrogate, reversed or clipped gradient is meant, nothing",
            severity="note",
        )
        return


def _gives_its_argument(subject: Subject, arguments: Arguments) -> bool:
    return torch.equal(subject(*arguments).detach(), arguments[0])


def _by_hand(subject: Subject, arguments: Arguments) -> str:
    """The autograd.Function that is used. Raises Skip where autograd does all."""
    function = custom_function(subject, arguments)
    if function is None:
        raise Skip("autograd derives it: no backward was written by hand")
    return function


def _not_the_derivative(
    subject: Subject, check: str, function: str, arguments: Arguments, wrong: list[Slope], weigh: str,
    by: int = 0,
) -> Finding:  # fmt: skip
    worst = max(wrong, key=lambda at: at.off)
    entry = worst.entry
    if subject.form.kind is None and subject.form.elementwise and not weigh:
        arguments, entry = (arguments[0].reshape(-1)[entry : entry + 1],), 0
    return Finding(
        check,
        f"the backward of {function} is not the derivative of its forward"
        + (" where the results do not count alike" if check == "upstream_gradient" else ""),
        _differences_in_code(subject, arguments, entry, weigh, by),
        "multiply the whole incoming gradient, entry by entry, with the derivative of what forward computes; or leave "
        "the backward to autograd",
        came=f"a gradient of {worst.came:.8g}",
        expected=f"{worst.due:.8g}, by differences",
    )


@about("loss", "activation", unless=("connectivity", "backward"))
def upstream_gradient(subject: Subject) -> Iterator[Finding]:
    """A backward by hand heeds the gradient that comes in: another for each result, or a factor before the loss."""
    arguments = subject.draw()
    function = _by_hand(subject, arguments)
    came, gradient = subject.gradient(*arguments)
    if came.ndim == 0:
        _, scaled = subject.gradient(*arguments, cotangent=torch.full_like(came, 3.5))
        if not torch.allclose(scaled, 3.5 * gradient, rtol=1e-6, atol=1e-12):
            at = int((scaled - 3.5 * gradient).abs().argmax())
            small = subject.draw(rows=2 if len(subject.form.shape) > 1 else None)
            name = subject.form.names[0]
            yield Finding(
                "upstream_gradient",
                f"the backward of {function} does not heed the factor before the loss",
                subject.code(
                    small, f"{subject.call}.backward()", f"once = {name}.grad.clone()", f"{name}.grad = None",
                    f"(3.5 * {subject.call}).backward()", f"once, {name}.grad", grad=0,
                ),
                "multiply what backward returns with grad_output",
                came=f"a gradient of {scaled.reshape(-1)[at].item():.6g} for 3.5 times the loss",
                expected=f"{3.5 * gradient.reshape(-1)[at].item():.6g}",
            )  # fmt: skip
            return
    whole = subject if subject.form.reduction is None else _unreduced(subject)
    cotangent, weigh = _uneven(whole(*arguments))
    if cotangent is None:
        return
    found = slopes(whole, arguments, cotangent)
    wrong = [at for at in found if at.off > 1e-6]
    if wrong and any(at.due != 0 for at in found) and not _gives_its_argument(whole, arguments):
        yield _not_the_derivative(whole, "upstream_gradient", function, arguments, wrong, weigh)


def _unreduced(subject: Subject) -> Subject:
    """The subject that gives a value for each entry or row."""
    thing, variable = subject.thing, subject.variable
    if subject.form.reduction == "attribute":
        thing = copy.deepcopy(thing)
        thing.reduction = "none"
        return subject.like(thing=thing, setup=[*subject.setup, f"{variable}.reduction = 'none'"])
    lines = ["import functools", f"{variable} = functools.partial({variable}, reduction='none')"]
    return subject.like(thing=functools.partial(thing, reduction="none"), setup=[*subject.setup, *lines])


@about("loss", "activation", unless=("connectivity", "backward", "upstream_gradient"))
def second_derivative(subject: Subject) -> Iterator[Finding]:
    """A backward by hand can be differentiated again, and that is the derivative of the gradient; or it refuses."""
    arguments = subject.draw()
    function = _by_hand(subject, arguments)
    name = subject.form.names[0]
    leaf = arguments[0].clone().requires_grad_()
    one = torch.ones((), dtype=leaf.dtype, requires_grad=True)  # once_differentiable heeds what comes in, not the input
    (gradient,) = torch.autograd.grad(one * subject.total(leaf, *arguments[1:]), leaf, create_graph=True)
    weights, weigh = _uneven(gradient)
    assert weights is not None
    small = subject.draw(rows=2 if len(subject.form.shape) > 1 else None)
    lines = (
        "one = torch.ones((), requires_grad=True)",
        f"(slope,) = torch.autograd.grad(one * {subject.call}.sum(), {name}, create_graph=True)",
        "slope.sum().backward()",
    )
    try:
        if gradient.requires_grad:
            torch.autograd.backward((weights * gradient).sum())  # for `grad` passes over what raises on its way
    except RuntimeError as error:
        yield Finding(
            "second_derivative",
            f"{function} has no second derivative: {str(error).splitlines()[0][:100]}",
            subject.code(small, *lines, f"{name}.grad", grad=0),
            "gradient penalties and Hessians need one: write the backward in differentiable operations",
            severity="note",
        )
        return
    second = torch.zeros_like(gradient) if leaf.grad is None else leaf.grad
    wrong = [at for at in slopes(subject, arguments, of_gradient=weights, gradient=second) if at.off > 1e-5]
    if not wrong:
        return
    worst = max(wrong, key=lambda at: at.off)
    given, entry = arguments, worst.entry
    if subject.form.kind is None and subject.form.elementwise:
        given, entry, weigh = (arguments[0].reshape(-1)[entry : entry + 1],), 0, ""
    yield Finding(
        "second_derivative",
        f"differentiated twice, {function} gives a wrong number without a word",
        subject.code(
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
        ),
        "save the input, and compute from it in backward with torch: what was computed in forward and kept on ctx is a "
        "constant to the second derivative; or decorate backward with once_differentiable",
        came=f"a second derivative of {worst.came:.6g}",
        expected=f"{worst.due:.6g}, by differences of the gradient",
    )
