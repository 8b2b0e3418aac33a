"""Print a program as a kernel that sums some of its outputs over the entries.

One loop writes a block of terms, another adds them: adding float32 to a float64 sum would narrow the vectors of all.
"""

from __future__ import annotations

from collections.abc import Sequence

from slopes.kernels.printing.entries import list_inputs, print_kernel
from slopes.readings.program import Program

BLOCK = 2**10  #: terms in the fastest cache

KERNEL = """

from numpy import empty
from slopes.kernels.arithmetic.machine import add_in_any_order

entries = kernel


@njit("void({signature})", **OPTIONS)
def kernel({parameters}):
"""


def print_summing_kernel(program: Program, title: str, scalars: Sequence[str], sums: Sequence[str]) -> str:
    """Source of a kernel as by `print_kernel`; a last array of float64 gets the `sums`, which have no other."""
    inputs = list_inputs(program, scalars)
    outputs = {f"{name}_out": program.lines[place].dtype for name, place in program.outputs if name not in sums}
    signature = [*inputs.values(), *(f"{kind}[::1]" for kind in (*outputs.values(), "float64"))]
    first = next(name for name in inputs if name.endswith("_in"))
    given = [name if name.endswith("_number") else f"{name}[start:stop]" for name in inputs]
    given += [f"{name}_terms" if name in sums else f"{name}_out[start:stop]" for name, _ in program.outputs]
    lines = _summing(program, first, ", ".join(given), sums)
    header = KERNEL.format(signature=", ".join(signature), parameters=", ".join([*inputs, *outputs, "sums_out"]))
    return print_kernel(program, title, scalars) + header + "".join(f"    {line}\n" for line in lines)


def _summing(program: Program, first: str, given: str, sums: Sequence[str]) -> list[str]:
    lines = []
    for name, place in program.outputs:
        if name in sums:
            kind = "single" if program.lines[place].dtype == "float32" else "double"
            lines += [f"{name}_room, {name}_sum = empty({BLOCK}, {kind}), 0.0"]
    lines += [f"for start in range(0, {first}.size, {BLOCK}):", f"    stop = min(start + {BLOCK}, {first}.size)"]
    lines += [f"    {name}_terms = {name}_room[: stop - start]" for name in sums]
    lines += [f"    entries({given})"]
    for name in sums:
        lines += [f"    for i in range({name}_terms.size):"]
        lines += [f"        {name}_sum = add_in_any_order({name}_sum, double({name}_terms[i]))"]
    return lines + [f"sums_out[{place}] = {name}_sum" for place, name in enumerate(sums)]
