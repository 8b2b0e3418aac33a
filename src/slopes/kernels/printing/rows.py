"""Print a program of rows as a Numba kernel: for each row, a loop over its entries per stage of sums.

A line's stage is the number of sums and searches that it needs one after another. Loops compute entries anew, but the
first keeps costly ones in an array of a row's length, which stays in the cache. Loops are functions, so that LLVM holds
their constants in registers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from slopes.kernels.printing.entries import HEADER, OPERATORS, operand_of
from slopes.readings.program import Line, Program

#: slower than reading a kept result
COSTLY = {"exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "sinh", "decay", "power"}

IMPORTS = """
from numba import njit
from numpy import empty
"""
ROW_IMPORTS = """\
from slopes.kernels.arithmetic.machine import add_in_any_order, borrowed, fma, hold, narrow, nearest, stand_apart, where
from slopes.kernels.arithmetic.rows import BLOCK, exp_of_difference, fill_ranks, place_of_largest, shiftable, sum_of
"""
FUNCTION = """\
@njit(**OPTIONS)
def {name}({parameters}):
    stand_apart()
{lines}


"""


EMPTY: Mapping[str, str] = {}


def print_row_kernel(program: Program, title: str) -> str:
    """Source of a module with a function `kernel` for a program of rows.

    It takes an array without gaps per input and output: a matrix for entries, one axis for rows; then, if there are
    inputs per call, one array of these numbers. An output of entries may overwrite an input. A row whose "cotangent" is
    0 is not read; its results are 0.
    """
    inputs = program.arrays
    lines = [*inputs, *program.results]
    header = HEADER.replace("\nfrom numba import njit\n", IMPORTS).replace(
        "from slopes.kernels.arithmetic.machine import fma, nearest, where\n", ROW_IMPORTS
    )
    types = [f"{line.dtype}[{'::1' if line.per == 'row' else ':,::1'}]" for line in lines]
    names = [f"{line.text}_in" for line in inputs] + [f"{name}_out" for name, _ in program.outputs]
    if len(inputs) < len(program.inputs):
        types.append("float64[::1]")
        names.append("numbers_in")
    header = header.format(title=title, signature=", ".join(types), parameters=", ".join(names))
    rows = _Rows(program)
    body = "".join(f"{line}\n" for line in rows.lines())
    decorator = header.index("@njit")
    return header[:decorator] + "".join(rows.functions) + header[decorator:] + body


def reads_inputs_last(text: str) -> bool:
    """Whether the last loop reads inputs: writing there, too, would keep it from vectorising."""
    lines = (line.partition(" = ")[2] for line in text.rpartition("for j in")[2].splitlines())
    return any("_row[j]" in expression for expression in lines)


def find_stages(program: Program) -> list[int]:
    """Number of loops before each line; a sum that no other loop needs joins the last."""
    lines = program.lines
    loops = [place for place, line in enumerate(lines) if line.operation in ("sum", "place_of_largest")]
    needed: set[int] = set()
    for place in reversed(range(len(lines))):
        if place in loops or place in needed:
            needed.update(lines[place].arguments)
    last = 0
    for _ in range(2):  # the second turn knows the last loop
        stages: list[int] = []
        for place, line in enumerate(lines):
            stage = max((stages[argument] for argument in line.arguments), default=0) + (place in loops)
            stages.append(last if last and line.operation == "sum" and place not in needed else stage)
        last = max((stages[place] for place in loops if lines[place].operation == "sum"), default=0)
    return stages


class _Rows:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.text: list[str] = []
        self.functions: list[str] = []  #: the loops
        self.known: set[int] = set()  #: written lines with one result per row
        self.filled: set[int] = set()  #: lines whose array is filled
        self.at: dict[str, dict[int, str]] = {}  #: names of results by index
        self.stages = find_stages(program)
        self.sums: dict[int, list[int]] = {}
        for place, line in enumerate(program.lines):
            if line.operation == "sum":
                self.sums.setdefault(self.stages[place], []).append(place)
        self.results = {name: place for name, place in program.outputs if program.lines[place].per == "entry"}
        self.kept = self._find_kept()

    def _find_kept(self) -> list[int]:
        """Costly lines that several loops need, and lines whose largest is needed."""
        lines = self.program.lines
        kept = [line.arguments[0] for line in lines if line.operation == "place_of_largest"]
        kept = [place for place in dict.fromkeys(kept) if not self.input_of(place)]
        entries = [self.special_entry(line.arguments[0]) for line in lines if line.operation == "sum"]
        kept += [entry[2] for entry in entries if entry and lines[entry[2]].operation in COSTLY]
        seen: set[int] = set()
        loops = [
            [self.program.lines[place].arguments[0] for place in places] for _, places in sorted(self.sums.items())
        ]
        for targets in [*loops, list(self.results.values())]:
            seen |= self._keep_repeated(targets, seen, kept)
        return sorted(set(kept))

    def _keep_repeated(self, stack: list[int], seen: set[int], kept: list[int]) -> set[int]:
        """Lines that a loop needs; costly ones among those `seen` are added to `kept`."""
        visited: set[int] = set()
        while stack:
            place = stack.pop()
            line = self.program.lines[place]
            if place in visited or line.per != "entry":
                continue
            visited.add(place)
            if line.operation in COSTLY and place in seen:
                kept.append(place)
            if place not in kept or place not in seen:
                stack.extend(line.arguments)
        return visited

    def lines(self) -> list[str]:
        program = self.program
        inputs = program.arrays
        scalars = [place for place in self.rows_of("input") if program.lines[place].per == "call"]
        for at, place in enumerate(scalars):
            self.write(f"{operand_of(program, place)} = {_kind(program.lines[place])}(numbers_in[{at}])", 1)
        first = next(f"{line.text}_in" for line in inputs if line.per == "entry")
        self.write(f"width = {first}.shape[1]", 1)
        entries = [f"{line.text}_in" for line in inputs if line.per == "entry"]
        for name in [*entries, *(f"{name}_out" for name in self.results)]:
            self.write(f"{name} = borrowed({name})", 1)
        own = {self.array(place): program.lines[place] for place in self.kept}
        own |= {f"{program.name(place)}_row": program.lines[place] for place in self.rows_of("ranks", "constants")}
        for array, line in own.items():
            numbers = line.text.split() if line.operation == "constants" else []
            size = f"max(width, {len(numbers)})" if numbers else "width"
            self.write(f"{array}_memory = empty({size}, {_kind(line)})", 1)
            self.write(f"{array} = borrowed({array}_memory)", 1)
            for at, number in enumerate(numbers):
                self.write(f"{array}[{at}] = {_kind(line)}({number})", 1)
        self.write(f"for i in range({first}.shape[0]):", 1)
        for line in inputs:
            self.write(f"{line.text}{'_row' if line.per == 'entry' else ''} = {line.text}_in[i]", 2)
        self._write_row(inputs)
        for array in own:
            self.write(f"hold({array}_memory)", 1)
        return self.text

    def _write_row(self, inputs: list[Line]) -> None:
        if any(line.text == "cotangent" and line.per == "row" for line in inputs):
            self.write("if cotangent == 0:", 2)
            for name, _ in self.program.outputs:
                self.write(f"{name}_out[i] = 0", 3)
            self.write("continue", 3)
        for place in self.rows_of("ranks"):
            row = self.input_of(self.program.lines[place].arguments[0])
            self.write(f"fill_ranks({row}_row, {self.program.name(place)}_row)", 2)
        self.compute_rows(0)
        for stage in range(1, max(self.stages) + 1):
            self.find_largest_entries(stage)
            self.compute_sums(stage)
            self.compute_rows(stage)
        for name, place in self.program.outputs:
            if name not in self.results:
                self.write(f"{name}_out[i] = {operand_of(self.program, place)}", 2)
        if self.results:
            self.write_results()

    def write_results(self) -> None:
        program, special = self.program, list[str]()
        for name in self.results:
            self.write(f"{name}_row = {name}_out[i]", 2)
        ends = {}
        for name, place in self.results.items():
            while (entry := self.special_entry(place)) is not None:
                at, value, place = entry
                special.append(f"{name}_row[{operand_of(program, at)}] = {operand_of(program, value)}")
            ends[name] = place
        start = len(self.text)
        names = self.compute_entries(ends.values(), "j")
        for name, place in ends.items():
            self.write(f"{name}_row[j] = {names.get(place) or operand_of(program, place)}", 2)
        self.move_loop(start, "compute_results", "width", 2)
        for text in special:
            self.write(text, 2)

    def special_entry(self, place: int) -> tuple[int, int, int] | None:
        """Lines of (place, result there, results elsewhere) if a line chooses by place."""
        line, lines = self.program.lines[place], self.program.lines
        if line.operation != "where" or lines[line.arguments[1]].per == "entry":
            return None
        condition, value, rest = line.arguments
        places = [a for a in lines[condition].arguments if lines[a].operation != "index"]
        is_choice = lines[condition].operation == "equal" and len(places) == 1 and lines[places[0]].dtype == "int64"
        return (places[0], value, rest) if is_choice else None

    def write(self, text: str, depth: int) -> None:
        self.text.append("    " * depth + text)

    def move_loop(self, start: int, name: str, size: str, depth: int, kinds: Mapping[str, str] = EMPTY) -> None:
        """Make the lines from `start` on a function with a loop that returns the sums in `kinds`, and call it."""
        lines = self.text[start:]
        del self.text[start:]
        text = [f"    {total} = {kind}(0.0)" for total, kind in kinds.items()]
        text += [f"    for j in range({size}):", *lines]
        text += [f"    return {', '.join(kinds)}"] if kinds else []
        assigned = {found for line in lines for found in re.findall(r"^ +(\w+) = ", line)} | {"j", *kinds}
        used = dict.fromkeys(re.findall(r"\b[a-z]\w*", " ".join([*lines, size])))
        given = [found for found in used if found not in assigned and self.is_variable(found)]
        self.functions.append(FUNCTION.format(name=name, parameters=", ".join(given), lines="\n".join(text)))
        results = f"{', '.join(kinds)} = " if kinds else ""
        self.write(f"{results}{name}({', '.join(given)})", depth)

    def is_variable(self, name: str) -> bool:
        inputs = {line.text for line in self.program.lines if line.operation == "input"}
        is_array = name.endswith(("_row", "_part", "_kept", "_less", "_number"))
        return is_array or name in inputs or name in ("start", "width") or bool(re.match(r"v\d", name))

    def array(self, place: int) -> str:
        return f"{self.program.name(place)}_kept"

    def input_of(self, place: int) -> str:
        """Name of the input that a line has, in any dtype, or ""."""
        line = self.program.lines[place]
        if line.operation in ("float32", "float64"):
            line = self.program.lines[line.arguments[0]]
        return line.text if line.operation == "input" and line.per == "entry" else ""

    def compute_entries(self, targets: Iterable[int], index: str, part: str = "row") -> dict[int, str]:
        """Write the lines that targets need at an index; return names of results by place.

        They read rows, or of another `part` slices from the entry `start` on.
        """
        suffix = "" if index == "j" else f"_at_{index}"
        is_part = part != "row"
        names: dict[int, str] = {} if index == "j" else self.at.setdefault(index, {})

        def visit(place: int) -> None:
            line = self.program.lines[place]
            if line.per != "entry" or place in names:
                return
            if line.operation == "index":
                names[place] = f"narrow(start + {index})" if is_part else f"narrow({index})"
                return
            name = names[place] = f"{self.program.name(place)}{suffix}"
            kept = f"{self.array(place)}{'_part' if is_part else ''}[{index}]" if place in self.kept else ""
            if place in self.filled:
                self.write(f"{name} = {kept}", 2)
            elif line.operation == "shift" and self.input_of(line.arguments[0]):  # `less` is the largest
                shift = self.program.name(place)
                self.write(f"{name} = {_kind(line)}({shift}_{part}[{index}] - {shift}_less)", 2)
            elif line.operation in ("input", "ranks", "constants"):
                self.write(f"{name} = {self.program.name(place)}_{part}[{index}]", 2)
            else:
                for argument in line.arguments:
                    visit(argument)
                self.write(f"{name} = {self.expression(line, names, index, is_part)}", 2)
                if kept and index == "j":
                    self.write(f"{kept} = {name}", 2)

        for target in targets:
            visit(target)
        return names

    def expression(self, line: Line, names: Mapping[int, str], index: str = "", is_part: bool = False) -> str:
        lines = self.program.lines
        operands = [names.get(place) or operand_of(self.program, place) for place in line.arguments]
        if line.operation == "width":
            return f"{_kind(line)}(width)"
        if line.operation == "shift":
            x, place, largest = operands
            zero, is_here = f"{_kind(line)}(0.0)", f"({_is_at(place, index, is_part)})"
            return f"where({is_here} & ({x} > -inf), {zero}, {x} - where({largest} == -inf, {zero}, {largest}))"
        if line.operation == "equal" and lines[line.arguments[0]].dtype == "int64":
            places = [x for x, a in zip(operands, line.arguments, strict=True) if lines[a].operation != "index"]
            return _is_at(places[0], index, is_part) if len(places) == 1 else f"{places[0]} == {places[1]}"
        if line.operation == "exp" and lines[line.arguments[0]].operation == "shift":
            return f"exp_of_difference({operands[0]})"
        if line.operation in OPERATORS:
            return OPERATORS[line.operation].format(*operands)
        return f"{line.operation}({', '.join(operands)})"

    def compute_rows(self, stage: int) -> None:
        for place, line in enumerate(self.program.lines):
            is_of_rows = line.per == "row" or (line.per == "call" and line.operation not in ("constant", "index"))
            if not is_of_rows or place in self.known or self.stages[place] > stage:
                continue
            self.known.add(place)
            name = self.program.name(place)
            if line.operation == "pick":
                values, at = line.arguments
                index = operand_of(self.program, at)
                names = self.compute_entries([values], index)
                self.write(f"{name} = {names.get(values) or operand_of(self.program, values)}", 2)
            elif line.operation != "input":
                self.write(f"{name} = {self.expression(line, {})}", 2)

    def find_largest_entries(self, stage: int) -> None:
        for place, line in enumerate(self.program.lines):
            if line.operation == "place_of_largest" and self.stages[place] == stage:
                self.find_largest(place, line.arguments[0])
                self.known.add(place)
        for place, line in enumerate(self.program.lines):
            is_shift = line.operation == "shift" and self.stages[line.arguments[1]] == stage
            if is_shift and self.input_of(line.arguments[0]):
                name, largest = self.program.name(place), operand_of(self.program, line.arguments[1])
                self.write(f"{name}_row, {name}_less = shiftable({self.input_of(line.arguments[0])}_row, {largest})", 2)

    def find_largest(self, place: int, row: int) -> None:
        name = self.program.name(place)
        if self.input_of(row):
            self.write(f"{name} = place_of_largest({self.input_of(row)}_row)", 2)
            return
        if row not in self.filled:
            start = len(self.text)
            self.compute_entries([row], "j")
            self.move_loop(start, f"keep_{self.program.name(row)}", "width", 2)
            self.filled.add(row)
        self.write(f"{name} = place_of_largest({self.array(row)})", 2)

    def compute_sums(self, stage: int) -> None:
        """Write a stage's sums: of blocks in their dtype, then of these in float64."""
        sums = {place: self.program.lines[place].arguments[0] for place in self.sums.get(stage, ())}
        if not sums:
            return
        special = self.special_sums(sums)
        plain = {place: term for place, term in sums.items() if place not in special}
        kinds = {self.program.name(place): _kind(self.program.lines[place]) for place in sums}
        for name in kinds:
            self.write(f"{name}_sum = 0.0", 2)
        self.write("for start in range(0, width, BLOCK):", 2)
        start = len(self.text)
        self.sum_entries(stage, plain, [entry[2] for entry in special.values() if entry[2] not in self.filled])
        for place, (at, other, rest) in special.items():
            self.sum_with_special_entry(place, at, other, rest)
        for name in kinds:
            self.write(f"{name}_sum += {name}_block", 3)
        for name, kind in kinds.items():
            self.write(f"{name} = {kind}({name}_sum)", 2)
        self.known |= sums.keys()
        self._slice_rows(start)

    def special_sums(self, sums: dict[int, int]) -> dict[int, tuple[int, int, int]]:
        """Special entries of the sums that have one in a row that is kept."""
        entries = {place: self.special_entry(term) for place, term in sums.items()}
        return {place: entry for place, entry in entries.items() if entry and entry[2] in self.kept}

    def sum_entries(self, stage: int, sums: dict[int, int], lacking: list[int]) -> None:
        """Sum a block, and fill the arrays of lines that other sums lack."""
        if not sums and not lacking:
            return
        start = len(self.text)
        names = self.compute_entries([*lacking, *sums.values()], "j", "part")
        totals = {f"{self.program.name(place)}_block": place for place in sums}
        for total, place in totals.items():
            value = names.get(sums[place]) or operand_of(self.program, sums[place])
            self.write(f"{total} = add_in_any_order({total}, {value})", 2)
        lines = self.text[start:]
        self.filled |= {p for p in self.kept if any(f"{self.array(p)}_part[j] = " in line for line in lines)}
        kinds = {total: _kind(self.program.lines[place]) for total, place in totals.items()}
        self.move_loop(start, f"sum_{stage}", "min(BLOCK, width - start)", 3, kinds)

    def _slice_rows(self, place: int) -> None:
        """Write, at a place of the text, the blocks of rows that later lines read."""
        body = "\n".join(self.text[place:])
        for name in self.rows():
            if re.search(rf"\b{name}_part\b", body):
                whole = name if name.endswith("_kept") else f"{name}_row"
                self.text.insert(place, f"            {name}_part = {whole}[start : start + BLOCK]")

    def sum_with_special_entry(self, place: int, at: int, value: int, rest: int) -> None:
        """Sum a block with one entry replaced for a while, as comparing each place takes longer."""
        part, at_name = f"{self.array(rest)}_part", operand_of(self.program, at)
        self.write(f"if start <= {at_name} < start + BLOCK:", 3)
        self.write(f"usual = {part}[{at_name} - start]", 4)
        self.write(f"{part}[{at_name} - start] = {operand_of(self.program, value)}", 4)
        self.write(f"{self.program.name(place)}_block = sum_of({part})", 4)
        self.write(f"{part}[{at_name} - start] = usual", 4)
        self.write("else:", 3)
        self.write(f"{self.program.name(place)}_block = sum_of({part})", 4)

    def rows(self) -> list[str]:
        names = map(self.program.name, self.rows_of("input", "shift", "ranks", "constants"))
        return [*names, *(self.array(place) for place in self.kept)]

    def rows_of(self, *operations: str) -> list[int]:
        return [place for place, line in enumerate(self.program.lines) if line.operation in operations]


def _is_at(place: str, index: str, is_part: bool) -> str:
    return f"narrow({place} - start) == narrow({index})" if is_part else f"narrow({place}) == narrow({index})"


def _kind(line: Line) -> str:
    return {"float32": "single", "float64": "double"}[line.dtype]
