"""Instances made again by their own constructors, with some arguments changed."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import io
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slopes.auditing.frameworks import is_keras

PLAIN = (bool, int, float, str, tuple, type(None))
DEPTH = 6  #: levels of objects inside objects that are compared
OF_MODULES = vars(torch.nn.Module()).keys()  #: attributes that every module has
SET_AFTERWARDS = "set on the finished object, as its constructor cannot be called again with the same arguments"


def constructor_arguments(thing: Any) -> dict[str, Any] | None:
    """Arguments by name with which the class of an instance makes its equal; None if they cannot be found.

    They are read from attributes of the same names, or else from partial functions and modules that the instance
    holds. An attribute that was set after construction is no argument: the equal would differ inside.
    """
    try:
        candidates = _candidates(thing)
        return next(
            (arguments for arguments in candidates if state(made(type(thing), arguments)) == state(thing)), None
        )
    except Exception:  # an object whose own code raises where one looks at it
        return None


def _candidates(thing: Any) -> Iterator[dict[str, Any]]:
    """Yield arguments that may be the constructor's."""
    kind = type(thing)
    parameters = _parameters(kind)
    if parameters is None or _is_compiled(kind) or any(p.kind is p.POSITIONAL_ONLY for p in parameters):
        return
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    inside = dict(_values_inside(thing))
    by_attributes = {p.name: getattr(thing, p.name, p.default) for p in named}
    by_parts = {p.name: getattr(thing, p.name, inside.get(p.name, p.default)) for p in named}
    defaults = {p.name: by_attributes[p.name] if p.default is p.empty else p.default for p in named}
    for arguments in (by_attributes, by_parts, defaults):
        if not any(value is inspect.Parameter.empty for value in arguments.values()):
            yield arguments


def _is_compiled(kind: type) -> bool:
    """Whether C makes a class's instances; some of its constructors kill the process where an argument is missing."""
    make: Any = kind.__new__
    return kind.__module__ == "builtins" or not (make is object.__new__ or inspect.isfunction(make))


def _parameters(kind: type) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(kind.__init__).parameters.values())[1:]  # type: ignore[misc]
    except (TypeError, ValueError):
        return None


def _values_inside(thing: Any) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of keywords of partial functions, and of attributes of modules, that an instance holds."""
    if is_keras(thing):
        yield from thing.get_config().items()
    modules = list(thing.modules()) if isinstance(thing, torch.nn.Module) else [thing]
    for holder in reversed(modules):  # the outer ones last, which count in a dict
        held = getattr(holder, "__dict__", {})
        yield from ((name.removeprefix("_"), x) for name, x in held.items() if type(x) in PLAIN)
        for x in held.values():
            if isinstance(x, functools.partial):
                yield from x.keywords.items()


def is_handed_on(thing: Any, name: str) -> bool:
    """Whether only a module inside keeps an option, which may need it for other inputs than those that are tried."""
    parts = [part for part in thing.modules() if part is not thing] if isinstance(thing, torch.nn.Module) else []
    return name not in dir(thing) and any(name in vars(part) for part in parts)


def made(kind: Any, arguments: Mapping[str, Any]) -> Any:
    """Instance of a class; None if its constructor raises."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return kind(**arguments)
    except Exception:
        return None


def rebuilt(thing: Any, **settings: Any) -> Any:
    """Equal of an instance with other constructor arguments, in the same mode; None if it cannot be made."""
    arguments = constructor_arguments(thing)
    if arguments is None:
        return None
    takes_any = any(p.kind is p.VAR_KEYWORD for p in _parameters(type(thing)) or ())
    if not takes_any and not settings.keys() <= arguments.keys():
        return None
    twin = made(type(thing), arguments | settings)
    if twin is not None and isinstance(thing, torch.nn.Module):
        twin.train(thing.training)
    return twin


def state(thing: Any) -> dict[str, str]:
    """Numbers, texts, tensors and functions that an object and the objects inside it hold, as text."""
    return dict(_state(thing, "", []))


def _state(x: Any, path: str, above: list[Any]) -> Iterator[tuple[str, str]]:
    """Yield (place, text) of a value and of all inside it; `above` holds the objects around it."""
    if isinstance(x, Tensor):
        yield path, f"{x.dtype} {tuple(x.shape)} {_digest(x)}"
    elif isinstance(x, np.ndarray):
        yield path, f"{x.dtype} {x.shape} {hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()}"
    elif x is None or isinstance(x, (bool, int, float, complex, str, bytes, np.generic)):
        yield path, repr(x)
    else:
        name = x if inspect.isroutine(x) or isinstance(x, (type, ModuleType)) else type(x)
        yield path, f"{getattr(name, '__module__', '')}.{getattr(name, '__qualname__', '')}"
        if len(above) < DEPTH and not any(x is other for other in above):
            for key, part in _parts(x):
                yield from _state(part, f"{path}/{key}", [*above, x])


def _parts(x: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (name or place, value) of what a container, a function or an object holds."""
    if isinstance(x, functools.partial):
        yield from (("func", x.func), ("args", x.args), ("keywords", x.keywords))
    elif isinstance(x, Mapping):
        yield from x.items()
    elif isinstance(x, (list, tuple)):
        yield from enumerate(x)
    elif isinstance(x, torch.nn.Module):
        held = vars(x)
        yield from ((name, part) for name, part in held.items() if name not in OF_MODULES)
        yield from (held["_parameters"] | held["_buffers"] | held["_modules"]).items()
    elif inspect.isroutine(x):
        for place, cell in enumerate(getattr(x, "__closure__", None) or ()):
            with contextlib.suppress(ValueError):  # an empty cell
                yield place, cell.cell_contents
    elif not isinstance(x, (type, ModuleType)):
        yield from getattr(x, "__dict__", {}).items()


def _digest(x: Tensor) -> str:
    """Digest of the numbers of a tensor; a module may have many millions."""
    if x.layout is not torch.strided or x.device.type == "meta" or x.is_quantized:
        return str(x)
    return hashlib.sha256(x.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest()
