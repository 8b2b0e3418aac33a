"""Activations, maps of rows and gates, and their decorator."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Literal, Self, overload

import numpy as np

from slopes import fast, kinds, ops
from slopes.card.base import Body, Card, with_keywords
from slopes.constants import Array
from slopes.domains import OneOf, is_array, is_tuple_of_numbers
from slopes.facts import Paper

#: the last computes each call that no fast path takes, hence every call in a mode of PyTorch
WATCHERS: list[Callable[[Activation, Any, Mapping[str, Any]], Any]] = []


class Activation(Card):
    """A function of one number, applied to each entry."""

    family = "activation"
    parts = 1
    """The number of input entries for one entry of the result."""

    def _signature(self, body: inspect.Signature) -> inspect.Signature:
        if "out" in self.parameters:
            raise TypeError(f"{self.name}: no parameter can be called out, which names where results are written")
        return with_keywords(super()._signature(body), out=(None, Any))

    def __call__(self, x: Array, *extra: Any, **parameters: Any) -> Any:
        """Return the values, in the shape and dtype of x: a NumPy array, torch tensor, number or nested list.

        Objects with ``__array__``, such as a pandas Series, give NumPy arrays. `out` is a NumPy array of that shape and
        dtype for the values; it may be x. Raises TypeError if x is no array of real numbers, ValueError for a parameter
        outside its domain.
        """
        if extra:
            keywords = ", ".join(self._keywords()) or "none"
            raise TypeError(
                f"{self.name}: takes x and, by their names, parameters ({keywords}); got {extra!r} besides x"
            )
        run = None if WATCHERS else fast.find(x, "run_activation")
        if run is not None and (not parameters or _are_plain(parameters)):
            result = run(self, x, tuple(parameters.items())) if parameters else run(self, x)
            if result is not None:
                return result
        return WATCHERS[-1](self, x, parameters) if WATCHERS else self.compute(x, parameters)

    def compute(self, x: Array, parameters: Mapping[str, Any]) -> Any:
        """Return the values, though somebody watches."""
        run = fast.find(x, "run_activation") if WATCHERS and _are_plain(parameters) else None
        result = None if run is None else run(self, x, tuple(parameters.items()))
        if result is not None:
            return result
        return self._read("value", lambda r, value, slope, x: r.differentiable(value, slope, x), parameters, x)

    def slope(self, x: Array, **parameters: Any) -> Any:
        """Return the derivative at each entry, in the shape and dtype of x; at a kink it is PyTorch's."""
        return self._read("slope", self._slope, parameters, x)

    def vjp(self, x: Array, cotangent: Array, **parameters: Any) -> Any:
        """Return the cotangent (of the shape of x) pulled back through the function: cotangent · slope(x)."""

        def compute(r: ModuleType, value: Body, slope: Body | None, x: Array, cotangent: Array) -> Array:
            return r.widen(cotangent) * self._slope(r, value, slope, x)

        return self._read("vjp", compute, parameters, x, cotangent)

    def _slope(self, r: ModuleType, value: Body, slope: Body | None, x: Array) -> Array:
        return r.slope_of(self._root.name, value, r.widen(x)) if slope is None else slope(r.widen(x))

    def _read(self, output: str, compute: Callable[..., Array], parameters: Mapping[str, Any], *arrays: Array) -> Any:
        r = self._reading(*arrays)
        entered = self._enter(r, arrays)
        out = None
        if "out" in parameters:
            parameters = dict(parameters)
            out = parameters.pop("out")
            r.check_out(self.name, out, entered[0])
        settings = self._settings(self._draw(r, parameters, entered[0]), r, entered[0])
        run = fast.find(entered[0], "computed_by_kernel")
        if run is not None:
            result = run(self, output, entered, out, settings)
            if result is not None:
                return result
        if settings:
            self._fit(settings, "x", entered[0])
        value, slope = self._bodies(settings)
        with r.quiet():
            computed = compute(r, value, slope, *entered)
            kinds.check_numbers(self.name, computed)
            result = r.narrow(computed, r.result_dtype(entered[0]))
        kinds.check_shape_kept(self.name, tuple(result.shape), tuple(entered[0].shape))
        return result if out is None else r.written(out, result)

    def _enter(self, r: ModuleType, arrays: tuple[Array, ...]) -> list[Array]:
        entered = [r.enter(a, f"{self.name}: {('x', 'cotangent')[i]}") for i, a in enumerate(arrays)]
        if len(entered) > 1 and self.parts == 1:
            kinds.check_same_shape(self.name, x=entered[0], cotangent=entered[1])
        return entered


