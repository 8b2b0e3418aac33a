"""Measure activations on a GPU, forward and backward, and write benchmarks/results/gpu-CARD.csv.

    python benchmarks/gpu.py                              # everything, in a few minutes
    python benchmarks/gpu.py --only gelu silu --print     # two functions, printed alone

Contenders are slopes, PyTorch's own function if it has one, else the card's operations one by one (eager), and for some
functions what torch.compile makes of PyTorch's. They take turns; a time is the median of the rounds, by events of the
device, of calls one after another, so small tensors take the time that Python needs. Bandwidth counts five tensors: the
input is read twice, the incoming gradient once, value and gradient are written. "share" is the bandwidth over a copy's.
2^16 and 2^20 entries fit into the L2 cache of a large GPU, so their bandwidth is not the memory's. A contender that
needs more memory than there is has no row.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import itertools
import re
import statistics
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

import slopes
from slopes.catalogue import ACTIVATIONS
from speed import ROOT, Row, describe_machine

SIZES = (2**28, 2**16, 2**24, 2**20)  #: the most telling first
DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}
PASSES = 5  #: tensors that forward and backward read and write
SHORTEST = 0.5  #: milliseconds of a round
FEWEST, MOST = 10, 200  #: calls of a round
OWN: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu, "leaky_relu": F.leaky_relu, "relu6": F.relu6, "hard_tanh": F.hardtanh,
    "hard_sigmoid": F.hardsigmoid, "hard_swish": F.hardswish, "elu": F.elu, "celu": F.celu, "selu": F.selu,
    "sigmoid": torch.sigmoid, "tanh": torch.tanh, "softplus": F.softplus, "log_sigmoid": F.logsigmoid,
    "softsign": F.softsign, "softshrink": F.softshrink, "hardshrink": F.hardshrink, "tanhshrink": F.tanhshrink,
    "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu, "mish": F.mish,
    "exponential": torch.exp,
}  # fmt: skip
COMPILED = ("gelu", "mish", "silu", "tanh", "softplus")  #: for the first size alone, as it takes seconds
ROWS = ((8192, 128256), (8192, 1000))  #: logits of a cross-entropy


def describe() -> Row:
    """Return the columns that say where a row was measured."""
    import triton

    properties = torch.cuda.get_device_properties(0)
    machine = describe_machine()
    del machine["processor"], machine["cores"], machine["numba"]
    return {"gpu": properties.name, "cuda": torch.version.cuda or "", "triton": triton.__version__, **machine}


def take_turns(work: str, calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median time of a call of each contender that has enough memory, in microseconds."""
    counts, times = {}, {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name in list(times):
            try:
                if turn:
                    times[name].append(time_calls(calls[name], counts[name]))
                else:
                    counts[name] = count_calls(calls[name])
            except torch.OutOfMemoryError:
                del times[name]
                print(f"{work} by {name} is left out: it needs more memory than there is", flush=True)
    return {name: statistics.median(found) * 1e3 for name, found in times.items()}


def count_calls(call: Callable[[], object]) -> int:
    """Return how many calls a round takes: enough to hide the time until Python has launched the first kernel."""
    call()
    call()
    return min(max(int(SHORTEST / time_calls(call, 3)) + 1, FEWEST), MOST)


def time_calls(call: Callable[[], object], count: int) -> float:
    """Return the time of a call on the device, in milliseconds."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    for _ in range(count):
        call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / count


def measure_copy(x: Tensor, rounds: int) -> float:
    """Return the time of a copy in microseconds."""
    room = torch.empty_like(x)
    return take_turns("copy", {"copy": lambda: room.copy_(x)}, rounds)["copy"]


def measure(only: list[str], sizes: list[int], rounds: int) -> Iterator[Row]:
    """Yield the rows of each dtype, size and function."""
    for kind, dtype in DTYPES.items():
        for size in sizes:
            x = torch.randn(size, device="cuda", dtype=dtype, generator=torch.Generator("cuda").manual_seed(0))
            x.requires_grad_()
            gradient = torch.randn(size, device="cuda", dtype=dtype)
            bytes_of_all = PASSES * size * dtype.itemsize
            copy = measure_copy(gradient, rounds)
            bandwidth = 2 * size * dtype.itemsize / copy / 1e3
            yield {"work": "copy", "dtype": kind, "size": str(size)} | _figures("copy", copy, bandwidth, 1.0)
            for name in [name for name in ACTIVATIONS if not only or name in only]:
                card = ACTIVATIONS[name]
                if card.name != name or card.rowwise:
                    continue
                functions: dict[str, Callable[[Tensor], Tensor]] = {"slopes": card}
                functions["torch" if name in OWN else "eager"] = OWN.get(name) or partial(card.compute, parameters={})
                if name in COMPILED and size == sizes[0]:
                    torch._dynamo.reset()
                    functions["torch.compile"] = torch.compile(OWN[name])
                calls = {
                    contender: lambda f=function: torch.autograd.grad(f(x), x, gradient)  # noqa: B023
                    for contender, function in functions.items()
                }
                times = take_turns(name, calls, rounds)
                for contender, time in times.items():
                    reached = bytes_of_all / time / 1e3
                    row = {"work": name, "dtype": kind, "size": str(size)}
                    yield row | _figures(contender, time, reached, reached / bandwidth)


def measure_cross_entropy(rounds: int) -> Iterator[Row]:
    """Yield the rows of cross-entropies; bandwidth counts the logits and their gradient once."""
    for kind, dtype in DTYPES.items():
        for count, classes in ROWS:
            torch.cuda.empty_cache()
            logits = torch.randn(count, classes, device="cuda", dtype=dtype).requires_grad_()
            labels = torch.arange(count, device="cuda") * 7 % classes
            bandwidth = 2 * logits.numel() * dtype.itemsize / measure_copy(logits.detach(), rounds) / 1e3
            functions = {"slopes": slopes.cross_entropy, "torch": F.cross_entropy}
            calls = {
                contender: lambda f=function: torch.autograd.grad(f(logits, labels), logits)  # noqa: B023
                for contender, function in functions.items()
            }
            for contender, time in take_turns("cross_entropy", calls, rounds).items():
                reached = 2 * logits.numel() * dtype.itemsize / time / 1e3
                row = {"work": "cross_entropy", "dtype": kind, "size": f"{count}x{classes}"}
                yield row | _figures(contender, time, reached, reached / bandwidth)


def _figures(contender: str, microseconds: float, bandwidth: float, share: float) -> Row:
    return {
        "contender": contender, "microseconds": f"{microseconds:.4g}", "GB/s": f"{bandwidth:.4g}",
        "share": f"{share:.3f}",
    }  # fmt: skip


def main() -> None:
    """Measure, print the rows, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=[], help="functions to measure; all if none is named")
    parser.add_argument("--sizes", nargs="*", type=int, default=list(SIZES), help="entries")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--print", action="store_true", help="print the rows, and write no file")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "benchmarks" / "results", help="where the file is written"
    )
    options = parser.parse_args()
    machine = describe()
    found = itertools.chain(
        measure_cross_entropy(options.rounds) if not options.only or "cross_entropy" in options.only else (),
        measure(options.only, options.sizes, options.rounds),
    )
    card = re.sub(r"[^a-z0-9]+", "-", machine["gpu"].lower()).strip("-")
    with contextlib.ExitStack() as stack:
        writer = None
        for row in found:
            print("  ".join(f"{text:>13}" for text in row.values()), flush=True)
            if options.print:
                continue
            if writer is None:
                file = stack.enter_context((options.folder / f"gpu-{card}.csv").open("w", newline=""))
                writer = csv.DictWriter(file, [*row, *machine], lineterminator="\n")
                writer.writeheader()
            writer.writerow(row | machine)
            file.flush()  # what was measured stays, if time runs out


if __name__ == "__main__":
    if not torch.cuda.is_available():
        sys.exit("there is no CUDA device")
    main()
