"""Measure where the time of cross-entropy goes, in nanoseconds for an entry, by one thread.

    python benchmarks/row_parts.py

The parts take turns, and the least time of each is printed: what other work on the machine adds is left out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numba import njit
from torch.nn import functional

import slopes
import slopes.nn
from slopes.kernels.arithmetic.elementary import OPTIONS
from slopes.kernels.arithmetic.rows import place_of_largest
from slopes.kernels.rows import row_kernel
from speed import take_turns
from works import bare_exponential, normal, step


@njit(**OPTIONS)
def find_largest(rows: np.ndarray, places: np.ndarray) -> None:
    """Write where the largest entry of each row lies."""
    for i in range(rows.shape[0]):
        places[i] = place_of_largest(rows[i])


def parts(count: int, classes: int) -> dict[str, Callable[[], object]]:
    """Return the parts of the mean of so many rows' cross-entropy and its gradient."""
    z, y = normal(count, classes), torch.arange(count) * 37 % classes
    rows, labels, gradient = z.numpy(), y.numpy(), np.empty((count, classes), np.float32)
    values, places, short = np.empty(count, np.float32), np.empty(count, np.int64), np.empty(2**13, np.float32)
    cotangent, softmax = np.full(count, 1 / count, np.float32), torch.empty_like(z)
    kernel = row_kernel(slopes.cross_entropy, ("value", "vjp"), "float32", labels=True)
    times = count * classes // short.size
    some = np.resize(rows, short.size)
    return {
        "slopes, forward and backward": step(slopes.nn.CrossEntropyLoss(), z, y, mean=True),
        "its kernel, into memory that exists": lambda: kernel(rows, labels, cotangent, out=[values, gradient]),
        "the largest entry of each row": lambda: find_largest(rows, places),
        "a bare exponential in the nearest caches": lambda: [bare_exponential(some, short) for _ in range(times)],
        "a copy": lambda: np.copyto(gradient, rows),
        "a new tensor, filled": lambda: torch.empty_like(z).fill_(0.0),
        "torch, forward and backward": step(functional.cross_entropy, z, y, mean=True),
        "torch's softmax, into memory that exists": lambda: torch.softmax(z, -1, out=softmax),
    }


def main() -> None:
    """Print the parts for rows of two lengths."""
    torch.set_num_threads(1)
    for count, classes in ((4096, 1000), (1024, 32000)):
        rounds = take_turns(parts(count, classes), 8.0)
        print(f"{count} x {classes}")
        for name, times in rounds.items():
            print(f"    {name:42} {min(times) / (count * classes) * 1e9:6.2f} ns")


if __name__ == "__main__":
    main()
