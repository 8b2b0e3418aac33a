"""Kernels: machine code for the element-wise cards, printed from what their bodies do.

`program` records a card's body and derivative as a straight-line program (`slopes.readings.trace`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slopes.card import Card
from slopes.readings.program import Program
from slopes.readings.trace import TraceError, record

__all__ = ["TraceError", "program"]


def program(
    card: Card, *outputs: str, dtype: str = "float64", inputs: Sequence[str] = (), **parameters: Any
) -> Program:
    """Return the program of an element-wise card: its value and its slope, or the named ones of these outputs.

    The outputs are "value", "slope" and "vjp", which takes a further input, the cotangent; a gate has one slope for
    each half, "slope_gate" and "slope_value". Parameters are literals in the program, but those that `inputs` names
    are inputs after the card's arguments.

    Raises TraceError for a body that is no straight line of operations on entries.
    """
    for name in inputs:
        if name not in card.parameters:
            raise TypeError(f"{card.name}: no parameter {name!r} to be an input")
    known = ("value", *_slopes(card), *(() if card.family == "gate" else ("vjp",)))
    for name in outputs:
        if name not in known:
            raise ValueError(f"{card.name}: unknown output {name!r}; a program of it has {', '.join(known)}")
    settings = card.with_(**parameters).settings
    names = card._arguments
    chosen = outputs or (("value",) if card.slope_body is None else ("value", *_slopes(card)))
    cotangent = ["cotangent"] if "vjp" in chosen else []

    def compute(*given: Any) -> dict[str, Any]:
        arguments, rest = given[: len(names)], given[len(names) :]
        bound = {**settings, **dict(zip(inputs, rest, strict=False))}
        results: dict[str, Any] = {}
        if "value" in chosen:
            results["value"] = card.body(*arguments, **bound)
        if set(chosen) - {"value"}:
            if card.slope_body is None:
                raise TraceError("it has no derivative of its own")
            slopes = card.slope_body(*arguments, **bound)
            results.update(zip(_slopes(card), slopes if isinstance(slopes, tuple) else (slopes,), strict=True))
        if cotangent:
            results["vjp"] = rest[-1] * results["slope"]
        return {name: results[name] for name in chosen}

    try:
        return record(compute, [*names, *inputs, *cotangent], dtype)
    except TraceError as error:
        raise TraceError(f"{card.name} cannot be traced: {error}") from error.__cause__


def _slopes(card: Card) -> tuple[str, ...]:
    return tuple(f"slope_{name}" for name in card._arguments) if card.family == "gate" else ("slope",)
