"""Loading of a card by its name in the catalogue, or by ``file.py:object``.

A user's file becomes the module ``slopes.loading.<stem>_<its path in hexadecimal>``. The name shadows nothing, and a
worker process can import the file from it to unpickle a card. Hence the ``__path__``: this module acts as a package.
"""

from __future__ import annotations

import ast
import importlib
import os
import re
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any

from slopes.card import Card, Loss
from slopes.hints import did_you_mean

__path__: list[str] = []

SPEC = re.compile(r"(?:(?P<file>.+):)?(?P<name>[^:()/\\]+)(?P<arguments>\(.*\))?", re.DOTALL)
DECORATE = "decorate the function with @slopes.activation() or @slopes.loss('regression')"


def load(spec: str) -> Card:
    """Return the card for ``name`` or ``file.py:object``, which parameters such as ``(alpha=0.5)`` may follow.

    Losses of the catalogue may be added, as in ``dice + 0.5 * cross_entropy``.
    A file runs once, with its folder last on the import path. Raises LookupError for an unknown name,
    FileNotFoundError for an unknown file, ImportError if the file fails, AttributeError if it lacks the object,
    TypeError if the object is no card, TypeError or ValueError for a parameter that the card refuses, and ValueError
    for any other text.
    """
    file, name, arguments = parts(spec)
    card = _find(name) if file is None else check_card(_find_in(file, name, Card), f"{file}:{name}")
    return card if arguments is None else card.with_(**parameters(spec, arguments))


def find(spec: str) -> Any:
    """Return any object: a card as `load` does, one of torch such as ``torch.nn.MSELoss``, or ``file.py:object``.

    A class or function is called with parameters such as ``(alpha=0.5)``. Raises the errors of `load`.
    """
    file, name, arguments = parts(spec)
    if file is None and not name.startswith("torch."):
        return load(spec)
    found = _in_torch(name) if file is None else _find_in(file, name)
    if arguments is None:
        return found
    given = parameters(spec, arguments)
    return found.with_(**given) if isinstance(found, Card) else found(**given)


def parts(spec: str) -> tuple[str | None, str, str | None]:
    """Split a text into file, name (or a sum of names) and parameters; raise ValueError for any other."""
    if _sum_in(spec) is not None:
        return None, spec.strip(), None
    match = SPEC.fullmatch(spec.strip())
    file, name = (match["file"], match["name"].strip()) if match else (None, spec)
    if file is None and (match is None or name.endswith(".py")):
        if re.search(r"\.py$|[/\\]", spec):
            raise ValueError(f"{spec!r} names no object; write file.py:object, as in {Path(spec).stem}.py:my_loss")
        raise ValueError(f"cannot read {spec!r}; write a name, as in relu or 'elu(alpha=0.5)', or file.py:object")
    return file, name, match["arguments"] if match else None


def _in_torch(name: str) -> Any:
    import torch

    found: Any = torch
    for part in name.split(".")[1:]:
        try:
            found = getattr(found, part)
        except AttributeError:
            hint = did_you_mean(name, (name.replace(part, known) for known in dir(found)), "")
            raise AttributeError(f"torch has no {name!r}{hint and f'; {hint}'}") from None
    return found


def check_card(thing: Any, where: str) -> Card:
    """Return a card; raise TypeError for anything else."""
    if isinstance(thing, Card):
        return thing
    if isinstance(thing, type):
        kind = f"the class {thing.__name__}"
    elif callable(thing):
        kind = f"a plain {type(thing).__name__}"
    else:
        kind = f"a value of type {type(thing).__name__}"
    raise TypeError(f"{where} is {kind}, not a card; {DECORATE}")


def _sum_in(spec: str) -> ast.BinOp | None:
    """The expression, if the text is a sum or a product."""
    try:
        node = ast.parse(spec.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    return node if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mult)) else None


def _find(name: str) -> Card:
    from slopes import catalogue

    node = _sum_in(name)
    return catalogue.find(name) if node is None else check_card(_added(node, name), repr(name))


