"""Checks of a card's arguments: dtypes, shapes, purity, and refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from slopes.auditing.cards.subject import Subject
from slopes.auditing.report import Finding
from slopes.card import Loss, Map

SHAPES = ((), (0,), (3,), (2, 3))
BATCHES = ((0, 3), (2, 3), (4, 3))
ROWS = ((3,), (0, 3), (2, 3), (2, 1))


def dtype_and_shape(subject: Subject) -> Iterator[Finding]:
    """Check that results keep dtype (integers: the default one) and shape, also of 0-d and empty arguments."""
    for kind, make, dtypes in _libraries():
        for dtype, expected in dtypes.items():
            for shape in _shapes(subject):
                arguments = _sample(subject, shape, make, dtype)
                if arguments is None:
                    continue
                for result in ("value", "slope"):
                    came = subject.call(result, arguments)
                    wanted = _shape(subject, shape) if result == "value" else tuple(arguments[0].shape)
                    if came.dtype != expected or tuple(came.shape) != wanted:
                        yield Finding(
                            "dtype_and_shape",
                            f"{result} of a {kind} argument of {dtype} {shape} is {came.dtype} {tuple(came.shape)}, "
                            f"expected {expected} {wanted}",
                            f"{subject.name} on a {kind} argument of dtype {dtype} and shape {shape}",
                            "compute with the primitives alone; do not make arrays of a dtype of your own",
                        )
                        break


def _shapes(subject: Subject) -> tuple[tuple[int, ...], ...]:
    """Shapes to try for the first argument (of a gate: for its result)."""
    if isinstance(subject.card, Loss) and subject.card.kind.batched:
        return BATCHES
    return ROWS if subject.card.rowwise else SHAPES


def _shape(subject: Subject, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the values for a first argument of this shape."""
    return subject.card.kind.unreduced(shape) if isinstance(subject.card, Loss) else shape


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
    """Arguments of a shape and dtype; None if the dtype cannot hold them."""
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
    """Check that arguments are never written to, and that the result has its own memory."""
    arguments = tuple(np.array(argument) for argument in subject.inputs(np.float64))
    before = [argument.copy() for argument in arguments]
    for result in ("value", "slope"):
        came = subject.call(result, arguments)
        wrote = any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(arguments, before, strict=True))
        shared = any(np.shares_memory(came, argument) for argument in arguments)
        if wrote or shared:
            yield Finding(
                "inputs_written",
                f"{result} {'writes to its argument' if wrote else 'is a view of its argument'}",
                f"x = np.array([-1.0, 2.0]); y = {subject.name}(x); y is memory of x, or x has changed",
                "build a new array instead of assigning into the argument",
            )
            return


def shapes_refused(subject: Subject) -> Iterator[Finding]:
    """Check that shapes that only broadcast, or do not fit at all, raise ValueError that names the function."""
    card: Any = subject.card
    rows = np.full((4, 3), 1 / 3)
    if isinstance(card, Map):
        attempts: dict[str, Callable[[], Any]] = {
            "axis 2 of (4, 3)": lambda: card(rows, axis=2),
            "a single number": lambda: card(1.0),
        }
    elif isinstance(card, Loss):
        first, second, *rest = card.kind.examples(card.settings).sample(subject.rng, (4, 4))
        column = (*second.shape[:-1], 1) if second.ndim > 1 else (4, 1)
        attempts = {
            "a second argument of the first row": lambda: card(first, second[0], *rest),
            f"a second argument of shape {column}": lambda: card(first, np.ones(column, second.dtype), *rest),
            "a mask (5,)": lambda: card(first, second, *rest, mask=np.ones(5, bool)),
            "a weight (4, 1)": lambda: card(first, second, *rest, weight=np.ones((4, 1))),
        }
    else:
        attempts = {}
    for what, attempt in attempts.items():
        try:
            attempt()
            came = "was accepted"
        except ValueError as error:
            if str(error).startswith(card.name + ":"):
                continue
            came = f"raises without naming the function: {error}"
        except Exception as error:
            came = f"raises {type(error).__name__}: {error}"
        yield Finding(
            "shapes_refused",
            f"{what} {came}",
            f"{subject.name} on {what}",
            "leave the arguments to the kind, which compares shapes before the body runs",
        )


def parameters_refused(subject: Subject) -> Iterator[Finding]:
    """Check that each parameter has a domain, and values outside raise ValueError that names the parameter."""
    for name, parameter in subject.card.parameters.items():
        if parameter.domain is None:
            yield Finding(
                "parameters_refused",
                f"parameter {name} has no domain, so nothing is refused",
                f"{subject.name}.parameters[{name!r}]",
                f"annotate it, as in {name}: Positive = {parameter.default!r} (slopes.domains)",
            )
            continue
        for value in parameter.domain.outside():
            try:
                subject.card.with_(**{name: value})
                came = "was accepted"
            except ValueError as error:
                if name in str(error):
                    continue
                came = f"raises without naming the parameter: {error}"
            except Exception as error:
                came = f"raises {type(error).__name__}: {error}"
            yield Finding(
                "parameters_refused",
                f"{name}={value!r} {came}; the domain is {parameter.domain}",
                f"{subject.name}.with_({name}={value!r})",
                "let the domain's admits() answer False for it",
            )
