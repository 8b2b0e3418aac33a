"""Finding the activations of a model, and functional calls, which cannot be replaced."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

from torch import nn

from slopes.models.inventory import class_of, class_of_function, equivalent_functions
from slopes.nn.cards import CardModule


def count_activations(model: nn.Module) -> Counter[type[nn.Module]]:
    """Count the activations by class, as modules or as functions in attributes."""
    counted: Counter[type[nn.Module]] = Counter()
    for module in model.modules():
        kind = class_of(module)
        if kind is not None:
            counted[kind] += 1
        if isinstance(module, CardModule):
            continue
        for value in vars(module).values():
            if callable(value) and (kind := class_of_function(value)) is not None:
                counted[kind] += 1
    return counted


def list_counts(counted: Counter[type[nn.Module]]) -> str:
    """Format the counts as in "3 ReLU and 1 Sigmoid"."""
    parts = [f"{count} {kind.__name__}" for kind, count in counted.most_common()]
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def functional_calls(model: nn.Module, classes: Iterable[type]) -> Iterator[str]:
    """Yield calls of the classes' functions in the source of the user's modules, with their places."""
    names = {name.rstrip("_") for name, _ in equivalent_functions(classes)}
    names |= {f"{name}_" for name in names}
    for kind in dict.fromkeys(type(module) for module in model.modules()):
        if kind.__module__.startswith("torch."):
            continue
        try:
            lines, first = inspect.getsourcelines(kind)
            tree = ast.parse(textwrap.dedent("".join(lines)))
        except (OSError, TypeError, SyntaxError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _called(node) in names:
                place = f"{inspect.getsourcefile(kind)}:{first + node.lineno - 1}"
                yield f"{ast.unparse(node)} in {kind.__qualname__}, {place}"


def _called(call: ast.Call) -> str | None:
    """Name of the function called; None for a module, which is an attribute of self or of its parts."""
    function = call.func
    if isinstance(function, ast.Name):
        return function.id
    if not isinstance(function, ast.Attribute):
        return None
    root = function.value
    while isinstance(root, ast.Attribute):
        root = root.value
    is_part = isinstance(root, ast.Name) and root.id == "self"
    return None if is_part and (root is function.value or call.args) else function.attr
