"""Losses and activations that a file defines, found in its source without running it."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from slopes.catalogue import ACTIVATIONS, LOSSES

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
CATALOGUE = {name.replace("_", ""): family for family in (ACTIVATIONS, LOSSES) for name in family}
#: first words of functions that handle losses
VERBS = {
    *("build", "create", "draw", "from", "get", "init", "is", "load", "make", "parse", "plot", "print", "record"),
    *("register", "save", "set", "show", "train", "update", "validate"),
}
#: arguments that are no tensors of predictions or targets
NO_TENSORS = {
    *("args", "batch", "cfg", "config", "data", "dataloader", "dataset", "epoch", "fn", "func", "history", "loader"),
    *("model", "module", "net", "network", "opt", "optimizer", "path", "state", "step", "trainer"),
}
#: bases of classes that are not called, or for other reasons
OTHER_BASES = {
    *("BaseModel", "Enum", "Exception", "Flag", "IntEnum", "NamedTuple", "Protocol", "StrEnum", "TypedDict", "Warning"),
}


@dataclass(frozen=True)
class Definition:
    """A public class or function of a file."""

    name: str
    line: int
    lines: tuple[int, int]  #: first and last
    obstacle: str = ""  #: why it cannot be audited, where its source shows that


def find_definitions(source: bytes, pattern: str | None = None) -> list[Definition]:
    """Losses and activations that a source defines, or all names that match a pattern.

    Raises SyntaxError or ValueError for a source that Python cannot read.
    """
    found = {}
    for node in (node for node in _statements(_parse(source)) if isinstance(node, _NAMED)):
        if pattern is None:
            obstacle = _obstacle(node)
        else:
            is_meant = fnmatchcase(node.name, pattern) and (not node.name.startswith("_") or pattern.startswith("_"))
            obstacle = "" if is_meant else None
        if obstacle is not None:
            found[node.name] = Definition(node.name, node.lineno, _lines(node), obstacle)
    return sorted(found.values(), key=lambda definition: definition.line)


def find_definition(source: bytes, name: str) -> Definition | None:
    """Class, function or assignment of a name, or None."""
    last = None
    for node in _statements(_parse(source)):
        names = [node.name] if isinstance(node, _NAMED) else [x.id for x in _assigned(node) if isinstance(x, ast.Name)]
        if name in names:
            last = Definition(name, node.lineno, _lines(node))
    return last


_NAMED = (ast.FunctionDef, ast.ClassDef)


def _parse(source: bytes) -> list[ast.stmt]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whoever runs the file is warned
        return ast.parse(source).body


def _assigned(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign) else []


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run when a module is imported, but for its main guard."""
    for node in body:
        yield node
        if isinstance(node, ast.If) and re.search("__main__|TYPE_CHECKING", ast.unparse(node.test)):
            yield from _statements(node.orelse)
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            for part in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(node, part, []))
            for handler in getattr(node, "handlers", []):
                yield from _statements(handler.body)


def _lines(node: ast.stmt) -> tuple[int, int]:
    """First and last line of a statement, its decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)]), node.end_lineno or node.lineno


def _obstacle(node: ast.FunctionDef | ast.ClassDef) -> str | None:
    """Text if it cannot be audited, "" if it can, and None if it is no loss or activation."""
    if node.name.startswith(("_", "test", "Test")):
        return None
    if isinstance(node, ast.FunctionDef) and any(map(_is_of_card, node.decorator_list)):
        return ""
    words = [word.lower() for word in WORD.findall(node.name) if len(word) > 1]  # without the V of LossV2
    ends = {*words[-1:], *(words[:1] if isinstance(node, ast.FunctionDef) else ())}
    known = CATALOGUE.get(node.name.replace("_", "").lower())
    if ends & {"loss", "criterion"} or known is LOSSES:
        check: Callable[..., str] = _loss_obstacle
    elif "activation" in ends or known is ACTIVATIONS:
        check = _activation_obstacle
    else:
        return None
    obstacle = _class_obstacle(node, check) if isinstance(node, ast.ClassDef) else check(node.args, words[0])
    return None if obstacle and known is not None else obstacle  # many other things are called threshold or linear


def _is_of_card(decorator: ast.expr) -> bool:
    """Whether a decorator is `slopes.loss(...)` or `slopes.activation(...)`, under whatever name of the module."""
    if not isinstance(decorator, ast.Call):
        return False
    return ast.unparse(decorator.func).rpartition(".")[2] in ("loss", "activation")


def _class_obstacle(node: ast.ClassDef, check: Callable[..., str]) -> str | None:
    bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    methods = {method.name: method for method in node.body if isinstance(method, ast.FunctionDef)}
    call = methods.get("forward") or methods.get("__call__") or methods.get("call")
    if bases & OTHER_BASES or (call is None and not bases):
        return None
    if "Function" in bases:
        return "an autograd.Function has no call of its own: audit the function that applies it"
    if call is not None and _is_abstract(call):
        return f"its {call.name} is abstract"
    missing = _required(methods["__init__"].args)[1:] if "__init__" in methods else []
    if missing:
        given = ", ".join(f"{name}=…" for name in missing)
        return f"it cannot be made without arguments: name it with them, as FILE:{node.name}({given})"
    return "" if call is None else check(call.args, "", 1)


def _is_abstract(method: ast.FunctionDef) -> bool:
    """Whether a method only raises NotImplementedError or is marked as abstract."""
    if any("abstract" in ast.unparse(decorator) for decorator in method.decorator_list):
        return True
    last = method.body[-1]
    return isinstance(last, ast.Raise) and len(method.body) < 3 and "NotImplemented" in ast.unparse(last)


def _positional(arguments: ast.arguments) -> list[str]:
    return [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]


def _required(arguments: ast.arguments) -> list[str]:
    """Arguments without a default, the keyword-only ones too."""
    positional = _positional(arguments)
    return positional[: len(positional) - len(arguments.defaults)] + _required_by_name(arguments)


def _required_by_name(arguments: ast.arguments) -> list[str]:
    defaults = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return [argument.arg for argument, default in defaults if default is None]


def _loss_obstacle(arguments: ast.arguments, verb: str, bound: int = 0) -> str:
    """Why a call cannot be of a loss, or "". `bound` is 1 for a method, whose first argument is given."""
    possible, required = _positional(arguments)[bound:], _required(arguments)[bound:]
    others = [name for name in required if name in NO_TENSORS]
    if verb in VERBS:
        return f"its name begins with {verb!r}, so it is no loss itself"
    if others or (len(possible) < 2 and arguments.vararg is None):
        return f"it takes {_listed(others or possible)}, not a prediction and a target"
    if named := _required_by_name(arguments):
        return f"it cannot be called without {_listed(named)}: bind them with functools.partial"
    return ""


def _activation_obstacle(arguments: ast.arguments, verb: str, bound: int = 0) -> str:
    required = _required(arguments)[bound:]
    return "" if len(required) == 1 and verb not in VERBS else f"it takes {_listed(required)}, not one tensor"


def _listed(names: list[str]) -> str:
    return " and ".join(names) or "no argument"
