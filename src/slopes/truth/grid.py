"""Dense grid of a card's inputs in one format."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np

from slopes.card import Card, Loss, Map
from slopes.domains import Coefficients, Interval, OneOf
from slopes.kinds.spaces import Space
from slopes.truth.oracle import Exactly
from slopes.truth.parts import Balls
from slopes.truth.samples import DIGITS, Samples

#: format, and the NumPy dtype that carries it: bfloat16 is the upper half of a float32
FORMATS: dict[str, Any] = {"float64": np.float64, "float32": np.float32, "float16": np.float16, "bfloat16": np.float32}
RESULTS = ("value", "slope", "second")
COARSER = {"bfloat16": 2.0**16}  #: units of the carrier per unit of the format
FAR = 1e30  #: no second derivatives beyond it: they would take minutes
ROWS = 10  #: number of rows with second derivatives, for the same reason


#: candidates for a parameter away from its default
AWAY = (0.1, 0.7, 3.3, 42.0, -0.7)
WITHIN = (0.0625, 0.25, 0.9375)  #: shares of an interval that has none of these
REACH = 50  #: `reach` of `Exactly` beyond ordinary arguments; few results need more digits, and those get them
ORDINARY = (1e-6, 8.0)


def variants(card: Card) -> list[dict[str, Any]]:
    """Settings away from the defaults, one parameter at a time, and then all numbers at once."""
    settings = []
    numbers: dict[str, list[float]] = {}
    for name, parameter in card.parameters.items():
        domain, default = parameter.domain, parameter.default
        if isinstance(domain, OneOf):
            values: Iterable[Any] = domain.values
        elif isinstance(domain, Interval):
            within = (domain.low + share * (domain.high - domain.low) for share in WITHIN)
            values = [value for value in AWAY if domain.admits(value)] or within
        elif isinstance(domain, Coefficients):
            values = default[:1], default[:-1], default[::-1]
        else:
            continue
        admitted = [value for value in values if value != default]
        settings += [{name: value} for value in admitted if _fits(card, {name: value})]
        if isinstance(domain, Interval):
            numbers[name] = admitted
    return settings + [together for together in _combine(numbers) if _fits(card, together)]


def _combine(numbers: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Settings of all parameters, each a candidate further than the one before, and in turn each candidate first."""
    if len(numbers) < 2:
        return []
    turns = range(max(map(len, numbers.values())))
    return [
        {name: values[(turn + place) % len(values)] for place, (name, values) in enumerate(numbers.items())}
        for turn in turns
    ]


def _fits(card: Card, settings: dict[str, Any]) -> bool:
    try:
        card.with_(**settings)
    except ValueError:
        return False
    return True


