"""Code to paste: the call of `slopes.compare` that repeats a study, and the pair that it prefers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from slopes.card import Card, Sum
from slopes.comparing.optimizers import OPTIMIZERS
from slopes.comparing.plain import OWN, FunctionModule, PlainLoss, name_function
from slopes.comparing.results import Results
from slopes.comparing.settings import OPTIONS, PLACE, settings_of


def write_call(study: Results) -> str:
    """An object without an expression, such as an array, appears under its own name or its option's, with a comment."""
    settings, plan = study.plan.settings, study.plan
    given = {each.name: getattr(settings, each.name) for each in OPTIONS if each.metadata["part"] != PLACE}
    given |= {"activations": list(plan.job.activations), "losses": list(plan.job.losses)}
    given["baseline"] = (study.baseline.activation, study.baseline.loss)
    given["rates"] = plan.rates
    if plan.looks:
        given["seeds"] = settings.seeds
    elif plan.seeds == tuple(range(len(plan.seeds))):
        given["seeds"] = len(plan.seeds)
    modules, notes, lines = {"slopes"}, [], []

    def write(role: str, value: Any) -> str:
        if isinstance(value, list):
            return f"[{', '.join(write(f'{role[:-1]}_{place}', each) for place, each in enumerate(value, 1))}]"
        text = _code(value, modules)
        if text is None:
            text = getattr(value, "__qualname__", role).rpartition(".")[2]
            notes.append(f"{text}: your own {type(value).__name__}, which is defined elsewhere")
        return text

    for name, value in given.items():
        if value is not None and value is not False:
            lines.append(f"    {'' if name in ('model', 'data') else f'{name}='}{write(name, value)},\n")
    return f"{_head(modules, notes)}\nslopes.compare(\n{''.join(lines)})"


def write_winner(study: Results) -> str:
    """Lines that put the winner's functions into a `model`, and make its loss and optimizer."""
    job, names, pair = study.plan.job, study.plan.names, study.winner
    activation = job.activations[names["activation"].index(pair.activation)]
    loss = job.losses[names["loss"].index(pair.loss)]
    modules, notes, lines = {"slopes", "torch"}, [], []

    def write(value: Any, name: str) -> str:
        text = _code(value, modules)
        if text is None:
            notes.append(f"{name}: your own, which is defined elsewhere")
        return text or name

    if activation is not OWN and job.network.replace and not isinstance(activation, FunctionModule):
        old = ", ".join(write(kind, kind.__name__) for kind in job.network.replace)
        old = f"({old})" if len(job.network.replace) > 1 else old
        lines.append(f"model = slopes.swap(model, {old}, {write(activation, pair.activation)})")
    elif activation is not OWN:
        lines.append(f"activation = {write(activation, pair.activation)}")
    lines.append(f"loss = {write(loss, pair.loss)}{f'  # of {pair.fed}' if pair.fed else ''}")
    lines.append(f"optimizer = {_optimizer(job.optimizer, pair.rate, write)}")
    return f"{_head(modules, notes)}\n{chr(10).join(lines)}"


def _optimizer(chosen: Any, rate: float, write: Callable[[Any, str], str]) -> str:
    if not isinstance(chosen, str):
        return f"{write(chosen, 'optimizer')}(model.parameters(), lr={rate:g})"
    name, given = settings_of(chosen)
    settings = "".join(f", {setting}={value!r}" for setting, value in given.items())
    return f"torch.optim.{OPTIMIZERS[name].title}(model.parameters(), lr={rate:g}{settings})"


def _head(modules: set[str], notes: Sequence[str]) -> str:
    return "".join([*(f"import {module}\n" for module in sorted(modules)), *(f"# {note}\n" for note in notes)])


def _code(value: Any, modules: set[str]) -> str | None:
    """Expression for a value or None; add its modules to `modules`."""
    from torch import nn

    if value is OWN:
        return repr(OWN.name)
    if isinstance(value, (FunctionModule, PlainLoss)):
        value = value.function
    if value is None or isinstance(value, (str, int, float)):
        return repr(value)
    if isinstance(value, Path):
        return repr(str(value))
    if isinstance(value, tuple):
        parts = [_code(each, modules) for each in value]
        return None if None in parts else f"({', '.join(map(str, parts))}{',' * (len(parts) == 1)})"
    if isinstance(value, partial):
        return _code_of_partial(value, modules)
    if isinstance(value, nn.Module):
        return _code_of_module(value, modules)
    if isinstance(value, Sum) and value.origin is None:
        parts = [_code(term.card, modules) for term in value.terms.values()]
        return None if None in parts else value.write(map(str, parts))
    is_named = isinstance(value, Card) or inspect.isclass(value) or inspect.isroutine(value)
    return _code_of_name(value, modules) if is_named else None


def _code_of_module(value: Any, modules: set[str]) -> str | None:
    from torch import nn

    text = name_function(value) if isinstance(value, nn.modules.loss._Loss) else repr(value)  # it has no settings
    if not _is_of_torch(type(value)) or value.state_dict() or re.search(r"\n|…", text):
        return None
    modules.add("torch")
    return f"torch.nn.{text}{'' if text.endswith(')') else '()'}"


def _code_of_partial(value: partial[Any], modules: set[str]) -> str | None:
    parts = [_code(value.func, modules), *(_code(each, modules) for each in value.args)]
    parts += [text and f"{name}={text}" for name, each in value.keywords.items() for text in [_code(each, modules)]]
    modules.add("functools")
    return None if None in parts else f"functools.partial({', '.join(map(str, parts))})"


def _code_of_name(value: Any, modules: set[str]) -> str | None:
    if _is_of_torch(value):
        modules.add("torch")
        return f"torch.nn.{value.__qualname__}"
    if value.__module__ in ("__main__", None) or "<" in value.__qualname__:
        return None
    text = repr(value) if isinstance(value, Card) else f"{value.__module__}.{value.__qualname__}"
    if text.startswith("slopes.loading."):
        modules.add("slopes.loading")
    elif not text.startswith("slopes."):
        modules.add(value.__module__)
    return text


def _is_of_torch(value: Any) -> bool:
    from torch import nn

    return inspect.isclass(value) and getattr(nn, value.__name__, None) is value
