"""Run Triton kernels of cards in Triton's interpreter, on a CPU: `python interpreted.py FOLDER DTYPE`, by a test.

It writes NAME.npz for each kernel, with inputs and outputs; the environment has TRITON_INTERPRET=1.
"""

import pathlib
import sys

import numpy as np
import torch
from triton import language as tl
from triton.language.extra import libdevice
from triton.runtime import interpreter

import slopes
from helpers import every_exponent
from slopes.catalogue import ACTIVATIONS
from slopes.kernels.gpu.loading import load
from slopes.kernels.printing.triton import BLOCK
from slopes.kernels.programs import source_and_numbers
from slopes.readings.program import _fma
from test_gpu_kernels import SPECIAL


def fused(self, x, y, z):
    """A fused multiply-add as a GPU has it: the interpreter's rounds twice."""
    with np.errstate(all="ignore"):
        return interpreter.TensorHandle(_fma(np.asarray(x.data), y.data, z.data), z.dtype.scalar)


interpreter.InterpreterBuilder.create_fma = fused


def power(x, y):
    """The library's power, which the interpreter lacks."""
    found = np.power(*np.broadcast_arrays(x.handle.data, y.handle.data))
    return tl.core.tensor(
        interpreter.TensorHandle(found, x.handle.dtype), tl.core.block_type(x.dtype, list(found.shape))
    )


libdevice.pow = power


def by_device(function):
    """A function with errors up to 2^-22, as a GPU's has."""

    def compute(self, x, *others):
        made = function(self, x, *others)
        if made.data.dtype != np.float32:
            return made
        noise = (np.asarray(made.data).view(np.uint32) * np.uint32(2654435761)) / 2.0**31 - 1.0
        data = (made.data * (1 + noise * 2.0**-22)).astype(np.float32)
        return interpreter.TensorHandle(data, made.dtype.scalar)

    return compute


def run(folder: pathlib.Path, title: str, card, dtype: str, parameters) -> None:
    x = every_exponent(SPECIAL, dtype, each=4, near=999)  # the last block is not full
    cotangent = np.linspace(0.5, 2.0, len(x)).astype(dtype)
    written = {"x": x, "cotangent": cotangent}
    for output, given in (("value", [x]), ("vjp", [x, cotangent])):
        source, numbers = source_and_numbers(card, (output,), dtype, parameters, "triton")
        result = torch.full((len(x),), 7.0, dtype=getattr(torch, dtype))
        kernel = load(source)
        with np.errstate(all="ignore"):
            first, *rest = (*map(torch.from_numpy, given), result)
            kernel[(-(-len(x) // BLOCK),)](first, *numbers, *rest, len(x))
        written[output] = result.numpy()
    np.savez(folder / f"{title}.npz", **written)


def run_on_half_types(folder: pathlib.Path, title: str, card, _: str, parameters) -> None:
    """A kernel's results before they are rounded, for all finite numbers of both half types."""
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int16)
    numbers = [bits.view(dtype) for dtype in (torch.float16, torch.bfloat16)]
    written = {}
    for part in numbers:
        x = part[part.isfinite()].float()
        name = str(part.dtype).removeprefix("torch.")
        written[f"x {name}"] = x.numpy()
        for output, given in (("value", [x]), ("vjp", [x, torch.ones_like(x)])):
            source, constants = source_and_numbers(card, (output,), name, parameters, "triton")
            kernel = load(source.replace(f"{BLOCK}", f"{2**16}"))
            result = torch.full((len(x),), 7.0)
            with np.errstate(all="ignore"):
                first, *rest = (*given, result)
                kernel[(1,)](first, *constants, *rest, len(x))
            written[f"{output} {name}"] = result.numpy()
    np.savez(folder / f"{title}.npz", **written)


CASES = [(card.name, card, {}) for card in dict.fromkeys(ACTIVATIONS.values()) if not card.rowwise]
CASES += [("elu by 0.3", slopes.elu, {"alpha": 0.3}), ("softplus by 1.7", slopes.softplus, {"beta": 1.7})]
CASES += [("snake by 0.3", slopes.snake, {"alpha": 0.3}), ("softcap by 30", slopes.softcap, {"cap": 30.0})]

if __name__ == "__main__":
    is_half = sys.argv[2] == "half types"
    if is_half:
        for name in ("create_exp", "create_rsqrt", "create_sqrt", "create_fdiv"):
            setattr(interpreter.InterpreterBuilder, name, by_device(getattr(interpreter.InterpreterBuilder, name)))
    for name, card, parameters in CASES:
        (run_on_half_types if is_half else run)(pathlib.Path(sys.argv[1]), name, card, sys.argv[2], parameters)
