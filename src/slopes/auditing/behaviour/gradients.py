"""Checks that values and gradients are finite."""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from slopes.auditing.behaviour.common import print_steepest
from slopes.auditing.evidence import is_lost
from slopes.auditing.form import Arguments, widened
from slopes.auditing.report import Finding, Skip, about
from slopes.auditing.signatures import default_of
from slopes.auditing.subject import Disconnected, Subject, SubjectError

SIZES = (1e-3, 20.0, 50.0, 89.0, 100.0, 710.0, 1e3, 1e4)  #: exp overflows at 89 in float32, at 710 in float64
EXPONENTS = ("gamma", "alpha", "power", "exponent", "focusing", "focal_gamma")  #: parameters with ends at 0 and 1
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


@about("loss", "activation", unless=("finite",), once=True)
def extreme_inputs(subject: Subject) -> Iterator[Finding]:
    """Check small and large numbers, except for natural overflow."""
    _ordinary(subject)
    for dtype in dict.fromkeys((subject.form.dtype, torch.float32)):
        batches = list(_stressed(subject, dtype))
        for place in subject.suspects(batches, partial(_is_finite, subject)):
            arguments = batches[place]
            wrong = _lost(subject, arguments)
            if wrong:
                named = f" ({str(dtype).removeprefix('torch.')})"
                message = f"training turns into NaN at numbers of unusual size: {wrong}{named}"
                yield _finding(subject, arguments, wrong, message, REPAIR_WHERE)
    if subject.form.numpy:
        yield from _warned(subject)


def _ordinary(subject: Subject) -> None:
    if not bool(torch.isfinite(subject(*subject.draw())).all()):
        raise Skip("it gives no finite number for some numbers of ordinary size, so what it is for is not known")


def _stressed(subject: Subject, dtype: torch.dtype) -> Iterator[Arguments]:
    """Yield arguments, the first at every size and sign that its space has."""
    first, *rest = subject.draw(dtype=dtype)
    if not (subject.space.is_unbounded or subject.space.is_positive):
        yield first, *rest
        return
    positive = subject.space.is_positive
    alternate = torch.where(torch.arange(first.numel()).reshape(first.shape) % 2 == 0, 1.0, -1.0).to(dtype)
    ones = torch.ones_like(first)
    patterns = [ones] if positive else [ones, -ones, alternate, -alternate]
    batches = [(pattern, *rest) for pattern in patterns]
    suspects = subject.suspects(batches, partial(_is_finite, subject))
    lost = [place for place in suspects if _lost(subject, batches[place])]
    for place, pattern in enumerate(patterns):
        if place in lost:
            continue  # its size is not the reason: `zeros_and_edges` reports it
        for size in SIZES:
            yield size * pattern, *rest


def _is_finite(subject: Subject, arguments: Arguments) -> bool:
    """Whether value and gradient are finite; a gradient that is missing is no fault."""
    value, gradient = _value_and_gradient(subject, arguments)
    return all(bool(torch.isfinite(x).all()) for x in (value, gradient) if x is not None)


def _lost(subject: Subject, arguments: Arguments) -> str:
    """Name the result that is wrongly NaN or infinite; "" if none is, or the subject raises."""
    try:
        value, gradient = _value_and_gradient(subject, arguments)
        if bool(torch.isnan(value).any()):
            return "the value is nan"
        if bool(torch.isinf(value).any()):
            return "the value is inf" if _premature(subject, arguments) else ""
        if gradient is None:
            return ""
        lost = ~torch.isfinite(gradient)
        if not bool(lost.any()):
            return ""
        if gradient.dtype == torch.float32 and subject.form.dtype == torch.float64:
            _, wide = subject.gradient(*widened(arguments))
            if not bool((wide[lost].abs() < torch.finfo(torch.float32).max).any()):
                return ""  # too large for float32 by nature
        return f"the value is finite and the gradient is {gradient[lost].reshape(-1)[0].item()}"
    except SubjectError:
        return ""


def _value_and_gradient(subject: Subject, arguments: Arguments) -> tuple[Tensor, Tensor | None]:
    """(result, its gradient), by one call where it has a gradient."""
    if not subject.form.numpy:
        with contextlib.suppress(SubjectError, Disconnected):
            return subject.gradient(*arguments)
    return subject(*arguments).detach(), None


def _premature(subject: Subject, arguments: Arguments) -> bool:
    """Whether an infinite value is no natural overflow: float64 can hold it, or it grew too slowly."""
    first, *rest = arguments
    if not (subject.space.is_unbounded or subject.space.is_positive) or not bool(first.any()):
        return False
    if first.dtype == torch.float32:
        wide = subject(*widened(arguments)).detach()
        return bool(torch.isfinite(wide).all()) and float(wide.abs().max()) < 1e30
    sizes = [float(subject(first / 2**k, *rest).detach().abs().max()) for k in range(1, 8)]
    for k, (larger, smaller) in enumerate(itertools.pairwise(sizes), start=1):
        if larger < float("inf") and smaller > 0:
            return larger / smaller <= 2**8 and larger * (larger / smaller) ** k < 1e300
    return False


