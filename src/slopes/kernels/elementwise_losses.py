"""Kernels of element-wise losses: in one pass the sum of the values and the gradient by the first argument.

Where a kernel counts entries that the kind refuses, such as a probability of 2, the general path raises the error.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from slopes.kernels import pool
from slopes.kernels.compiling import load
from slopes.kernels.entries import GRAIN, find_grain
from slopes.kernels.printing.entries import print_kernel
from slopes.kernels.printing.sums import print_summing_kernel
from slopes.kernels.programs import LARGE_FOR_A_USER, are_literals, are_worthwhile, is_ours
from slopes.ops import where
from slopes.readings.program import Program
from slopes.readings.trace import TraceError, record

if TYPE_CHECKING:
    from slopes.card import Loss

#: losses with a value and slope within 4 ulp in float32 arithmetic, and the parameters varied in the measurement
NARROW: dict[str, tuple[str, ...]] = {"binary_cross_entropy": ("pos_weight",), "sigmoid_focal": (), "soft_margin": ()}

SUMS = ("total", "refused")


class ElementwiseLossKernel:
    """Kernels of an element-wise loss for one dtype and choice of parameters.

    Arrays are one-dimensional, without gaps: the arguments, the parameters in `entries`, and any weights. An entry of
    weight 0 does not count, even if it is NaN.
    """

    def __init__(
        self, card: Loss, dtype: str, settings: Mapping[str, Any], entries: tuple[str, ...] = (),
        is_weighted: bool = False,
    ) -> None:  # fmt: skip
        settings = {name: value for name, value in settings.items() if name not in entries}
        self.card, self.dtype, self.settings, self.is_weighted = card, dtype, settings, is_weighted
        self._names = (*card._arguments, *entries, *["weight"] * is_weighted)
        defaults = card._root.settings
        numbers = {name: value for name, value in settings.items() if type(value) is not bool}
        numbers = {name: value for name, value in numbers.items() if isinstance(value, (int, float))}
        changed = {name for name, value in settings.items() if value != defaults[name]} | set(entries)
        varied = {name: float(value) for name, value in numbers.items() if value != defaults[name]}
        self.inputs, self.numbers = tuple(varied), tuple(varied.values())  # one kernel serves a schedule
        known = NARROW.get(card._root.name) if is_ours(card) else None
        self.arithmetic = dtype if known is not None and changed <= set(known) else "float64"
        self._functions: dict[tuple[str, ...], tuple[Any, int]] = {}

    def program(self, *outputs: str) -> Program:
        """Program of "total", "value", "refused", "vjp" or "gradient", the slope times a scale."""
        try:
            return self._record(outputs, self.inputs)
        except TraceError:
            if not self.inputs:
                raise
        self.inputs = self.numbers = ()  # the body branches on a parameter
        return self._record(outputs, ())

    def _record(self, outputs: tuple[str, ...], inputs: tuple[str, ...]) -> Program:
        card, names = self.card, self._names
        further = ["scale_of_gradient"] * ("gradient" in outputs) + ["cotangent"] * ("vjp" in outputs)

        def compute(*given: Any) -> dict[str, Any]:
            arguments, rest = given[: len(card._arguments)], given[len(names) :]
            by_name = dict(zip([*names, *inputs], given, strict=False))
            bound = self.settings | {name: by_name[name] for name in by_name if name in card.parameters}
            results: dict[str, Any] = {}
            if "total" in outputs or "value" in outputs:
                results["total"] = results["value"] = card.body(*arguments, **bound)
            if "gradient" in outputs or "vjp" in outputs:
                if card.slope_body is None:
                    raise TraceError("it has no derivative of its own")
                results["gradient"] = results["vjp"] = rest[-1] * card.slope_body(*arguments, **bound)
            if "refused" in outputs:
                results["refused"] = self._is_refused(arguments)
            if self.is_weighted:
                weight = by_name["weight"]
                for name, result in results.items():
                    weighted = result if name == "refused" else weight * result
                    results[name] = where(weight == 0, 0.0, weighted)
            return {name: results[name] for name in outputs}

        per = dict.fromkeys([*inputs, "scale_of_gradient"], "call")
        try:
            return record(compute, [*names, *inputs, *further], self.dtype, self.arithmetic, per=per)
        except TraceError as error:
            raise TraceError(f"{card.name} cannot be traced: {error}") from error.__cause__

    def _is_refused(self, arguments: Sequence[Any]) -> Any:
        refused: Any = 0.0
        for space, x in zip(self.card.kind.spaces(dict(self.settings)), arguments, strict=True):
            if space.rule:
                refused = where(space.is_outside(x), 1.0, refused)
        return refused

    def source(self, *outputs: str) -> str:
        recorded = share_sigmoids(self.program(*outputs))
        scalars = tuple(line.text for line in recorded.lines if line.operation == "input" and line.per == "call")
        return _printed(recorded, self.card._root.name, scalars, tuple(name for name in SUMS if name in outputs))

    def _function(self, *outputs: str) -> tuple[Any, int]:
        """(compiled function, entries that repay another thread)."""
        if outputs not in self._functions:
            text = self.source(*outputs)
            self._functions[outputs] = load(text), find_grain(text)
        return self._functions[outputs]

    def is_checked(self) -> bool:
        return any(space.rule for space in self.card.kind.spaces(dict(self.settings)))

    def __call__(self, arrays: Sequence[Any], *sums: str, scale: float = 1.0, **places: Any) -> list[float]:
        """Sums over the entries, and write other outputs to the arrays of their names.

        The arrays may end with a cotangent. `scale` multiplies a "gradient".
        """
        (function, grain), count = self._function(*sums, *places), len(self._names)
        numbers = (*self.numbers, scale) if "gradient" in places else self.numbers
        first, further, results = arrays[:count], arrays[count:], tuple(places.values())

        def compute(start: int, stop: int) -> Any:
            part = slice(start, stop)
            room = [np.empty(len(sums))] if sums else []
            function(*[a[part] for a in first], *numbers, *[a[part] for a in (*further, *results)], *room)
            return room[0] if sums else None

        if not sums:
            pool.run(compute, first[0].size, grain)
            return []
        # Slices of one size keep a sum's digits independent of the number of threads.
        return list(np.sum(pool.collect(compute, first[0].size, GRAIN), axis=0).tolist())

    def reduce(
        self, arrays: Sequence[Any], denominator: float, gradient: Any = None, is_checked: bool = False
    ) -> float | None:
        """Sum over the denominator, or None if arguments are refused; writes a gradient."""
        sums = ("total", "refused")[: 1 + (is_checked and self.is_checked())]
        places = {} if gradient is None else {"gradient": gradient}
        total, *refused = self(arrays, *sums, scale=1 / denominator, **places)
        return None if any(refused) else total / denominator

    def accepts(self, arrays: Sequence[Any]) -> bool:
        return not self.is_checked() or self(arrays, "refused") == [0.0]


def share_sigmoids(program: Program) -> Program:
    """Let float32 sigmoids of x and −x share an exponential; in float64, 2 ulp would count."""
    lines = program.lines

    def negated(place: int) -> int | None:
        return lines[place].arguments[0] if lines[place].operation == "negate" else None

    of = {x.arguments[0] for x in lines if x.operation == "sigmoid" and len(x.arguments) == 1 and x.dtype == "float32"}
    both = {x for x in of if negated(x) in of}
    both |= {x for place in both if (x := negated(place)) is not None}
    return replace(
        program,
        lines=tuple(
            replace(line, operation="sigmoid_of_two")
            if line.operation == "sigmoid" and len(line.arguments) == 1 and line.arguments[0] in both
            else line
            for line in lines
        ),
    )


@lru_cache(maxsize=1024)
def _printed(recorded: Program, title: str, scalars: tuple[str, ...], sums: tuple[str, ...]) -> str:
    return print_summing_kernel(recorded, title, scalars, sums) if sums else print_kernel(recorded, title, scalars)


@lru_cache(maxsize=1024)
def _find_ours(
    card: Loss, dtype: str, settings: tuple[tuple[str, Any], ...], entries: tuple[str, ...], is_weighted: bool
) -> ElementwiseLossKernel:
    return ElementwiseLossKernel(card, dtype, dict(settings), entries, is_weighted)


def find(
    card: Loss, dtype: str, parameters: Mapping[str, Any], size: int, entries: tuple[str, ...] = (),
    is_weighted: bool = False,
) -> ElementwiseLossKernel | None:  # fmt: skip
    if dtype not in ("float32", "float64") or card.rowwise or not are_worthwhile(card, size):
        return None
    settings = card._settings(parameters)
    if not are_literals(settings):
        return None
    if is_ours(card):
        return _find_ours(card._root, dtype, tuple(settings.items()), entries, is_weighted)
    return ElementwiseLossKernel(card, dtype, settings, entries, is_weighted)


def compile_usual(card: Loss, dtype: str) -> int:
    kernel = find(card, dtype, {}, LARGE_FOR_A_USER)
    if kernel is None:
        return 0
    wanted: list[tuple[str, ...]] = [("total",), ("total", "gradient"), ("value",), ("vjp",)]
    if kernel.is_checked():
        wanted += [("total", "refused"), ("total", "refused", "gradient"), ("refused",)]
    count = 0
    for outputs in wanted:
        with contextlib.suppress(TraceError):
            kernel._function(*outputs)
            count += 1
    return count
