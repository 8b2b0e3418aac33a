"""Names that the code of functions and classes uses, and the objects behind them."""

from __future__ import annotations

import sys
from types import CodeType, FunctionType
from typing import Any


def names_in(code: CodeType) -> set[str]:
    """Global, free and attribute names of a code object and of those inside it."""
    inner = (x for x in code.co_consts if isinstance(x, CodeType))
    return {*code.co_names, *code.co_freevars}.union(*map(names_in, inner))


def scope_of(thing: Any) -> dict[str, Any]:
    """Globals and closure of a function, or of a class and its methods."""
    if isinstance(thing, type):
        functions = [x for x in vars(thing).values() if isinstance(x, FunctionType)]
        return {**vars(sys.modules[thing.__module__]), **{k: x for f in functions for k, x in scope_of(f).items()}}
    names = thing.__code__.co_freevars
    cells = {name: cell.cell_contents for name, cell in zip(names, thing.__closure__ or (), strict=True)}
    return {**thing.__globals__, **cells}
