"""The base of all cards: bodies in primitives of `slopes.ops`, with their parameters, claims and derivatives."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from types import ModuleType
from typing import Any, NoReturn, Self

from slopes import description, kinds, ops
from slopes.constants import Array
from slopes.domains import Above, Domain, Flag, Noise, is_array, is_tensor, plain, shown
from slopes.extras import require
from slopes.facts import Claims, Paper, Parameter, Peer
from slopes.hints import did_you_mean

Body = Callable[..., Array]


def _signature(card: Card) -> inspect.Signature:
    """Return a call's signature; raise TypeError for torch.jit.script, which asks a card in a function no more."""
    frame = sys._getframe()
    while frame := frame.f_back:  # type: ignore[assignment]
        if frame.f_globals.get("__name__") == "torch.jit.annotations":
            raise refused_script(card.name)
    return description.signature(card)


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
    __signature__ = description.Described(_signature, None)
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
        return body if self.noise is None else with_keywords(body, generator=(None, Any))

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
        self._settings(parameters)
        bound = self.bound | {name: self._convert(name, value) for name, value in parameters.items()}
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

    def _convert(self, name: str, value: Any) -> Any:
        domain = self.parameters[name].domain
        return plain(value) if domain is None else domain.read(value)

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
            settings[name] = value = self._convert(name, value)
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
            if is_array(value) and not self._has_rows(name):
                kinds.check_broadcast(self.name, name, tuple(value.shape), first, tuple(x.shape))

    def _has_rows(self, name: str) -> bool:
        domain = self.parameters[name].domain
        return domain is not None and domain.has_rows

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
        filled = functools.partial(self.body, **settings)
        return filled, None if slope is None or learnt else functools.partial(slope, **settings)

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


def bind_parameters(owner: str, card: Card, parameters: Mapping[str, Any]) -> Any:
    """Return the card with parameters bound, for an owner that calls it; raise TypeError for a keyword of a call."""
    for name in parameters:
        if name in card._keywords() and name not in card.parameters:
            raise TypeError(
                f"{owner}: {name} belongs to a call of {card.name}, which {owner} makes by itself; only parameters are "
                "bound here, and slopes.loss makes a loss of your own"
            )
    return card.with_(**parameters)


def with_keywords(signature: inspect.Signature, **added: tuple[Any, Any]) -> inspect.Signature:
    """Return the signature with further keywords, each with its default and annotation."""
    keywords = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (default, annotation) in added.items()
    ]
    return signature.replace(parameters=[*signature.parameters.values(), *keywords])


def _domain(annotation: Any) -> Domain | None:
    if annotation is bool:
        annotation = Flag
    found = [item for item in getattr(annotation, "__metadata__", ()) if isinstance(item, Domain)]
    return found[0] if found else None
