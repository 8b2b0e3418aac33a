"""Checks of a card's arguments: dtypes, shapes, purity, and refusals."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from slopes.auditing.cards.subject import Subject, spell
from slopes.auditing.evidence import attempt
from slopes.auditing.report import Finding
from slopes.card import Loss, Map

SHAPES = ((), (0,), (3,), (2, 3))
BATCHES = ((0, 3), (2, 3), (4, 3))
ROWS = ((3,), (0, 3), (2, 3), (2, 1))


def dtype_and_shape(subject: Subject) -> Iterator[Finding]:
    """Check that results keep dtype and shape, also of 0-d and empty arguments."""
    for kind, make, dtypes in _libraries():
        for dtype, expected in dtypes.items():
            for shape in _shapes(subject):
                arguments = _sample(subject, shape, make, dtype)
                if arguments is None:
                    continue
                for result in ("value", "slope"):
                    came = subject.call(result, arguments)
                    wanted = _shape(subject, arguments, shape) if result == "value" else tuple(arguments[0].shape)
                    if came.dtype != expected or tuple(came.shape) != wanted:
                        library = ["import torch"] if kind == "torch" else []
                        lines = spell(arguments), f"result = {subject.call_of(result)}", "result.dtype, result.shape"
                        yield subject.script(*library, *lines).finding(
                            "training stops with an exception, or computes in another dtype: "
                            f"{result} of a {kind} argument of {dtype} {shape} is {came.dtype} {tuple(came.shape)}, "
                            f"expected {expected} {wanted}",
                            "compute with the primitives alone; do not make arrays of a dtype of your own",
                            came="{0} {1}",
                            expected=f"{expected} {wanted}",
                            shows=lambda *came, due=(expected, list(wanted)): (came[0], list(came[1])) != due,
                        )
                        break


def _shapes(subject: Subject) -> tuple[tuple[int, ...], ...]:
    """Shapes to try for the first argument (of a gate: for its result)."""
    if isinstance(subject.card, Loss) and subject.card.kind.batched:
        return BATCHES
    return ROWS if subject.card.rowwise else SHAPES


def _shape(subject: Subject, arguments: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    return subject.card.kind.unreduced(tuple(arguments[0].shape)) if isinstance(subject.card, Loss) else shape


def _libraries() -> Iterator[tuple[str, Callable[..., Any], dict[Any, Any]]]:
    floats = {np.dtype(name): np.dtype(name) for name in ("float16", "float32", "float64")}
    yield "NumPy", np.asarray, {**floats, np.dtype("int32"): np.dtype("float64")}
    try:
        import torch
    except ImportError:
        return
    kept = {dtype: dtype for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64)}
    yield "torch", torch.tensor, {**kept, torch.int32: torch.get_default_dtype()}


def _sample(subject: Subject, shape: tuple[int, ...], make: Callable[..., Any], dtype: Any) -> tuple[Any, ...] | None:
    """Arguments, or None if the dtype cannot hold them."""
    rng = subject.rng
    if isinstance(subject.card, Loss):
        settings = subject.card.settings
        drawn = subject.card.kind.examples(settings).sample(rng, shape)
        whole = "int" in str(dtype)
        spaces = subject.card.kind.spaces(settings)
        if whole and not all(x.dtype.kind in "iu" or space.whole for x, space in zip(drawn, spaces, strict=True)):
            return None
        return tuple(
            make(x) if np.asarray(x).dtype.kind in "iu" else make(np.round(x) if whole else x, dtype=dtype)
            for x in drawn
        )
    values = 3 * rng.standard_normal(shape)
    if isinstance(subject.card, Map):
        values = 3 * rng.standard_normal((*shape[:-1], subject.card.parts * shape[-1]))
        return make(values, dtype=dtype), make(np.ones(shape), dtype=dtype)
    return (make(values, dtype=dtype),)


def inputs_written(subject: Subject) -> Iterator[Finding]:
    arguments = tuple(np.array(argument) for argument in subject.inputs(np.float64))
    before = [argument.copy() for argument in arguments]
    for result in ("value", "slope"):
        came = subject.call(result, arguments)
        wrote = any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(arguments, before, strict=True))
        shared = any(np.shares_memory(came, argument) for argument in arguments)
        if wrote or shared:
            lines = (
                spell(tuple(x[:2] for x in before)), "before = [x.copy() for x in arguments]",
                f"result = {subject.call_of(result)}",
                "[np.shares_memory(result, x) for x in arguments], list(map(np.array_equal, arguments, before))",
            )  # fmt: skip
            yield subject.script(*lines).finding(
                "training goes on with spoiled numbers: "
                f"{result} {'writes to its argument' if wrote else 'is a view of its argument'}",
                "build a new array instead of assigning into the argument",
                came="shared memory: {0}; arguments as before: {1}",
                expected="no memory in common, and arguments as they were",
                shows=lambda shared, same: any(shared) or not all(same),
            )
            return


def shapes_refused(subject: Subject) -> Iterator[Finding]:
    card: Any = subject.card
    given: tuple[Any, ...] = (np.full((4, 3), 1 / 3),)
    if isinstance(card, Map):
        attempts = {"axis 2 of (4, 3)": "f(*arguments, axis=2)", "a single number": "f(1.0)"}
    elif isinstance(card, Loss):
        given = card.kind.examples(card.settings).sample(subject.rng, (4, 4))
        attempts = {
            "a mask (5,)": "f(*arguments, mask=np.ones(5, bool))",
            "a weight (4, 1)": "f(*arguments, weight=np.ones((4, 1)))",
        }
        if len(given) > 1:
            second = given[1]
            column = (*second.shape[:-1], 1) if second.ndim > 1 else (4, 1)
            ones = f"np.ones({column}, {str(second.dtype)!r})"
            attempts |= {
                "a second argument of the first row": "f(arguments[0], arguments[1][0], *arguments[2:])",
                f"a second argument of shape {column}": f"f(arguments[0], {ones}, *arguments[2:])",
            }
    else:
        attempts = {}
    for attempted, call in attempts.items():
        script = subject.script(spell(given), attempt(call), "came")
        (came,) = script.printed
        if not _is_refusal(came, f"{card.name}:"):
            yield script.finding(
                f"training with wrong shapes is not told what is wrong: {attempted} {_outcome(came, 'function')}",
                "leave the arguments to the kind, which compares shapes before the body runs",
                expected=f"a ValueError that begins with {card.name}",
                shows=lambda came: not _is_refusal(came, f"{card.name}:"),
            )


def _is_refusal(came: Any, name: str) -> bool:
    return isinstance(came, ValueError) and name in str(came)


def _outcome(came: Any, argument: str) -> str:
    if isinstance(came, ValueError):
        return f"raises without naming the {argument}: {came}"
    return f"raises {type(came).__name__}: {came}" if isinstance(came, Exception) else "was accepted"


def parameters_refused(subject: Subject) -> Iterator[Finding]:
    for name, parameter in subject.card.parameters.items():
        if parameter.domain is None:
            yield subject.script(f"f.parameters[{name!r}].domain").finding(
                f"training goes on with senseless numbers: parameter {name} has no domain, so nothing is refused",
                f"annotate it, as in {name}: Positive = {parameter.default!r} (slopes.domains)",
                expected="a domain",
                shows=lambda domain: domain is None,
            )
            continue
        for value in parameter.domain.outside():
            shown = re.sub(r"\b(nan|inf)\b", r"float('\1')", repr(value))
            script = subject.script(attempt(f"f.with_({name}={shown})"), "came")
            (came,) = script.printed
            if not _is_refusal(came, name):
                yield script.finding(
                    "training with a senseless number is not told what is wrong: "
                    f"{name}={value!r} {_outcome(came, 'parameter')}; the domain is {parameter.domain}",
                    "let the domain's admits() answer False for it",
                    expected=f"a ValueError that names {name}",
                    shows=lambda came, name=name: not _is_refusal(came, name),
                )
