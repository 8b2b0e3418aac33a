"""Frameworks whose functions are audited, and the framework of a function, which its code shows."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType, MethodType, ModuleType
from typing import Any

import torch

from slopes.auditing.scopes import names_in, scope_of


@dataclass(frozen=True)
class Framework:
    """Library whose arrays a subject takes and gives."""

    name: str  #: in code
    title: str
    is_narrow: bool = False  #: whether its operations compute in float32, though they take float64
    has_last_axis: bool = False  #: whether a loss takes the mean over the last axis, so that there must be one

    @property
    def is_torch(self) -> bool:
        return self.name == "torch"


FRAMEWORKS = {
    framework.name: framework
    for framework in (
        Framework("torch", "PyTorch"),
        Framework("jax", "JAX"),
        Framework("keras", "Keras", is_narrow=True, has_last_axis=True),
    )
}


def framework_of(thing: Any) -> str:
    """Framework of a callable's arrays, if its code shows that it is another than PyTorch, else "torch"."""
    if sys.modules.keys().isdisjoint(("jax", "keras")):
        return "torch"
    if is_keras(thing):
        return "keras"
    if isinstance(thing, torch.nn.Module):
        return "torch"
    try:
        found = {package for x in _reached(thing) for package in (package_of(x), package_of(type(x)))}
    except Exception:  # of attributes that the object's own code computes
        return "torch"
    found |= {"jax"} if "jaxlib" in found else set()
    return next((name for name in ("torch", "keras", "jax") if name in found), "torch")


def rule_of(subject: Any) -> str:
    """Name of a derivative that was written by hand in JAX and that a function uses, or ""."""
    rules = (x for x in _reached(subject) if type(x).__name__ in ("custom_vjp", "custom_jvp"))
    return next((x.__name__ for x in rules if package_of(x) not in ("jax", "optax")), "")


def is_keras(thing: Any, base: str = "") -> bool:
    """Whether an object's class comes from Keras, or from Keras' class of this name."""
    return any(package_of(kind) == "keras" and base in ("", kind.__name__) for kind in type(thing).__mro__)


def package_of(thing: Any) -> str:
    """Outermost package of a module, or of an object's module."""
    home = thing.__name__ if isinstance(thing, ModuleType) else getattr(thing, "__module__", None)
    return str(home or "").partition(".")[0]


def _reached(thing: Any) -> Iterator[Any]:
    """Yield an object and all that its code names, in functions of its own package, too."""
    todo, seen, home = [thing], set[int](), ""
    while todo:
        x = todo.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        yield x
        if isinstance(x, FunctionType):
            home = home or package_of(x)
            if package_of(x) == home:
                scope = {**sys.modules, **scope_of(x)}  # modules, for imports inside
                todo += [scope[name] for name in names_in(x.__code__) if name in scope]
        elif isinstance(x, (functools.partial, MethodType)):
            todo.append(x.func if isinstance(x, functools.partial) else x.__func__)
        elif x is thing:
            todo += [kind for kind in type(x).__mro__ if kind is not object]
            todo += [
                vars(kind)[name] for kind in type(x).__mro__ for name in ("__call__", "call") if name in vars(kind)
            ]
        if x is thing or isinstance(x, FunctionType):
            todo += [inspect.unwrap(x)]
