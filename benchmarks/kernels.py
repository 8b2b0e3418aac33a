"""Measure the time of kernels on NumPy arrays, relative to a copy of the array.

    python benchmarks/kernels.py                                  # print a line per function
    python benchmarks/kernels.py --out benchmarks/results/kernels.csv

Run it with OMP_NUM_THREADS=1 for one thread. Each line has the time of a copy in nanoseconds for each entry, and times
in copies: of the kernel with the result in an array that exists, of a call, which makes the array, of the call without
kernels, and of the kernel of the slope. `bare_exp` is the loop of an exponential with nothing around it, neither
limits nor subnormal results: its operations are the least that a function made of an exponential takes. Rounds of all
are taken in turn, so that other work on the machine meets them alike; a figure is the median of their rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
from numba import njit

from rows import write_rows
from slopes import kernels
from slopes.card import Activation
from slopes.catalogue import ACTIVATIONS
from slopes.kernels.elementary import OPTIONS, growth, reduced
from slopes.kernels.machine import fma, scales_in

ELEMENTS = (10**5, 10**7)
ROUNDS = 9
NAMES = [card.name for card in dict.fromkeys(ACTIVATIONS.values()) if not card.rowwise]


@njit(**OPTIONS)
def bare_exp(x: np.ndarray, out: np.ndarray) -> None:
    """Compute the exponential of numbers whose result is normal, in the fewest operations."""
    for i in range(x.size):
        r, logarithm = reduced(x[i])
        scale, _ = scales_in(logarithm)
        out[i] = fma(scale, growth(r), scale)


def without_kernels(card: Activation, x: np.ndarray) -> np.ndarray:
    """Return the card of x by the NumPy reading."""
    available, kernels.is_available = kernels.is_available, lambda: False
    try:
        return card(x)
    finally:
        kernels.is_available = available


def seconds(function: Callable[[], object], calls: int) -> float:
    """Return the time of a call."""
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def measure(card: Activation, dtype: str, elements: int) -> dict[str, str]:
    """Return a line of the table."""
    x = (np.random.default_rng(0).standard_normal(elements) * 3).astype(dtype)
    out = np.empty_like(x)
    functions = {
        "copy": (lambda: np.copyto(out, x), 1),
        "kernel_out": (lambda: kernels.compute(card, "value", x, out=out), 1),
        "kernel": (lambda: card(x), 1),
        "slope_out": (lambda: kernels.compute(card, "slope", x, out=out), 1),
        "bare_exp": (lambda: bare_exp(x, out), 1),
        "numpy": (lambda: without_kernels(card, x), ROUNDS),  # so slow that one round does
    }
    calls = 10**7 // elements // 10 + 1
    rounds: dict[str, list[float]] = {name: [] for name in functions}
    for name, (function, _) in functions.items():
        if name != "numpy":
            function()  # which compiles
    for round_ in range(ROUNDS):
        for name, (function, every) in functions.items():
            if round_ % every == 0:
                rounds[name].append(seconds(function, 1 if name == "numpy" else calls))
    times = {name: statistics.median(taken) for name, taken in rounds.items()}
    copies = {
        name: f"{times[name] / times['copy']:.1f}"
        for name in ("kernel_out", "kernel", "numpy", "slope_out", "bare_exp")
    }
    return {
        "numpy_version": np.__version__, "numba_version": numba.__version__, "function": card.name, "dtype": dtype,
        "elements": str(elements), "copy_ns": f"{times['copy'] / elements * 1e9:.2f}", **copies,
    }  # fmt: skip


def main() -> None:
    """Print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--functions", nargs="*", default=NAMES)
    parser.add_argument("--dtypes", nargs="*", default=["float32", "float64"])
    options = parser.parse_args()
    chosen = [ACTIVATIONS[name] for name in options.functions]
    rows = []
    for card in chosen:
        for dtype in options.dtypes:
            for elements in ELEMENTS:
                rows.append(measure(card, dtype, elements))
                print("  ".join(f"{text:>12}" for text in list(rows[-1].values())[2:]), flush=True)
    write_rows(options.out, rows)


if __name__ == "__main__":
    main()
