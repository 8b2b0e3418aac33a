"""Code to paste that makes a subject and its arguments."""

from __future__ import annotations

import ast
import builtins
import contextlib
import copy
import functools
import importlib
import inspect
import linecache
import sys
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import CellType, FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slopes import domains
from slopes.auditing.adapters import origin_of
from slopes.auditing.frameworks import FRAMEWORKS, Framework
from slopes.auditing.rebuilding import constructor_arguments
from slopes.auditing.scopes import names_in, scope_of
from slopes.auditing.signatures import attribute_of
from slopes.card import Card, Sum

COMPILED = ["torch", "torch.nn.functional", "numpy", "scipy.special"]  #: homes of functions that do not name theirs
LOADED = "slopes.loading."  #: modules made of users' files


class Unwritable(Exception):
    """No code can make the object."""


@dataclass(frozen=True)
class Source:
    """Code of a subject: imports, definitions and an expression; without an expression, the object."""

    name: str  #: for the report
    lines: tuple[str, ...] = ()
    expression: str | None = None
    thing: Any = field(default=None, repr=False)
    framework: Framework = FRAMEWORKS["torch"]  #: of its arrays, which an adapter makes of tensors

    def assign(self, variable: str) -> tuple[list[str], dict[str, Any]]:
        """(lines that assign the subject to a variable, objects by name that no line makes)."""
        expression, lines, given = self.expression, [*self.lines], {}
        if expression is None:
            kind = type(self.thing).__name__
            lines = [f"# {variable} is the {kind} that was audited; it cannot be written as code"]
            expression, given = variable, {variable: self.thing}
        if not self.framework.is_torch:
            lines.append("from slopes.auditing.adapters import to_torch")
            expression = self.adapted(expression)
        return [*lines, *([] if expression == variable else [f"{variable} = {expression}"])], given

    def adapted(self, expression: str) -> str:
        """Code of a function of tensors around an object, with the adapter that `assign` imports."""
        return expression if self.framework.is_torch else f"to_torch({expression}, {self.framework.name!r})"


def evaluate(option: str, text: str, scope: Mapping[str, Any]) -> Any:
    """Evaluate an expression that may name torch, F (torch.nn.functional), np and all that a scope holds.

    A lambda in it can be written as code. Raises ValueError if it raises.
    """
    file = f"<{option}: {text}>"
    linecache.cache[file] = len(text), None, [text], file
    known = {"torch": torch, "F": torch.nn.functional, "np": np}
    try:
        return eval(compile(text.strip(), file, "eval"), {**known, **scope})
    except Exception as error:
        raise ValueError(f"audit: cannot evaluate {option} {text!r}: {type(error).__name__}: {error}") from error


def with_own_modules(function: Any) -> tuple[Any, dict[str, Any]]:
    """(function with copies of the modules that it names, these copies by name); another callable as it is."""
    if not isinstance(function, FunctionType):
        return function, {}
    held = {name: x for name, x in scope_of(function).items() if name in names_in(function.__code__)}
    models = {name: copy.deepcopy(x) for name, x in held.items() if isinstance(x, torch.nn.Module)}
    cells = (CellType(models.get(name, held.get(name))) for name in function.__code__.co_freevars)
    scope = {**function.__globals__, **models}
    own = FunctionType(function.__code__, scope, function.__name__, function.__defaults__, tuple(cells))
    own.__kwdefaults__ = function.__kwdefaults__
    return own, models


def source_of(thing: Any, spec: str | None = None) -> Source:
    if (origin := origin_of(thing)) is not thing:
        return replace(source_of(origin, spec), framework=thing.framework)
    called = "()" if isinstance(thing, type) else ""
    if spec is not None and not isinstance(thing, Card):
        return Source(spec, ("import slopes.loading",), f"slopes.loading.find({spec!r}){called}")
    name = repr(thing) if isinstance(thing, Card) else str(attribute_of(thing, "__name__", type(thing).__name__))
    try:
        lines, expression = _written(thing)
        exec("\n".join([*lines, expression]), {"__name__": __name__})
    except (Exception, SystemExit):
        return Source(name, thing=thing() if called else thing)
    if isinstance(thing, torch.nn.Module):
        name = expression.replace(_written(type(thing))[1], type(thing).__name__, 1)
    return Source(name, tuple(dict.fromkeys(lines)), expression + called)


