"""Straight-line programs: one call of a body, as a list of elementary operations.

Arrays hold independent entries, or rows on the last axis. A line has one result per entry, per row or (as a constant)
per call. It has an operation, the places of its arguments' lines a, b, …, a dtype, and for inputs and constants a text:

    input, constant     the argument of that name; that number
    float32, float64    a in that dtype
    rint                rounds half to even
    fma                 a·b + c, rounded once
    where               b where a holds, else c
    sum                 of a row's entries
    place_of_largest    of a row's first largest entry, an int64
    pick                a row's entry at place b
    shift               a − c, where c is the row's largest entry, at place b; 0 there unless it is −inf
    ranks               for each entry a, an input: how many of its row are larger, and half of its equals with itself
    constants           those numbers, one for each entry of a row
    index, width        each entry's place, an int64; a row's length
    decay               exp(a)·b, or exp(a)·(b + c), for a <= 0, with c small beside b (NaN: 0); 0 where exp(a)
                        underflows by far
    low_of_exp          rounding error of exp(a), for a <= 0
    sigmoid             of a; times b; of a + c, times b; sigmoid_slope is alike
    sigmoid_fine        the same for a computed b, more accurate by half a unit in the last place
    silu                a · sigmoid(a)
    gate_slope          of a and b; with their lows c and d; times e
    ndtr                of a, times b if given; normal_gate_slope and normal_pdf are alike
    snake, softcap      of a by a parameter b; snake_slope is alike

`_FUNCTIONS` has the others. From decay on they are those of `slopes.ops`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from slopes.readings import numpy as reading
from slopes.readings import tails


@dataclass(frozen=True, slots=True)
class Line:
    operation: str
    arguments: tuple[int, ...]
    dtype: str
    """float32, float64, bool or int64."""
    text: str = ""
    """Name of an input, or digits of a constant."""
    per: str = "entry"
    """One result per "entry", "row" or "call"."""


@dataclass(frozen=True)
class Program:
    lines: tuple[Line, ...]
    outputs: tuple[tuple[str, int], ...]
    """Name and place of each output."""

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(line.text for line in self.lines if line.operation == "input")

    @property
    def arrays(self) -> list[Line]:
        """Inputs but numbers of the call."""
        return [line for line in self.lines if line.operation == "input" and line.per != "call"]

    @property
    def results(self) -> list[Line]:
        """The lines of the outputs."""
        return [self.lines[place] for _, place in self.outputs]

    def name(self, place: int) -> str:
        line = self.lines[place]
        return line.text if line.operation in ("input", "constant") else f"v{place}"

    def __str__(self) -> str:
        written = []
        for place, line in enumerate(self.lines):
            kind = line.dtype if line.per == "entry" else f"{line.dtype} per {line.per}"
            taken = ", ".join(map(self.name, line.arguments))
            if line.operation != "constant":
                written.append(
                    f"{self.name(place)}: {kind}" + f" = {line.operation}({taken})" * (line.operation != "input")
                )
        return "\n".join([*written, *(f"return {name} = {self.name(place)}" for name, place in self.outputs)])

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(repr((self.lines, self.outputs)).encode()).hexdigest()


#: constants by which expressions are simplified, and which a schedule's numbers rarely equal
PLAIN = {"0.0", "1.0", "2.0", "0.5", "-0.0", "-1.0", "-2.0", "-0.5", "inf", "-inf", "nan"}


def lift_constants(program: Program) -> tuple[Program, tuple[float, ...]]:
    """(program with inputs per call in place of constants that are not `PLAIN`, their numbers)."""
    lines, numbers = list(program.lines), list[float]()
    for place, line in enumerate(lines):
        if line.operation == "constant" and line.dtype != "int64" and line.text not in PLAIN:
            lines[place] = Line("input", (), line.dtype, f"constant_{len(numbers)}", "call")
            numbers.append(float(line.text))
    return Program(tuple(lines), program.outputs), tuple(numbers)


def _fma(a: Any, b: Any, c: Any) -> Any:
    """Rounded once; in float64 but for the last bit."""
    if a.dtype == np.float64:
        total = a * b + c
        low = tails.fma(reading, a, b, c)
        return np.where(np.isfinite(low), low, total)
    return (a.astype(np.float64) * b + c).astype(np.float32)


def _decay(t: Any, times: Any, low: Any = 0.0) -> Any:
    times = np.where((low < 0) | (low > 0), times.astype(np.float64) + low, times)
    return tails.decay(reading, t.astype(np.float64), times).astype(t.dtype)


def _wide(function: Any, *arguments: Any) -> Any:
    """Compute in float64, and round to the first argument's dtype."""
    wide = [a if type(a) is float else a.astype(np.float64) for a in arguments]
    return function(reading, *wide).astype(arguments[0].dtype)


