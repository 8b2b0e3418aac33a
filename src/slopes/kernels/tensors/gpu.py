"""Run the kernels of activations on tensors of a GPU.

A result has its argument's memory format. An argument of another layout is computed in a copy: the result.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from slopes.kernels.gpu import launching
from slopes.kernels.gpu.launching import gpu_kernel
from slopes.kernels.programs import is_ours, source_and_numbers
from slopes.kernels.tensors.activations import ActivationKernels, lies_as
from slopes.readings.trace import TraceError

Tensor = torch.Tensor
Run = Callable[..., None]  #: takes tensors to read, then those to write
Make = Callable[[], Run]


def _value(make: Make, x: Tensor) -> Tensor:
    result = torch.empty_like(x)
    make()(x if lies_as(result, x) else result.copy_(x), result)
    return result


def _pull(make: Make, gradient: Tensor, x: Tensor) -> Tensor:
    result = torch.empty_like(x)
    given = (y if lies_as(result, y) else torch.empty_like(result).copy_(y) for y in (x, gradient))
    make()(*given, result)
    return result


def _prepare(card: Any, output: str, dtype: str, parameters: Mapping[str, Any], like: Tensor | None = None) -> Run:
    """A kernel with its parameters; with a tensor it is compiled and loaded for that."""
    source, numbers = source_and_numbers(card, (output,), dtype, parameters, "triton")
    kernel = gpu_kernel(source, len(card._arguments))
    if like is not None:
        kernel.prepare(like, len(numbers), len(card._arguments) + (output == "vjp") + 1)
    return partial(kernel, numbers)


def find(card: Any, parameters: Mapping[str, Any], x: Tensor) -> ActivationKernels | None:
    """Kernels for tensors of the dtype and device of x; None where the body or the machine allows none."""
    if not launching.is_available(x.get_device()):
        return None
    name = str(x.dtype).removeprefix("torch.")

    def preparing(output: str) -> Make:
        run = _prepare(card, output, name, parameters, x)  # the backward's as well, where nothing could replace it
        return (lambda: run) if is_ours(card) else partial(_prepare, card, output, name, parameters)

    try:
        return ActivationKernels(partial(_value, preparing("value")), partial(_pull, preparing("vjp")), None)
    except TraceError:
        return None
    except Exception as error:  # no compiler, or a driver that Triton does not know
        warnings.warn(f"slopes computes without kernels on this GPU, as Triton failed: {error}", stacklevel=2)
        return None
