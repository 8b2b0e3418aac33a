"""Checks of the readings against exact arithmetic, and against each other."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from slopes.auditing.cards.subject import Subject, spell
from slopes.auditing.report import Finding, Skip, about
from slopes.card import Activation, Loss, Map
from slopes.domains import Interval
from slopes.truth.errors import allow_near_roots, fits, peak, ulps, units
from slopes.truth.measuring import MUCH, Failure, Figure, measure_densely
from slopes.truth.oracle import limits_at_infinity
from slopes.truth.parts import Parts, split
from slopes.truth.samples import DIGITS

DTYPES = (np.float64, np.float32)
AGREEING = 1e-9  #: relative difference of two derivatives of one function
#: checks whose findings others would repeat
BEFORE = (
    *("dtype_and_shape", "inputs_written", "finite", "value_precision", "slope_precision", "derivative"),
    *("numpy_equals_torch", "claims"),
)


def _spell(dtype: Any) -> str:
    return str(np.dtype(dtype).name)


def finite(subject: Subject) -> Iterator[Finding]:
    """Check that results are finite where exact ones are, limits at ±inf, and NaN for NaN."""
    told = False  # one finding for all dtypes and results
    for dtype in DTYPES:
        for result in ("value", "slope"):
            came = np.asarray(subject.call(result, subject.inputs(dtype)))
            exact = subject.exact(result, dtype)
            bad = fits(subject.parts(result, dtype), dtype) & ~np.isfinite(came)
            subject.report(result, dtype, bad)
            if bad.any() and not told:
                told = True
                index = peak(bad)
                yield subject.compare(result, index, dtype).finding(
                    f"training turns into NaN: {_spell(dtype)} {result} is {float(came[index])!r} where exact is "
                    f"{_digits(exact[index])} "
                    f"({int(bad.sum())} of {bad.size} points)",
                    "write it so that no intermediate result overflows, such as exp of −|x| alone",
                    expected="{1}",
                    shows=lambda came, exact: not np.isfinite(came),
                )
    yield from _specials(subject)


def _specials(subject: Subject) -> Iterator[Finding]:
    card: Any = subject.card
    if not isinstance(card, Activation) or isinstance(card, Map):
        return
    for result in ("value", "slope") if card.slope_body else ("value",):
        wanted_at_infinity = limits_at_infinity(subject.oracle(result), np.array([1.0, -1.0]))
        for x, wanted in zip((np.inf, -np.inf, np.nan), (*wanted_at_infinity, np.nan), strict=True):
            if wanted is None:
                continue
            came = float(subject.call(result, (x,)))
            if not _is_limit(came, wanted):
                yield subject.script(f"f{'' if result == 'value' else '.slope'}(float('{x}'))").finding(
                    f"training computes wrong numbers at infinite ones: {result} at {x} is {came}, the limit is "
                    f"{wanted}",
                    "avoid 0 · inf and inf − inf: hold the argument, or multiply last",
                    expected=f"{wanted}",
                    shows=lambda came, wanted=wanted: not _is_limit(came, wanted),
                )


def _is_limit(came: float, wanted: float) -> bool:
    return came == wanted or (came != came and wanted != wanted) or abs(came - wanted) <= 1e-15 * abs(wanted)


def value_precision(subject: Subject) -> Iterator[Finding]:
    yield from _precision(subject, "value")


def slope_precision(subject: Subject) -> Iterator[Finding]:
    yield from _precision(subject, "slope")


def _precision(subject: Subject, result: str) -> Iterator[Finding]:
    told = False
    for dtype in DTYPES:
        errors, allowed, exact, came = errors_of(subject, result, dtype)
        excess = np.where(errors > allowed, errors, 0.0)
        subject.report(result, dtype, excess > 0)
        if excess.any() and not told:
            told = True
            index = peak(excess)
            yield subject.compare(result, index, dtype).finding(
                f"training computes with wrong digits: {_spell(dtype)} {result} is {float(came[index])!r}, exact is "
                f"{_digits(exact[index])}: off by {errors[index]:.3g} units in the last place, {allowed[index]:.3g} "
                f"are allowed ({int((excess > 0).sum())} of {excess.size} points)",
                "look for a difference of nearly equal numbers, and use the primitive that avoids it "
                "(expm1, log1p, ndtr, softplus, log_softmax)",
                expected="{1}",
                shows=partial(_is_off, dtype, float(allowed[index])),
            )


def _is_off(dtype: Any, allowed: float, came: Any, exact: Any) -> bool:
    return bool(ulps(np.array([came]), np.array([exact], dtype=object), dtype)[0] > allowed)


def errors_of(subject: Subject, result: str, dtype: Any) -> tuple[Any, Any, Any, Any]:
    """(errors in ulps, allowed errors, exact results, results) at the subject's points."""
    came = np.asarray(subject.call(result, subject.inputs(dtype)))
    exact = subject.exact(result, dtype)
    errors = ulps(came, subject.parts(result, dtype), dtype)
    errors[subject.reported(result, dtype, errors.shape)] = 0.0
    errors[np.isinf(errors)] = 0.0  # `finite` reports them
    condition = np.asarray(subject.conditioning(result, dtype))
    allowed = np.broadcast_to(subject.ulps * (1 + condition), errors.shape).copy()
    allow_near_roots(subject, result, dtype, exact, errors, allowed)
    if result == "slope" and subject.card.slope_body is None:  # differences straddle a kink
        for index in zip(*np.nonzero(errors > allowed), strict=True):
            if _at_a_kink(subject, index, float(came[index])):
                errors[index] = 0.0
    return errors, allowed, exact, came


