"""Measure the time of one small call of slopes.nn, relative to torch.nn: 64 elements, and 32 rows of 10 classes.

    python benchmarks/small.py                                  # print a line per module
    python benchmarks/small.py --out benchmarks/results/small.csv

One thread, float32. Rounds of both are taken in turn, so that other work on the machine meets both alike. A figure is
the ratio (forward and backward) or the difference (forward alone) of the two medians, and of the two shortest rounds.
The last columns count the calls of Python functions and of PyTorch's operations that a profiler sees in one call.

Three more rows show the limits: relu as an `autograd.Function` beside PyTorch's, sigmoid by way of float64 beside the
one in float32, and cross-entropy by way of float64.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

import slopes.nn
from rows import write_rows
from speed import take_turns

ACTIVATIONS = (
    "ReLU", "LeakyReLU", "PReLU", "Threshold", "Hardtanh", "ReLU6", "ELU", "Sigmoid", "LogSigmoid", "Tanh", "Softplus",
    "GELU", "SiLU", "Mish", "SELU", "CELU", "Softsign", "Hardsigmoid", "Hardswish", "Softshrink", "Hardshrink",
    "Tanhshrink", "GLU", "Softmax", "LogSoftmax",
)  # fmt: skip
LOSSES = (
    "L1Loss", "MSELoss", "HuberLoss", "SmoothL1Loss", "BCEWithLogitsLoss", "SoftMarginLoss", "PoissonNLLLoss",
    "NLLLoss", "CrossEntropyLoss",
)  # fmt: skip
OF_ROWS = ("NLLLoss", "CrossEntropyLoss")
OPTIONS: dict[str, tuple[Any, ...]] = {"Threshold": (0.1, 0.0), "Softmax": (-1,), "LogSoftmax": (-1,)}
Calls = tuple[Callable[[], Tensor], Callable[[], None]]
SHORTEST = 2e-4  #: seconds of a round, too short for most interruptions by other processes


def make_calls(namespace: Any, name: str) -> Calls:
    """Return functions that compute the module `name` of the namespace forward, and forward and backward, once."""
    generator = torch.Generator().manual_seed(0)
    module = getattr(namespace, name)(*OPTIONS.get(name, ()))
    x = torch.randn((32, 10) if name in OF_ROWS else (64,), generator=generator).requires_grad_()
    arguments: tuple[Tensor, ...] = (x,)
    if name in OF_ROWS:
        arguments = (x, torch.randint(0, 10, (32,), generator=generator))
    elif name in LOSSES:
        arguments = (x, torch.rand(64, generator=generator).round())
    incoming = torch.ones_like(module(*arguments))

    def forward() -> Tensor:
        return module(*arguments)  # type: ignore[no-any-return]

    def step() -> None:
        x.grad = None
        module(*arguments).backward(incoming)

    return forward, step


class _Relu(torch.autograd.Function):
    """PyTorch's relu in the least Python that a derivative of one's own takes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.relu(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradients[0], x, 0.0)


def make_limits() -> dict[str, tuple[Calls, Calls]]:
    """Return the work of the rows that show limits, and PyTorch's function beside it, as `make_calls` does."""
    generator = torch.Generator().manual_seed(0)
    x, rows = (torch.randn(*shape, generator=generator).requires_grad_() for shape in ((64,), (32, 10)))
    labels = torch.arange(32) % 10

    def calls(function: Callable[[Tensor], Tensor], x: Tensor) -> Calls:
        incoming = torch.ones_like(function(x))

        def step() -> None:
            x.grad = None
            function(x).backward(incoming)

        return lambda: function(x), step

    pairs: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], Tensor]] = {
        "Function": (_Relu.apply, torch.relu, x),
        "sigmoid, float64": (lambda x: torch.sigmoid(x.double()).float(), torch.sigmoid, x),
        "entropy, float64": (
            lambda rows: functional.cross_entropy(rows.double(), labels).float(),
            lambda rows: functional.cross_entropy(rows, labels), rows,
        ),
    }  # fmt: skip
    return {name: (calls(ours, x), calls(theirs, x)) for name, (ours, theirs, x) in pairs.items()}


def count_calls(work: Callable[[], Any]) -> tuple[int, int]:
    """Return how many Python functions and how many builtin ones, as PyTorch's operations are, one call runs."""
    work()
    counts = {"call": 0, "c_call": 0}

    def count(frame: Any, event: str, argument: Any) -> None:
        if event in counts:
            counts[event] += 1

    sys.setprofile(count)
    work()
    sys.setprofile(None)
    return counts["call"] - 1, counts["c_call"] - 1  # less the work itself and the end of the profile


def main() -> None:
    """Measure every module."""
    parser = argparse.ArgumentParser(description="Time of one small call of slopes.nn relative to torch.nn.")
    parser.add_argument("names", nargs="*", help="the modules to measure; all of them if none is named")
    parser.add_argument("--out", type=Path, help="write the rows to this CSV file, too")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long each pair is measured")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    limits = make_limits()
    for name in options.names or (*ACTIVATIONS, *LOSSES, *limits):
        pair = limits.get(name) or tuple(make_calls(space, name) for space in (slopes.nn, torch.nn))
        (forward, step), (their_forward, their_step) = pair
        row = {"torch": torch.__version__, "slopes": slopes.__version__, "module": name}
        ours, theirs = take_turns({"slopes": step, "torch": their_step}, options.seconds, SHORTEST).values()
        row["ratio"] = f"{statistics.median(ours) / statistics.median(theirs):.2f}"
        row["ratio of shortest"] = f"{min(ours) / min(theirs):.2f}"
        turns = take_turns({"slopes": forward, "torch": their_forward}, options.seconds / 2, SHORTEST)
        ours, theirs = ([1e6 * seconds for seconds in rounds] for rounds in turns.values())
        row["forward more, us"] = f"{statistics.median(ours) - statistics.median(theirs):.1f}"
        row["of shortest, us"] = f"{min(ours) - min(theirs):.1f}"
        row["Python calls"], row["builtin calls"] = map(str, count_calls(step))
        if not rows:
            print("  ".join(f"{text:>17}" for text in list(row)[2:]))
        print("  ".join(f"{text:>17}" for text in list(row.values())[2:]), flush=True)
        rows.append(row)
    write_rows(options.out, rows)


if __name__ == "__main__":
    main()
