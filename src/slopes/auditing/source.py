"""Code that makes a subject and its arguments, as it can be pasted."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import torch
from torch import Tensor

from slopes.card import Card


def attempt(call: str) -> str:
    """Return code that sets `came` to the result of a call, or to its exception."""
    return f"try:\n    came = {call}\nexcept Exception as error:\n    came = error"


def spelled(x: Tensor) -> str:
    """Return the entries as nested lists, with the fewest digits; infinities and NaN as Python reads them."""
    if x.dtype is torch.float32:
        x = torch.from_numpy(x.detach().numpy().astype(str).astype(float))
    text = repr(x.detach().tolist())
    for word in ("nan", "inf"):
        text = text.replace(word, f"float('{word}')")
    return text


def expression_of(thing: Any, variable: str, spec: str | None = None) -> tuple[str, list[str]]:
    """Return the subject's name, and lines of code that assign it to the variable."""
    if isinstance(thing, Card):
        module = repr(thing).partition(".")[0]
        return repr(thing), [
            f"import {'slopes' if module == 'slopes' else thing.__module__}",
            f"{variable} = {thing!r}",
        ]
    called = "()" if isinstance(thing, type) else ""
    if spec is not None:
        return spec, ["import slopes.loading", f"{variable} = slopes.loading.find({spec!r}){called}"]
    if isinstance(thing, torch.nn.Module):
        kind = type(thing)
        given = _given_to(thing)
        home = importable(kind)
        if given is None:
            return kind.__name__, [f"{variable} = ...  # the {kind.__name__} that was audited"]
        made = f"{kind.__name__}({given})"
        if home is None:
            return made, [f"{variable} = {made}  # as it is defined where the audit was called"]
        return made, [f"from {home} import {kind.__name__}", f"{variable} = {made}"]
    name = getattr(thing, "__name__", type(thing).__name__)
    home = importable(thing)
    if home is not None:
        return name, [f"from {home} import {name}", f"{variable} = {name}{called}"]
    if name.isidentifier():
        return name, [f"{variable} = {name}{called}  # as it is defined where the audit was called"]
    return name, [f"{variable} = ...  # the {name} that was audited"]


def importable(thing: Any) -> str | None:
    """Return the topmost package from which an object can be imported by its name.

    None for a local object, or one of the main script.
    """
    home, name = getattr(thing, "__module__", None), getattr(thing, "__name__", None)
    if not home or not name or home == "__main__":
        return None
    parts = home.split(".")
    for count in range(1, len(parts) + 1):
        package = ".".join(parts[:count])
        try:
            if getattr(importlib.import_module(package), name, None) is thing:
                return package
        except Exception:
            return None
    return None


def _given_to(module: torch.nn.Module) -> str | None:
    """Return the constructor arguments of a module as code, from attributes of their names; None if unsure."""
    given = []
    for name, parameter in inspect.signature(type(module).__init__).parameters.items():
        if name == "self" or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        value = getattr(module, name, parameter.default)
        if value is parameter.default or (isinstance(value, (int, float, str)) and value == parameter.default):
            continue
        if isinstance(value, Tensor) and value.numel() <= 64:
            value = f"torch.tensor({spelled(value)})"
        elif isinstance(value, (bool, int, float, str, tuple)) or value is None:
            value = repr(value)
        else:
            return None
        given.append(f"{name}={value}")
    return ", ".join(given)
