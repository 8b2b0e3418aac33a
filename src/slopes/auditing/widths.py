"""Lengths of rows that a loss needs, such as the number of its class weights."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slopes.auditing.form import Form
from slopes.auditing.scopes import names_in, scope_of
from slopes.card import Card
from slopes.domains import is_array

MOST = 3  #: lengths to try
LONGEST = 1024


def widths_of(thing: Any) -> list[int]:
    """Return lengths of the rows of numbers that a card, module or function holds."""
    lengths = (_length(value) for value in _held(thing))
    return list(dict.fromkeys(length for length in lengths if 1 < length <= LONGEST))[:MOST]


def has_row(card: Card) -> bool:
    """Whether an array, or a row of numbers for the entries of a row, is bound to a parameter."""
    return bool(widths_of(card)) if card.rowwise else any(map(is_array, card.bound.values()))


def with_widths(forms: Iterable[Form], widths: Sequence[int]) -> list[Form]:
    """Return the forms, each with variants whose rows have these lengths.

    Entries with a row of one also fit a longer row that they are broadcast to, so their variants come before them.
    """
    return [each for form in forms for each in _variants(form, widths)]


def _variants(form: Form, widths: Sequence[int]) -> list[Form]:
    if len(form.shape) < 2 or not widths:
        return [form]
    axis = form.axis % len(form.shape)
    shapes = [(*form.shape[:axis], width, *form.shape[axis + 1 :]) for width in widths]
    wide = [replace(form, shape=shape) for shape in shapes if shape != form.shape]
    return [*wide, form] if form.shape[axis] == 1 else [form, *wide]


def _length(value: Any) -> int:
    """Length of a row of numbers; 0 for anything else."""
    if isinstance(value, (Tensor, np.ndarray)):
        return len(value) if value.ndim == 1 else 0
    is_row = isinstance(value, (tuple, list)) and all(type(each) in (int, float) for each in value)
    return len(value) if is_row else 0


def _held(thing: Any, depth: int = 3) -> Iterator[Any]:
    """Yield a card's parameters, a module's tensors and attributes, what is bound, and what a function's code names."""
    if not depth:
        return
    if isinstance(thing, Card):
        yield from thing.settings.values()
    elif isinstance(thing, functools.partial):
        yield from (*thing.args, *thing.keywords.values())
        yield from _held(thing.func, depth - 1)
    elif isinstance(thing, MethodType):
        yield from _held(thing.__self__, depth - 1)
    elif isinstance(thing, FunctionType):
        yield from (*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values())
        scope = scope_of(thing)
        named = [scope[name] for name in sorted(names_in(thing.__code__)) if name in scope]
        yield from named
        for value in named:
            if isinstance(value, (Card, functools.partial, torch.nn.Module)):
                yield from _held(value, depth - 1)
        yield from (x for x in _constants(thing.__code__))
    elif isinstance(thing, torch.nn.Module):
        yield from (*thing.parameters(), *thing.buffers())
        for module in thing.modules():
            yield from (value for name, value in vars(module).items() if not name.startswith("_"))
    elif isinstance(getattr(thing, "__dict__", None), Mapping):
        yield from vars(thing).values()


def _constants(code: Any) -> Iterator[Any]:
    """Yield the constants of a code object and of those inside it."""
    for x in code.co_consts:
        yield from _constants(x) if hasattr(x, "co_consts") else (x,)
