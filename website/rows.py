"""Functions of rows as functions of numbers: a row of three, whose first entry moves.

Their programs become straight lines of numbers, one for each entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from slopes.card import Card, Loss
from slopes.kernels.programs import is_number, program
from slopes.readings.program import Line, Program, evaluate
from slopes.readings.trace import TraceError, prune

ENTRIES = ("x", "second", "third")  #: of a row; a loss's target is the first class


def is_of_rows(card: Card) -> bool:
    """Return whether a card maps rows, or is a loss of logits and a label, and has a program."""
    if isinstance(card, Loss):
        is_one = card.kind.takes_labels and card.rowwise and card.kind.spaces(card.settings)[0].is_logit
    else:
        is_one = card.family == "map"
    if not is_one:
        return False
    try:
        trace_rows(card)
    except TraceError:
        return False
    return True


def trace_rows(card: Card) -> Program:
    """Return the program of rows; its inputs are the row, then the cotangent or label, then parameters with an effect.

    A map has "value" and "vjp", a loss "value" and "slope".
    """
    numbers = [name for name, value in card.settings.items() if is_number(value)]
    outputs, labels = ("value", "slope" if isinstance(card, Loss) else "vjp"), isinstance(card, Loss)
    try:
        recorded = program(card, *outputs, inputs=numbers, labels=labels)
    except TraceError:
        return program(card, *outputs, labels=labels)
    kept = [name for name in numbers if _has_effect(recorded, card, name)]
    return program(card, *outputs, inputs=kept, labels=labels)


def _has_effect(recorded: Program, card: Card, name: str) -> bool:
    """Return whether a parameter changes the results for some row: a number added to all logits of it does not."""
    given: dict[str, Any] = {card._arguments[0]: np.array([[0.5, -1.0, 2.0]])}
    given |= {"target": np.array([0])} if isinstance(card, Loss) else {"cotangent": np.array([[1.0, 0.0, 0.0]])}
    given |= {line.text: card.settings[line.text] for line in recorded.lines if line.text in card.settings}
    with np.errstate(all="ignore"):
        here, there = evaluate(recorded, **given), evaluate(recorded, **{**given, name: 1.5 * given[name] + 0.1})
    return any(not np.allclose(here[key], there[key], rtol=1e-9) for key in here)


def unroll(recorded: Program) -> Program:
    """Return a program of `trace_rows` with an input for each entry; its slope is by the first entry.

    Entries are finite. The cotangent is 1 for the first entry, and the label is the first class.
    """
    unrolled = _Unrolled()
    for line in recorded.lines:
        unrolled.follow(line)
    firsts = {name.replace("vjp", "slope"): unrolled.results[place][0] for name, place in recorded.outputs}
    return prune(unrolled.lines, firsts)


class _Unrolled:
    """Lines of numbers, and for each line of the program of rows the places of its entries."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.results: list[list[int]] = []
        self.width = len(ENTRIES)

    def follow(self, line: Line) -> None:
        """Add the entries of a line."""
        given = [self.results[place] for place in line.arguments]
        own = getattr(self, f"_{line.operation}", None)
        if own:
            self.results.append(own(line, *given))
        else:
            count = max(map(len, given))
            columns = zip(*(entries * (count // len(entries)) for entries in given), strict=True)
            self.results.append([self.add(line.operation, *places, dtype=line.dtype) for places in columns])

    def add(self, operation: str, *arguments: int, dtype: str, text: str = "") -> int:
        """Return the place of a line, which is added unless there is an equal one or its result is known."""
        known = self._fold(operation, arguments, dtype)
        if known is not None:
            return known
        line = Line(operation, arguments, dtype, text)
        if line not in self.lines:
            self.lines.append(line)
        return self.lines.index(line)

    def constant(self, number: float, dtype: str) -> int:
        return self.add("constant", dtype=dtype, text=repr(number))

    def _number(self, place: int) -> float | None:
        line = self.lines[place]
        return float(line.text) if line.operation == "constant" else None

    def _fold(self, operation: str, arguments: Sequence[int], dtype: str) -> int | None:
        """Return the place of a result that follows from constants: of labels, places and zeros of the cotangent."""
        numbers = [self._number(place) for place in arguments]
        if operation == "equal" and None not in numbers:
            return self.constant(float(numbers[0] == numbers[1]), "bool")
        if operation == "where" and (numbers[0] is not None or arguments[1] == arguments[2]):
            return arguments[1 if numbers[0] else 2]
        if operation == "multiply" and 0.0 in numbers:
            return self.constant(0.0, dtype)
        if operation == "multiply" and 1.0 in numbers:
            return arguments[1 - numbers.index(1.0)]
        if operation == "add" and 0.0 in numbers:
            return arguments[1 - numbers.index(0.0)]
        return arguments[0] if operation == "subtract" and numbers[1] == 0.0 else None

    def _input(self, line: Line) -> list[int]:
        if line.text == "cotangent":
            return [self.constant(float(k == 0), line.dtype) for k in range(self.width)]
        if line.dtype == "int64":
            return [self.constant(0, "int64")]
        names = ENTRIES if line.per == "entry" else (line.text,)
        return [self.add("input", dtype=line.dtype, text=name) for name in names]

    def _constant(self, line: Line) -> list[int]:
        return [self.add("constant", dtype=line.dtype, text=line.text)]

    def _index(self, line: Line) -> list[int]:
        return [self.constant(k, "int64") for k in range(self.width)]

    def _width(self, line: Line) -> list[int]:
        return [self.constant(self.width, line.dtype)]

    def _sum(self, line: Line, entries: list[int]) -> list[int]:
        total = entries[0]
        for place in entries[1:]:
            total = self.add("add", total, place, dtype=line.dtype)
        return [total]

    def _place_of_largest(self, line: Line, entries: list[int]) -> list[int]:
        largest, found = entries[0], self.constant(0, "int64")
        for k, place in enumerate(entries[1:], 1):
            is_larger = self.add("less", largest, place, dtype="bool")
            largest = self.add("where", is_larger, place, largest, dtype=self.lines[place].dtype)
            found = self.add("where", is_larger, self.constant(k, "int64"), found, dtype="int64")
        return [found]

    def _pick(self, line: Line, entries: list[int], at: list[int]) -> list[int]:
        picked = entries[-1]
        for k in reversed(range(len(entries) - 1)):
            picked = self.add("where", self._is_at(at[0], k), entries[k], picked, dtype=line.dtype)
        return [picked]

    def _shift(self, line: Line, entries: list[int], at: list[int], largest: list[int]) -> list[int]:
        shifted = [self.add("subtract", place, largest[0], dtype=line.dtype) for place in entries]
        zero = self.constant(0.0, line.dtype)
        return [
            self.add("where", self._is_at(at[0], k), zero, place, dtype=line.dtype) for k, place in enumerate(shifted)
        ]

    def _is_at(self, place: int, k: int) -> int:
        return self.add("equal", place, self.constant(k, "int64"), dtype="bool")
