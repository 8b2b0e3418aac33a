"""Words for messages: a value's type and shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor


def described(thing: Any) -> str:
    if isinstance(thing, Tensor):
        return f"a tensor of {tuple(thing.shape)}"
    if isinstance(thing, Mapping):
        inside = ", ".join(f"{key!r}: {_shape(value)}" for key, value in thing.items())
        return f"a {type(thing).__name__} of {{{inside}}}"
    if is_dataclass(thing) and not isinstance(thing, type):
        inside = ", ".join(f"{field.name}={_shape(getattr(thing, field.name))}" for field in fields(thing))
        return f"{type(thing).__name__}({inside})"
    if isinstance(thing, (tuple, list)):
        return f"a {type(thing).__name__} of ({', '.join(map(_shape, thing))})"
    return "None" if thing is None else f"a value of type {type(thing).__name__}"


def _shape(value: Any) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__


def batch_shape(shape: Any) -> str:
    """Format a shape whose first axis, of size 2 here, is the batch."""
    first = "batch" if shape and shape[0] == 2 else str(shape[0]) if shape else ""
    rest = "".join(f", {size}" for size in shape[1:])
    return f"({first}{rest or ',' * bool(shape)})"
