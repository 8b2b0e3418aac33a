"""Cards: bodies in primitives of `slopes.ops`, made callable for arrays and tensors by `activation` and `loss`."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from types import ModuleType
from typing import Any, Literal, NoReturn, Self, overload

import numpy as np

from slopes import description, fast, kinds, ops
from slopes.constants import Array
from slopes.domains import Above, Domain, Flag, Noise, OneOf, is_array, is_tensor, plain, shown
from slopes.extras import require
from slopes.facts import Claims, Paper, Parameter, Peer
from slopes.hints import did_you_mean

Body = Callable[..., Array]


class Card:
    """The base class of activations and losses.

    A card is immutable and unique: its copies and pickles are the card itself.
    """

    family = "function"
    """The kind of card: activation, map, gate or loss."""
    rowwise = False
    """Whether it works on rows rather than entries."""
    name: str
    """Its name, with bound parameters: ``elu(alpha=0.5)``."""
    body: Body
    """The decorated function."""
    definition: Body | None
    """The textbook form, if the body is a numerically stable one."""
    same_as: dict[str, Peer]
    """Expressions with the same values in other libraries, by library."""
    papers: tuple[Paper, ...]
    """The first papers on it."""
    claims: Claims
    """Its stated properties, such as the range, which the audit tries to refute."""
    parameters: dict[str, Parameter]
    """Default and domain of each parameter."""
    bound: dict[str, Any]
    """The parameters bound by `with_`."""
    noise: str | None
    """The parameter that a generator draws."""
    slope_body: Any
    """The derivative by the first argument, if registered."""
    call_signature: inspect.Signature
    """The signature of a call, with the annotations of the body."""
    origin: str | None
    """The expression for the card in its repr, if it cannot be imported."""
    __call__: Callable[..., Any]
    slope: Callable[..., Any]
    _arguments: tuple[str, ...] = ("x",)
    cache: dict[tuple[Any, ...], Any]
    """Functions of fast paths, by dtype, parameters and the like."""
    __signature__ = description.Described(description.signature, None)
    __name__: str
    __qualname__: str

    def __init_subclass__(cls) -> None:
        cls.__doc__ = description.Described(description.docstring, cls.__doc__ or "")  # type: ignore[assignment]

    def __init__(
        self, body: Body, *, definition: Body | None = None, same_as: Mapping[str, str | tuple[str, str]] | None = None,
        papers: tuple[Paper, ...] = (), **claims: Any,
    ) -> None:  # fmt: skip
        if not callable(body) or not hasattr(body, "__name__"):
            raise TypeError(f"slopes.{self.family}: decorates a function, got {shown(body)}")
        self.body = body
        self.definition = definition
        self.same_as = {library: Peer.of(stated) for library, stated in (same_as or {}).items()}
        self.papers = papers
        unknown = claims.keys() - {field.name for field in fields(Claims)}
        if unknown:
            raise TypeError(
                f"{body.__name__}: no check can refute {', '.join(name for name in claims if name in unknown)}; claims "
                f"are {', '.join(field.name for field in fields(Claims))}"
            )
        self.claims = Claims(**claims)
        self.bound = {}
        self.slope_body = None
        self._root: Card = self
        self.cache = {}
        self.origin = None
        self.name = self.__name__ = body.__name__
        self.__qualname__, self.__module__ = body.__qualname__, body.__module__
        signature = inspect.signature(body, eval_str=True)
        self.parameters = self._read_parameters(signature)
        self._settings({})  # raises if defaults do not fit one another
        noisy = [name for name, parameter in self.parameters.items() if isinstance(parameter.domain, Noise)]
        self.noise = noisy[0] if noisy else None
        self.call_signature = self._signature(signature)

    def _read_parameters(self, signature: inspect.Signature) -> dict[str, Parameter]:
        parameters = {
            name: Parameter(parameter.default, _domain(parameter.annotation))
            for name, parameter in signature.parameters.items()
            if parameter.kind is parameter.KEYWORD_ONLY
        }
        if len(signature.parameters) - len(parameters) != len(self._arguments):
            wanted = ", ".join(self._arguments)
            raise TypeError(f"{self.name}: the body must take ({wanted}) and then parameters after *, got {signature}")
        for name, (default, domain) in parameters.items():
            if default is inspect.Parameter.empty:
                raise TypeError(f"{self.name}: parameter {name} needs a default")
            if domain is not None:
                domain.check(self.name, name, default)
        return parameters

    def _signature(self, body: inspect.Signature) -> inspect.Signature:
        return body if self.noise is None else _with_keywords(body, generator=(None, Any))

    def _draw(self, r: ModuleType, parameters: Mapping[str, Any], x: Array) -> dict[str, Any]:
        drawn = dict(parameters)
        generator = drawn.pop("generator", None) if self.noise else None
        if generator is not None and self.noise:
            if self.noise in drawn:
                raise TypeError(f"{self.name}: takes a generator or {self.noise}, not both")
            domain: Any = self.parameters[self.noise].domain
            drawn[self.noise] = r.draw(domain.distribution, generator, x, self.name)
        return drawn

    # ---------------------------------------------------------------------------------- parameters

    def with_(self, **parameters: Any) -> Self:
        """Return this card with parameters bound: ``elu.with_(alpha=0.5)``.

        Raises TypeError for an unknown parameter, ValueError for a value outside its domain.
        """
        bound = self.bound | {name: plain(value) for name, value in parameters.items()}
        self._settings(parameters)
        listed = ", ".join(f"{name}={shown(value)}" for name, value in bound.items())
        return self._copy_with(bound=bound, name=f"{self._root.name}({listed})") if parameters else self

    def _copy_with(self, **fields_of_card: Any) -> Self:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__, cache={}, **fields_of_card)
        return twin

    @property
    def settings(self) -> dict[str, Any]:
        """The value of every parameter."""
        return self._settings({})

    def _check(self, name: str, value: Any) -> None:
        domain = self.parameters[name].domain
        if domain is not None:
            domain.check(self.name, name, value)

    def _settings(self, given: Mapping[str, Any], r: ModuleType | None = None, like: Array = None) -> dict[str, Any]:
        """Every parameter's value, converted for the reading, if any, to fit `like`."""
        settings = {**{name: parameter.default for name, parameter in self.parameters.items()}, **self.bound}
        for name, value in given.items():
            if name not in self.parameters:
                raise TypeError(f"{self.name}: no parameter {name!r}; {self._hint_at(name)}")
            settings[name] = value = plain(value)
            self._check(name, value)
        for name, parameter in self.parameters.items():
            if isinstance(parameter.domain, Above):
                parameter.domain.compare(self.name, name, settings)
        if r is None:
            return settings
        try:
            return {name: r.parameter(name, value, like) for name, value in settings.items()}
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self.name}: {error}") from None

    def _hint_at(self, name: str) -> str:
        known = self._keywords()
        if name in known:
            own = self._root.__qualname__
            return f"it belongs to a call; bind it by functools.partial(slopes.{own}, {name}=…)"
        return did_you_mean(name, known, f"it takes {', '.join(known) or 'none'}")

    def _fit(self, settings: Mapping[str, Any], first: str, x: Array) -> None:
        for name, value in settings.items():
            if is_array(value):
                kinds.check_broadcast(self.name, name, tuple(value.shape), first, tuple(x.shape))

    def _keywords(self) -> list[str]:
        return [name for name, p in self.call_signature.parameters.items() if p.kind is p.KEYWORD_ONLY]

    def _reading(self, *arguments: Array) -> ModuleType:
        try:
            return ops.reading(*arguments)
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None

    # --------------------------------------------------------------------------------- derivatives

    def derivative(self, body: Body) -> Card:
        """Register the derivative by the first argument; a decorator, right below the card.

        It takes the body's arguments and returns the slope of each entry, or of a row's value by its entries; for a
        gate, the slopes by both halves. For a map, or a loss whose values depend on other rows, it takes the cotangent
        last and returns the vjp.
        """
        self.slope_body = body
        self.cache.clear()
        return self

    def _bodies(self, settings: dict[str, Any]) -> tuple[Body, Body | None]:
        """(value, slope) with parameters filled in; slope None leaves it to autograd."""
        slope = self.slope_body
        if not settings:
            return self.body, slope
        learnt = any([ops.reading(v).wants_gradient(v) for v in settings.values() if is_tensor(v)])
        return _filled(self.body, settings), None if slope is None or learnt else _filled(slope, settings)

    def bind(self, r: ModuleType, x: Array, parameters: Mapping[str, Any]) -> tuple[dict[str, Any], Body, Body | None]:
        """(parameters, value, slope) for a reading and an array."""
        settings = self._settings(parameters, r, x)
        return settings, *self._bodies(settings)

    # ------------------------------------------------------------------------------------- showing

    @property
    def formula(self) -> Any:
        """The textbook form as a SymPy expression."""
        require("a formula", "sympy")
        from slopes.readings import symbol

        return self.textbook(*self._symbols(symbol), **self._settings({}, symbol))

    @property
    def tex(self) -> str:
        """The formula as TeX."""
        formula = self.formula
        from slopes.readings import symbol

        return symbol.tex(formula)

    @property
    def textbook(self) -> Body:
        """The definition; the body if there is none, or if `switched`."""
        return self.body if self.definition is None or self.switched else self.definition

    @property
    def switched(self) -> bool:
        """Whether a bound flag or choice makes another function."""
        choices = {name: value for name, value in self.bound.items() if isinstance(value, (bool, str))}
        return any(value != self.parameters[name].default for name, value in choices.items())

    def _symbols(self, symbol: ModuleType) -> list[Any]:
        return [symbol.scalar("x")]

    @property
    def summary(self) -> str:
        """The first sentence of the docstring."""
        return (self.body.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")

    def __repr__(self) -> str:
        ours = self.__module__.startswith(("slopes.activations.", "slopes.losses."))
        source = self.origin or f"{'slopes' if ours else self.__module__}.{self.__qualname__}"
        listed = ", ".join(f"{name}={value!r}" for name, value in self.bound.items())
        return source + (f".with_({listed})" if listed else "")

    def __prepare_scriptable__(self) -> NoReturn:
        raise refused_script(self.name)  # torch.jit.script looks for this method

    def _repr_latex_(self) -> str | None:
        try:
            return f"$\\displaystyle {self.tex}$"
        except Exception:  # SymPy or a function of the body is missing: the notebook shows the repr
            return None

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce__(self) -> Any:
        return (_rebind, (self._root, self.bound)) if self.bound else self.__qualname__


def refused_script(name: str) -> TypeError:
    """The error for torch.jit.script."""
    return TypeError(
        f"torch.jit.script cannot compile {name}: TorchScript has no functions that take arrays and tensors alike; "
        "use torch.compile, torch.export.export, torch.onnx.export(..., dynamo=True) or torch.jit.trace"
    )


def _rebind(root: Card, bound: dict[str, Any]) -> Card:
    return root.with_(**bound)


def _with_keywords(signature: inspect.Signature, **added: tuple[Any, Any]) -> inspect.Signature:
    keywords = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (default, annotation) in added.items()
    ]
    return signature.replace(parameters=[*signature.parameters.values(), *keywords])