class Map(Activation):
    """A function of a row, applied along an axis: the body works on the last axis."""

    family = "map"
    rowwise = True
    by_result: Map | None = None
    """A map whose derivative takes this one's result in place of x: kernels then save no argument."""

    def _signature(self, body: inspect.Signature) -> inspect.Signature:
        return Card._signature(self, with_keywords(body, axis=(-1, int), mask=(None, Any)))

    def __call__(self, x: Array, *, axis: int = -1, mask: Array | None = None, **parameters: Any) -> Any:
        """Return the values along the axis, in the shape and dtype of x.

        Entries where `mask` (boolean, of the shape of x) is False, or a whole row of them, get the least value, as −inf
        does, with a gradient of 0. Raises TypeError if x is no array of real numbers, ValueError for an axis that it
        lacks.
        """
        return self._along("value", axis, mask, lambda r, value, pull, x: r.with_vjp(value, pull, x), parameters, x)

    def slope(self, x: Array, **parameters: Any) -> Any:
        """Refuse: entries of a row depend on one another."""
        raise TypeError(
            f"{self.name} mixes the entries of a row, so it has no slope for each: use {self.name}.vjp(x, g)"
        )

    def vjp(self, x: Array, cotangent: Array, *, axis: int = -1, mask: Array | None = None, **parameters: Any) -> Any:
        """Return the cotangent (of the result's shape) pulled back through the map along the axis."""

        def compute(r: ModuleType, value: Body, pull_back: Body | None, x: Array, cotangent: Array) -> Array:
            arguments = r.widen(x), r.widen(cotangent)
            if pull_back is None:
                return r.slope_of(self._root.name, lambda x, g: ops.sum(value(x) * g)[..., 0], *arguments)
            return pull_back(*arguments)

        return self._along("vjp", axis, mask, compute, parameters, x, cotangent)

    def derivative_by_result(self, body: Body) -> Card:
        """Register the vjp as a function of result and cotangent, for kernels."""
        self.by_result = self._copy_with(slope_body=body)
        self.by_result._root = self.by_result
        return self

    def _along(
        self, output: str, axis: int, mask: Array, compute: Callable[..., Array], parameters: Mapping[str, Any],
        *arrays: Array,
    ) -> Any:  # fmt: skip
        r = self._reading(*arrays)
        entered = self._enter(r, arrays)
        axis = kinds.valid_axis(self.name, axis, entered[0])
        self._divide(r, axis, entered)
        dtype = r.result_dtype(entered[0])
        rows = [r.moveaxis(a, axis, -1) for a in entered]
        settings = self._settings(self._draw(r, parameters, entered[0]), r, entered[0])
        find = fast.find(rows[0], "map_by_kernel")
        if mask is None and find is not None and self.family == "map":
            result = find(self, output, settings, rows)
            if result is not None:
                return r.narrow(r.moveaxis(result, -1, axis), dtype)
        if settings and self.parts == 1:
            self._fit(settings, "x", entered[0])
            settings = {name: _along_rows(r, value, axis, entered[0].ndim) for name, value in settings.items()}
        value, pull_back = self._bodies(settings)
        with r.quiet():
            if mask is None:
                return r.narrow(r.moveaxis(compute(r, value, pull_back, *rows), -1, axis), dtype)
            counts, least = r.moveaxis(self._mask(r, mask, entered[0]), axis, -1), self.claims.range[0]  # type: ignore[index]
            rows = [r.where(counts, r.widen(a), (-math.inf, 0.0)[i]) for i, a in enumerate(rows)]
            result = compute(r, value, pull_back, *rows)
            return r.narrow(r.moveaxis(r.where(counts, result, least if len(arrays) == 1 else 0.0), -1, axis), dtype)

    def _divide(self, r: ModuleType, axis: int, entered: list[Array]) -> None:
        """Refuse rows that `parts` do not divide, or a cotangent unlike a part."""

    def _mask(self, r: ModuleType, mask: Array, x: Array) -> Array:
        if self.parts != 1 or self.claims.range is None:
            raise TypeError(f"{self.name}: takes no mask, having no least value (a claimed range) for hidden entries")
        mask = r.enter(mask, f"{self.name}: mask", x)
        kinds.check_same_shape(self.name, x=x, mask=mask)
        kinds.check_mask(self.name, mask)
        return mask

    def curve(self, x: Any) -> tuple[str, str, Any, int]:
        """Return a plot's axis label, line label, rows, and place of the moving entry."""
        return "x in the row (x, 0, 0)", "first entry", np.stack([x, np.zeros_like(x), np.zeros_like(x)], axis=-1), 0

    def curve_of(self, x: Any) -> tuple[Any, Any]:
        """Return the first results along `curve`, and their slopes."""
        _, _, rows, place = self.curve(x)
        values = self(rows)
        first = np.zeros_like(values)
        first[:, 0] = 1.0
        return values[:, 0], self.vjp(rows, first)[:, place]

    def _symbols(self, symbol: ModuleType) -> list[Any]:
        return [symbol.row("x")]


