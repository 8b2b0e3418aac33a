"""Measure what keeps slopes from being faster: instructions in loops, the time beside kernels, and matrix products.

    python benchmarks/limits.py                   # everything; by one thread, except threads
    python benchmarks/limits.py loops             # one of the sections: loops, modules, rows, focal, training, threads

The least time of many rounds is printed (of threads the median), which leaves out what other work on the machine adds.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import slopes
import slopes.nn as snn
from slopes import kernels
from slopes.kernels import openmp
from slopes.kernels.elementwise_losses import ElementwiseLossKernel, find
from slopes.kernels.entries import EntryKernel, prepare, run_flat
from slopes.kernels.gates import GateKernel, prepare_gate
from slopes.kernels.rows import RowKernel, row_kernel
from speed import take_turns
from works import MIDDLE, MODULES, SECTIONS, last_layer, normal, step

LOOPS = (
    "exponential", "sigmoid", "silu", "tanh", "elu", "selu", "celu", "softplus", "log_sigmoid", "squareplus",
    "quick_gelu", "softcap", "mish", "gelu_tanh", "tanhshrink", "gelu", "xielu",
)  # fmt: skip


SHORT = 15  #: instructions of loops that only test their entries


def count_instructions(source: str) -> list[int]:
    """Return the instructions of each innermost loop of a kernel's machine code that computes vectors."""
    namespace: dict[str, Any] = {"__name__": "kernel"}
    exec(source, namespace)
    (code,) = namespace["kernel"].inspect_asm().values()
    lines = code.splitlines()
    labels = {line[:-1]: place for place, line in enumerate(lines) if re.fullmatch(r"\.\w+:", line)}
    jumps = [(place, re.match(r"\s+j\w+\s+(\.\w+)", line)) for place, line in enumerate(lines)]
    loops = [(labels[jump[1]], place) for place, jump in jumps if jump and labels.get(jump[1], place) < place]
    counts = []
    for start, end in loops:
        body = [line for line in lines[start : end + 1] if re.match(r"\s+[a-z]", line)]
        is_innermost = not any(start <= first and last < end for first, last in loops)
        if is_innermost and any("%ymm" in line or "%zmm" in line for line in body):
            counts.append(len(body))
    return counts


def show_loops() -> None:
    """Print the instructions of the loops of activations: the shortest, which computes a vector of float32."""
    for name in LOOPS:
        card = slopes.catalogue.ACTIVATIONS[name]
        counts = [
            min(count for count in count_instructions(kernels.source(card, *outputs)) if count > SHORT)
            for outputs in (("value",), ("slope",), ("value", "slope"))
        ]
        print(f"    {name:12} value {counts[0]:4}  slope {counts[1]:4}  both {counts[2]:4}")


class _Empty(torch.autograd.Function):
    """An autograd function in the least Python, without arithmetic."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.empty_like(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return torch.empty_like(x)


class KernelTime:
    """Collects the seconds that kernels take, while it is entered."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> KernelTime:
        self._methods = [(EntryKernel, "__call__"), (RowKernel, "run"), (GateKernel, "__call__")]
        self._whole = [getattr(owner, name) for owner, name in self._methods]
        for (owner, name), method in zip(self._methods, self._whole, strict=True):
            setattr(owner, name, self._timed(method))
        return self

    def __exit__(self, *error: object) -> None:
        for (owner, name), method in zip(self._methods, self._whole, strict=True):
            setattr(owner, name, method)

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **keywords: Any) -> Any:
            start = time.perf_counter()
            result = method(*arguments, **keywords)
            self.seconds += time.perf_counter() - start
            return result

        return timed


def least_kernel_time(work: Callable[[], object], calls: int = 1000) -> float:
    """Return the least seconds that the kernels of one call take."""
    seconds = []
    with KernelTime() as kernel_time:
        for _ in range(calls):
            kernel_time.seconds = 0.0
            work()
            seconds.append(kernel_time.seconds)
    return min(seconds)


