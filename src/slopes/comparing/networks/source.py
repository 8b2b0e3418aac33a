"""The source of a network: the user's `model` argument as a module, or a function that makes one."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from slopes import loading
from slopes.comparing.networks.builtin import BUILTIN, START
from slopes.comparing.networks.network import seeded
from slopes.comparing.networks.words import described
from slopes.hints import did_you_mean

if TYPE_CHECKING:
    from slopes.comparing.tasks import Task

OWN = "pass a torch.nn.Module, a callable that makes one, or its place, as in 'file.py:Model'"


def source_of(model: Any, task: Task) -> tuple[str, Any, list[str]]:
    """(name, factory or module, notes on it); see `argument_of` for a factory's argument."""
    if isinstance(model, str):
        return _named(model, task)
    if isinstance(model, nn.Module):
        _check_kind(type(model).__name__, model)
        return type(model).__name__, model, []
    if not callable(model):
        raise TypeError(
            f"compare: model must be the name of a built-in network, such as 'mlp', or your own; {OWN}; got {model!r}."
        )
    name = _name(model)
    needed = _needed(model)
    if len(needed) > 1:
        raise TypeError(
            f"compare: a model is made without arguments, or with one that makes its activations, and {name} needs "
            f"{' and '.join(needed)}; bind the others, as in functools.partial({name}, …)."
        )
    return name, model, []


def argument_of(source: Any) -> str:
    """Name of a factory's argument that makes an activation: the only one without a default; else ""."""
    return "".join(_needed(source)) if not isinstance(source, nn.Module) else ""


def _needed(factory: Any) -> list[str]:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except ValueError:
        return []  # some callables have no signature; a call will show
    return [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def _name(model: Any) -> str:
    if isinstance(model, partial):
        return _name(model.func)
    return getattr(model, "__qualname__", type(model).__name__).rpartition(".")[2]


def _named(spec: str, task: Task) -> tuple[str, Any, list[str]]:
    try:
        file, name, arguments = loading.parts(spec)
        given = {} if arguments is None else loading.parameters(spec, arguments)
        if file is not None:
            thing = loading.find(f"{file}:{name}")
    except (LookupError, OSError, ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"compare: model: {str(error.args[0] if error.args else error).rstrip('.')}.") from error
    if file is not None:
        if given and isinstance(thing, nn.Module):
            raise TypeError(f"compare: {file}:{name} is a module already, and takes no parameters; leave them out.")
        _, source, notes = source_of(partial(thing, **given) if given else thing, task)
        return spec, source, notes
    if name not in BUILTIN:
        hint = did_you_mean(name, BUILTIN, f"there are {', '.join(BUILTIN)}; or {OWN}.")
        raise ValueError(f"compare: no built-in network is called {name!r}; {hint}")
    takes = list(inspect.signature(BUILTIN[name]).parameters)[1:]
    for option in given:
        if option not in takes:
            raise ValueError(f"compare: the {name} has no option {option!r}; it takes {', '.join(takes)}.")
    source, words = BUILTIN[name](task, **given)
    return spec, source, [f"{name} is {words}; {START}."]


def _check_kind(name: str, model: nn.Module) -> None:
    """Refuse wrappers that hide the model's own modules."""
    for module in model.modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise TypeError(
                f"compare: {name} is compiled by torch.jit, whose activations are fixed; pass it as it was."
            )
        if getattr(module, "_compiled_call_impl", None) is not None or hasattr(module, "_orig_mod"):
            raise TypeError(f"compare: {name} is compiled, which hides its activations; pass it as it was before.")
        if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            raise TypeError(
                f"compare: {type(module).__name__} spreads a model over devices, and each run has one; "
                "pass the model inside it, its .module."
            )


def made_by(name: str, factory: Callable[..., Any]) -> nn.Module:
    argument = argument_of(factory)
    try:
        with seeded(0):
            model = factory(**{argument: nn.ReLU} if argument else {})
    except Exception as error:
        hint = f"; {argument} is called to make an activation, so bind any other value" if argument else ""
        raise ValueError(f"compare: {name}: making it fails: {loading.describe(error)}{hint}.") from error
    if not isinstance(model, nn.Module):
        raise TypeError(f"compare: {name} must make a torch.nn.Module, and gives {described(model)}.")
    _check_kind(name, model)
    return model


def copied(name: str, model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except Exception as error:
        raise ValueError(
            f"compare: {name} cannot be copied ({loading.describe(error)}); pass a function that makes it."
        ) from error
