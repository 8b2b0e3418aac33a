"""Print a program as a Triton kernel: a block of entries with a variable per line.

Triton infers from the pointers which dtype a kernel reads and writes: half types are computed in float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from slopes.kernels.printing.entries import is_beside_sigmoid, list_inputs
from slopes.kernels.printing.triton_forms import list_needed, names_in, print_functions, spell
from slopes.readings.program import Line, Program

BLOCK = 2**10  #: entries of a block

OPERATORS = {
    "add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "less": "{} < {}", "less_equal": "{} <= {}",
    "equal": "{} == {}", "not_equal": "{} != {}", "and": "{} & {}", "or": "{} | {}",
}  # fmt: skip
CALLS = {
    "divide": "divided({}, {})", "negate": "negated({})", "absolute": "tl.abs({})", "rint": "nearest({})",
    "not": "~{}", "where": "tl.where({}, {}, {})", "fma": "tl.fma({}, {}, {})", "float32": "{}.to(tl.float32)",
    "float64": "{}.to(tl.float64)", "power": "power({}, {})",
}  # fmt: skip

HEADER = '''\
"""{title}, a kernel that slopes has written."""

import triton
import triton.language as tl
'''
IMPORT = "from slopes.kernels.gpu.{module} import {names}\n"


def print_triton_kernel(
    program: Program, title: str, scalars: Sequence[str] = (), is_coarse: bool = False, *, loaded: Sequence[str] = (),
    sums: Sequence[str] = (),
) -> str:  # fmt: skip
    """Source of a module with a function `kernel` of pointers to entries without gaps.

    It takes pointers for inputs, numbers for those in `scalars`, or pointers to numbers if they are `loaded`, pointers
    for outputs, and the number of entries. Outputs in `sums` get the sum of each block. A coarse kernel computes half
    types in float32 alone, by the functions of `slopes.kernels.gpu.coarse`.
    """
    if is_coarse:
        program = narrowed(program)
    inputs = list_inputs(program, scalars)
    outputs = [f"{name}_out" for name, _ in program.outputs]
    summed = {f"{name}_out" for name in sums}
    pointers = [name for name in inputs if name.endswith("_in")]
    body = [
        f"start = tl.program_id(0).to(tl.int64) * {BLOCK}",
        f"lane = tl.arange(0, {BLOCK})",
        *(f"{name} += start" for name in [*pointers, *outputs] if name not in summed),
        f"if start + {BLOCK} <= size:",
        *(f"    {name[:-3]} = tl.load({name} + lane)" for name in pointers),
        "else:",
        *(f"    {name[:-3]} = tl.load({name} + lane, mask=lane < size - start, other=0.0)" for name in pointers),
        *(f"{name}_number = tl.load({name}_number)" for name in loaded),
        *_convert_inputs(program, inputs),
    ]
    for place, line in enumerate(program.lines):
        if line.operation not in ("input", "constant"):
            body.append(f"v{place} = {_expression(program, line, is_coarse)}")
    results = [_whole_operand(program, place) for _, place in program.outputs]
    found = dict(zip(outputs, results, strict=True))
    body += [
        f"tl.store({name} + tl.program_id(0), tl.sum(tl.where(lane < size - start, {result}, 0.0)))"
        for name, result in found.items()
        if name in summed
    ]
    stores = [(name, result) for name, result in found.items() if name not in summed]
    if stores:
        body += [
            f"if start + {BLOCK} <= size:",
            *(f"    tl.store({name} + lane, {result})" for name, result in stores),
            "else:",
            *(f"    tl.store({name} + lane, {result}, mask=lane < size - start)" for name, result in stores),
        ]
    listed = ", ".join([*inputs, *outputs, "size"])
    kernel = f"\n\n@triton.jit\ndef kernel({listed}):\n" + "".join(f"    {line}\n" for line in body)
    return head(program, title, kernel, is_coarse) + kernel


def head(program: Program, title: str, kernel: str, is_coarse: bool) -> str:
    """Source of all that the source of a kernel needs before it: imports, and functions."""
    kinds = {line.dtype for line in program.lines if line.operation != "input"} & {"float32", "float64"}
    coarse = [name for name in list_needed(kernel) if is_coarse and name in names_in("coarse")]
    functions = print_functions(
        [name for name in list_needed(kernel) if name not in coarse], kinds.pop() if len(kinds) == 1 else ""
    )
    used = {*list_needed(functions), *list_needed(kernel)} - set(coarse)
    modules = {"coarse": coarse, "machine": [name for name in names_in("machine") if name in used]}
    imports = (IMPORT.format(module=module, names=", ".join(names)) for module, names in modules.items() if names)
    return HEADER.format(title=title) + "".join(imports) + functions


def narrowed(program: Program) -> Program:
    """The program with all of its arithmetic in float32."""
    lines = [
        replace(line, dtype="float32" if line.dtype == "float64" else line.dtype)
        if line.operation != "float64"
        else replace(line, operation="float32", dtype="float32")
        for line in program.lines
    ]
    return replace(program, lines=tuple(lines))


def _convert_inputs(program: Program, inputs: dict[str, str]) -> list[str]:
    """Statements that give inputs their dtypes: half types become float32."""
    statements = []
    for name, kind in inputs.items():
        if name.endswith("_number"):
            statements.append(f"{name} = tl.full([{BLOCK}], {name}, tl.{kind})")
        else:
            statements.append(f"{name[:-3]} = {name[:-3]}.to(tl.{kind.partition('[')[0]})")
    return statements


def _expression(program: Program, line: Line, is_coarse: bool) -> str:
    operands = [_whole_operand(program, place) for place in line.arguments]
    if line.operation in OPERATORS:
        lines = [program.lines[place] for place in line.arguments]
        are_constants = [argument.operation == "constant" for argument in lines]
        operands = [
            _literal(argument) if is_constant and not all(are_constants) else operand
            for argument, operand, is_constant in zip(lines, operands, are_constants, strict=True)
        ]
    return express(program, line, operands, is_coarse)


def express(program: Program, line: Line, operands: Sequence[str], is_coarse: bool) -> str:
    """A line as an expression of its operands."""
    if line.operation in OPERATORS:
        return OPERATORS[line.operation].format(*operands)
    if line.operation == "divide":
        factor = _factor(program.lines[line.arguments[1]], is_coarse)
        if factor is not None:
            return f"{operands[0]} * {factor}"
    if line.operation in CALLS:
        return CALLS[line.operation].format(*operands)
    form = "sigmoid_slope_beside" if is_beside_sigmoid(program, line) else line.operation
    return f"{form}({', '.join(operands)})"


def _factor(divisor: Line, is_coarse: bool) -> str | None:
    """The reciprocal of a constant, where a product with it is rounded as the quotient is, or nearly so."""
    if divisor.operation != "constant" or not 2.0**-60 < abs(float(divisor.text)) < 2.0**60:
        return None
    number = float(divisor.text)
    return _spell_operand(1.0 / number) if is_coarse or abs(math.frexp(number)[0]) == 0.5 else None


def _spell_operand(number: float) -> str:
    return f"({spell(number)})" if number < 0 else spell(number)


def _literal(line: Line) -> str:
    return _spell_operand(float(line.text))


def _whole_operand(program: Program, place: int) -> str:
    """A line's result with its dtype, where it is a number, too."""
    line = program.lines[place]
    if line.operation == "constant":
        return f"tl.full([], {spell(float(line.text))}, tl.{line.dtype})"
    if line.operation == "input" and line.per == "call":
        return f"{line.text}_number"
    return program.name(place)