def _added(node: ast.expr, spec: str) -> Any:
    """The sum or product of losses and numbers that an expression has."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mult)):
        one, other = _added(node.left, spec), _added(node.right, spec)
        return one + other if isinstance(node.op, ast.Add) else one * other
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return node.value
    found = load(ast.unparse(node)) if isinstance(node, (ast.Name, ast.Call)) else None
    if not isinstance(found, Loss):
        raise ValueError(f"cannot read {spec!r}; write losses and numbers, as in 'dice + 0.5 * cross_entropy'")
    return found


def _find_in(file: str, name: str, wanted: type = object) -> Any:
    path = Path(file).expanduser()
    if path.is_dir():
        raise IsADirectoryError(f"{file!r} is a folder; write file.py:object")
    if not path.is_file():
        raise FileNotFoundError(f"no file {file!r}")
    if path.suffix != ".py":
        raise ValueError(f"{file!r} is no Python file; write file.py:object")
    path = path.resolve()
    module = _run(path, file)
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise AttributeError(f"{file} has no {name!r}; {_offer(module, name, wanted)}") from None
    if isinstance(found, Card) and found.__module__ == module.__name__:
        found.origin = f"slopes.loading.load({f'{file}:{name}'!r})"
    return found


def _offer(module: ModuleType, name: str, wanted: type) -> str:
    own = [
        key
        for key, value in vars(module).items()
        if isinstance(value, wanted) and callable(value) and getattr(value, "__module__", None) == module.__name__
    ]
    offered, things = [key for key in own if not key.startswith("_")], "cards" if wanted is Card else "functions"
    if offered:
        return did_you_mean(name, offered, f"its {things} are {', '.join(offered)}", most=3)
    return f"it has no {things}" + (f"; {DECORATE}" if wanted is Card else "")


def _run(path: Path, shown: str) -> ModuleType:
    stem = re.sub(r"\W", "_", path.stem)
    try:
        return importlib.import_module(f"{__name__}.{stem}_{os.fsencode(path).hex()}")
    except (Exception, SystemExit) as error:  # SystemExit: a script without a main guard
        raise ImportError(f"{shown}{line_in(str(path), error)}: {describe(error)}") from error


def line_in(path: str, error: BaseException) -> str:
    """Return ", line 7" if the traceback passes through that file, else ""."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return f", line {error.lineno}"
    places = walk_tb(error.__traceback__)
    lines = [number for frame, number in places if frame.f_code.co_filename == path]
    return f", line {lines[-1]}" if lines else ""


def describe(error: BaseException) -> str:
    """Return the type and message in one line; the type alone if the message cannot be made."""
    try:
        message = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    except Exception:
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def parameters(spec: str, arguments: str) -> dict[str, Any]:
    """Return the parameters in "(alpha=0.5, form=tanh)"; bare words become strings."""
    try:
        call = ast.parse(f"_{arguments}", mode="eval").body
        if not isinstance(call, ast.Call) or call.args or any(keyword.arg is None for keyword in call.keywords):
            raise ValueError
        return {str(keyword.arg): _value(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise ValueError(
            f"cannot read the parameters of {spec!r}; write them by name, as in 'elu(alpha=0.5)'"
        ) from None


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return float(node.id) if node.id in ("inf", "nan") else node.id
    return ast.literal_eval(node)


class _File(SourceFileLoader):
    def get_code(self, fullname: str) -> Any:
        """Compile anew: byte code may be stale within the second, and would litter the folder."""
        return self.source_to_code(self.get_data(self.path), self.path)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module with its folder last on the path: siblings shadow no package."""
        folders = [str(Path(self.path).parent), str(_package_of(self.path)[0])]
        sys.path += folders
        try:
            super().exec_module(module)
        finally:
            for folder in folders:
                if folder in sys.path:
                    del sys.path[len(sys.path) - 1 - sys.path[::-1].index(folder)]


class _Spec(ModuleSpec):
    """Spec of a user's file, whose relative imports are those of its package."""

    @property
    def parent(self) -> str:
        return _package_of(str(self.origin))[1] or __name__


def _package_of(file: str) -> tuple[Path, str]:
    """(folder that contains the outermost package of a file, name of its package or "")."""
    folder, names = Path(file).parent, []
    while (folder / "__init__.py").is_file() and folder.name:
        names.append(folder.name)
        folder = folder.parent
    return folder, ".".join(reversed(names))


class _Finder:
    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{__name__}."):
            return None
        try:
            file = os.fsdecode(bytes.fromhex(fullname.rpartition("_")[2]))
        except ValueError:
            return None
        spec = _Spec(fullname, _File(fullname, file), origin=file)
        spec.has_location = True
        return spec


sys.meta_path.append(_Finder)