def _written(thing: Any) -> tuple[list[str], str]:
    """(imports and definitions, expression) for an object; raise Unwritable without any."""
    thing = thing.item() if isinstance(thing, np.number) else thing
    if thing is None or type(thing) in (bool, int, float, str):
        return [], spell(thing)
    if isinstance(thing, tuple):
        lines, expressions = _parts(("", part) for part in thing)
        return lines, f"({''.join(f'{expression}, ' for expression in expressions)})"
    if isinstance(thing, Tensor):
        return _of_tensor(thing)
    if isinstance(thing, ModuleType):
        return [f"import {thing.__name__}"], thing.__name__
    if isinstance(thing, Card):
        return _of_card(thing)
    if inspect.ismethod(thing):
        lines, expression = _written(thing.__self__)
        return lines, f"{expression}.{thing.__name__}"
    if isinstance(thing, functools.partial):
        lines, call = _call(thing.func, thing.args, thing.keywords)
        return ["import functools", *lines], f"functools.partial({call})"
    home = importable(thing)
    if home is not None:
        return [f"from {home} import {thing.__name__}"], thing.__name__
    thing = _decorated(thing)
    return _of_code(thing) if isinstance(thing, (FunctionType, type)) else _of_instance(thing)


def _of_tensor(x: Tensor) -> tuple[list[str], str]:
    if type(x) is not Tensor or x.numel() > 64 or x.requires_grad:
        raise Unwritable
    dtype = "" if x.dtype in (torch.float32, torch.int64, torch.bool) else f", dtype={x.dtype}"
    return ["import torch"], f"torch.tensor({spell(x)}{dtype})"


def _of_code(thing: Any) -> tuple[list[str], str]:
    """Code of a function or class that cannot be imported: its file's name, or its definition."""
    if thing.__module__.startswith(LOADED) and "<" not in thing.__qualname__:
        spec = f"{sys.modules[thing.__module__].__file__}:{thing.__qualname__}"
        return ["import slopes.loading"], f"slopes.loading.find({spec!r})"
    return _defined(thing)


def _decorated(thing: Any) -> Any:
    """Function that a decorator of JAX compiles, whose source has the decorator; another object as it is."""
    if not type(thing).__module__.startswith("jaxlib"):
        return thing
    function = inspect.unwrap(thing)
    return function if isinstance(function, FunctionType) and _text(function).startswith("@") else thing


