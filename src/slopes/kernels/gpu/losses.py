"""Element-wise losses of tensors of a GPU: a sum in one pass, and in the backward the gradient in another.

The factor of the gradient stays on the device, where kernels read it, so that nothing waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch

from slopes.kernels.elementwise_losses import ElementwiseLossKernel
from slopes.kernels.gpu.launching import FUSED, TYPES, compile_source, count_warps
from slopes.kernels.printing.triton import BLOCK, print_triton_kernel
from slopes.kernels.programs import are_literals, are_worthwhile, is_ours
from slopes.kernels.tensors.activations import lies_as
from slopes.readings.plain import HALF
from slopes.readings.trace import TraceError

if TYPE_CHECKING:
    from slopes.card import Loss

Tensor = torch.Tensor
SCALE = "scale_of_gradient"


class GpuLossKernel:
    """Kernels of an element-wise loss with its parameters, for tensors of one dtype.

    Raises TraceError for a body or derivative that no kernel can have.
    """

    def __init__(self, card: Loss, settings: Mapping[str, Any], dtype: torch.dtype) -> None:
        self._is_half = dtype in HALF
        name = "float64" if dtype is torch.float64 else "float32"
        self._kernel = ElementwiseLossKernel(card, name, settings)
        if self._is_half:  # its few digits hide the errors of float32
            self._kernel.arithmetic = "float32"
        self._sources: dict[str, str] = {}
        self._compiled: dict[Any, Any] = {}
        for output in ("value", "vjp"):
            self.source(output)

    @property
    def numbers(self) -> tuple[float, ...]:
        """Numbers that kernels take after the loss's arguments."""
        return self._kernel.numbers

    def source(self, output: str) -> str:
        """Source of the kernel of "total", for each block of entries, "value", "vjp" or "gradient"."""
        if output not in self._sources:
            program = self._kernel.program(output)
            loaded = (SCALE,) if output == "gradient" else ()
            self._sources[output] = print_triton_kernel(
                program, self._kernel.card._root.name, (*self._kernel.inputs, *loaded), self._is_half, loaded=loaded,
                sums=("total",) if output == "total" else (),
            )  # fmt: skip
        return self._sources[output]

    def compile(self, output: str, types: list[str], is_aligned: bool = True, capability: int | None = None) -> Any:
        """Machine code for pointers of these types; see `compile_source`."""
        source, count = self.source(output), len(self._kernel.card._arguments)
        kinds = [*types[:count], *["fp64"] * len(self.numbers), *types[count:]]
        pointers = [place for place, kind in enumerate(kinds) if kind.startswith("*")] if is_aligned else []
        options = {"num_warps": count_warps(source), "enable_fp_fusion": not FUSED.isdisjoint(types)}
        return compile_source(source, (*kinds, "i64"), pointers, options, capability)

    def run(self, output: str, *tensors: Tensor) -> None:
        """Compute the last tensor from the first ones, whose entries lie alike and without gaps."""
        is_aligned = all(tensor.data_ptr() % 16 == 0 for tensor in tensors)
        key = (output, tensors[0].device.index, is_aligned, *(tensor.dtype for tensor in tensors))
        size, count = tensors[0].numel(), len(self._kernel.card._arguments)
        pointers = [tensor.data_ptr() for tensor in tensors]
        with torch.cuda.device(tensors[0].device):
            if key not in self._compiled:
                self._compiled[key] = self.compile(output, [TYPES[tensor.dtype] for tensor in tensors], is_aligned)
            arguments = (*pointers[:count], *self.numbers, *pointers[count:], size)
            self._compiled[key][(-(-size // BLOCK), 1, 1)](*arguments)


class LossOnGpu:
    """A loss of tensors of one shape, and its vjp by the first one, as `kernels.tensors.losses.LossOfTensors`."""

    keeps_gradient = False

    def __init__(self, kernel: GpuLossKernel, denominator: float | None, pull_back: Callable[..., Tensor]) -> None:
        self._kernel, self._denominator, self.pull_back = kernel, denominator, pull_back

    def value(self, _: None, *tensors: Tensor) -> Tensor:
        """Loss of the tensors."""
        x = tensors[0].detach()
        if self._denominator is None:
            result = torch.empty_like(x)
            self._kernel.run("value", *_aligned(result, tensors), result)
            return result
        blocks = -(-x.numel() // BLOCK)
        sums = x.new_empty(blocks, dtype=torch.float32 if x.dtype in HALF else torch.float64)
        self._kernel.run("total", *_aligned(torch.empty_like(x, device="meta"), tensors), sums)
        return (sums.sum(dtype=torch.float64) / self._denominator).to(x.dtype)

    def pull(self, incoming: Tensor, *tensors: Tensor) -> Tensor:
        """Gradient by the first tensor."""
        gradient = torch.empty_like(tensors[0].detach())
        given = _aligned(gradient, tensors)
        if self._denominator is None:
            self._kernel.run("vjp", *given, *_aligned(gradient, (incoming,)), gradient)
        else:
            self._kernel.run("gradient", *given, incoming.double() / self._denominator, gradient)
        return gradient


def _aligned(order: Tensor, tensors: tuple[Tensor, ...]) -> list[Tensor]:
    """Tensors whose entries lie as those of a result do."""
    return [
        x
        if lies_as(order, x)
        else torch.empty_strided(x.shape, order.stride(), dtype=x.dtype, device=x.device).copy_(x)
        for x in (tensor.detach() for tensor in tensors)
    ]


def find(card: Loss, parameters: Mapping[str, Any], x: Tensor) -> GpuLossKernel | None:
    """Kernels of a loss for tensors like x; None if there are none, or if they are not worth their trace."""
    if card.rowwise or not are_worthwhile(card, x.numel(), "triton"):
        return None
    settings = card._settings(parameters)
    if not are_literals(settings):
        return None
    found: GpuLossKernel | None = (_make_once if is_ours(card) else _make)(card._root, tuple(settings.items()), x.dtype)
    return found


def _make(card: Any, settings: tuple[tuple[str, Any], ...], dtype: torch.dtype) -> GpuLossKernel | None:
    """The kernels, or None if the card has none, so that no call traces in vain."""
    try:
        return GpuLossKernel(card, dict(settings), dtype)
    except TraceError:
        return None


_make_once = lru_cache(maxsize=1024)(_make)
