"""Print a program of rows as a Triton kernel: whole rows in a tile, or a long row block by block.

A line's result is a tile of entries, or a column with a number per row. A long row takes a loop for each stage of its
sums, and one for the resulting entries, which compute entries anew as the loops of `rows.py` do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from slopes.kernels.printing.rows import find_stages
from slopes.kernels.printing.triton import express, head, narrowed
from slopes.kernels.printing.triton_forms import spell
from slopes.readings.program import Line, Program
from slopes.readings.trace import TraceError

#: operations without a form for tiles, whose blocks differ in their angles or which look at all pairs of a row
LACKING = ("sin", "cos", "snake", "snake_slope", "ranks", "constants")


class Tile(NamedTuple):
    """How many rows a program of the kernel has, and how many entries of each at a time."""

    rows: int
    entries: int
    is_whole: bool  #: whether a row has no more entries


def check_rows(program: Program) -> None:
    """Raise TraceError if an operation of the program has no form for tiles."""
    for line in program.lines:
        if line.operation in LACKING:
            raise TraceError(f"it uses {line.operation}, and GPUs have no kernel of rows with that")


def print_triton_row_kernel(
    program: Program, title: str, tile: Tile, is_coarse: bool = False, is_repeated: bool = False
) -> str:
    """Source of a module with a function `kernel` of pointers to rows without gaps.

    It takes pointers for inputs, but numbers for those per call, pointers for outputs, the number of rows, and their
    length. A repeated kernel takes a pointer to a factor before all of these, and does nothing where that is 1. A row
    whose "cotangent" is 0 is not read; its results are 0. A label that is no place of its row picks NaN.
    """
    check_rows(program)
    tiles = _Tiles(narrowed(program) if is_coarse else program, tile, is_coarse, is_repeated)
    body = "".join(f"    {line}\n" for line in tiles.lines())
    kernel = f"\n\n@triton.jit\ndef kernel({', '.join(tiles.parameters)}):\n{body}"
    return head(tiles.program, title, kernel, is_coarse) + kernel


class _Tiles:
    """Names in the kernel that begin with an underscore are its own; arguments of bodies have any others."""

    def __init__(self, program: Program, tile: Tile, is_coarse: bool, is_repeated: bool) -> None:
        self.program, self.tile, self.is_coarse, self.is_repeated = program, tile, is_coarse, is_repeated
        self.text: list[str] = []
        self.depth = 0
        self.stages = find_stages(program)
        self.known: set[int] = set()  #: written lines with one result per row
        self.whole: dict[int, str] = {}  #: names of results of entries, in a tile of whole rows
        self.numbers = [line for line in program.lines if line.operation == "input" and line.per == "call"]
        self.skips = any(line.text == "cotangent" and line.per == "row" for line in program.arrays)
        self.parameters = [
            *["_factor"] * is_repeated,
            *(f"{line.text}_in" for line in program.arrays),
            *(f"{line.text}_number" for line in self.numbers),
            *(f"{name}_out" for name, _ in program.outputs),
            "_count",
            "_width",
        ]

    def write(self, text: str) -> None:
        self.text.append("    " * self.depth + text)

    def lines(self) -> list[str]:
        """The body of the kernel."""
        rows, entries, is_whole = self.tile
        if self.is_repeated:
            self.write("if tl.load(_factor) == 1.0:")
            self.write("    return")
        self.write(f"_row = tl.program_id(0).to(tl.int64) * {rows} + tl.arange(0, {rows})[:, None]")
        self.write("_is_row = _row < _count")
        self.write(f"_lane = tl.arange(0, {entries})[None, :]")
        self.write("_first = _row * _width")
        for line in self.numbers:
            self.write(f"{line.text}_number = tl.full([1, 1], {line.text}_number, tl.{line.dtype})")
        for line in self.program.arrays:
            if line.per == "row":
                self.write(f"{line.text} = tl.load({line.text}_in + _row, mask=_is_row, other=0).to(tl.{line.dtype})")
        self.write(f"_is_read = _is_row{' & (cotangent != 0.0)' if self.skips else ''}")
        if is_whole:
            self.write("_at = _lane")
            self.write("_inside = _is_read & (_at < _width)")
        for stage in range(max(self.stages) + 1):
            self.reduce(stage)
            self.compute_rows(stage)
        self.store_rows()
        self.store_entries()
        return self.text

    def loop(self) -> None:
        """Begin a loop over the blocks of a row, of which a whole row needs none."""
        if not self.tile.is_whole:
            self.write(f"for _start in range(0, _width, {self.tile.entries}):")
            self.depth += 1
            self.write("_at = _start + _lane")
            self.write("_inside = _is_read & (_at < _width)")

    def end(self) -> None:
        """End the loop, if there is one."""
        self.depth = 0

    def reduce(self, stage: int) -> None:
        """Find the largest entries and the sums of a stage, which begins with them."""
        lines = self.program.lines
        reductions = ("sum", "place_of_largest")
        places = [p for p, line in enumerate(lines) if line.operation in reductions and self.stages[p] == stage]
        if not places:
            return
        if self.tile.is_whole:
            for place in places:
                self.reduce_whole(place)
        else:
            self.reduce_by_blocks(places)
        self.known.update(places)

    def reduce_whole(self, place: int) -> None:
        line, name = self.program.lines[place], self.program.name(place)
        value = self.entries([line.arguments[0]])[0]
        if line.operation == "sum":
            self.write(f"{name} = tl.sum(tl.where(_inside, {value}, 0.0), axis=1, keep_dims=True)")
            return
        self.write(f"{name}_part = tl.where(_inside & ({value} == {value}), {value}, -float('inf'))")
        self.write_place(name, f"{name}_part", "_at")

    def write_place(self, name: str, largest: str, places: str) -> None:
        """The first place of the largest number; NaN is none, and a row of nothing but NaN has 0."""
        self.write(f"{name}_most = tl.max({largest}, axis=1, keep_dims=True)")
        inside = "_inside & " if self.tile.is_whole else ""
        found = f"tl.where({inside}({largest} == {name}_most), {places}, 2147483647)"
        self.write(f"{name} = tl.min({found}, axis=1, keep_dims=True).to(tl.int64)")

    def reduce_by_blocks(self, places: list[int]) -> None:
        lines = self.program.lines
        shape = f"[1, {self.tile.entries}]"
        for place in places:
            name, line = self.program.name(place), lines[place]
            if line.operation == "sum":
                self.write(f"{name}_part = tl.zeros({shape}, tl.{line.dtype})")
            else:
                kind = lines[line.arguments[0]].dtype
                self.write(f"{name}_part = tl.full({shape}, -float('inf'), tl.{kind})")
                self.write(f"{name}_at = tl.full({shape}, 0, tl.int32)")
        self.loop()
        values = self.entries([lines[place].arguments[0] for place in places])
        for place, value in zip(places, values, strict=True):
            name = self.program.name(place)
            if lines[place].operation == "sum":
                self.write(f"{name}_part += tl.where(_inside, {value}, 0.0)")
            else:
                self.write(f"_is_more = _inside & ({value} > {name}_part)")
                self.write(f"{name}_at = tl.where(_is_more, _at, {name}_at)")
                self.write(f"{name}_part = tl.where(_is_more, {value}, {name}_part)")
        self.end()
        for place in places:
            name = self.program.name(place)
            if lines[place].operation == "sum":
                self.write(f"{name} = tl.sum({name}_part, axis=1, keep_dims=True)")
            else:
                self.write_place(name, f"{name}_part", f"{name}_at")

    def compute_rows(self, stage: int) -> None:
        for place, line in enumerate(self.program.lines):
            is_of_rows = line.per == "row" or (line.per == "call" and line.operation not in ("constant", "index"))
            if not is_of_rows or place in self.known or self.stages[place] > stage or line.operation == "input":
                continue
            self.known.add(place)
            name = self.program.name(place)
            if line.operation == "pick":
                self.write(f"{name} = {self.picked(*line.arguments)}")
            else:
                self.write(f"{name} = {self.expression(place, {})}")

    def picked(self, values: int, place: int) -> str:
        """An entry at a place of each row; lines for it are written."""
        at, safe = self.operand(place, {}), f"at_{place}"
        is_label = self.program.lines[place].operation == "input"
        self.write(f"{safe} = tl.where(({at} >= 0) & ({at} < _width), {at}, 0)")
        value = self.entries([values], safe)[0]
        return f"tl.where({safe} == {at}, {value}, float('nan'))" if is_label else value

    def entries(self, targets: Iterable[int], index: str = "_at") -> list[str]:
        """Write the lines that targets need, of the tile or at an index of each row; return the targets' names."""
        is_tile = index == "_at"
        names: dict[int, str] = self.whole if is_tile and self.tile.is_whole else {}

        def visit(place: int) -> None:
            line = self.program.lines[place]
            if line.per != "entry" or place in names:
                return
            if line.operation == "index":
                names[place] = index
                return
            for argument in line.arguments:
                visit(argument)
            name = self.program.name(place) if is_tile else f"{self.program.name(place)}_{index}"
            if line.operation == "input":
                mask = "_inside" if is_tile else "_is_read"
                pointer = f"{line.text}_in + _first + {index}"
                self.write(f"{name} = tl.load({pointer}, mask={mask}, other=0.0).to(tl.{line.dtype})")
            else:
                self.write(f"{name} = {self.expression(place, names, index)}")
            names[place] = name

        targets = list(targets)
        for target in targets:
            visit(target)
        return [names.get(target) or self.operand(target, names) for target in targets]

    def operand(self, place: int, names: dict[int, str]) -> str:
        line = self.program.lines[place]
        if place in names:
            return names[place]
        if line.operation == "constant":
            return _constant(line)
        return f"{line.text}_number" if line.operation == "input" and line.per == "call" else self.program.name(place)

    def expression(self, place: int, names: dict[int, str], index: str = "") -> str:
        line, lines = self.program.lines[place], self.program.lines
        operands = [self.operand(argument, names) for argument in line.arguments]
        if line.operation == "width":
            return f"tl.full([1, 1], _width, tl.{line.dtype})"
        if line.operation == "shift":
            x, largest_at, largest = operands
            rest = f"{x} - tl.where({largest} == -float('inf'), 0.0, {largest})"
            return f"tl.where(({index} == {largest_at}) & ({x} > -float('inf')), 0.0, {rest})"
        if line.operation == "equal" and lines[line.arguments[0]].dtype == "int64":
            return f"{operands[0]} == {operands[1]}"
        return express(self.program, line, operands, self.is_coarse)

    def store_rows(self) -> None:
        for name, place in self.program.outputs:
            if self.program.lines[place].per != "entry":
                result = self.operand(place, {})
                if self.skips:
                    result = f"tl.where(_is_read, {result}, 0.0)"
                self.write(f"tl.store({name}_out + _row, {result}, mask=_is_row)")

    def store_entries(self) -> None:
        outputs = [(name, place) for name, place in self.program.outputs if self.program.lines[place].per == "entry"]
        if not outputs:
            return
        self.loop()
        results = self.entries([place for _, place in outputs])
        for (name, _), result in zip(outputs, results, strict=True):
            if self.skips:
                result = f"tl.where(_is_read, {result}, 0.0)"
            self.write(f"tl.store({name}_out + _first + _at, {result}, mask=_is_row & (_at < _width))")
        self.end()


def _constant(line: Line) -> str:
    number = line.text if line.dtype == "int64" else spell(float(line.text))
    return f"tl.full([1, 1], {number}, tl.{line.dtype})"
