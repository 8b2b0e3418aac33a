"""Measure the peak memory of slopes.nn and torch.nn, forward and backward, in sizes of the input.

    python benchmarks/memory.py                                   # print a line per module
    python benchmarks/memory.py --out benchmarks/results/memory.csv

Each figure is the growth of the largest resident size in the second call in a process of its own, over the size of its
float32 input; the gradient counts, the input does not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

from rows import write_rows
from speed import measure_memory

MODULES = ("ReLU", "GELU", "SiLU", "Softmax", "MSELoss", "BCEWithLogitsLoss", "CrossEntropyLoss")
ROWS, COLUMNS = 16384, 1024  # 64 MB


def measure(library: str, name: str) -> float:
    """Return the peak of one forward and backward of a module, in sizes of its input."""
    import torch

    import slopes.nn

    torch.set_num_threads(1)
    namespace: Any = {"torch": torch.nn, "slopes": slopes.nn}[library]
    module = namespace.Softmax(dim=-1) if name == "Softmax" else getattr(namespace, name)()
    x = torch.randn(ROWS, COLUMNS).requires_grad_()
    target: tuple[Any, ...] = ()
    if name == "CrossEntropyLoss":
        target = (torch.randint(0, COLUMNS, (ROWS,)),)
    elif name.endswith("Loss"):
        target = (torch.rand(ROWS, COLUMNS),)

    def step() -> None:
        output = module(x, *target)
        output.backward(torch.ones_like(output))

    step()  # loads and compiles
    x.grad = None
    growth = measure_memory(step)
    if growth is None:
        raise SystemExit("only Linux tells the largest size of one call")
    return growth / (4 * ROWS * COLUMNS)


def main() -> None:
    """Measure every module of both libraries, each in a process of its own."""
    parser = argparse.ArgumentParser(description="Peak memory of slopes.nn and torch.nn.")
    parser.add_argument("--out", type=Path, help="write the rows to this CSV file, too")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(measure(*options.one))
        return
    rows = []
    for name in MODULES:
        row = {"module": name}
        for library in ("torch", "slopes"):
            command = [sys.executable, __file__, "--one", library, name]
            row[library] = f"{float(subprocess.run(command, capture_output=True, text=True, check=True).stdout):.1f}"
        print(f"{name:>18}  torch.nn {row['torch']:>5}  slopes.nn {row['slopes']:>5}", flush=True)
        rows.append(row)
    write_rows(options.out, rows)


if __name__ == "__main__":
    main()
