"""Inputs of a card over the whole range of a format, and results there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from slopes.card import Card, Loss, Map
from slopes.truth.oracle import Exactly
from slopes.truth.parts import Parts, split

DIGITS = 25  #: correct digits of the exact results


class Samples:
    def __init__(self, card: Card, seed: int = 0) -> None:
        self.card, self.seed = card, seed
        self.exactly = Exactly(card, DIGITS)
        self._for_floats = Exactly(card, DIGITS, for_floats=True)
        self._exact: dict[tuple[str, str], Any] = {}
        self._parts: dict[tuple[str, str], Parts] = {}
        self._conditioning: dict[tuple[str, str], Any] = {}

    @property
    def rng(self) -> np.random.Generator:
        """Fresh generator, so that no check depends on earlier ones."""
        return np.random.default_rng(self.seed)

    @cached_property
    def kinks(self) -> tuple[float, ...]:
        return self.card.claims.kinks or ()

    # ---------------------------------------------------------------------------------- the inputs

    def inputs(self, dtype: Any) -> tuple[Any, ...]:
        """Line of numbers for an element-wise card, else a batch of rows."""
        if isinstance(self.card, Loss):
            drawn = self.card.kind.examples(self.card.settings).stress(self.rng)
            return tuple(x if np.asarray(x).dtype.kind in "iu" else x.astype(dtype) for x in drawn)
        if isinstance(self.card, Map):
            # one-hot rows pull back a column of the Jacobian without cancellation between entries
            columns = np.eye(5, dtype=dtype)[self.rng.integers(0, 5, 40)]
            return _rows(self.rng, dtype, 5 * self.card.parts), columns
        return (self.line(dtype),)

    def line(self, dtype: Any) -> Any:
        """Numbers of both signs over the dtype's whole range, and kinks."""
        info = np.finfo(dtype)
        underflow = -np.log(float(info.smallest_subnormal))
        exhausted = np.sqrt(2 * underflow)  # where exp(−x²/2) underflows
        magnitudes = np.concatenate([
            [0.0, info.smallest_subnormal, info.tiny, 1e-30, 1e-16],
            np.logspace(-8, 2, 61),
            self.rng.uniform(0, 6, 60), self.rng.uniform(6, 40, 30),
            underflow * np.array([0.5, 0.9, 0.95, 0.98, 0.99, 1.0, 1.01, 2.0]),
            exhausted * np.array([0.97, 0.99, 1.0, 1.01]),
            [1e4, 1e10, 1e30, float(info.max) / 4, float(info.max)],
        ])  # fmt: skip
        with np.errstate(over="ignore", under="ignore"):
            line = np.concatenate([magnitudes, -magnitudes]).astype(dtype)
            kinks = np.asarray(self.kinks, dtype)
            around = [kinks, np.nextafter(kinks, dtype(-np.inf)), np.nextafter(kinks, dtype(np.inf))]
        return np.concatenate([line, *around])

    def conditioning(self, result: str, dtype: Any) -> Any:
        """Change of a result, in ulps, if its arguments change by one each.

        A logit has an exponential's condition, and entries of a row or terms of a likelihood may cancel by nature.
        Residuals do not count: their digits need not be lost.
        """
        key = result, np.dtype(dtype).name
        if key not in self._conditioning:
            self._conditioning[key] = self._measure_conditioning(result, dtype)
        return self._conditioning[key]

    def _measure_conditioning(self, result: str, dtype: Any) -> Any:
        inputs = self.inputs(dtype)
        if not any(self._moves(place) for place in range(len(inputs))):
            return 0.0
        arguments = tuple(x if x.dtype.kind in "iu" else x.astype(np.float64) for x in inputs)
        base, change = np.asarray(self.call(result, arguments)), 0.0
        with np.errstate(all="ignore"):
            for k, place in self._places(arguments):
                moved = [x.copy() for x in arguments]
                moved[k][place] *= 1 - 2.0**-20  # towards 0, which stays within bounds
                change = change + abs(np.asarray(self.call(result, tuple(moved))) - base)
            relative = change * 2.0**20 / np.maximum(abs(base), float(np.finfo(dtype).smallest_subnormal))
        return np.where(np.isfinite(relative), relative, 0.0)

    def _places(self, arguments: tuple[Any, ...]) -> Iterator[tuple[int, Any]]:
        """Yield (argument, place) to move alone: a column, or an entry if rows are coupled."""
        coupled = isinstance(self.card, Loss) and self.card.kind.coupled
        for k, x in enumerate(arguments):
            if x.dtype.kind in "iu" or not self._moves(k):
                continue
            shape = x.shape if coupled else x.shape[1:]
            yield from ((k, place if coupled else (..., *place)) for place in np.ndindex(shape))

    def _moves(self, place: int) -> bool:
        """Whether an argument counts, and can be moved a little and stay valid."""
        card: Any = self.card
        if not isinstance(card, Loss):
            return card.rowwise and not place  # never a cotangent
        space = card.kind.arguments[place].space
        if space.is_positive or space.is_count:
            return True
        if not (card.rowwise or card.kind.space_of(card.settings).is_logit) or space.is_sign:
            return False
        if space.is_probability:
            return place > 0 and (space.has_classes or space.is_yes_or_no)  # only for a target
        return not (space.open and space.low > -np.inf)

    # --------------------------------------------------------------------------------- the results

    @property
    def options(self) -> dict[str, Any]:
        return {"reduction": "none"} if isinstance(self.card, Loss) else {}

    def call(self, result: str, arguments: tuple[Any, ...]) -> Any:
        """Card's unreduced values, or its slope (of a map: the vjp)."""
        card: Any = self.card
        if isinstance(card, Map):
            return card(arguments[0]) if result == "value" else card.vjp(*arguments)
        return (card if result == "value" else card.slope)(*arguments, **self.options)

    def results_by_torch(self, arguments: tuple[Any, ...], second: bool = False) -> dict[str, Any]:
        """Value, autograd's slope and, on request, its second derivative, as arrays."""
        import torch

        tensors = self.tensors(arguments)
        x = tensors[0].requires_grad_()

        def pull(output: Any, cotangent: Any = None, last: bool = False, **options: Any) -> Any:
            if not output.requires_grad:
                return torch.zeros_like(x)
            cotangent = torch.ones_like(output) if cotangent is None else cotangent
            graph = {"retain_graph": second, "create_graph": second and not last}
            return torch.autograd.grad(output, x, cotangent, materialize_grads=True, **graph, **options)[0]

        value = self.call("value", tuple(tensors))
        results = {"value": value, "slope": pull(value, tensors[1] if isinstance(self.card, Map) else None)}
        if second:
            results["second"] = self.second_by_torch(pull, **results)
        carried = {name: y.detach() for name, y in results.items()}
        return {name: (y.float() if y.dtype == torch.bfloat16 else y).numpy() for name, y in carried.items()}

    def results_by_jax(self, arguments: tuple[Any, ...]) -> dict[str, Any]:
        """Value and JAX's slope, as arrays."""
        import jax

        first, *rest = self.jax_arrays(arguments)
        is_map = isinstance(self.card, Map)
        value, pull = jax.vjp(lambda x: self.call("value", (x, *rest)), first)
        (slope,) = pull(rest[0] if is_map else jax.numpy.ones_like(value))
        results = {"value": value, "slope": slope}
        return {name: np.asarray(y, np.float32 if y.dtype.itemsize == 2 else None) for name, y in results.items()}

    def jax_arrays(self, arguments: tuple[Any, ...]) -> list[Any]:
        import jax

        return [jax.numpy.asarray(argument) for argument in arguments]

    def tensors(self, arguments: tuple[Any, ...]) -> list[Any]:
        import torch

        return [torch.from_numpy(np.array(argument)) for argument in arguments]

    def second_by_torch(self, pull: Callable[..., Any], value: Any, slope: Any) -> Any:
        """Gradients of each column of the slope."""
        import torch

        if not self.card.rowwise:
            return pull(slope, last=True)[:, None]
        columns = slope.flatten(1)
        rows, count = columns.shape
        units = torch.eye(count, dtype=slope.dtype)[:, None].expand(count, rows, count)
        try:
            seconds = pull(slope, units.reshape(count, *slope.shape), last=True, is_grads_batched=True)
        except RuntimeError:  # a body whose operations take no batches of gradients
            return torch.stack([pull(column, last=True) for column in columns.unbind(1)], 1)
        return seconds.expand(count, *slope.shape).movedim(0, 1)

    def exact(self, result: str, dtype: Any) -> Any:
        """Exact "value", "slope" (by the derivative, if any), "calculus" or "difference" at the inputs."""
        key = result, np.dtype(dtype).name
        if key not in self._exact:
            arguments = self.inputs(dtype)
            if isinstance(self.card, Map) and result == "value":
                arguments = arguments[:1]
            self._exact[key] = np.asarray(self.oracle(result)(*arguments, **self.options))
        return self._exact[key]

    def parts(self, result: str, dtype: Any) -> Parts:
        """Exact results as pairs of floats, with which NumPy compares them."""
        key = result, np.dtype(dtype).name
        if key not in self._parts:
            self._parts[key] = split(self.exact(result, dtype))
        return self._parts[key]

    def oracle(self, result: str) -> Any:
        exactly = self._for_floats
        if result == "value":
            return exactly
        if result == "calculus":
            return exactly.calculus
        if result == "difference" or self.card.slope_body is None:
            return exactly.difference
        return exactly.vjp if isinstance(self.card, Map) else exactly.slope


def _rows(rng: np.random.Generator, dtype: Any, width: int) -> Any:
    rows = rng.standard_normal((40, width)) * np.logspace(-4, 2.3, 40)[:, None]
    extremes = [[0, 0, 0, 0, 0], [800, 0, -800, 1, 2], [1e4, -1e4, 0, 1, 2], [50, 0, 0, 0, 0], [-50, -50, -50, -50, 0]]
    rows[: len(extremes)] = np.tile(np.array(extremes), width // 5)
    return rows.astype(dtype)