@about(slow=True)
def derivative(subject: Subject) -> Iterator[Finding]:
    """Check the derivative against the body, also away from default parameters."""
    if subject.card.slope_body is None:
        raise Skip("the card has no derivative of its own")
    others = {
        name: parameter.domain.other(subject.card.settings[name])
        for name, parameter in subject.card.parameters.items()
        if isinstance(parameter.domain, Interval)
    }
    yield from _wrong_slopes(subject)
    if others:
        yield from _wrong_slopes(Subject(subject.card.with_(**others), subject.seed))


def _wrong_slopes(subject: Subject) -> Iterator[Finding]:
    slopes, parts = subject.exact("slope", np.float64), subject.parts("slope", np.float64)
    doubtful = ~(_distance(parts, _by_calculus(subject, slopes.shape)) <= AGREEING)
    if not doubtful.any():
        return
    expected = _differences(subject, doubtful)
    off = np.where(doubtful, _distance(parts, split(expected)), 0.0)
    for index in zip(*np.nonzero(off > AGREEING), strict=True):
        if _at_a_kink(subject, index, slopes[index]):
            off[index] = 0.0
    if (off > AGREEING).any():
        index = peak(off)
        entry = f"[{', '.join(map(str, (0, *index[1:])))}]" if subject.card.rowwise else ""
        both = ", ".join(subject.exact_of(result) + entry for result in ("slope", "difference"))
        yield subject.script(spell(subject.at(index, np.float64)), both).finding(
            f"training steps in a wrong direction: the derivative is {_digits(slopes[index])} where the body's slope "
            f"is {_digits(expected[index])} "
            f"({int((off > AGREEING).sum())} of {off.size} points)",
            "derive the body again, or drop the derivative and let autograd find it",
            expected="{1}",
            shows=lambda came, exact: abs(came - exact) > AGREEING * max(abs(came), abs(exact)),
        )


def _distance(slopes: Parts, others: Parts) -> Any:
    """Relative differences of exact slopes, of those below 1e-300 by 1e-300."""
    exponent = np.maximum(slopes.exponent, others.exponent)
    with np.errstate(all="ignore"):  # a slope may be NaN
        highs, lows = ([np.ldexp(x[k], x.exponent - exponent) for x in (slopes, others)] for k in (0, 1))
        largest = np.maximum(*map(abs, highs))
        off = abs(highs[0] - highs[1] + (lows[0] - lows[1])) / np.where(largest == 0, 1.0, largest)
        return off * np.minimum(np.ldexp(largest, exponent) / 1e-300, 1.0)


def _by_calculus(subject: Subject, shape: tuple[int, ...]) -> Parts:
    """The body's slopes by calculus, which neither a nearby kink nor a short period misleads; NaN where it has none."""
    try:
        return subject.parts("calculus", np.float64)
    except Exception:  # a body that compares or converts numbers in its own way
        return split(np.full(shape, np.nan))


def _differences(subject: Subject, doubtful: Any) -> Any:
    """The body's slopes by differences where they are in doubt, elsewhere NaN."""
    rows = doubtful.reshape(len(doubtful), -1).any(-1) if subject.card.rowwise else doubtful
    if rows.all() or (isinstance(subject.card, Loss) and subject.card.kind.batched):
        return subject.exact("difference", np.float64)
    slopes = np.full(doubtful.shape, np.nan, dtype=object)
    arguments = (x[rows] for x in subject.inputs(np.float64))
    slopes[rows] = subject.oracle("difference")(*arguments, **subject.options)
    return slopes


def _at_a_kink(subject: Subject, index: tuple[Any, ...], slope: Any) -> bool:
    """Whether the body has two slopes there, and the card's lies between them."""
    if subject.card.rowwise:
        return False
    first, *rest = (argument[index].item() for argument in subject.inputs(np.float64))
    step = max(abs(first), 1e-30) * 1e-9
    left, right = (
        subject.exactly.difference(
            *(np.array([argument]) for argument in (first + side * step, *rest)), **subject.options
        )[0]
        for side in (-1, 1)
    )
    jumps = abs(right - left) > 1e-6 * max(abs(left), abs(right))
    slack = 1e-6 * max(abs(left), abs(right))
    return bool(jumps and min(left, right) - slack <= slope <= max(left, right) + slack)