def show_modules() -> None:
    """Print the time of forward and backward of 10^5 entries, and how much of it is spent in kernels."""
    x = normal(MIDDLE)
    floors = {"a view": step(lambda x: x.view(-1), x), "an empty Function": step(_Empty.apply, x)}
    for name, times in take_turns(floors, 2.0).items():
        print(f"    {name}: {min(times) * 1e6:.0f} us")
    for name, options in MODULES.items():
        kind = name.partition("(")[0]
        x = normal(MIDDLE // 100, 100) if kind in ("GLU", "Softmax", "LogSoftmax") else normal(MIDDLE)
        keywords = {"approximate": "tanh"} if options == ("tanh",) else {}
        ours, theirs = (getattr(space, kind)(*(() if keywords else options), **keywords) for space in (snn, nn))
        contenders: dict[str, Callable[[], object]] = {"slopes": step(ours, x), "torch": step(theirs, x)}
        rounds = take_turns(contenders, 2.0)
        inside, mine, others = least_kernel_time(contenders["slopes"]), min(rounds["slopes"]), min(rounds["torch"])
        print(
            f"    {name:12} slopes {mine * 1e6:5.0f} us, in kernels {inside * 1e6:5.0f}; PyTorch {others * 1e6:5.0f}, "
            f"{others / mine:.2f} times as long",
            flush=True,
        )


def show_rows() -> None:
    """Print the time of kernels of rows for 10^5 entries, beside PyTorch's operations."""
    x = normal(MIDDLE // 100, 100)
    rows, result = x.numpy(), torch.softmax(x, -1)
    cotangent, place = torch.ones_like(x), np.empty_like(rows)
    half, flat = np.empty(MIDDLE // 2, np.float32), rows.reshape(-1)
    softmax = slopes.catalogue.ACTIVATIONS["softmax"]
    value, vjp, log_vjp = (
        row_kernel(card, (output,), "float32")
        for card, output in ((softmax, "value"), (softmax.by_result, "vjp"), (slopes.log_softmax, "vjp"))
    )
    gate, gate_vjp = (prepare_gate(slopes.glu, output, "float32", {}) for output in ("value", "vjp"))
    contenders: dict[str, Callable[[], object]] = {
        "softmax": lambda: value.run([rows, place]),
        "PyTorch's softmax": lambda: torch.softmax(x, -1),
        "softmax's vjp by its result": lambda: vjp.run([result.numpy(), cotangent.numpy(), place]),
        "PyTorch's": lambda: torch._softmax_backward_data(cotangent, result, -1, torch.float32),
        "log_softmax's vjp": lambda: log_vjp.run([rows, cotangent.numpy(), place]),
    }
    for length in (50, MIDDLE // 2):
        contenders[f"GLU of halves of {length}"] = lambda length=length: gate(length, flat, half)
        contenders[f"its vjp of halves of {length}"] = lambda length=length: gate_vjp(
            length, flat, half, place.reshape(-1)
        )
    for name, times in take_turns(contenders, 4.0).items():
        print(f"    {name}: {min(times) * 1e6:.0f} us", flush=True)


def show_focal() -> None:
    """Print the instructions and the time of element-wise losses for 10^7 entries, beside a copy."""
    elements = 10**7
    x, bits = normal(elements), (normal(elements) > 0).float()
    gradient = np.empty(elements, np.float32)
    for card in (slopes.binary_cross_entropy, slopes.sigmoid_focal):
        kernel: ElementwiseLossKernel | None = find(card, "float32", {}, elements)
        assert kernel is not None
        count = min(count for count in count_instructions(kernel.source("total", "gradient")) if count > SHORT)
        arrays = [x.numpy(), bits.numpy()]
        contenders: dict[str, Callable[[], object]] = {
            "kernel": lambda kernel=kernel, arrays=arrays: kernel.reduce(arrays, 1.0, gradient),
            "copy": lambda: np.copyto(gradient, x.numpy()),
        }
        rounds = take_turns(contenders, 5.0)
        listed = ", ".join(f"{name} {min(times) / elements * 1e9:.2f} ns an entry" for name, times in rounds.items())
        print(f"    {card.name:22} {count} instructions; {listed}", flush=True)


def show_training() -> None:
    """Print the time of a training step, and of its parts that are the same for all."""
    for work in SECTIONS["training"]():
        rounds = take_turns(work.contenders, 4.0)
        listed = ", ".join(f"{name} {min(times) * 1e3:.2f} ms" for name, times in rounds.items())
        print(f"    {work.name}: {listed}", flush=True)
    rows, hidden, labels = normal(64, 10), normal(64, 64), torch.arange(64) % 10
    parts: dict[str, Callable[[], object]] = {
        f"{who} {name}": step(function, x, *others, mean=bool(others))
        for who, space in (("slopes", snn), ("torch", nn))
        for name, function, x, *others in (
            ("loss", space.CrossEntropyLoss(), rows, labels),
            ("relu", space.ReLU(), hidden),
        )
    }
    listed = ", ".join(f"{name} {min(times) * 1e6:.0f} us" for name, times in take_turns(parts, 2.0).items())
    print(f"    the perceptron's loss, and each relu: {listed}", flush=True)
    rounds = take_turns(last_layer(1024, 256, 32000), 10.0)
    listed = ", ".join(f"{name} {min(times) * 1e3:.0f} ms" for name, times in rounds.items())
    print(f"    the language model's last layer and loss: {listed}")


def show_threads() -> None:
    """Print the time of sigmoid's kernel, by whose threads it runs, after a product of matrices on PyTorch's two."""
    matrix, kernel, of_pytorch = normal(400, 400), prepare(slopes.sigmoid, ("value",), "float32", {}), openmp.run
    runners: dict[str, Callable[..., bool]] = {"ours": lambda work, threads: False, "PyTorch's": of_pytorch}
    try:
        torch.set_num_threads(2)
        for size in (10**6, 2 * 10**6, 10**7):
            x = np.ones(size, np.float32)
            place = np.empty_like(x)
            times: dict[str, list[float]] = {"one thread": []} | {name: [] for name in runners}
            for _ in range(100):
                for name, taken in times.items():
                    _ = matrix @ matrix
                    openmp.run = runners.get(name, of_pytorch)
                    start = time.perf_counter()
                    if name in runners:
                        run_flat(kernel, [x], [place])
                    else:
                        kernel(x, place)
                    taken.append(time.perf_counter() - start)
            listed = ", ".join(f"{name} {np.median(taken) * 1e6:.0f} us" for name, taken in times.items())
            print(f"    {size:>8} entries: {listed}", flush=True)
    finally:
        torch.set_num_threads(1)
        openmp.run = of_pytorch


SHOWN = {
    "loops": show_loops, "modules": show_modules, "rows": show_rows, "focal": show_focal, "training": show_training,
    "threads": show_threads,
}  # fmt: skip


def main() -> None:
    """Print the sections that are named, or all."""
    torch.set_num_threads(1)
    for name in sys.argv[1:] or SHOWN:
        print(name)
        SHOWN[name]()


if __name__ == "__main__":
    main()