class Grid(Samples):
    """Inputs of an audit, and many more over the whole range of the format.

    Element-wise cards are held against their definition, by calculus. `second`: only for second derivatives. `thin`:
    fewer inputs, for one of many settings. `dense`: a thousand more, in float64 of all sizes of float32.
    """

    def __init__(
        self, card: Card, form: str, label: str = "", second: bool = False, thin: bool = False, dense: bool = False
    ) -> None:
        super().__init__(card)
        self.label, self.second, self.thin, self.dense = label or card.name, second, thin, dense
        self.form, self.dtype = form, FORMATS[form]

    @cached_property
    def arguments(self) -> tuple[Any, ...]:
        most = float(np.finfo(self.dtype).max)
        with np.errstate(all="ignore"):
            drawn = [x if x.dtype.kind in "iu" else np.clip(x, -most, most) for x in super().inputs(self.dtype)]
            if self.form == "bfloat16":
                drawn = [x if x.dtype.kind in "iu" else _upper_half(x) for x in self._full_rows(drawn)]
            drawn = self._still_falling(drawn)
            if len(drawn) == 1 and not isinstance(self.card, Loss):
                drawn = [self._extended(drawn[0], most)]
            elif not self.card.rowwise and not self.second and "16" not in self.form:
                further = self._pairs()
                if self.dense and self.thin:
                    drawn = [x[::2] for x in drawn]
                drawn = [np.concatenate([x, more.astype(x.dtype)]) for x, more in zip(drawn, further, strict=True)]
            elif self.second and self.card.rowwise:
                drawn = [x[:: max(len(x) // ROWS, 1)] for x in drawn]
        return tuple(drawn)

    def _extended(self, line: Any, most: float) -> Any:
        if self.second:
            line = line[abs(line) < FAR]
        elif "16" not in self.form:
            line = np.concatenate([line, _line(self.dtype, self.thin)])
        if self.dense and not self.thin:
            line = np.concatenate([line, _dense_line(self.dtype)])
        if self.thin:  # where the product with a parameter does not overflow
            line = line[abs(line) <= most / 64]
        return np.unique(line)

    def _full_rows(self, drawn: list[Any]) -> list[Any]:
        """Rows of probabilities that nearly sum to 1 in bfloat16: a part cut off goes to the next smaller entry."""
        if not (isinstance(self.card, Loss) and self.card.rowwise):
            return drawn
        spaces = self.card.kind.spaces(self.card.settings)
        for place, space in enumerate(spaces):
            if space.has_classes and drawn[place].dtype.kind == "f":
                rows = drawn[place].copy()
                order = np.argsort(-rows, axis=-1)
                each, rest = np.arange(len(rows)), 0.0
                for column in order.T:
                    whole = (rows[each, column] + rest).astype(np.float32)
                    rows[each, column] = _upper_half(whole)
                    rest = whole - rows[each, column]
                drawn[place] = rows
        return drawn

    def _still_falling(self, drawn: list[Any]) -> list[Any]:
        """The arguments without rows that must fall, and do not after rounding."""
        if not (isinstance(self.card, Loss) and self.card.kind.space_of(self.card.settings).falls):
            return drawn
        falls = (drawn[0][..., 1:] < drawn[0][..., :-1]).all(-1)
        return [x[falls] for x in drawn]

    def _pairs(self) -> list[Any]:
        card: Any = self.card
        spaces, rng = card.kind.spaces(card.settings), self.rng
        count = 60 if self.thin else 300
        columns = [_spread(space, rng, self.dtype, count) for space in spaces]
        most = float(np.finfo(self.dtype).max)
        edges = np.array([sign * size for sign in (1, -1) for size in (most, most / 2, most / 4, most**0.5)])
        huge = np.stack(np.meshgrid(edges, edges), axis=-1).reshape(-1, 2).T
        reals = [place for place, space in enumerate(spaces) if space.is_unbounded]
        beside = [_spread(space, rng, self.dtype, huge.shape[1]) for space in spaces]
        for place, numbers in zip(reals, huge, strict=False):
            beside[place] = numbers
        columns = [np.concatenate(pair) for pair in zip(columns, beside, strict=True)]
        if self.dense and self.dtype is np.float64:
            singles = [_spread(space, rng, np.float32, count) for space in spaces]
            columns = [np.concatenate(pair) for pair in zip(columns, singles, strict=True)]
        return columns

    def of_term(self, card: Card) -> Grid:
        """Return the grid for a term of a sum, at the same arguments."""
        other = copy.copy(self)
        Samples.__init__(other, card, self.seed)
        return other

    def where(self, chosen: Any) -> Grid:
        """Return the grid at some of its arguments (a mask), and at 0."""
        other = self.of_term(self.card)
        zero = self.arguments[0] == 0
        other.__dict__["arguments"] = tuple(x[chosen | zero] for x in self.arguments)
        return other

    @property
    def together(self) -> bool:
        return isinstance(self.card, Loss) and self.card.kind.batched

    def inputs(self, dtype: Any) -> tuple[Any, ...]:
        return self.arguments

    def conditioning(self, result: str, dtype: Any) -> Any:
        """0 if inputs of half precision cannot be moved and stay valid."""
        try:
            return super().conditioning(result, dtype)
        except ValueError:
            return 0.0

    def call(self, result: str, arguments: tuple[Any, ...]) -> Any:
        """See `Samples.call`; a second derivative is PyTorch's."""
        if result == "second":
            return self.results_by_torch(arguments, second=True)["second"]
        return super().call(result, arguments)

    def by_torch(self, arguments: tuple[Any, ...] | None = None) -> dict[str, Any]:
        """Results by PyTorch, at the grid's own arguments or others."""
        return self.results_by_torch(self.arguments if arguments is None else arguments, second=self.second)

    def tensors(self, arguments: tuple[Any, ...]) -> list[Any]:
        import torch

        is_half = self.form == "bfloat16"
        return [x.bfloat16() if is_half and x.dtype == torch.float32 else x for x in super().tensors(arguments)]

    def jax_arrays(self, arguments: tuple[Any, ...]) -> list[Any]:
        is_half = self.form == "bfloat16"
        arrays = super().jax_arrays(arguments)
        return [x.astype("bfloat16") if is_half and x.dtype == np.float32 else x for x in arrays]

    def second_by_torch(self, pull: Callable[[Any], Any], value: Any, slope: Any) -> Any:
        """Gradient of the slope's sum, for rows of one of their entries."""
        if isinstance(self.card, Map):
            slope = pull(value[..., 0])
            return pull(slope[..., slope.shape[-1] // 2])
        return pull(slope[..., 0] if self.card.rowwise else slope)

    # --------------------------------------------------------------------------------- the exact results

    def exact(self, result: str, dtype: Any) -> Any:
        """See `Samples.exact`; value and slope of a definition are computed together, as `Balls`."""
        name = np.dtype(dtype).name
        if not self.card.rowwise and result != "second" and (result, name) not in self._exact:
            with suppress(Exception):  # a definition without a slope may have values
                both = self._by_definition("definition_with_slope", self.arguments, self.options)
                self._exact["value", name], self._exact["slope", name] = (Balls(balls, DIGITS) for balls in both)
        return super().exact(result, dtype)

    def oracle(self, result: str) -> Any:
        if result == "second":
            return self._second
        if self.card.rowwise:
            return super().oracle(result)
        method = "definition" if result == "value" else "definition_slope"
        return lambda *arguments, **options: self._by_definition(method, arguments, options)

    def _by_definition(self, method: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Results of a method of `Exactly`, with more digits where one term may vanish beside another."""
        sizes = [abs(np.asarray(x, dtype=np.float64)) for x in arguments]
        plain = np.all([(x == 0) | ((x >= ORDINARY[0]) & (x <= ORDINARY[1])) for x in sizes], axis=0)
        shape = (2, *plain.shape) if method == "definition_with_slope" else plain.shape
        exact = np.empty(shape, dtype=object)
        for chosen, reach in ((plain, 0), (~plain, REACH)):
            if chosen.any():
                compute = getattr(Exactly(self.card, DIGITS, reach, for_floats=True), method)
                exact[..., chosen] = compute(*(np.asarray(x)[chosen] for x in arguments), **options)
        return exact

    def _second(self, *arguments: Any, **options: Any) -> Any:
        """Second derivatives; NaN where differences do not converge or the slope is infinite."""
        if isinstance(self.card, Map):
            arguments = arguments[:1]
        if self.card.rowwise:
            return self.exactly._converge(self._slope_of_slope, arguments, options, unsettled=math.nan, proven=False)
        slopes = np.asarray(super().oracle("slope")(*arguments, **options))
        finite = np.asarray(abs(slopes) < np.inf, dtype=bool)
        result = np.full(slopes.shape, math.nan, dtype=object)
        if finite.any():
            chosen = tuple(argument[finite] for argument in arguments)
            result[finite] = self.exactly._converge(
                self._slope_of_slope, chosen, options, unsettled=math.nan, proven=False
            )
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


def _line(dtype: Any, thin: bool) -> Any:
    """Numbers of both signs, densely in the middle."""
    info, rng = np.finfo(dtype), np.random.default_rng(0)
    lowest, most = int(info.minexp - info.nmant), float(info.max)
    exponents = np.arange(lowest, int(info.maxexp), (8 if thin else 1) * (1 if dtype is np.float32 else 8))
    middle = np.arange(-16, 11)
    each, dense = (1, 6) if thin else (2, 16)
    magnitudes = np.concatenate([
        np.ldexp(1.0 + rng.random((each, exponents.size)), exponents).ravel(),
        np.ldexp(1.0 + rng.random((dense, middle.size)), middle).ravel(),
        np.linspace(0, 10, 41 if thin else 201),
    ])  # fmt: skip
    return np.concatenate([-magnitudes, magnitudes]).clip(-most, most).astype(dtype)


def _dense_line(dtype: Any) -> Any:
    """A thousand random numbers of common sizes, near the underflow of exp, and in float64 of each size of float32."""
    rng = np.random.default_rng(7)
    tails = -np.log(float(np.finfo(dtype).smallest_subnormal)) * rng.uniform(0.9, 1.02, 60)
    sizes = np.concatenate([rng.uniform(0, 6, 500), 10 ** rng.uniform(-8, 2, 300), rng.uniform(6, 40, 140), tails])
    line = sizes * rng.choice([-1, 1], sizes.shape)
    if dtype is np.float64:
        single = np.finfo(np.float32)
        exponents = np.arange(int(single.minexp - single.nmant), int(single.maxexp))
        positive, negative = np.ldexp(1 + rng.random((2, exponents.size)), exponents)
        line = np.concatenate([line, positive, -negative])
    return line.astype(dtype)


def _spread(space: Space, rng: np.random.Generator, dtype: Any, count: int) -> Any:
    """Numbers of a space over the dtype's whole range, half of them of ordinary size."""
    info = np.finfo(dtype)
    exponents = np.where(
        rng.random(count) < 0.5, rng.uniform(-12, 5, count), rng.uniform(info.minexp - info.nmant, info.maxexp, count)
    )
    sizes = np.minimum(np.exp2(exponents), float(info.max))
    signs = rng.choice([-1.0, 1.0], count)
    if space.is_unbounded:
        return signs * sizes
    if space.is_positive:
        return np.maximum(sizes, float(info.smallest_subnormal))
    if space.open and space.low == -1:
        return np.where((signs > 0) | (sizes >= 1), sizes, np.maximum(sizes - 1, -1 + float(info.eps)))
    if space.is_probability and not (space.has_classes or space.is_yes_or_no):
        part = np.minimum(sizes, 0.5)
        return np.where(signs > 0, part, 1 - part)
    return space.draw(rng, (count,))


def _upper_half(x: Any) -> Any:
    """Cut a float32 to its upper half, a bfloat16."""
    return (np.ascontiguousarray(x).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
