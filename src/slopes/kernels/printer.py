"""Print a program as the source of a Numba kernel: a loop over the entries, in which each line is a local variable."""

from __future__ import annotations

from collections.abc import Sequence

from slopes.readings.program import Line, Program

OPERATORS = {
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
from slopes.kernels.elementary import OPTIONS, cos, decay, exp, expm1, log, log1p, mish, mish_slope
from slopes.kernels.elementary import sigmoid, sigmoid_fine, sin, sinh, softplus, sqrt, tanh, tanhshrink
from slopes.kernels.machine import fma, nearest, where


@njit("void({signature})", **OPTIONS)
def kernel({parameters}):
'''
ENTRIES = """\
    for i in range({first}.size):
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
    parameters = [f"{name}_{'number' if name in scalars else 'in'}" for name in program.inputs]
    body = [f"{name} = {name}_in[i]" for name in arrays]
    for place, line in enumerate(program.lines):
        if line.operation not in ("input", "constant"):
            body.append(f"v{place} = {_expression(program, line)}")
    for name, (_, place) in zip(names, program.outputs, strict=True):
        body.append(f"{name}[i] = {operand_of(program, place)}")
    header = (HEADER + ENTRIES).format(
        title=title,
        signature=", ".join(signature),
        parameters=", ".join([*parameters, *names]),
        first=f"{arrays[0]}_in",
    )
    return header + "".join(f"        {line}\n" for line in body)


def _expression(program: Program, line: Line) -> str:
    operands = [operand_of(program, place) for place in line.arguments]
    if line.operation in OPERATORS:
        return OPERATORS[line.operation].format(*operands)
    return f"{line.operation}({', '.join(operands)})"


def operand_of(program: Program, place: int) -> str:
    """Return the name of a line's result, or a constant in its dtype."""
    line = program.lines[place]
    if line.operation == "input" and line.per == "call":
        return f"{line.text}_number"  # a name that hides no function
    if line.operation != "constant":
        return program.name(place)
    return f"single({line.text})" if line.dtype == "float32" else f"({line.text})" if line.text[0] == "-" else line.text
