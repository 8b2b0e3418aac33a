"""Print a program as the source of a Numba kernel: a loop over the entries, in which each line is a local variable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from slopes.readings.program import Line, Program

_OPERATORS = {
    "add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "divide": "{} / {}", "power": "{} ** {}",
    "negate": "-{}", "absolute": "abs({})", "rint": "nearest({})", "less": "{} < {}", "less_equal": "{} <= {}",
    "equal": "{} == {}", "not_equal": "{} != {}", "and": "{} & {}", "or": "{} | {}", "not": "not {}",
    "float32": "single({})", "float64": "double({})",
}  # fmt: skip

HEADER = '''\
"""{title}, a kernel that slopes has written."""

from math import inf, nan

from numba import njit
from numpy import float32 as single, float64 as double
from slopes.kernels.elementary import OPTIONS, cos, decay, exp, expm1, log, log1p, sin, sinh, sqrt, tanh
from slopes.kernels.elementary import place_of_largest
from slopes.kernels.machine import add_in_any_order, fma, narrow, nearest, where


@njit("void({signature})", cache=True, **OPTIONS)
def kernel({parameters}):
'''
ENTRIES = """\
    for i in range({first}.size):
"""
ROWS = """\
    width = {first}.shape[1]
    for i in range({first}.shape[0]):
"""


def print_kernel(program: Program, title: str, scalars: Sequence[str] = ()) -> str:
    """Return the source of a module with a function `kernel`, which takes one-dimensional arrays without gaps.

    They are the inputs of the program, of which `scalars` are numbers, and then an array for each output.
    """
    names = [f"{name}_out" for name, _ in program.outputs]
    arrays = [name for name in program.inputs if name not in scalars]
    kinds = {line.text: line.dtype for line in program.lines if line.operation == "input"}
    signature = [kinds[name] + ("" if name in scalars else "[::1]") for name in program.inputs]
    signature += [f"{program.lines[place].dtype}[::1]" for _, place in program.outputs]
    parameters = [name if name in scalars else f"{name}_in" for name in program.inputs]
    body = [f"{name} = {name}_in[i]" for name in arrays]
    for place, line in enumerate(program.lines):
        if line.operation not in ("input", "constant"):
            body.append(f"v{place} = {_expression(program, line)}")
    for name, (_, place) in zip(names, program.outputs, strict=True):
        body.append(f"{name}[i] = {_operand(program, place)}")
    header = (HEADER + ENTRIES).format(
        title=title,
        signature=", ".join(signature),
        parameters=", ".join([*parameters, *names]),
        first=f"{arrays[0]}_in",
    )
    return header + "".join(f"        {line}\n" for line in body)


def _expression(program: Program, line: Line) -> str:
    operands = [_operand(program, place) for place in line.arguments]
    if line.operation in _OPERATORS:
        return _OPERATORS[line.operation].format(*operands)
    return f"{line.operation}({', '.join(operands)})"


def _operand(program: Program, place: int) -> str:
    """Return the name of a line's result, or a constant in its dtype."""
    line = program.lines[place]
    if line.operation != "constant":
        return program.name(place)
    return f"single({line.text})" if line.dtype == "float32" else f"({line.text})" if line.text[0] == "-" else line.text


