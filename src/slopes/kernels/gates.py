"""Kernels of gates, which read both halves of rows in place.

A row is the part of an array for one place on the axes before the gate's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from slopes.kernels import pool
from slopes.kernels.compiling import load
from slopes.kernels.entries import find_grain
from slopes.kernels.programs import are_worthwhile, source_and_numbers
from slopes.readings.trace import TraceError

if TYPE_CHECKING:
    from slopes.card import Card

ROWS = """

entries = kernel


@njit("void({signature})", **OPTIONS)
def kernel({parameters}):
    for i in range({whole}.size // (2 * half)):
        first, second = (2 * i + gate) * half, (2 * i + 1 - gate) * half
        entries({given})
"""


class GateKernel:
    def __init__(self, source: str, numbers: tuple[float, ...], gate: int) -> None:
        self._source, self._numbers, self._gate = source, numbers, gate
        self.grain = find_grain(source)

    def load(self) -> Callable[..., None]:
        return load(self._source)

    def __call__(self, half: int, *arrays: Any) -> None:
        """Compute the last array from the others; `half` is half a row's length."""
        function, width = self.load(), 2 * half
        sizes = [width if array.size == arrays[0].size else half for array in arrays]

        def compute(start: int, stop: int) -> None:
            parts = [array[start * size : stop * size] for array, size in zip(arrays, sizes, strict=True)]
            function(*parts, *self._numbers, half, self._gate)

        pool.run(compute, arrays[0].size // width, max(1, self.grain // half))


def prepare_gate(card: Card, output: str, dtype: str, parameters: Mapping[str, Any]) -> GateKernel:
    outputs = ("value",) if output == "value" else ("vjp_gate", "vjp_value")
    text, numbers = source_and_numbers(card, outputs, dtype, parameters)
    names = [f"number_{place}" for place in range(len(numbers))]
    halves = ("[first : first + half]", "[second : second + half]")
    if output == "value":
        arrays = ["x_in", "out"]
        given = [*(f"x_in{half}" for half in halves), *names, "out[i * half : (i + 1) * half]"]
    else:
        arrays = ["x_in", "cotangent_in", "out"]
        cotangent = "cotangent_in[i * half : (i + 1) * half]"
        given = [*(f"x_in{half}" for half in halves), *names, cotangent, *(f"out{half}" for half in halves)]
    signature = [f"{dtype}[::1]"] * len(arrays) + ["float64"] * len(names) + ["int64", "int64"]
    rows = ROWS.format(
        signature=", ".join(signature), parameters=", ".join([*arrays, *names, "half", "gate"]), whole="x_in",
        given=", ".join(given),
    )  # fmt: skip
    return GateKernel(text + rows, numbers, 0 if card.half == "first" else 1)  # type: ignore[attr-defined]


def find_gate_kernel(
    card: Card, output: str, dtype: str, parameters: Mapping[str, Any], size: int
) -> GateKernel | None:
    if not are_worthwhile(card, size):
        return None
    try:
        return prepare_gate(card, output, dtype, parameters)
    except TraceError:
        return None
