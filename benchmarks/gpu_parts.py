"""Measure what limits the Triton kernels of activations: block and warps, arithmetic, and the launch.

    python benchmarks/gpu_parts.py

Each line is a kernel's time for 2^28 entries of bfloat16 and its share of a copy's bandwidth. "hardware"
kernels are written by hand with the functions of the device.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import partial

import torch

import slopes
from gpu import time_calls
from slopes.catalogue import ACTIVATIONS
from slopes.kernels.gpu import launching
from slopes.kernels.printing.triton import BLOCK

SIZE = 2**28
HARDWARE = {
    "silu": ("x / (1.0 + tl.exp(-x))", "cotangent * tl.sigmoid(x) * (1.0 + x * (1.0 - tl.sigmoid(x)))"),
    "gelu": (
        "0.5 * x * (1.0 + tl.erf(x * 0.70710678))",
        "cotangent * (0.5 + 0.5 * tl.erf(x * 0.70710678) + x * 0.39894228 * tl.exp(-0.5 * x * x))",
    ),
}


def time_kernel(source: str, tensors: list[torch.Tensor], warps: int = 4) -> float:
    """Return a kernel's time in milliseconds."""
    block = int(re.findall(r"tl\.arange\(0, (\d+)\)", source)[0])
    count_warps, launching.count_warps = launching.count_warps, lambda source: warps
    try:
        compiled = launching.compile_for(source, [launching.TYPES[tensors[0].dtype]] * len(tensors))
    finally:
        launching.count_warps = count_warps
    pointers, size = [tensor.data_ptr() for tensor in tensors], tensors[0].numel()
    launch = compiled[(-(-size // block), 1, 1)]
    for _ in range(3):
        launch(*pointers, size)
    return min(time_calls(lambda: launch(*pointers, size), 5) for _ in range(3))


class Kernels:
    """Kernels of activations on 2^28 entries of bfloat16."""

    def __init__(self) -> None:
        self.x, self.cotangent = (torch.randn(SIZE, device="cuda", dtype=torch.bfloat16) for _ in range(2))
        self.out = torch.empty_like(self.x)
        copy = min(time_calls(lambda: self.out.copy_(self.x), 5) for _ in range(3))
        self.bandwidth = 2 * SIZE * 2 / copy
        print(f"copy {copy * 1e3:.1f} us, {self.bandwidth / 1e6:.0f} GB/s")

    def measure(self, title: str, output: str, source: str, warps: int = 4) -> None:
        """Print a kernel's time and share of a copy's bandwidth, or why it failed."""
        tensors = [self.x, self.out] if output == "value" else [self.x, self.cotangent, self.out]
        try:
            time = time_kernel(source, tensors, warps)
        except Exception as error:
            print(f"{title} failed: {type(error).__name__}: {str(error)[-300:]}", flush=True)
        else:
            share = len(tensors) * SIZE * 2 / time / self.bandwidth
            print(f"{title:50} {time * 1e3:9.1f} us  {share:6.3f}", flush=True)


def source_of(name: str, output: str) -> str:
    """Return the source of an activation's kernel."""
    return slopes.kernels.source(ACTIVATIONS[name], output, dtype="bfloat16", language="triton")


def vary_blocks(kernels: Kernels) -> None:
    """Measure kernels of several blocks."""
    for name in ("hard_swish", "silu", "gelu"):
        for output in ("value", "vjp"):
            for block, warps in ((1024, 4), (512, 4), (1024, 8), (2048, 4), (2048, 8), (4096, 8)):
                title = f"{name} {output}, {block} entries, {warps} warps"
                kernels.measure(title, output, re.sub(rf"\b{BLOCK}\b", str(block), source_of(name, output)), warps)


def measure_hardware(kernels: Kernels) -> None:
    """Measure kernels of the device's own functions."""
    for name, texts in HARDWARE.items():
        for output, text in zip(("value", "vjp"), texts, strict=True):
            source = source_of("linear", output)
            source = re.sub(r"(tl\.store\(\w+ \+ lane, )[^,)]+(?:\([^)]*\))?", rf"\g<1>{text}", source)
            kernels.measure(f"{name} {output}, hardware", output, source)


def time_launches() -> None:
    """Print the time of small calls."""
    small = torch.randn(4096, device="cuda", requires_grad=True)
    gradient = torch.ones_like(small)
    for name in ("mish", "silu"):
        for title, function in (("slopes", ACTIVATIONS[name]), ("torch", getattr(torch.nn.functional, name))):
            with torch.no_grad():
                forward = _shortest(partial(function, small))
            both = _shortest(partial(_step, function, small, gradient))
            print(f"{name} of 4096 entries by {title}: {forward * 1e3:.1f} us, with backward {both * 1e3:.1f} us")


def _shortest(call: Callable[[], object]) -> float:
    return min(time_calls(call, 500) for _ in range(5))


def _step(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, gradient: torch.Tensor) -> None:
    torch.autograd.grad(function(x), x, gradient)


def main() -> None:
    """Measure and print."""
    time_launches()
    kernels = Kernels()
    for name, card in ACTIVATIONS.items():
        if card.name == name and not card.rowwise:
            for output in ("value", "vjp"):
                kernels.measure(f"{name} {output}", output, source_of(name, output))
    measure_hardware(kernels)
    vary_blocks(kernels)


if __name__ == "__main__":
    if not torch.cuda.is_available():
        sys.exit("there is no CUDA device")
    main()