def _finding(subject: Subject, arguments: Arguments, wrong: str, message: str, repair: str) -> Finding:
    small = subject.smallest(arguments, lambda given: _lost(subject, given) == wrong)
    if wrong.startswith("the value is finite"):
        script = subject.script(small, f"{subject.call}.sum().backward()", f"{subject.form.names[0]}.grad", grad=0)
        told = "the value is finite and the gradient is {0}", "a finite gradient"
    else:
        script, told = subject.script(small, subject.call), ("the value is {0}", "a finite value")
        repair = REPAIR_VALUE if repair == REPAIR_WHERE else repair
    return script.finding(message, repair, came=told[0], expected=told[1], shows=is_lost)


def _warned(subject: Subject) -> Iterator[Finding]:
    """Find warnings despite finite results, which distract from warnings that matter."""
    for arguments in _stressed(subject, subject.form.dtype):
        value = subject(*arguments)
        told = [str(warning.message) for warning in subject.warned if warning.category is RuntimeWarning]
        if told and bool(torch.isfinite(value).all()):
            names = subject.form.names[0]
            small = subject.smallest(arguments, lambda given: _warns(subject, given))
            lines = "import warnings", "with warnings.catch_warnings(record=True) as told:"
            more = "    warnings.simplefilter('always')", f"    value = {subject.call}", "value, told[0].message"
            yield subject.script(small, *lines, *more).finding(
                f"training fills its output with lines: NumPy warns of {told[0]}, though the value is finite",
                f"np.where computes both branches: hold the argument inside each, as in np.exp(-np.abs({names})), or "
                "use the stable function (scipy.special.expit, np.logaddexp)",
                "warning",
                came="RuntimeWarning: {1}",
                expected="no warning",
                shows=lambda value, message: isinstance(message, RuntimeWarning),
            )


def _warns(subject: Subject, arguments: Arguments) -> bool:
    subject(*arguments)
    return any(warning.category is RuntimeWarning for warning in subject.warned)


@about("loss", "activation", unless=("finite", "extreme_inputs"))
def zeros_and_edges(subject: Subject) -> Iterator[Finding]:
    """Check where arguments agree, where rows are 0 or equal, and at a space's ends."""
    _ordinary(subject)
    cases = list(subject.degenerate())
    for place in subject.suspects([arguments for _, arguments in cases], partial(_is_finite, subject)):
        case, arguments = cases[place]
        wrong = _lost(subject, arguments)
        if wrong:
            message = f"training turns into NaN: {wrong.replace('the value is finite and ', '')} {case}"
            yield _finding(subject, arguments, wrong, message, REPAIR_EDGE)
            return
    _try_other_exponents(subject)
    yield from _steep(subject)


def _try_other_exponents(subject: Subject) -> None:
    """Note as a fact that an exponent which a caller may choose gives NaN, where its own value is harmless."""
    for other, setting in _others(subject):
        wrong = next(filter(None, (_lost(other, arguments) for arguments in _certain(other))), "")
        if wrong:
            subject.facts.append(f"training with {setting} would turn into NaN: {wrong} at a sure answer")
            return


def _others(subject: Subject) -> Iterator[tuple[Subject, str]]:
    """Yield (subject with another exponent, setting as text)."""
    thing = subject.thing
    if subject.card is not None:
        return  # a card's parameters have domains
    for name in EXPONENTS:
        held = getattr(thing, name, None) if subject.is_module else default_of(thing, name)
        if type(held) in (float, int) and (subject.is_module or inspect.isfunction(thing)):
            yield from ((subject.tuned(**{name: value}), f"{name}={value}") for value in (0.0, 0.5, 1.0))


def _certain(subject: Subject) -> Iterator[Arguments]:
    _, *rest = subject.draw()
    right = subject.right(rest[0], 200.0) if rest else None
    if right is not None:
        yield right, *rest
        if not subject.space.is_probability:
            yield -right, *rest


def _steep(subject: Subject) -> Iterator[Finding]:
    """Find finite but huge gradients, which move a network out of reach in one step."""
    if subject.form.numpy or not subject.space.is_unbounded:
        return
    try:
        ordinary = max(float(subject.gradient(*subject.draw(seed))[1].abs().max()) for seed in range(3))
    except (SubjectError, Disconnected):
        return  # `connectivity` reports it
    for case, arguments in subject.degenerate():
        largest = 0.0
        with contextlib.suppress(SubjectError):
            largest = float(subject.gradient(*arguments)[1].abs().max())
        if 0 < 1e4 * ordinary < largest and subject.form.kind is not None and subject.form.kind.compares_vectors:
            subject.facts.append(f"its gradient is {largest:.2g} {case}, and at most {ordinary:.2g} elsewhere")
            return
        if 0 < 1e4 * ordinary < largest:
            yield print_steepest(subject, arguments, subject.draw()).finding(
                f"a single step of training may throw the weights far off: the gradient is {largest:.2g} {case}, and "
                f"at most {ordinary:.2g} elsewhere",
                REPAIR_EDGE,
                "note",
                expected="a gradient of the size of {1:.2g}",
                shows=lambda here, elsewhere: here > 1e4 * elsewhere,
            )
            return
