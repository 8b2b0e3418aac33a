"""A card at a dense grid of inputs in one number format: what its readings give there, and what is exact."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from slopes.card import Card, Loss, Map
from slopes.checks.cards.cases import Subject

#: the format of the inputs, and the NumPy dtype that carries them: bfloat16 is the upper half of a float32
FORMATS: dict[str, Any] = {"float64": np.float64, "float32": np.float32, "float16": np.float16, "bfloat16": np.float32}
RESULTS = ("value", "slope", "second")
COARSER = {"bfloat16": 2.0**16}  #: how many of the carrier's units are one of the format's
FAR = 1e30  #: beyond it no second derivative is sought, which would take minutes
ROWS = 10  #: of how many rows one is sought, for the same reason


class Grid(Subject):
    """A card, and the inputs at which it is measured: an audit's, and for a curve many more along its axis."""

    def __init__(self, card: Card[Any], form: str, label: str = "", second: bool = False) -> None:
        super().__init__(card)
        self.label, self.second = label or card.name, second  # the latter: only second derivatives will be asked for
        self.form, self.dtype = form, FORMATS[form]

    @cached_property
    def arguments(self) -> tuple[Any, ...]:
        """The inputs, each of which the format can hold."""
        most = float(np.finfo(self.dtype).max)
        with np.errstate(all="ignore"):
            drawn = [x if x.dtype.kind in "iu" else np.clip(x, -most, most) for x in super().inputs(self.dtype)]
            if self.form == "bfloat16":
                drawn = [x if x.dtype.kind in "iu" else _upper_half(x) for x in drawn]
            if len(drawn) == 1:
                line = drawn[0]
                if self.second:
                    line = line[abs(line) < FAR]
                elif "16" not in self.form:
                    line = np.concatenate([line, _line(self.dtype)])
                drawn = [np.unique(line)]
            elif self.second and self.card.rowwise:
                drawn = [x[:: max(len(x) // ROWS, 1)] for x in drawn]
        return tuple(drawn)

    @property
    def together(self) -> bool:
        """Whether a result depends on more than its own row."""
        return isinstance(self.card, Loss) and self.card.kind.batched

    def inputs(self, dtype: Any) -> tuple[Any, ...]:
        """The inputs, in the dtype that carries the format."""
        return self.arguments

    def conditioning(self, result: str, dtype: Any) -> Any:
        """See `Subject.conditioning`; none is granted where inputs of half precision cannot be moved and stay valid."""
        try:
            return super().conditioning(result, dtype)
        except ValueError:
            return 0.0

    def call(self, result: str, arguments: tuple[Any, ...]) -> Any:
        """See `Subject.call`; a second derivative is PyTorch's."""
        return _by_torch(self, arguments)["second"] if result == "second" else super().call(result, arguments)

    def by_torch(self) -> dict[str, Any]:
        """Value, gradient by autograd, and the gradient of that: of its sum, for rows of one of their entries."""
        return _by_torch(self, self.arguments)

    # ---------------------------------------------------------------------- the exact second derivative

    def oracle(self, result: str) -> Any:
        """See `Subject.oracle`; the second derivative is the difference of exact slopes."""
        return self._second if result == "second" else super().oracle(result)

    def _second(self, *arguments: Any, **options: Any) -> Any:
        """NaN where differences come to no end, and where the slope itself is infinite."""
        if isinstance(self.card, Map):
            arguments = arguments[:1]
        if self.card.rowwise:
            return self.exactly._converge(self._slope_of_slope, arguments, options, unsettled=math.nan)
        slopes = np.asarray(self.oracle("slope")(*arguments, **options))
        finite = np.asarray(abs(slopes) < np.inf, dtype=bool)
        result = np.full(slopes.shape, math.nan, dtype=object)
        if finite.any():
            chosen = tuple(argument[finite] for argument in arguments)
            result[finite] = self.exactly._converge(self._slope_of_slope, chosen, options, unsettled=math.nan)
        return result

    def _slope_of_slope(self, x: Any, *rest: Any, **options: Any) -> Any:
        from slopes.readings import exact

        card: Any = self.card
        if isinstance(card, Map):
            values = card(x).shape
            first = exact.Exact(np.broadcast_to(np.eye(values[-1])[0], values))
            return exact.slope_of(card.name, lambda x: card.vjp(x, first)[..., x.shape[-1] // 2], x)

        def slope(*arguments: Any) -> Any:
            slopes = card.slope(*arguments, **options)
            return slopes[..., 0] if card.rowwise else slopes

        return exact.slope_of(card.name, slope, x, *rest)


def _by_torch(grid: Grid, arguments: tuple[Any, ...]) -> dict[str, Any]:
    import torch

    tensors = [torch.from_numpy(np.array(argument)) for argument in arguments]
    if grid.form == "bfloat16":
        tensors = [x.bfloat16() if x.dtype == torch.float32 else x for x in tensors]
    x = tensors[0].requires_grad_()
    value = grid.call("value", tuple(tensors))

    def pulled(output: Any, cotangent: Any) -> Any:
        if not output.requires_grad:
            return torch.zeros_like(x)
        (gradient,) = torch.autograd.grad(output, x, cotangent, create_graph=True, materialize_grads=True)
        return gradient

    if isinstance(grid.card, Map):
        slope = pulled(value, tensors[1])
        first = pulled(value[..., 0], torch.ones_like(value[..., 0]))[..., x.shape[-1] // 2]
    else:
        slope = pulled(value, torch.ones_like(value))
        first = slope[..., 0] if grid.card.rowwise else slope
    came = {"value": value, "slope": slope, "second": pulled(first, torch.ones_like(first))}
    carried = {name: y.detach().float() if y.dtype == torch.bfloat16 else y.detach() for name, y in came.items()}
    return {name: y.numpy() for name, y in carried.items()}


def _line(dtype: Any) -> Any:
    """Numbers of both signs: the whole range of the dtype, the tails, and densely the middle."""
    info = np.finfo(dtype)
    tiny, most = float(info.tiny), float(info.max)
    magnitudes = np.concatenate([
        np.geomspace(float(info.smallest_subnormal), tiny, 6), np.geomspace(tiny, most, 24),
        np.linspace(0, 10, 201), np.linspace(10, 120, 111), np.linspace(120, 800, 69),
    ])  # fmt: skip
    return np.concatenate([-magnitudes, magnitudes]).clip(-most, most).astype(dtype)


def _upper_half(x: Any) -> Any:
    """The float32 without its lower bits: a bfloat16."""
    return (np.ascontiguousarray(x).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