class _Rows:
    """The body of a loop over rows: a loop over the entries for each stage of sums, and one for what entries result.

    What is needed of each entry is computed anew in each loop, from the inputs and from what rows have by then.
    """

    def __init__(self, program: Program) -> None:
        self.program, self.text = program, []  # type: tuple[Program, list[str]]
        self.known: set[int] = set()
        self.stages: list[int] = []
        for line in program.lines:
            stage = max((self.stages[place] for place in line.arguments), default=0)
            self.stages.append(stage + (line.operation in ("sum", "place_of_largest")))

    def write(self, text: str, depth: int) -> None:
        self.text.append("    " * depth + text)

    def entries(self, targets: Iterable[int], index: str, depth: int) -> dict[int, str]:
        """Write what the targets need of the entry at an index, and return the names of the results."""
        suffix = "" if index == "j" else f"_at_{index}"
        names: dict[int, str] = {}

        def visit(place: int) -> None:
            line = self.program.lines[place]
            if line.per != "entry" or place in names:
                return
            for argument in line.arguments:
                visit(argument)
            names[place] = index if line.operation == "index" else f"{self.program.name(place)}{suffix}"
            if line.operation == "input":
                self.write(f"{names[place]} = {line.text}_in[i, {index}]", depth)
            elif line.operation != "index":
                self.write(f"{names[place]} = {self.expression(line, names)}", depth)

        for target in targets:
            visit(target)
        return names

    def expression(self, line: Line, names: Mapping[int, str]) -> str:
        operands = [names.get(place) or _operand(self.program, place) for place in line.arguments]
        if self.program.lines[line.arguments[0]].dtype == "int64" if line.arguments else False:
            operands = [f"narrow({operand})" for operand in operands]
        if line.operation == "width":
            return "single(width)" if line.dtype == "float32" else "double(width)"
        if line.operation in _OPERATORS:
            return _OPERATORS[line.operation].format(*operands)
        return f"{line.operation}({', '.join(operands)})"

    def of_rows(self, stage: int) -> None:
        """Write what rows have from a stage on, in the order of the program."""
        for place, line in enumerate(self.program.lines):
            is_of_rows = line.per == "row" or (line.per == "call" and line.operation != "constant")
            if not is_of_rows or place in self.known or self.stages[place] > stage:
                continue
            self.known.add(place)
            name = self.program.name(place)
            if line.operation == "input":
                self.write(f"{name} = {line.text}_in[i]", 2)
            elif line.operation == "pick":
                values, at = line.arguments
                index = _operand(self.program, at)
                names = self.entries([values], index, 2)
                self.write(f"{name} = {names.get(values) or _operand(self.program, values)}", 2)
            else:
                self.write(f"{name} = {self.expression(line, {})}", 2)

    def find_largest(self, place: int, row: int) -> None:
        """Write where the first largest entry lies: by a quick function of an input, else by a loop."""
        name, line = self.program.name(place), self.program.lines[row]
        if line.operation == "input":
            self.write(f"{name} = place_of_largest({line.text}_in[i])", 2)
            return
        kind = "single" if line.dtype == "float32" else "double"
        self.write(f"{name}, {name}_value = 0, {kind}(-inf)", 2)
        self.write("for j in range(width):", 2)
        value = self.entries([row], "j", 3)[row]
        self.write(f"if {value} > {name}_value or ({value} != {value} and {name}_value == {name}_value):", 3)
        self.write(f"{name}, {name}_value = j, {value}", 4)

    def reduce(self, stage: int) -> None:
        """Write the loop of the sums of a stage, and find its largest entries."""
        found = [p for p, line in enumerate(self.program.lines) if line.per == "row" and self.stages[p] == stage]
        sums = [p for p in found if self.program.lines[p].operation == "sum"]
        for place in found:
            line = self.program.lines[place]
            if line.operation == "place_of_largest":
                self.find_largest(place, *line.arguments)
                self.known.add(place)
        if sums:
            for place in sums:
                self.write(f"{self.program.name(place)}_sum = 0.0", 2)
            self.write("for j in range(width):", 2)
            terms = {place: self.program.lines[place].arguments[0] for place in sums}
            names = self.entries(terms.values(), "j", 3)
            for place, term in terms.items():
                total = f"{self.program.name(place)}_sum"
                value = names.get(term) or _operand(self.program, term)
                self.write(f"{total} = add_in_any_order({total}, double({value}))", 3)
            for place in sums:
                kind = "single" if self.program.lines[place].dtype == "float32" else "double"
                self.write(f"{self.program.name(place)} = {kind}({self.program.name(place)}_sum)", 2)
                self.known.add(place)


def print_row_kernel(program: Program, title: str) -> str:
    """Return the source of a module with a function `kernel` for the program of a function of rows.

    It takes a matrix without gaps for each input of entries and an array for each input of rows, in the order of the
    program, and then one for each output.
    """
    rows = _Rows(program)
    rows.of_rows(0)
    for stage in range(1, max(rows.stages) + 1):
        rows.reduce(stage)
        rows.of_rows(stage)
    entries = {}
    for name, place in program.outputs:
        if program.lines[place].per == "entry":
            entries[name] = place
        else:
            rows.write(f"{name}_out[i] = {_operand(program, place)}", 2)
    if entries:
        rows.write("for j in range(width):", 2)
        names = rows.entries(entries.values(), "j", 3)
        for name, place in entries.items():
            rows.write(f"{name}_out[i, j] = {names[place]}", 3)
    inputs = [line for line in program.lines if line.operation == "input"]
    lines = [*inputs, *(program.lines[place] for _, place in program.outputs)]
    signature = ", ".join(f"{line.dtype}[{'::1' if line.per == 'row' else ':,::1'}]" for line in lines)
    parameters = [*(f"{line.text}_in" for line in inputs), *(f"{name}_out" for name, _ in program.outputs)]
    first = next(f"{line.text}_in" for line in inputs if line.per == "entry")
    header = (HEADER + ROWS).format(title=title, signature=signature, parameters=", ".join(parameters), first=first)
    return header + "".join(f"{line}\n" for line in rows.text)