def _call(function: Any, given: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[list[str], str]:
    """(lines, a function and its arguments, separated by commas)."""
    lines, texts = _parts([("", x) for x in (function, *given)] + [(f"{name}=", x) for name, x in named.items()])
    return lines, ", ".join(texts)


def _parts(things: Iterable[tuple[str, Any]]) -> tuple[list[str], list[str]]:
    """(lines of all, expressions) for objects, each with the text before it."""
    parts = [(name, *_written(thing)) for name, thing in things]
    return [line for _, lines, _ in parts for line in lines], [name + text for name, _, text in parts]


def _of_card(card: Card) -> tuple[list[str], str]:
    root = card._root
    bound = repr(card)[len(repr(root)) :]
    if root.origin is not None:
        return ["import slopes.loading"], repr(card)
    if isinstance(card, Sum):
        lines, texts = _parts(("", term.card) for term in card.terms.values())
        return lines, card.write(texts)
    home = importable(root)
    if home == "slopes":
        return ["import slopes"], repr(card)
    if home is not None:
        return [f"from {home} import {root.name}"], root.name + bound
    bodies: list[Any] = [body for body in (root.body, root.slope_body) if body is not None]
    lines = [line for body in bodies for line in _defined(body, root.name)[0]]
    if not all(line.startswith("@") for line in (_text(body) for body in bodies)):
        raise Unwritable  # it was decorated elsewhere
    return lines, root.name + bound


def _of_instance(thing: Any) -> tuple[list[str], str]:
    """Code of an object, made by its constructor."""
    arguments = constructor_arguments(thing)
    if arguments is None:
        raise Unwritable
    defaults = {name: p.default for name, p in inspect.signature(type(thing)).parameters.items()}

    def is_default(name: str, value: Any) -> bool:
        plain = isinstance(value, (int, float, str)) and not isinstance(defaults[name], Tensor)
        return value is defaults[name] or (plain and value == defaults[name])

    lines, text = _call(type(thing), (), {n: x for n, x in arguments.items() if not is_default(n, x)})
    kind_text, _, given = text.partition(", ")
    mode = "" if getattr(thing, "training", True) else ".eval()"
    return lines, f"{kind_text}({given}){mode}"


def _defined(thing: Any, *known: str) -> tuple[list[str], str]:
    """Source of a function or class after the code of everything that it names, except `known` names."""
    text = _text(thing)
    tree = ast.parse(text)
    scope = scope_of(thing)
    own = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)} | {str(thing.__name__), *known}
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in own and not hasattr(builtins, node.id) and node.id in scope:
            own.add(node.id)
            if getattr(domains, node.id, None) is scope[node.id]:
                lines.append(f"from slopes.domains import {node.id}")
            else:
                lines += _named(*_written(scope[node.id]), node.id)
    if thing.__name__ == "<lambda>":
        return lines, text
    return [*lines, text], str(thing.__name__)


def _named(lines: list[str], expression: str, name: str) -> list[str]:
    if expression == name:
        return lines
    if lines == [f"import {expression}"]:
        return [f"import {expression} as {name}"]
    return [*lines, f"{name} = {expression}"]


def _text(thing: Any) -> str:
    try:
        if getattr(thing, "__name__", "") != "<lambda>":
            return textwrap.dedent(inspect.getsource(thing)).rstrip()
        code = thing.__code__
        whole = "".join(linecache.getlines(code.co_filename))
        found = [x for x in ast.walk(ast.parse(whole)) if isinstance(x, ast.Lambda) and x.lineno == code.co_firstlineno]
        texts = {ast.unparse(node) for node in found}
        if len(texts) > 1:
            texts = {text for text in texts if eval(text, {}).__code__.co_code == code.co_code}
        (text,) = texts
    except (OSError, TypeError, SyntaxError, ValueError):
        raise Unwritable from None
    return text


def importable(thing: Any) -> str | None:
    """Topmost package that has an object by its name; None for a local object."""
    home, name = getattr(thing, "__module__", None), getattr(thing, "__name__", None)
    if not name or home == "__main__" or str(home).startswith(LOADED):
        return None
    parts = home.split(".") if home and not home.startswith("torch._C") else []
    packages = [".".join(parts[: count + 1]) for count in range(len(parts))] or COMPILED
    if parts[:1] in (["jax"], ["keras"]):  # which define it in a private package
        public = [part for part in parts if part not in ("src", "_src")]
        packages[:0] = [".".join(public[: count + 1]) for count in range(len(public))]
    for package in packages:
        with contextlib.suppress(Exception):
            if getattr(importlib.import_module(package), name, None) is thing:
                return package
    return None


def spell(x: Any) -> str:
    """Numbers, tensors (as nested lists, with the fewest digits) or text as code."""
    if isinstance(x, str):
        return repr(x)
    if isinstance(x, Tensor):
        x = x.detach()
        if x.dtype is torch.float32:
            x = torch.from_numpy(x.numpy().astype(str).astype(float))
        x = x.tolist()
    text = repr(x)
    for word in ("nan", "inf"):
        text = text.replace(word, f"float('{word}')")
    return text
