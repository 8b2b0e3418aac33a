"""Look up the results of activations of half types on tensors of a CPU, in tables of all numbers."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from slopes.constants import Array
from slopes.kernels import pool
from slopes.kernels.compiling import load
from slopes.kernels.tensors.activations import as_array, empty_like, flat, lies_as

Tensor = torch.Tensor

GRAIN = 2**17  #: entries that repay waking up another thread
HEAD = '''\
"""A kernel that slopes has written: results of a half type by its bits, from a table."""

from numba import njit
from slopes.kernels.arithmetic.elementary import OPTIONS
from slopes.kernels.arithmetic.halves import from_{name}, to_{name}

'''
VALUES = """
@njit("void(int16[::1], int16[::1], int16[::1])", **OPTIONS)
def kernel(table, x, result):
    for i in range(x.size):
        result[i] = table[x[i] & 0xFFFF]
"""
PULL = """
@njit("void(float32[::1], int16[::1], int16[::1], int16[::1])", **OPTIONS)
def kernel(table, x, gradient, result):
    for i in range(x.size):
        result[i] = to_{name}(from_{name}(gradient[i]) * table[x[i] & 0xFFFF])
"""


def values(table: Array, x: Tensor) -> Tensor:
    """Values of x; the table has their bits, by the bits of x."""
    result = empty_like(x)
    _run(VALUES, table.view(np.int16), result, x if lies_as(result, x) else result.copy_(x))
    return result


def pull(table: Array, gradient: Tensor, x: Tensor) -> Tensor:
    """Gradient times the slopes at x; the table has them as float32, by the bits of x."""
    result = empty_like(x)
    given = (y if lies_as(result, y) else torch.empty_like(result).copy_(y) for y in (x, gradient))
    _run(PULL, table, result, *given)
    return result


def _run(source: str, table: Array, result: Tensor, *given: Tensor) -> None:
    text = (HEAD + source).replace("{name}", str(result.dtype).removeprefix("torch."))
    arrays = [as_array(flat(x).view(torch.int16)) for x in (*given, result)]
    pool.run_on_arrays(partial(load(text), table), arrays, GRAIN)
