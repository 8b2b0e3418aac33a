"""Move the special entries of a row, such as the label's, out of the loops over all entries.

The derivative of cross-entropy is one expression at the label and another elsewhere; a body writes both for each entry,
multiplied by 1 and 0. Here the label's is computed once per row. Rounding stays, but 0 times inf or NaN is 0.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import permutations
from math import inf
from typing import Any

from slopes.readings.program import Program
from slopes.readings.trace import Recorder, Traced, prune

_COMPUTE: dict[str, Callable[..., Any]] = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "negate": operator.neg, "absolute": abs,
    "less": operator.lt, "less_equal": operator.le, "equal": operator.eq, "not_equal": operator.ne,
    "and": operator.and_, "or": operator.or_, "not": operator.not_,
}  # fmt: skip
#: operations whose kind does not follow from their arguments
_OWN = {"input", "constant", "constants", "index", "width", "place_of_largest", "shift"}
MOST_PERMUTED = 3  #: conditions tried in every order
Operand = Traced | float | bool  #: a line, or a number that needs none
Assumption = Mapping[int, bool]  #: by a condition's place, whether it holds


def split_special_entries(program: Program) -> Program:
    split = _Split(program)
    places = {}
    for name, place in program.outputs:
        result = split.copy(place)
        line = program.lines[place]
        places[name] = split.recorder.value(result, line.dtype).place
    return prune(split.recorder.lines, places)


class _Split:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.recorder = Recorder("float64", has_rows=True)
        self.copies: dict[tuple[int, frozenset[tuple[int, bool]]], Operand] = {}
        for place, line in enumerate(program.lines):
            if line.operation == "input":
                self.copies[place, frozenset()] = self.recorder.record(
                    "input", dtype=line.dtype, text=line.text, per=line.per
                )
        self.conditions = dict(self._find_conditions())  #: place of "is this the entry?": place of the entry
        self.dependences: list[frozenset[int]] = []  #: conditions in each line of entries
        for place, line in enumerate(program.lines):
            own = {place} if place in self.conditions else set()
            of_entries = line.per == "entry"
            self.dependences.append(
                frozenset(own.union(*(self.dependences[a] for a in line.arguments))) if of_entries else frozenset()
            )

    def _find_conditions(self) -> Iterator[tuple[int, int]]:
        lines = self.program.lines
        for place, line in enumerate(lines):
            if line.operation == "equal" and "index" in (found := [lines[a].operation for a in line.arguments]):
                other = line.arguments[1 - found.index("index")]
                if lines[other].per == "row":
                    yield place, other

    def copy(self, place: int) -> Operand:
        """Split off special entries where the result leaves a loop."""
        key = place, frozenset[tuple[int, bool]]()
        line = self.program.lines[place]
        if key not in self.copies and line.operation == "sum":
            self.copies[key] = self._sum(place)
        if key not in self.copies and line.operation == "pick":
            values, at = line.arguments
            here = {c: True for c, entry in self.conditions.items() if entry == at and c in self.dependences[values]}
            self.copies[key] = self._pick(self.specialise(values, here), at)
        is_output = any(place == output for _, output in self.program.outputs)
        if is_output and line.per == "entry":
            return self._chosen(place)
        return self.specialise(place, {})

    def specialise(self, place: int, assumption: Assumption) -> Operand:
        assumption = {c: is_true for c, is_true in assumption.items() if c in self.dependences[place]}
        if place in assumption:
            return assumption[place]
        key = place, frozenset(assumption.items())
        if key not in self.copies:
            line = self.program.lines[place]
            if line.per != "entry" and line.operation in ("sum", "pick"):
                return self.copy(place)
            self.copies[key] = self._compute(place, [self.specialise(a, assumption) for a in line.arguments])
        return self.copies[key]

    def _compute(self, place: int, operands: list[Operand]) -> Operand:
        line = self.program.lines[place]
        if line.operation == "constant" and line.dtype != "int64":
            return float(line.text)
        simple = _simplify(line.operation, operands)
        if simple is not None:
            return simple
        dtypes = [self.program.lines[a].dtype for a in line.arguments]
        places = [self.recorder.value(x, d).place for x, d in zip(operands, dtypes, strict=True)]
        if line.operation == "multiply":
            scaled = self._scaled(operands, line.dtype)
            if scaled is not None:
                return scaled
        per = line.per if line.operation in _OWN else ""
        return self.recorder.record(line.operation, *places, dtype=line.dtype, text=line.text, per=per)

    def _scaled(self, operands: list[Operand], dtype: str) -> Operand | None:
        """Compute entry / (1 + …) · number as entry · (number / (1 + …)): one division per row."""
        lines = self.recorder.lines
        for x, factor in (operands, operands[::-1]):
            if not isinstance(x, Traced) or not isinstance(factor, Traced) or factor.per != "row" or x.per != "entry":
                continue
            if lines[x.place].operation != "divide":
                continue
            entry, divisor = lines[x.place].arguments
            parts = [lines[a].text for a in lines[divisor].arguments if lines[a].operation == "constant"]
            if lines[divisor].per == "row" and lines[divisor].operation == "add" and parts == ["1.0"]:
                quotient = self.recorder.record("divide", factor.place, divisor, dtype=dtype)
                return self.recorder.record("multiply", entry, quotient.place, dtype=dtype)
        return None

    def _special(self, place: int) -> tuple[Operand, dict[int, Operand]]:
        """(result at most entries, {condition: result per row at its entry})."""
        conditions = sorted(self.dependences[place])
        orders = permutations(conditions) if len(conditions) <= MOST_PERMUTED else [tuple(conditions)]
        needed = min((self._needed(place, order) for order in orders), key=len)
        elsewhere = self.specialise(place, dict.fromkeys(conditions, False))
        return elsewhere, {c: self._pick(self.specialise(place, {c: True}), self.conditions[c]) for c in needed}

    def _needed(self, place: int, conditions: tuple[int, ...]) -> list[int]:
        """Conditions that change the result where earlier ones do not hold."""
        assumed: dict[int, bool] = {}
        needed = []
        for condition in conditions:
            here, elsewhere = (self.specialise(place, {**assumed, condition: holds}) for holds in (True, False))
            if not _is_same(here, elsewhere):
                needed.append(condition)
            assumed[condition] = False
        return needed

    def _pick(self, values: Operand, at: int) -> Operand:
        if not isinstance(values, Traced) or values.per != "entry":
            return values
        entry = self.copy(at)
        assert isinstance(entry, Traced)
        return self.recorder.record("pick", values.place, entry.place, dtype=values.dtype, per="row")

    def _chosen(self, place: int) -> Traced:
        """Results of entries, with special ones chosen by their conditions."""
        dtype = self.program.lines[place].dtype
        elsewhere, special = self._special(place)
        result = self.recorder.value(elsewhere, dtype)
        for condition, value in special.items():
            is_here = self.specialise(condition, {})
            assert isinstance(is_here, Traced)
            pair = self.recorder.value(value, dtype).place, result.place
            result = self.recorder.record("where", is_here.place, *pair, dtype=dtype)
        if result.per == "entry":
            return result
        return self.recorder.record(dtype, result.place, dtype=dtype, per="entry")

    def _sum(self, place: int) -> Operand:
        """A sum, or its one term other than 0."""
        line = self.program.lines[place]
        (term,) = line.arguments
        elsewhere, special = self._special(term)
        terms = [value for value in special.values() if not _is(value, 0)]
        if _is(elsewhere, 0) and len(terms) == 1:
            return terms[0]
        return self.recorder.record("sum", self._chosen(term).place, dtype=line.dtype, per="row")


def _is(x: Operand, number: float) -> bool:
    return not isinstance(x, Traced) and x == number


def _is_same(a: Operand, b: Operand) -> bool:
    if isinstance(a, Traced) and isinstance(b, Traced):
        return a.place == b.place
    return not isinstance(a, Traced) and not isinstance(b, Traced) and a == b


def _simplify(operation: str, operands: list[Operand]) -> Operand | None:
    """The result, if it is a number or an operand."""
    if operands and operation in _COMPUTE and not any(isinstance(x, Traced) for x in operands):
        return _COMPUTE[operation](*operands)  # type: ignore[no-any-return]
    return _SIMPLER[operation](*operands) if operation in _SIMPLER else None


def _choice(condition: Operand, a: Operand, b: Operand) -> Operand | None:
    if isinstance(condition, Traced):
        return None
    return a if condition else b


def _junction(a: Operand, b: Operand, deciding: bool) -> Operand | None:
    if not isinstance(a, bool):
        a, b = b, a
    if not isinstance(a, bool):
        return None
    return a if a == deciding else b


def _product(a: Operand, b: Operand) -> Operand | None:
    if _is(a, 0) or _is(b, 0):
        return 0.0
    if _is(a, 1):
        return b
    return a if _is(b, 1) else None


def _sum(a: Operand, b: Operand) -> Operand | None:
    if _is(a, 0):
        return b
    return a if _is(b, 0) else None


_SIMPLER: dict[str, Callable[..., Operand | None]] = {
    "where": _choice,
    "and": partial(_junction, deciding=False),
    "or": partial(_junction, deciding=True),
    "multiply": _product,
    "divide": lambda a, b: a if _is(b, 1) or _is(a, 0) else None,
    "add": _sum,
    "subtract": lambda a, b: a if _is(b, 0) else None,
    "shift": lambda a, place, largest: a if _is(a, -inf) else None,  # whatever the largest is
}
