"""Instances made again by their own constructors, with some arguments changed."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

PLAIN = (bool, int, float, str, tuple, type(None))


def constructor_arguments(thing: Any) -> dict[str, Any] | None:
    """Arguments by name with which the class of an instance makes its equal; None if they cannot be found.

    They are read from attributes of the same names. An attribute that was set after construction is no argument: the
    equal would differ inside.
    """
    kind = type(thing)
    try:
        parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    except (TypeError, ValueError):
        return None
    parameters = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if kind.__module__ == "builtins" or any(p.kind is p.POSITIONAL_ONLY for p in parameters):
        return None
    by_attributes = {p.name: getattr(thing, p.name, p.default) for p in parameters}
    defaults = {p.name: by_attributes[p.name] if p.default is p.empty else p.default for p in parameters}
    for arguments in (by_attributes, defaults):
        if any(value is inspect.Parameter.empty for value in arguments.values()):
            continue
        twin = made(kind, arguments)
        if twin is not None and state(twin) == state(thing):
            return arguments
    return None


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
    if arguments is None or not settings.keys() <= arguments.keys():
        return None
    twin = made(type(thing), arguments | settings)
    if twin is not None and isinstance(thing, torch.nn.Module):
        twin.train(thing.training)
    return twin


def state(thing: Any) -> dict[str, str]:
    """Plain attributes and tensors of an object and of the modules inside it, as text."""
    return dict(_state(thing, "", frozenset()))


def _state(thing: Any, path: str, seen: frozenset[int]) -> Iterator[tuple[str, str]]:
    if id(thing) in seen:
        return
    held = dict(vars(thing)) if hasattr(thing, "__dict__") else {}
    inside = {}
    if isinstance(thing, torch.nn.Module):
        inside = held.pop("_modules")
        held |= held.pop("_parameters") | held.pop("_buffers")
    for name, x in held.items():
        if name == "training":
            continue
        if isinstance(x, Tensor):
            yield path + name, f"{x.dtype} {tuple(x.shape)} {_digest(x)}"
        elif type(x) in PLAIN or isinstance(x, np.generic):
            yield path + name, repr(x)
    for name, module in inside.items():
        yield from _state(module, f"{path}{name}.", seen | {id(thing)})


def _digest(x: Tensor) -> str:
    """Digest of the numbers of a tensor; a module may have many millions."""
    if x.layout is not torch.strided or x.device.type == "meta" or x.is_quantized:
        return str(x)
    return hashlib.sha256(x.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest()
