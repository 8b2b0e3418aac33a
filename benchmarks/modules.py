"""Measure the time of slopes.nn, forward and backward, relative to torch.nn.

    python benchmarks/modules.py                                  # print a line per module
    python benchmarks/modules.py --out benchmarks/results/modules.csv

One thread, float32. Rounds of both are taken in turn, so that other work on the machine meets both alike; a figure
is the ratio of the two shortest rounds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import slopes.nn
from rows import write_rows

ELEMENTS = (64, 10**4, 10**6)
ACTIVATIONS = ("ReLU", "Sigmoid", "Tanh", "GELU", "SiLU", "Mish", "Softplus")
LOSSES = ("MSELoss", "L1Loss", "HuberLoss", "BCEWithLogitsLoss", "CrossEntropyLoss")


def make_step(namespace: Any, name: str, elements: int) -> Callable[[], None]:
    """Return a function that computes the module `name` of the namespace forward and backward once."""
    generator = torch.Generator().manual_seed(0)
    module = getattr(namespace, name)()
    shape = (elements // 10, 10) if name == "CrossEntropyLoss" else (elements,)
    x = torch.randn(shape, generator=generator).requires_grad_()
    arguments: tuple[Tensor, ...] = (x,)
    if name == "CrossEntropyLoss":
        arguments = (x, torch.randint(0, 10, shape[:1], generator=generator))
    elif name in LOSSES:
        arguments = (x, torch.rand(shape, generator=generator))
    incoming = torch.ones_like(module(*arguments))

    def step() -> None:
        x.grad = None
        module(*arguments).backward(incoming)

    return step


def ratio_of_times(first: Callable[[], None], second: Callable[[], None], seconds: float) -> float:
    """Return the ratio of the shortest rounds of two functions."""
    shortest = [float("inf"), float("inf")]
    calls = 1
    while True:  # rounds long enough for the clock
        start = time.perf_counter()
        for _ in range(calls):
            second()
        if time.perf_counter() - start > 2e-3:
            break
        calls *= 2
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for place, work in enumerate((first, second)):
            start = time.perf_counter()
            for _ in range(calls):
                work()
            shortest[place] = min(shortest[place], time.perf_counter() - start)
    return shortest[0] / shortest[1]


def main() -> None:
    """Measure every module at every size."""
    parser = argparse.ArgumentParser(description="Time of slopes.nn relative to torch.nn.")
    parser.add_argument("--out", type=Path, help="write the rows to this CSV file, too")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each pair is measured")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in (*ACTIVATIONS, *LOSSES):
        row = {"torch": torch.__version__, "slopes": slopes.__version__, "module": name}
        for elements in ELEMENTS:
            ours, theirs = (make_step(namespace, name, elements) for namespace in (slopes.nn, torch.nn))
            row[f"{elements} elements"] = f"{ratio_of_times(ours, theirs, options.seconds):.1f}"
        print("  ".join(f"{text:>18}" for text in list(row.values())[2:]), flush=True)
        rows.append(row)
    write_rows(options.out, rows)


if __name__ == "__main__":
    main()
