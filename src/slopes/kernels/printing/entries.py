"""Print a program as a Numba kernel: a loop over the entries with a variable per line."""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import partial

from slopes.readings.program import Line, Program

OPERATORS = {
    "add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "divide": "{} / {}", "power": "{} ** {}",
    "negate": "-{}", "absolute": "abs({})", "rint": "nearest({})", "less": "{} < {}", "less_equal": "{} <= {}",
    "equal": "{} == {}", "not_equal": "{} != {}", "and": "{} & {}", "or": "{} | {}", "not": "not {}",
    "float32": "single({})", "float64": "double({})",
}  # fmt: skip

IMPORTS = '''\
"""{title}, a kernel that slopes has written."""

from math import inf, nan

from numba import njit
from numpy import float32 as single, float64 as double
from slopes.kernels.arithmetic.elementary import OPTIONS, cos, decay, erf, exp, expm1, expm1_less, gate_slope
from slopes.kernels.arithmetic.elementary import log, log1p, low_of_exp, mish, mish_slope, ndtr, normal_gate_slope
from slopes.kernels.arithmetic.elementary import normal_pdf, sigmoid, sigmoid_fine, sigmoid_of_two, sigmoid_slope
from slopes.kernels.arithmetic.elementary import sigmoid_slope_beside, silu, sin, sinh, snake, snake_slope, softcap
from slopes.kernels.arithmetic.elementary import softplus, sqrt, tanh, tanhshrink
from slopes.kernels.arithmetic.machine import fma, nearest, where
'''
FUNCTION = """

@njit("void({signature})", **OPTIONS)
def {name}({parameters}):
"""
HEADER = IMPORTS + FUNCTION.replace("{name}", "kernel")
ENTRIES = """\
    for i in range({first}.size):
"""

#: functions with a form that vectorises but is right only near 0
PERIODIC = ("sin", "cos", "snake_slope")
NEAR_HEADER = """\
from slopes.kernels.arithmetic.elementary import NEAR, cos_near, sin_near, snake_slope_near
from slopes.kernels.arithmetic.machine import size
"""
NEAR_BLOCK = 2**10  #: entries that the fastest cache keeps for a second read


def print_kernel(program: Program, title: str, scalars: Sequence[str] = ()) -> str:
    """Source of a module with a function `kernel` of one-dimensional arrays without gaps.

    It takes arrays for inputs, numbers for those in `scalars`, then arrays for outputs.
    """
    names = [f"{name}_out" for name, _ in program.outputs]
    arrays = [name for name in program.inputs if name not in scalars]
    inputs = list_inputs(program, scalars)
    signature = [*inputs.values(), *(f"{program.lines[place].dtype}[::1]" for _, place in program.outputs)]
    first, listed = f"{arrays[0]}_in", [*inputs, *names]
    function = partial(FUNCTION.format, signature=", ".join(signature), parameters=", ".join(listed))
    header = IMPORTS.format(title=title)
    start = ENTRIES.format(first=first)
    if not any(line.operation in PERIODIC for line in program.lines):
        return header + function(name="kernel") + start + _indent(_loop(program, arrays, names), 8)
    near, everywhere = (_indent(_loop(program, arrays, names, is_near), 8) for is_near in (True, False))
    text = (
        header + NEAR_HEADER + function(name="near") + start + near + function(name="everywhere") + start + everywhere
    )
    given = ", ".join(name if name.endswith("_number") else f"{name}[start:stop]" for name in listed)
    return text + function(name="kernel") + _indent(_choice(program, first, given), 4)


def list_inputs(program: Program, scalars: Sequence[str]) -> dict[str, str]:
    """Numba's types of a kernel's inputs, by their names in its source."""
    kinds = {line.text: line.dtype for line in program.lines if line.operation == "input"}
    are_numbers = {name: name in scalars for name in program.inputs}
    return {
        f"{name}_number" if is_number else f"{name}_in": kinds[name] if is_number else f"{kinds[name]}[::1]"
        for name, is_number in are_numbers.items()
    }


