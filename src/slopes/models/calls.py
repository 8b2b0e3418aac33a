"""Activations that a model calls as functions, as in ``F.relu(x)``, ``x.relu()`` or ``torch.tanh(x)``."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from slopes.models.inventory import class_of_name
from slopes.readings import plain


class FunctionCall(NamedTuple):
    """A call of an activation of PyTorch, which is under way."""

    kind: type[nn.Module]  #: class of modules that compute the same
    name: str
    x: Tensor
    function: Callable[[Tensor], Any]  #: computes it with the call's other arguments
    in_place: bool


class FunctionCalls(TorchFunctionMode):
    """Gives each call of an activation of PyTorch to `handle`, which returns the result of the call.

    `watched` has functions that get the arguments of another function before it is called.
    """

    def __init__(
        self, handle: Callable[[FunctionCall], Any], watched: Mapping[Any, Callable[..., None]] = MappingProxyType({})
    ) -> None:
        super().__init__()
        self._handle, self._watched = handle, watched

    def __torch_function__(self, function: Any, _: Any, arguments: Any = (), named: Any = None) -> Any:
        named = named or {}
        kind = _class_for(function)
        if kind is None:
            if function in self._watched:
                self._watched[function](*arguments, **named)
            return function(*arguments, **named)
        name = function.__name__
        x, *rest = arguments or (named["input"],)
        named = {key: value for key, value in named.items() if key != "input"}
        in_place = name.endswith("_") or _asks_in_place(function, rest, named)
        return self._handle(FunctionCall(kind, name.strip("_"), x, lambda x: function(x, *rest, **named), in_place))


plain.WATCHING.add(FunctionCalls)


@lru_cache(1024)
def _class_for(function: Any) -> type[nn.Module] | None:
    return class_of_name(getattr(function, "__name__", ""))


def _asks_in_place(function: Any, rest: list[Any], named: dict[str, Any]) -> bool:
    place = _place_of_in_place(function)
    return bool(rest[place] if place is not None and place < len(rest) else named.get("inplace"))


@cache
def _place_of_in_place(function: Any) -> int | None:
    """Place of the argument `inplace` after x, if the function has it."""
    try:
        return list(inspect.signature(function).parameters).index("inplace") - 1
    except ValueError:  # it has none, or is no function of Python
        return None


class CallSite(NamedTuple):
    owner: str  #: name of the module whose forward makes the call
    nth: int  #: number of earlier calls in this forward
    kind: type[nn.Module]  #: class of modules that compute the same


class Follower:
    """Hooks of a model that see the activation functions that its modules call; those of `torch.nn` count as one.

    `places` are the calls of the latest forward. Where `modules` has a module for a call, it computes the result; a
    forward with more calls than were seen before uses the last one again.
    """

    def __init__(self, model: nn.Module, modules: dict[tuple[str, type[nn.Module]], list[str]]) -> None:
        self.places: list[CallSite] = []
        self._modules = modules  #: names of attributes by owner and class, in the order of the calls
        self._running: list[tuple[str, nn.Module, Counter[type[nn.Module]]] | None] = []
        self._mode: FunctionCalls | None = None
        self._names = {module: name for name, module in model.named_modules()}
        for module in self._names:
            module.register_forward_pre_hook(self._enter)
            module.register_forward_hook(self._leave, always_call=True)

    def _enter(self, module: nn.Module, _: Any) -> None:
        if not self._running:
            self.places = []
            self._mode = FunctionCalls(self._handle)
            self._mode.__enter__()  # type: ignore[no-untyped-call]
        own = not type(module).__module__.startswith(("torch.", "slopes."))
        self._running.append((self._names[module], module, Counter()) if own else None)

    def _leave(self, *_: Any) -> None:
        self._running.pop()
        if not self._running and self._mode is not None:
            self._mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
            self._mode = None

    def _handle(self, call: FunctionCall) -> Any:
        module = self._module_for(call.kind)
        if module is None:
            return call.function(call.x)
        return call.x.copy_(module(call.x.clone())) if call.in_place else module(call.x)

    def _module_for(self, kind: type[nn.Module]) -> Callable[[Tensor], Tensor] | None:
        running = self._running[-1] if self._running else None
        if running is None:
            return None
        name, owner, counts = running
        self.places.append(CallSite(name, counts[kind], kind))
        known = self._modules.get((name, kind))
        counts[kind] += 1
        return getattr(owner, known[min(counts[kind], len(known)) - 1]) if known else None


def replace_calls(model: nn.Module, places: tuple[CallSite, ...], new: Callable[[], nn.Module]) -> None:
    """Put a module in the place of each call: it joins the module that makes the call."""
    modules: dict[tuple[str, type[nn.Module]], list[str]] = {}
    for owner, nth, kind in dict.fromkeys(places):
        name = f"{kind.__name__.lower()}_call_{nth + 1}"
        model.get_submodule(owner).add_module(name, new())
        modules.setdefault((owner, kind), []).append(name)
    if places:
        Follower(model, modules)
