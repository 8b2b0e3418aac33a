"""Replacing the activations of a model by others."""

from __future__ import annotations

import ast
import copy
import difflib
import inspect
import textwrap
import warnings
from collections.abc import Iterator
from typing import Any

from slopes.card import Card
from slopes.extras import require


def swap(model: Any, old: Any, new: Any) -> Any:
    """Return a copy of a model in which every module of the class `old` is `new`.

    `old` is a class such as ``torch.nn.ReLU``, or several in a tuple; `new` is a card, a module (of which each place
    gets a copy), or a class or function that makes one. What is kept as a function or a card, such as the
    ``activation`` of ``torch.nn.TransformerEncoderLayer``, is replaced as well. Weights are those of the model, and so
    are training mode, hooks and device; a module in several places stays one.

    Functional calls in the source of a forward, such as ``F.relu(x)``, cannot be reached: a UserWarning names each
    with its place. Raises ValueError where the model has neither such a module nor such a function, TypeError for
    what is no model, class or activation.
    """
    require("slopes.swap", "torch")
    import torch

    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"swap: model must be a torch.nn.Module, got {type(model).__name__}")
    classes = old if isinstance(old, tuple) else (old,)
    if not classes:
        raise ValueError("swap: old must name a class of modules, such as torch.nn.ReLU, got an empty tuple")
    for each in classes:
        if not (isinstance(each, type) and issubclass(each, torch.nn.Module)):
            raise TypeError(
                f"swap: old must be a class of modules, such as torch.nn.ReLU, or a tuple of them, got {each!r}"
            )
    module_of(new)  # which raises for what is no activation, before anything is copied
    copied, count = replaced(copy.deepcopy(model), classes, new)
    missed = list(functional_calls(model, classes))
    if missed:
        listed = "".join(f"\n  {call}" for call in missed)
        warnings.warn(
            f"swap: {len(missed)} call{'s' * (len(missed) > 1)} of functions could not be reached; make modules of "
            f"them to have them replaced:{listed}",
            stacklevel=2,
        )
    if not count and not missed:
        raise ValueError(f"swap: the model has no {' or '.join(c.__name__ for c in classes)}; {_offer(model, classes)}")
    return copied


def replaced(model: Any, classes: tuple[type, ...], new: Any) -> tuple[Any, int]:
    """Replace in the model itself; return it, or what stands for it, and how many modules and functions were."""
    if _is_one(model, classes):
        return _in_place_of(model, new), 1
    return model, _replace_modules(model, classes, new) + _replace_functions(model, classes, new)


def module_of(new: Any) -> Any:
    """A new module that computes an activation: a card, a module (which is copied), or what makes one."""
    import torch

    if isinstance(new, Card):
        if new.family == "loss":
            raise TypeError(f"swap: new must be an activation, and {new.name} is a loss")
        from slopes import nn

        return nn.module(new)
    if isinstance(new, torch.nn.Module):
        return copy.deepcopy(new)
    try:
        made = new() if callable(new) and not isinstance(new, (str, bytes)) else None
    except TypeError as error:
        wanted = "what makes one without arguments, as functools.partial does of a class that takes some"
        raise TypeError(f"swap: new must be a card, a module, or {wanted}; got {new!r} ({error})") from error
    if not isinstance(made, torch.nn.Module):
        raise TypeError(f"swap: new must be a card, a module, or what makes one without arguments, got {new!r}")
    return made


def _in_place_of(module: Any, new: Any) -> Any:
    """`new` in the mode that the module is in."""
    return module_of(new).train(module.training)


def _is_one(module: Any, classes: tuple[type, ...]) -> bool:
    """Whether a module is of one of the classes, or of the user's own subclass: ReLU6 is no Hardtanh here."""
    import torch

    kind = type(module)
    theirs = kind.__module__.startswith("torch.nn.")
    return kind in classes or (isinstance(module, classes) and not (theirs and isinstance(module, torch.nn.Module)))


def _replace_modules(model: Any, classes: tuple[type, ...], new: Any) -> int:
    made: dict[int, Any] = {}
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if child is not None and _is_one(child, classes):
                if id(child) not in made:
                    made[id(child)] = _like(_in_place_of(child, new), parent, model)
                setattr(parent, name, made[id(child)])
                _leave_fast_path(parent)
    return len(made)


def _like(made: Any, parent: Any, model: Any) -> Any:
    """The new module on the device and in the dtype of the weights beside it."""
    beside = next(parent.parameters(), None)
    beside = next(model.parameters(), None) if beside is None else beside
    if beside is None or not beside.is_floating_point():
        return made
    return made.to(beside.device, beside.dtype)


def _replace_functions(model: Any, classes: tuple[type, ...], new: Any) -> int:
    """Replace functions that modules keep as attributes."""
    from slopes.nn import CardModule

    kept = [function for _, function in twins(classes)]
    count = 0
    for module in model.modules():
        if isinstance(module, CardModule):  # which is the activation itself
            continue
        for name, value in list(vars(module).items()):
            if any(value is function for function in kept):
                delattr(module, name)
                setattr(module, name, _like(_in_place_of(module, new), module, model))
                _leave_fast_path(module)
                count += 1
    return count


def _leave_fast_path(module: Any) -> None:
    """Keep torch's transformer layer from going on with the old activation in evaluation."""
    if hasattr(module, "activation_relu_or_gelu"):
        module.activation_relu_or_gelu = 0


def twins(classes: tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    """The functions of torch, and the cards, that compute what the classes do, by their names."""
    import torch

    from slopes.catalogue import CARDS

    wanted = {c.__name__.lower() for c in classes if c.__module__.startswith(("torch.nn.", "slopes.nn"))}
    for home in (torch.nn.functional, torch):
        for name in dir(home):
            function = getattr(home, name)
            if name.replace("_", "") in wanted and callable(function) and not isinstance(function, type):
                yield name, function
    for name, card in CARDS.items():
        if name.replace("_", "") in wanted and card.family == "activation":
            yield name, card


def functional_calls(model: Any, classes: tuple[type, ...]) -> Iterator[str]:
    """The calls in the source of the user's modules that compute what the classes do, each with its place."""
    names = {name.rstrip("_") for name, _ in twins(classes)}
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
            if isinstance(node, ast.Call) and _called(node.func) in names:
                place = f"{inspect.getsourcefile(kind)}:{first + node.lineno - 1}"
                yield f"{ast.unparse(node)} in {kind.__qualname__}, {place}"


def _called(function: ast.expr) -> str | None:
    """The name of what is called; None for an attribute of self, which is a module."""
    if isinstance(function, ast.Name):
        return function.id
    if isinstance(function, ast.Attribute) and not (
        isinstance(function.value, ast.Name) and function.value.id == "self"
    ):
        return function.attr
    return None


def _offer(model: Any, classes: tuple[type, ...]) -> str:
    kinds = sorted({type(module).__name__ for module in model.modules() if not list(module.children())})
    near = difflib.get_close_matches(classes[0].__name__, kinds, n=1)
    return f"did you mean {near[0]}?" if near else f"its modules are {', '.join(kinds)}."
