"""Run Triton kernels of cards in Triton's interpreter, on a CPU: `python interpreted.py FOLDER DTYPE`, by a test.

It writes NAME.npz for each kernel, with inputs and outputs; the environment has TRITON_INTERPRET=1.
"""

import pathlib
import sys

import numpy as np
import torch
from triton.runtime import interpreter

import slopes
from slopes.catalogue import ACTIVATIONS
from slopes.kernels.gpu.launching import load
from slopes.kernels.printing.triton import BLOCK
from slopes.kernels.programs import source_and_numbers
from slopes.readings.program import _fma


def fused(self, x, y, z):
    """A fused multiply-add as a GPU has it: the interpreter's rounds twice."""
    with np.errstate(all="ignore"):
        return interpreter.TensorHandle(_fma(np.asarray(x.data), y.data, z.data), z.dtype.scalar)


interpreter.InterpreterBuilder.create_fma = fused


def entries(dtype: str) -> np.ndarray:
    """Numbers of every exponent and sign, many near 0, and special ones; a last block that is not full."""
    rng = np.random.default_rng(0)
    single = (np.arange(255, dtype=np.uint32)[:, None] << 23) | rng.integers(0, 2**23, (255, 4), dtype=np.uint32)
    sizes = single.ravel().view(np.float32)
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 3.0, -3.0, 1.0, -1.0, 0.5, -0.5, 6.0])
    return np.concatenate([sizes, -sizes, np.linspace(-20, 20, 999), special]).astype(dtype)


def run(folder: pathlib.Path, title: str, card, dtype: str, parameters) -> None:
    x = entries(dtype)
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


CASES = [(card.name, card, {}) for card in dict.fromkeys(ACTIVATIONS.values()) if not card.rowwise]
CASES += [("elu by 0.3", slopes.elu, {"alpha": 0.3}), ("softplus by 1.7", slopes.softplus, {"beta": 1.7})]
CASES += [("snake by 0.3", slopes.snake, {"alpha": 0.3}), ("softcap by 30", slopes.softcap, {"cap": 30.0})]

if __name__ == "__main__":
    for name, card, parameters in CASES:
        run(pathlib.Path(sys.argv[1]), name, card, sys.argv[2], parameters)
