"""Measure functions on a GPU, forward and backward, and write benchmarks/results/gpu-CARD.csv.

    python benchmarks/gpu.py                              # everything, in a few minutes
    python benchmarks/gpu.py --only gelu cross_entropy --print     # two functions, printed alone

Contenders are slopes, PyTorch's own function if it has one, else the card's operations one by one (eager), for some
functions what torch.compile makes of PyTorch's, and Liger-Kernel's kernels where it is installed. They take turns; a
time is the median of the rounds, by events of the device, of calls one after another, so small tensors take the time
that Python needs. "MB" is the most memory that a call takes beside its input.

"share" is the bandwidth over a copy's. The bandwidth of an activation counts five tensors: the input is read twice, the
incoming gradient once, value and gradient are written; that of a loss or a softmax counts its input and the gradient
once. 2^16 and 2^20 entries fit into the L2 cache of a large GPU, so their bandwidth is not the memory's. The share of
`linear_loss` is the time of its three products of matrices over its own, of a study the time of two processors over
its own. A contender that needs more memory than there is has no row.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import itertools
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

import slopes
from slopes.catalogue import ACTIVATIONS
from speed import ROOT, Row, describe_machine

DEVICE = "cuda"
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
ENTRIES = 2**26  #: of an element-wise loss
LAST_LAYER = (8192, 4096, 128256)  #: rows, features and classes of a `linear_loss`
STUDY: dict[str, Any] = {
    "activations": ["relu", "gelu", "silu", "tanh", "elu", "mish"], "losses": ["cross_entropy", "mse", "mae"],
    "rates": [0.001, 0.003, 0.01, 0.03], "seeds": 10, "epochs": 3,
}  # fmt: skip  #: of 720 networks


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
            x = torch.randn(size, device=DEVICE, dtype=dtype, generator=torch.Generator(DEVICE).manual_seed(0))
            x.requires_grad_()
            gradient = torch.randn(size, device=DEVICE, dtype=dtype)
            bytes_of_all = PASSES * size * dtype.itemsize
            copy = measure_copy(gradient, rounds)
            bandwidth = 2 * size * dtype.itemsize / copy / 1e3
            yield {"work": "copy", "dtype": kind, "size": str(size)} | _figures("copy", copy, bandwidth, 1.0, None)
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
                for contender, microseconds in times.items():
                    reached = bytes_of_all / microseconds / 1e3
                    row = {"work": name, "dtype": kind, "size": str(size)}
                    peak = peak_of(calls[contender])
                    yield row | _figures(contender, microseconds, reached, reached / bandwidth, peak)


Made = Callable[[Tensor, Tensor], Tensor]
LOSSES: dict[str, dict[str, Made]] = {
    "mse": {"slopes": slopes.mse, "torch": F.mse_loss},
    "huber": {"slopes": slopes.huber, "torch": F.huber_loss},
    "binary_cross_entropy": {
        "slopes": slopes.binary_cross_entropy, "torch": F.binary_cross_entropy_with_logits,
    },
}  # fmt: skip
SOFTMAXES: dict[str, dict[str, Callable[[Tensor], Tensor]]] = {
    "softmax": {"slopes": slopes.softmax, "torch": partial(torch.softmax, dim=-1)},
    "log_softmax": {"slopes": slopes.log_softmax, "torch": partial(torch.log_softmax, dim=-1)},
}


def measure_losses(only: list[str], rounds: int) -> Iterator[Row]:
    """Yield the rows of losses and softmaxes."""
    for kind, dtype in DTYPES.items():
        for count, classes in ROWS:
            torch.cuda.empty_cache()
            x = torch.randn(count, classes, device=DEVICE, dtype=dtype).requires_grad_()
            labels, gradient = torch.arange(count, device=DEVICE) * 7 % classes, torch.ones_like(x)
            if not only or "cross_entropy" in only:
                functions: dict[str, Made] = {"slopes": slopes.cross_entropy, "torch": F.cross_entropy} | liger()
                functions["torch.compile"] = torch.compile(F.cross_entropy)
                calls = {name: partial(_differentiate, partial(f, x, labels), x) for name, f in functions.items()}
                yield from _shares("cross_entropy", kind, f"{count}x{classes}", x, calls, rounds)
            for work in [name for name in SOFTMAXES if not only or name in only]:
                maps = {
                    name: partial(_differentiate, partial(f, x), x, gradient) for name, f in SOFTMAXES[work].items()
                }
                yield from _shares(work, kind, f"{count}x{classes}", x, maps, rounds)
            del x, gradient
        x, target = (torch.rand(ENTRIES, device=DEVICE, dtype=dtype) for _ in range(2))
        x.requires_grad_()
        for work in [name for name in LOSSES if not only or name in only]:
            calls = {name: partial(_differentiate, partial(f, x, target), x) for name, f in LOSSES[work].items()}
            yield from _shares(work, kind, str(ENTRIES), x, calls, rounds)


def _differentiate(compute: Callable[[], Tensor], x: Tensor, gradient: Tensor | None = None) -> object:
    return torch.autograd.grad(compute(), x, gradient)


def _shares(
    work: str, kind: str, size: str, x: Tensor, calls: dict[str, Callable[[], object]], rounds: int
) -> Iterator[Row]:
    """Yield the rows of contenders that read x and write its gradient."""
    moved = 2 * x.numel() * x.dtype.itemsize
    bandwidth = moved / measure_copy(x.detach(), rounds) / 1e3
    for contender, microseconds in take_turns(work, calls, rounds).items():
        reached = moved / microseconds / 1e3
        row = {"work": work, "dtype": kind, "size": size}
        yield row | _figures(contender, microseconds, reached, reached / bandwidth, peak_of(calls[contender]))


def liger() -> dict[str, Made]:
    """Return Liger-Kernel's cross-entropy by its name, where that is installed."""
    try:
        from liger_kernel.transformers.functional import liger_cross_entropy
    except ImportError:
        return {}
    return {"Liger": lambda logits, labels: liger_cross_entropy(logits.clone(), labels)}  # it overwrites the logits