def _loop(program: Program, arrays: Sequence[str], names: Sequence[str], is_near: bool = False) -> list[str]:
    body = _statements(program, arrays, set(range(len(program.lines))), is_near)
    return body + [
        f"{name}[i] = {operand_of(program, place)}" for name, (_, place) in zip(names, program.outputs, strict=True)
    ]


def _choice(program: Program, first: str, given: str) -> list[str]:
    """Call `near` for blocks where all angles are near 0."""
    turning = [line for line in program.lines if line.operation in PERIODIC]
    needed = _needed_for(program, turning)
    lines = (program.lines[place] for place in sorted(needed))
    arrays = [line.text for line in lines if line.operation == "input" and line.per != "call"]
    angles = dict.fromkeys(_angle(program, line) for line in turning)
    most = {angle: f"most_{number}" for number, angle in enumerate(angles)}
    loop = _statements(program, arrays, needed)
    loop += [f"{name} = max({name}, size({text}))" for (_, text), name in most.items()]
    return [
        f"for start in range(0, {first}.size, {NEAR_BLOCK}):",
        f"    stop = min(start + {NEAR_BLOCK}, {first}.size)",
        *(f"    {name} = size({zero})" for (zero, _), name in most.items()),
        "    for i in range(start, stop):",
        *(f"        {statement}" for statement in loop),
        f"    if {' and '.join(f'{name} <= size(NEAR({zero}))' for (zero, _), name in most.items())}:",
        f"        near({given})",
        "    else:",
        f"        everywhere({given})",
    ]


def _needed_for(program: Program, lines: Sequence[Line]) -> set[int]:
    """Places of all that the lines are computed from."""
    needed = {place for line in lines for place in line.arguments}
    for place in reversed(range(len(program.lines))):
        if place in needed:
            needed.update(program.lines[place].arguments)
    return needed


def _angle(program: Program, line: Line) -> tuple[str, str]:
    """(0 in the argument's dtype, the argument times any parameter)."""
    zero = "single(0.0)" if program.lines[line.arguments[0]].dtype == "float32" else "0.0"
    return zero, " * ".join(operand_of(program, place) for place in line.arguments)


def _statements(program: Program, arrays: Sequence[str], places: Set[int], is_near: bool = False) -> list[str]:
    body = [f"{name} = {name}_in[i]" for name in arrays]
    for place, line in enumerate(program.lines):
        if place in places and line.operation not in ("input", "constant"):
            body.append(f"v{place} = {_expression(program, line, is_near)}")
    return body


def _indent(statements: Sequence[str], width: int) -> str:
    return "".join(f"{' ' * width}{statement}\n" for statement in statements)


def _expression(program: Program, line: Line, is_near: bool) -> str:
    operands = [operand_of(program, place) for place in line.arguments]
    if line.operation in OPERATORS:
        return OPERATORS[line.operation].format(*operands)
    form = "_near" if is_near and line.operation in PERIODIC else ""
    if is_beside_sigmoid(program, line):
        form = "_beside"
    return f"{line.operation}{form}({', '.join(operands)})"


def is_beside_sigmoid(program: Program, line: Line) -> bool:
    """Whether the line is the slope of a sigmoid, without a factor, that the program has too."""
    is_plain = line.operation == "sigmoid_slope" and len(line.arguments) == 1
    return is_plain and Line("sigmoid", line.arguments, line.dtype) in program.lines


def operand_of(program: Program, place: int) -> str:
    line = program.lines[place]
    if line.operation == "input" and line.per == "call":
        return f"{line.text}_number"  # hides no function
    if line.operation != "constant":
        return program.name(place)
    return f"single({line.text})" if line.dtype == "float32" else f"({line.text})" if line.text[0] == "-" else line.text