def _low_of_exp(x: Any) -> Any:
    exact = np.exp(x.astype(np.float64))
    return (exact - exact.astype(x.dtype)).astype(x.dtype)


def _sigmoid(x: Any, times: Any = 1.0, low: Any = 0.0) -> Any:
    return _wide(tails.sigmoid, x, times, low)


def _rounded_once(function: Any) -> Any:
    def compute(*arguments: Any) -> Any:
        return function(*(argument.astype(np.float64) for argument in arguments)).astype(arguments[0].dtype)

    return compute


def _shift(x: Any, place: Any, largest: Any) -> Any:
    is_largest = np.arange(x.shape[-1]) == place
    return np.where(is_largest & (x > -np.inf), 0.0, x - np.where(largest == -np.inf, 0.0, largest))


_FUNCTIONS = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide, "negate": np.negative,
    "absolute": np.absolute, "sqrt": np.sqrt, "rint": np.rint, "fma": _fma, "less": np.less,
    "less_equal": np.less_equal, "equal": np.equal, "not_equal": np.not_equal, "and": np.logical_and,
    "or": np.logical_or, "not": np.logical_not, "where": np.where, "sum": reading.sum,
    "place_of_largest": lambda x: np.argmax(x, axis=-1, keepdims=True),
    "pick": lambda x, place: np.take_along_axis(x, np.broadcast_to(place, (*x.shape[:-1], 1)), -1),
    "ranks": lambda x: tails.ranks(reading, x)[1], "shift": _shift,
    "decay": _decay, "low_of_exp": _low_of_exp, "sigmoid": _sigmoid, "sigmoid_fine": _sigmoid,
    "softplus": _rounded_once(partial(tails.softplus, reading, beta=1.0)),
    "silu": lambda x: _wide(tails.sigmoid, x, x, 0.0),
    "sigmoid_slope": lambda x, times=1.0, low=0.0: _wide(tails.sigmoid_slope, x, times, low),
    "gate_slope": lambda x, y, low=0.0, y_low=0.0, times=1.0: _wide(tails.gate_slope, x, y, times, low, y_low),
    "ndtr": lambda x, times=1.0: _wide(tails.ndtr, x, times),
    "normal_gate_slope": lambda x, times=1.0: _wide(tails.normal_gate_slope, x, times),
    "normal_pdf": lambda x, times: _wide(tails.normal_pdf, x, times),
    "softcap": _rounded_once(partial(tails.softcap, reading)),
    "expm1_less": _rounded_once(partial(tails.expm1_less, reading)),
    "tanhshrink": _rounded_once(partial(tails.tanhshrink, reading)),
    "erf": _rounded_once(reading.erf),
    "snake": _rounded_once(lambda x, a=1.0: tails.snake(reading, x, a)),
    "snake_slope": _rounded_once(lambda x, a=1.0: tails.snake_slope(reading, x, a)),
    "mish": _rounded_once(partial(tails.mish, reading)),
    "mish_slope": _rounded_once(partial(tails.mish_slope, reading)),
    **{name: _rounded_once(getattr(np, name)) for name in (
        "power", "exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "sinh"
    )},
}  # fmt: skip


def evaluate(program: Program, **inputs: Any) -> dict[str, Any]:
    """Outputs by name, computed line by line with NumPy: the reference for printers.

    Inputs and outputs with one value per row have no axis for entries.
    """
    results: list[Any] = []
    first = next((line.text for line in program.lines if line.operation == "input"), None)
    shape = np.shape(inputs[first]) if first else ()
    width = shape[-1] if shape else 0
    with np.errstate(all="ignore"):
        for line in program.lines:
            result: Any
            if line.operation == "input":
                result = np.asarray(inputs[line.text])
                result = result[..., None] if line.per == "row" else result
            elif line.operation == "constant":
                result = int(line.text) if line.dtype == "int64" else float(line.text)
            elif line.operation == "constants":
                result = [float(number) for number in line.text.split()]
            elif line.operation == "index":
                result = np.arange(width)
            elif line.operation == "width":
                result = width
            else:
                function = _FUNCTIONS.get(line.operation, np.asarray)  # a conversion
                result = function(*(results[place] for place in line.arguments))
            results.append(np.asarray(result, dtype=line.dtype))
    return {
        name: results[place][..., 0] if program.lines[place].per == "row" else results[place]
        for name, place in program.outputs
    }