@about(unless=(*BEFORE, "limits", "no_nan"), slow=True)
def whole_range(subject: Subject) -> Iterator[Finding]:
    """Check values and slopes densely over the whole range, also away from default parameters."""
    if subject.card.rowwise:
        raise Skip("rows are not measured more densely")
    measured = measure_densely(subject.card)
    for failure in [item for item in measured if isinstance(item, Failure)][:1]:
        measuring = "from slopes.truth.measuring import Failure, measure_densely"
        failures = "[x.message for x in measure_densely(f) if isinstance(x, Failure)]"
        yield subject.script(measuring, failures).finding(
            f"training stops with an exception: {failure.call} raised {failure.message}",
            "let body and definition give numbers over the whole range; leave a definition out that cannot",
            shows=bool,
        )
    lax = isinstance(subject.card, Loss) and not subject.is_ours  # differences may overflow in users' losses
    figures = [item for item in measured if isinstance(item, Figure) and item.worst > subject.ulps]
    figures = [figure for figure in figures if not (lax and figure.lost)]
    if figures:
        yield _far_off(subject, max(figures, key=lambda figure: figure.worst))


def _far_off(subject: Subject, figure: Figure) -> Finding:
    given = f"np.{figure.dtype}({{}})"
    arguments = f"arguments = ({', '.join(given.format(x) for x in figure.at)},)"
    settings = [f"f = f.with_({figure.settings})"] if figure.settings else []
    call = call_text = subject.call_of(figure.result)
    if figure.reading != "NumPy":
        settings.append("import torch")
        call = call.replace("*arguments", "*map(torch.tensor, arguments)")
    truth = "definition" if figure.result == "value" else "definition_slope"
    exact = f"slopes.exact(f, {DIGITS}).{truth}{call_text[call_text.index('(') :]}"
    return subject.script(*settings, arguments, f"{call}.item(), {exact}").finding(
        f"training computes with wrong digits: {figure.dtype} {figure.result} by {figure.reading} is {figure.came}, "
        f"exact is {figure.exact}: off by {figure.worst:.3g} units in the last place, {subject.ulps:g} are allowed",
        "look for a difference of nearly equal numbers, and for parameters at which a shorter form does not hold",
        "note" if figure.worst <= MUCH else "error",  # a few units do a training no harm
        expected="{1}",
        shows=partial(_is_off, np.dtype(figure.dtype).type, subject.ulps),
    )


def numpy_equals_torch(subject: Subject) -> Iterator[Finding]:
    if find_spec("torch") is None:
        raise Skip("torch is not installed")
    for dtype in DTYPES:
        for result, came in subject.results_by_torch(subject.inputs(dtype)).items():
            if any(known == result for known, _ in subject.faulty):
                continue  # reported already, by the check of its precision
            mine = np.asarray(subject.call(result, subject.inputs(dtype)))
            exact = subject.exact(result, dtype)
            if came.shape != mine.shape:
                yield _differs(subject, result, dtype, f"has shape {came.shape} in torch and {mine.shape} in NumPy")
                continue
            error, base = (ulps(results, subject.parts(result, dtype), dtype) for results in (came, mine))
            _, allowed, _, _ = errors_of(subject, result, dtype)
            allow_near_roots(subject, result, dtype, exact, error, allowed)
            if isinstance(subject.card, Map) and result == "slope":
                allowed = _allow_terms(subject, dtype, exact, allowed)
            bad = (error > 2 * allowed) & (error > 4 * base)
            if bad.any():
                index = peak(bad)
                yield _differs(
                    subject, result, dtype,
                    f"is {float(came[index])!r} in torch and {float(mine[index])!r} in NumPy, "
                    f"exact is {_digits(exact[index])}", index,
                )  # fmt: skip


def _allow_terms(subject: Subject, dtype: Any, exact: Any, allowed: Any) -> Any:
    """Allow eps of the largest cotangent, because a pulled-back cotangent may cancel."""
    with np.errstate(over="ignore"):
        return np.maximum(allowed, allowed * float(np.finfo(dtype).eps) * 2 / units(exact, dtype))


def _differs(subject: Subject, result: str, dtype: Any, how: str, index: tuple[int, ...] | None = None) -> Finding:
    row = subject.at(index or (0,) * subject.inputs(dtype)[0].ndim, dtype)
    entry = ".shape" if index is None else f"[{', '.join(map(str, (0, *index[1:])))}]" if subject.card.rowwise else ""
    lines = spell(row), *subject.by_torch(result), f"result{entry}, {subject.call_of(result)}{entry}"
    return subject.script(*lines).finding(
        f"training in torch computes other numbers than NumPy: {_spell(dtype)} {result} {how}",
        "write the body in slopes.ops alone, without a branch on the type of its argument",
        came="{0} in torch",
        expected="{1}, as in NumPy",
    )


def _digits(x: Any) -> str:
    import mpmath

    return str(mpmath.nstr(x, 12))