def _filled(body: Body, settings: dict[str, Any]) -> Body:
    def filled(*arguments: Array) -> Array:
        return body(*arguments, **settings)

    return filled


def _domain(annotation: Any) -> Domain | None:
    if annotation is bool:
        annotation = Flag
    found = [item for item in getattr(annotation, "__metadata__", ()) if isinstance(item, Domain)]
    return found[0] if found else None


def _are_plain(parameters: Mapping[str, Any]) -> bool:
    return all([type(value) in (float, int, str) for value in parameters.values()])


# -------------------------------------------------------------------------------------- activations


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
        return _with_keywords(super()._signature(body), out=(None, Any))

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
        return Card._signature(self, _with_keywords(body, axis=(-1, int), mask=(None, Any)))

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
        return _with_keywords(body.replace(parameters=[x, *keywords]), axis=(-1, int), gate=(self.half, str))

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
        order = slice(None, None, 1 if self.half == "first" else -1)

        def halves(x: Array) -> Any:
            n = x.shape[-1]
            return (x[..., : n // 2], x[..., n // 2 :])[order]

        def pull_back(x: Array, cotangent: Array) -> Array:
            pulled = tuple(cotangent * slope for slope in slopes(*halves(x)))[order]  # type: ignore[misc]
            return ops.reading(x).joined(*pulled)

        return lambda x: body(*halves(x)), None if slopes is None else pull_back

    def curve(self, x: Any) -> tuple[str, str, Any, int]:
        """Return labels, rows, and place of the gate."""
        place = 0 if self.half == "first" else 1
        return "gate, the value being 1", "", np.stack([x, np.ones_like(x)][:: 1 - 2 * place], axis=-1), place

    def _symbols(self, symbol: ModuleType) -> list[Any]:
        return [symbol.scalar("g"), symbol.scalar("v")]


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


# ------------------------------------------------------------------------------------------- losses


class Loss(Card):
    """A function of a prediction and a target, or of its kind's arguments."""

    family = "loss"
    kind: kinds.Kind
    """The kind: names and shapes of arguments, masks, weights and the reduction."""
    _takes_any: bool
    _run: str
    """Name of its fast path; empty if there is none."""

    def __init__(self, body: Body, *, kind: kinds.Kind, **fields_of_card: Any) -> None:
        self.kind, self.rowwise = kind, kind.rowwise
        self._arguments = kind.body
        super().__init__(body, **fields_of_card)
        self._takes_any = kind.takes_any(self.settings)
        if kind.rowwise:
            self._run = "run_regions" if kind.has_regions else "run_loss_of_labels" * ("class_weight" in kind.options)
        else:
            self._run = "run_loss"

    def _signature(self, body: inspect.Signature) -> inspect.Signature:
        common = list(inspect.signature(Loss.__call__).parameters.values())[2:-1]
        keyword = [p for p in body.parameters.values() if p.kind is p.KEYWORD_ONLY]
        named = [inspect.Parameter(a.name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for a in self.kind.arguments]
        return body.replace(parameters=[*named, *common, *self.kind.signature(), *keyword])

    def __call__(
        self, *arguments: Array, reduction: str = "mean", weight: Array | None = None, mask: Array | None = None,
        divisor: Array | float | None = None, **options: Any,
    ) -> Any:  # fmt: skip
        """Return the loss: a number, or with ``reduction="none"`` a value for each element or row.

        Arguments are a prediction and a target, unless the signature names others. `mask` (boolean, True counts) and
        `weight` (>= 0 for a mean) have the shape of the unreduced loss. The mean is the weighted average of the values
        that count, 0 if none does; `divisor` replaces its denominator. Other keywords are the card's parameters and its
        kind's options. Raises ValueError if shapes, labels or parameters do not fit, TypeError if an argument is no
        real array.
        """
        given: dict[str, Any] = {"weight": weight, "mask": mask, "divisor": divisor}
        counting = {} if weight is None and mask is None and divisor is None else given
        result = self._by_fast_path("", arguments, reduction, counting, options)
        if result is not None:
            return result
        return self._by_general_path(arguments, reduction, given, options, wants_slope=False)

    def _by_fast_path(
        self, ending: str, arguments: tuple[Any, ...], reduction: Any, counting: dict[str, Any], options: dict[str, Any]
    ) -> Any:
        """The loss, or (loss, gradient); None for the general path."""
        if self.rowwise and counting:
            return None
        if len(arguments) != len(self.kind.arguments) or type(reduction) is not str:
            return None
        run = fast.find(arguments[0], self._run + ending)
        if run is None:
            return None
        for value in options.values():
            if not (value is None or type(value) in (bool, int, float, str)):
                return None
        if self.kind.has_regions:
            return run(self, reduction, arguments, options)
        if options and any(name in self.kind.options for name in options):
            return None
        if self.rowwise:
            return run(self, reduction, *arguments, tuple(options.items()))
        return run(self, reduction, arguments, tuple(options.items()), not self._takes_any, **counting)

    def _by_general_path(
        self, arguments: tuple[Any, ...], reduction: Any, given: dict[str, Any], options: dict[str, Any], *,
        wants_slope: bool,
    ) -> Any:  # fmt: skip
        """The loss, or (loss, gradient)."""
        entered = self._given(arguments, options)
        r = self._reading(*entered)
        with r.quiet():
            batch, value, slope = self._enter(
                r, entered, reduction=reduction, **given, options=options, wants_slope=wants_slope
            )
            if batch.kernel is not None:
                return (fast.loss_and_slope_by_kernel if wants_slope else fast.loss_by_kernel)(batch)
            loss = r.narrow(batch.reduce(batch.values(value, slope)), batch.dtype)
            if not wants_slope:
                return loss
            return loss, r.narrow(batch.pull_back(self._root.name, value, slope), r.result_dtype(batch.original))

    def value_and_slope(self, *arguments: Array, **options: Any) -> tuple[Any, Any]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype.

        It takes the keywords of a call. With ``reduction="none"`` it is the gradient of the sum.
        """
        reduction = options.pop("reduction", "mean")
        given = {name: options.pop(name, None) for name in ("weight", "mask", "divisor")}
        counting = {name: value for name, value in given.items() if value is not None}
        result = self._by_fast_path("_and_slope", arguments, reduction, counting, options)
        if result is not None:
            return result  # type: ignore[no-any-return]
        return self._by_general_path(arguments, reduction, given, options, wants_slope=True)  # type: ignore[no-any-return]

    def slope(self, *arguments: Array, **options: Any) -> Any:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
        return self.value_and_slope(*arguments, **options)[1]

    def _given(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, ...]:
        """The kind's arguments; removes named ones from `options`."""
        names = [argument.name for argument in self.kind.arguments]
        twice = [name for name in names[: len(arguments)] if name in options]
        if twice:
            raise TypeError(f"{self.name}: {twice[0]} is given twice, by place and by name")
        named = [name for name in names[len(arguments) :] if name in options]
        given = [*arguments, *map(options.pop, named)]
        if len(given) != len(names):
            missing = [name for name in names[len(arguments) :] if name not in named]
            problem = f"{' and '.join(missing)} is missing" if missing else f"got {len(given)} arguments before them"
            bound = ", ".join(f"{name}={shown(value)}" for name, value in options.items() if name in self.parameters)
            hint = f"; {self.name}.with_({bound}) binds parameters" if bound and len(missing) == len(names) else ""
            raise TypeError(f"{self.name}: takes {', '.join(names)} and then keywords; {problem}{hint}")
        return tuple(given)

    def _enter(
        self, r: ModuleType, arguments: tuple[Any, ...], *, reduction: Any,
        weight: Any, mask: Any, divisor: Any, options: dict[str, Any], wants_slope: bool = False,
    ) -> tuple[kinds.Batch, Body, Body | None]:  # fmt: skip
        mine = {name: options[name] for name in options if name not in self.kind.options}
        name, (first, *others) = self.kind.arguments[0].name, arguments
        first = r.enter(first, f"{self.name}: {name}")
        settings = self._settings(mine, r, first)
        if settings and not self.rowwise:
            self._fit(settings, name, first)
        of_kind = {name: options[name] for name in options if name in self.kind.options}
        find = fast.find(first, "find_row_kernel")
        if find is not None and self.rowwise:
            beside = *others, weight, mask, divisor, of_kind.get("class_weight")

            def find_kernel(x: Array, axis: int, labels: bool, smoothing: float = 0.0) -> Any:
                return find(self, settings, x, axis, labels, smoothing, beside, wants_slope)

            of_kind["find_kernel"] = find_kernel
        batch = self.kind.enter(r, self.name, (first, *others), weight=weight, mask=mask, settings=settings, **of_kind)
        batch.reduce_by(reduction, divisor)
        return batch, *self._bodies(settings)

    def _symbols(self, symbol: ModuleType) -> list[Any]:
        first, target, *others = self.kind.symbols
        make = symbol.row if self.rowwise else symbol.scalar
        return [make(first), make(target), *map(make, others)]


def loss(
    kind: str, *, space: str | None = None, target: str | None = None, definition: Body | None = None,
    same_as: Mapping[str, str | tuple[str, str]] | None = None, papers: tuple[Paper, ...] = (), **claims: Any,
) -> Callable[[Callable[..., Any]], Loss]:  # fmt: skip
    """Make a card of a body (prediction, target) that gives one value per element, or per row of classes.

    `kind` is "regression", "binary", "classification" or another of `slopes.kinds`.
    Predictions of "binary" and "classification" are logits, unless `space` is "probabilities" or the body has a
    parameter ``from_probabilities``. `space` and `target` replace the kind's spaces. Other fields are as for
    `activation`; a minimum of 0 is claimed by default.
    """
    if not isinstance(kind, str) or kind not in kinds.KINDS:
        raise ValueError(f"loss: kind must be {OneOf(tuple(kinds.KINDS))}, got {kind!r}")
    claims = {"minimum": 0.0} | claims
    chosen, first = kinds.KINDS[kind], kinds.KINDS[kind].arguments[0].name
    wanted = (("space", first, space), ("target", "target", target))
    spaces = {name: kinds.read_space("loss", option, given) for option, name, given in wanted if given is not None}
    if spaces:
        chosen = chosen.having(**spaces)
    return lambda body: Loss(body, kind=chosen, definition=definition, same_as=same_as, papers=papers, **claims)