def _along_rows(r: ModuleType, value: Any, axis: int, ndim: int) -> Any:
    if not is_array(value):
        return value
    return r.moveaxis(value.reshape((1,) * (ndim - value.ndim) + tuple(value.shape)), axis, -1)


class Gate(Map):
    """A function of a gate and a value, the halves of a row."""

    family = "gate"
    parts = 2
    half: str
    """The half that is the gate, "first" or "last"; a call may override it."""
    _arguments = ("gate", "value")

    def __init__(self, body: Body, *, gate: str = "first", **fields_of_card: Any) -> None:
        kinds.OPTIONS["gate"].check(body.__name__, "gate", gate)
        self.half = gate
        super().__init__(body, **fields_of_card)

    def _signature(self, body: inspect.Signature) -> inspect.Signature:
        x = inspect.Parameter("x", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        keywords = [p for p in body.parameters.values() if p.kind is p.KEYWORD_ONLY]
        return with_keywords(body.replace(parameters=[x, *keywords]), axis=(-1, int), gate=(self.half, str))

    def __call__(self, x: Array, *, axis: int = -1, gate: str | None = None, **parameters: Any) -> Any:
        """Return the gated values, with half of x's axis; `gate` is the gate's half, "first" or "last".

        Raises TypeError if x is no array of real numbers, ValueError for an axis that x lacks or of odd length.
        """
        card = self._gated(gate)
        result = card._by_fast_path(axis, parameters, x)
        return super(Gate, card).__call__(x, axis=axis, **parameters) if result is None else result

    def vjp(self, x: Array, cotangent: Array, *, axis: int = -1, gate: str | None = None, **parameters: Any) -> Any:
        """Return the cotangent (of the result's shape) pulled back through the gate along the axis."""
        card = self._gated(gate)
        result = card._by_fast_path(axis, parameters, x, cotangent)
        return super(Gate, card).vjp(x, cotangent, axis=axis, **parameters) if result is None else result

    def _by_fast_path(self, axis: Any, parameters: dict[str, Any], *arrays: Array) -> Any:
        run = fast.find(arrays[0], "run_gate")
        fit = all(type(value) in (bool, int, float, str) for value in parameters.values())
        return run(self, axis, parameters, *arrays) if run is not None and fit and type(axis) is int else None

    def _gated(self, gate: str | None) -> Self:
        if gate is None:
            return self
        kinds.OPTIONS["gate"].check(self.name, "gate", gate)
        return self._copy_with(half=gate)

    def _divide(self, r: ModuleType, axis: int, entered: list[Array]) -> None:
        x, *cotangent = entered
        n = x.shape[axis]
        if n % 2:
            raise ValueError(
                f"{self.name}: the axis must have an even number of entries, a gate's and a value's, got {n}"
            )
        half = r.moveaxis(r.moveaxis(x, axis, -1)[..., : n // 2], -1, axis)
        for given in cotangent:
            kinds.check_same_shape(self.name, result=half, cotangent=given)

    def _bodies(self, settings: dict[str, Any]) -> tuple[Body, Body | None]:
        body, slopes = super()._bodies(settings)
        pull_back = None if slopes is None else functools.partial(_pull_back_halves, slopes, self.half)
        return functools.partial(_compute_halves, body, self.half), pull_back

    def curve(self, x: Any) -> tuple[str, str, Any, int]:
        """Return labels, rows, and place of the gate."""
        place = 0 if self.half == "first" else 1
        return "gate, the value being 1", "", np.stack([x, np.ones_like(x)][:: 1 - 2 * place], axis=-1), place

    def _symbols(self, symbol: ModuleType) -> list[Any]:
        return [symbol.scalar("g"), symbol.scalar("v")]


def _halves(x: Array, gate: str) -> Any:
    """The halves of each row, the gate first."""
    n = x.shape[-1]
    return (x[..., : n // 2], x[..., n // 2 :])[_order(gate)]


def _order(gate: str) -> slice:
    return slice(None, None, 1 if gate == "first" else -1)


def _compute_halves(body: Body, gate: str, x: Array) -> Array:
    return body(*_halves(x, gate))


def _pull_back_halves(slopes: Body, gate: str, x: Array, cotangent: Array) -> Array:
    pulled = tuple(cotangent * slope for slope in slopes(*_halves(x, gate)))[_order(gate)]
    return ops.reading(x).joined(*pulled)


@overload
def activation(body: Body, /) -> Activation: ...
@overload
def activation(*, kind: Literal["map"], **fields: Any) -> Callable[[Body], Map]: ...
@overload
def activation(*, kind: Literal["gate"], **fields: Any) -> Callable[[Body], Gate]: ...
@overload
def activation(**fields: Any) -> Callable[[Body], Activation]: ...
def activation(
    body: Body | None = None, /, *, kind: str = "elementwise", definition: Body | None = None, gate: str | None = None,
    same_as: Mapping[str, str | tuple[str, str]] | None = None, papers: tuple[Paper, ...] = (), **claims: Any,
) -> Any:  # fmt: skip
    """Make a card of a body ``(x, *, parameters)``: element-wise, or by ``kind="map"`` a map of rows on the last axis.

    With ``kind="gate"`` the body takes a gate and a value, the halves of an axis; `gate` is the gate's half, "first" or
    "last". `definition` is the textbook form of a numerically stable body. `same_as` has an expression of x for each
    peer library, or a pair of it and the peer's default call if that gives another number. Claims are the fields of
    `Claims`.
    """
    classes: dict[str, type[Activation]] = {"elementwise": Activation, "map": Map, "gate": Gate}
    if kind not in classes:
        raise ValueError(f"activation: kind must be {OneOf(tuple(classes))}, got {kind!r}")
    if body is not None:
        return Activation(body)
    if gate is not None:
        if kind != "gate":
            raise TypeError('activation: gate goes with kind="gate"')
        claims["gate"] = gate
    return lambda body: classes[kind](body, definition=definition, same_as=same_as, papers=papers, **claims)


def _are_plain(parameters: Mapping[str, Any]) -> bool:
    return all([type(value) in (float, int, str) or is_tuple_of_numbers(value) for value in parameters.values()])