def measure_last_layer(rounds: int) -> Iterator[Row]:
    """Yield the rows of a last layer and its cross-entropy, beside its three products."""
    count, width, classes = LAST_LAYER
    torch.cuda.empty_cache()
    x = torch.randn(count, width, device=DEVICE, dtype=torch.bfloat16).requires_grad_()
    weight = (torch.randn(classes, width, device=DEVICE, dtype=torch.bfloat16) / 64).requires_grad_()
    labels, leaves = torch.arange(count, device=DEVICE) * 7 % classes, (x, weight)

    def products() -> None:
        with torch.no_grad():
            logits = x @ weight.T
            _ = logits @ weight, logits.T @ x

    calls: dict[str, Callable[[], object]] = {
        "products": products,
        "slopes": lambda: torch.autograd.grad(slopes.linear_loss(x, weight, labels, loss=slopes.cross_entropy), leaves),
        "torch": lambda: torch.autograd.grad(F.cross_entropy(x @ weight.T, labels), leaves),
    }
    with contextlib.suppress(ImportError):
        from liger_kernel.transformers.functional import liger_fused_linear_cross_entropy

        calls["Liger"] = lambda: torch.autograd.grad(liger_fused_linear_cross_entropy(x, weight, labels), leaves)
    times = take_turns("linear_loss", calls, min(rounds, 3))
    for contender, microseconds in times.items():
        row = {"work": "linear_loss", "dtype": "bfloat16", "size": "x".join(map(str, LAST_LAYER))}
        share = times.get("products", 0.0) / microseconds
        yield row | _figures(contender, microseconds, None, share, peak_of(calls[contender]))


def measure_study() -> Iterator[Row]:
    """Yield the rows of a study of digits on the GPU and on two processors."""
    times = {}
    for contender, options in (("slopes", {"device": DEVICE}), ("two processors", {"device": "cpu", "workers": 2})):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            slopes.compare("mlp", "digits", **STUDY, **options, out=folder)
            times[contender] = (time.perf_counter() - start) * 1e6
    for contender, microseconds in times.items():
        row = {"work": "study", "dtype": "float32", "size": "720"}
        yield row | _figures(contender, microseconds, None, times["two processors"] / microseconds, None)


def peak_of(call: Callable[[], object]) -> float:
    """Return the most memory that a call takes beside what is held before, in MB."""
    torch.cuda.synchronize()
    held = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    call()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - held) / 1e6


def _figures(contender: str, microseconds: float, bandwidth: float | None, share: float, peak: float | None) -> Row:
    return {
        "contender": contender, "microseconds": f"{microseconds:.4g}",
        "GB/s": "" if bandwidth is None else f"{bandwidth:.4g}", "share": f"{share:.3f}",
        "MB": "" if peak is None else f"{peak:.0f}",
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
        measure_losses(options.only, options.rounds),
        measure_last_layer(options.rounds) if not options.only or "linear_loss" in options.only else (),
        measure_study() if not options.only or "study" in options.only else (),
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
