"""Digests of everything that a run depends on, so that changed code never reuses old records.

A user's code is digested as compiled, with the functions and constants that it names: an edited file, or code typed
in a session, has no reliable text. Values on fixed numbers, to six digits, count too.
"""

from __future__ import annotations

import ast
import copy
import functools
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from slopes.card import Activation, Card
from slopes.comparing.feeding import feed
from slopes.comparing.networks.network import seeded
from slopes.comparing.plain import OWN
from slopes.comparing.tasks.inputs import Inputs, call_model, map_tensors
from slopes.comparing.tasks.task import strata_of
from slopes.loading import describe

if TYPE_CHECKING:
    from slopes.comparing.networks.network import Network
    from slopes.comparing.tasks import Task

PROBED = 2**14  #: most targets, beyond two samples, on which a loss is probed
PLAIN = (int, float, complex, str, bytes, bool, type(None), type(Ellipsis), range)
#: files of slopes that decide how a network is trained and recorded
TRAINING = {
    "slopes.comparing": (
        "training", "networks", "feeding.py", "metrics.py", "own_metrics.py", "plain.py", "job.py", "optimizers.py",
    ),
    "slopes.models": ("",),
}  # fmt: skip


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def of_card(card: Card, probe: Tensor) -> dict[str, str]:
    return {
        "name": repr(card),
        "settings": repr(sorted(card.settings.items())),
        "code": digest(code(card.body, card.slope_body)),
        "values": digest(figures(probe)),
    }


def of_loss(loss: Any, task: Task) -> dict[str, str]:
    probe = probe_loss(loss, task)
    if isinstance(loss, Card):
        return of_card(loss, probe)
    module = loss.function if isinstance(loss.function, nn.Module) else None
    return {
        "name": loss.name,
        "settings": digest(_raw(module.state_dict()) if module else ""),
        "code": digest(code(loss.function)),
        "values": digest(figures(probe, 3)),
    }


def of_activation(given: Any) -> dict[str, str]:
    """Identity of a card, a module, or a factory of modules."""
    if given is OWN:
        return {"name": given.name, "settings": "", "code": "", "values": ""}
    probe = probe_activation(given)
    if isinstance(given, Card):
        return of_card(given, probe)
    with seeded(0):
        module = given if isinstance(given, nn.Module) else given()
    return {
        "name": repr(module),
        "settings": digest(_raw(module.state_dict())),
        "code": digest(code(None if isinstance(given, nn.Module) else given, *_parts(module))),
        "values": digest(figures(probe)),
    }


def of_network(network: Network, kept: Mapping[str, Tensor], inputs: Inputs) -> str:
    """`kept` has the weights that no seed draws anew."""
    model = network.build(0)
    made_by = None if isinstance(network.source, nn.Module) else network.source
    return digest(
        json.dumps(
            {
                "model": repr(model),
                "code": code(made_by, *_parts(model), *network.replace, network.output),
                "kept": _raw(kept),
                "values": [_response(network, inputs, training) for training in (False, True)],
            }
        )
    )


@functools.cache
def of_training() -> str:
    places = [resources.files(package) / name for package, names in TRAINING.items() for name in names]
    return digest("\n".join(code_of_text(text) for place in places for text in _texts(place)))


def code_of_text(text: str) -> str:
    """The syntax tree without docstrings: comments and layout do not make old runs others."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = node.body[ast.get_docstring(node) is not None :]
    return ast.dump(tree)


def _texts(place: Any) -> Iterator[str]:
    if place.is_dir():
        for inner in sorted(place.iterdir(), key=lambda each: each.name):
            if inner.is_dir() or inner.name.endswith(".py"):
                yield from _texts(inner)
    elif place.is_file():
        yield place.read_text(encoding="utf-8")


# --------------------------------------------------------------------------------------------- probes


def probe_activation(given: Any) -> Tensor:
    """Values and slopes on fixed inputs; ValueError if it cannot be trained."""
    name = given.name if isinstance(given, Card) else getattr(given, "__name__", type(given).__name__)
    x = torch.linspace(-8, 8, 257, dtype=torch.float64).view(1, -1).requires_grad_()
    try:
        with torch.enable_grad(), seeded(0):
            values = (given if isinstance(given, Activation) else _doubled(given))(x)
            _check_learns(name, values.requires_grad)
            if isinstance(given, Activation):
                slope = given.slope(x.detach())
            else:
                (slope,) = torch.autograd.grad(values.sum(), x)
    except _Severed:
        raise
    except Exception as error:
        raise ValueError(f"compare: {name} fails on a torch tensor: {describe(error)}") from error
    return torch.cat([values.detach(), slope])


def probe_loss(card: Any, task: Task) -> Tensor:
    """Values and gradient for fixed outputs, fed as in training; ValueError if it cannot be trained."""
    exact = isinstance(card, Card)  # others may hold weights in float32
    targets = task.targets[_probe_samples(task)]
    if targets.is_floating_point() and exact:
        targets = targets.double()
    places = targets.shape[1:] if task.kind.has_positions else ()
    shape = (*places, task.outputs) if task.kind.has_classes else (task.outputs, *places)
    drawn = torch.randn(len(targets), *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    outputs = (drawn if exact else drawn.float()).requires_grad_()
    fed = feed(card, task)
    try:
        with torch.enable_grad():
            values = fed.apply(card, outputs, targets, "none" if exact and card.has_values else "mean")
            _check_learns(card.name, values.requires_grad)
            values.sum().backward()  # type: ignore[no-untyped-call]
    except _Severed:
        raise
    except Exception as error:
        raise ValueError(f"compare: {card.name} fails on torch tensors: {describe(error)}") from error
    assert outputs.grad is not None
    return torch.cat([values.detach().flatten(), outputs.grad.flatten()])


def _probe_samples(task: Task) -> Tensor:
    """Indices of the first samples, and the first of every class, as data may be sorted."""
    rows = np.unique(strata_of(task.kind, task.targets).numpy(), return_index=True)[1]
    first = max(2, min(16, PROBED // task.targets[0].numel()))  # of large masks fewer
    return torch.from_numpy(np.union1d(rows, np.arange(min(first, len(task.targets)))))


class _Severed(ValueError):
    """A function without a gradient."""


def _check_learns(name: str, learns: bool) -> None:
    if not learns:
        raise _Severed(f"compare: {name} cuts off the gradient; write its body in slopes.ops, without detach.")


def _doubled(given: Any) -> nn.Module:
    module = copy.deepcopy(given) if isinstance(given, nn.Module) else given()
    return module.double()


def _response(network: Network, inputs: Inputs, training: bool) -> str:
    """Outputs at seed 0, in float64, so that the order of additions never shows."""
    model = network.build(0).train(training)
    try:
        with seeded(0), torch.no_grad():
            doubled = map_tensors(lambda each: each.double() if each.is_floating_point() else each, inputs)
            given = call_model(copy.deepcopy(model).double(), doubled)
        return figures(network.predict(given))
    except Exception:  # it casts to float32 somewhere
        with seeded(0), torch.no_grad():
            return figures(network.predict(call_model(model, inputs)), 3)


def figures(values: Tensor, digits: int = 6) -> str:
    """Format numbers; those negligible beside the largest become 0."""
    rows = values.double().flatten()
    rows = torch.where(rows.abs() < rows.nan_to_num(0, 0, 0).abs().max() * 1e-9, 0.0, rows)
    return " ".join(f"{value + 0.0:.{digits - 1}e}" for value in rows.tolist())


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes()  # NumPy has no bfloat16


def _raw(tensors: Mapping[str, Tensor]) -> str:
    listed = {name: (str(t.dtype), list(t.shape), hashlib.sha256(_bytes(t)).hexdigest()) for name, t in tensors.items()}
    return json.dumps(listed, sort_keys=True)


# ------------------------------------------------------------------------------------------------ code


def code(*things: Any) -> str:
    """Compiled code of functions and classes and of everything they name, the same in every process."""
    lines: list[str] = []
    seen: dict[int, Any] = {}  # keeps each id in use
    for thing in things:
        _follow(thing, lines, seen, given=True)
    return "\n".join(lines)


def _parts(model: nn.Module) -> Iterator[Any]:
    """Yield the classes and attributes of a model's modules."""
    for place, module in model.named_modules():
        yield place
        yield type(module)
        for name, value in sorted(vars(module).items()):
            if not name.startswith("_") and not isinstance(value, (Tensor, nn.Module)):
                yield name
                yield value


def _state(thing: Any) -> Iterator[Any]:
    """Yield the attributes of a user's object, and the tensors of any module."""
    if isinstance(thing, nn.Module):
        yield from _parts(thing)
        tensors = thing.state_dict() | {
            f"{place}.{name}": value for place, module in thing.named_modules() for name, value in vars(module).items()
        }
        tensors = {name: value for name, value in tensors.items() if isinstance(value, Tensor)}
        if tensors:
            yield _raw(tensors)
    elif not _is_known(type(thing)) or type(thing).__module__.startswith(_HOLDERS):
        state = object.__getstate__(thing)  # not the object's own, which may refuse
        if state:
            yield state


def _follow(thing: Any, lines: list[str], seen: dict[int, Any], given: bool = False) -> None:
    """Append a canonical text of an object and of all that it names; a `given` one counts wherever it is from."""
    if isinstance(thing, PLAIN):
        lines.append(repr(thing))
    elif isinstance(thing, ModuleType):
        lines.append(thing.__name__)
    elif isinstance(thing, (np.ndarray, np.generic)) or (isinstance(thing, Tensor) and thing.layout is torch.strided):
        lines.append(str(thing.dtype))
        _follow(thing.tolist(), lines, seen)
    elif id(thing) in seen:
        return
    elif isinstance(thing, (list, tuple, set, frozenset, dict)):
        seen[id(thing)] = thing
        lines.append(type(thing).__name__)
        for part in _ordered(thing):
            _follow(part, lines, seen)
        del seen[id(thing)]  # equal containers read alike, one object or two
    else:
        seen[id(thing)] = thing
        _follow_new(thing, lines, seen, given)


#: The parts of objects that wrap functions.
_PARTS: tuple[tuple[Any, Callable[[Any], tuple[Any, ...]]], ...] = (
    ((staticmethod, classmethod), lambda method: (method.__func__,)),
    (MethodType, lambda method: (method.__func__, method.__self__)),
    (property, lambda own: (own.fget, own.fset)),
    (functools.cached_property, lambda own: (own.func,)),
    (functools.partial, lambda call: (call.func, call.args, call.keywords)),
    (Card, lambda card: (card.body, card.slope_body, card.settings)),
)
#: modules of known classes whose objects hold nothing but a user's values; others cache, log or draw
_HOLDERS = ("types", "torch.distributions")


def _follow_new(thing: Any, lines: list[str], seen: dict[int, Any], given: bool) -> None:
    for kinds, parts_of in _PARTS:
        if isinstance(thing, kinds):
            for part in parts_of(thing):
                _follow(part, lines, seen, given)
            return
    if isinstance(thing, FunctionType):
        _follow_function(thing, lines, seen, given)
    elif isinstance(thing, type):
        _follow_class(thing, lines, seen)
    else:
        lines.append(getattr(thing, "__qualname__", type(thing).__qualname__))
        _follow(getattr(thing, "__wrapped__", None) or type(thing), lines, seen)
        for part in _state(thing):
            _follow(part, lines, seen, given)


def _follow_class(kind: type, lines: list[str], seen: dict[int, Any]) -> None:
    if _is_known(kind):
        lines.append(f"class {kind.__module__}.{kind.__qualname__}")
        return
    lines.append(kind.__qualname__)
    for base in kind.__bases__:
        _follow(base, lines, seen)
    for name, value in sorted(vars(kind).items()):
        if name not in ("__module__", "__doc__", "__firstlineno__", "__slotnames__"):
            lines.append(name)
            _follow(value, lines, seen)


def _follow_function(function: FunctionType, lines: list[str], seen: dict[int, Any], given: bool) -> None:
    if _is_known(function) and not given:
        lines.append(f"{function.__module__}.{function.__qualname__}")
        return
    lines.append(_compiled(function.__code__))
    cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    for part in (function.__defaults__, function.__kwdefaults__, cells):
        _follow(part, lines, seen)
    if _is_known(function) or _is_installed(function):
        return
    _follow_names(sorted(_names(function.__code__)), function.__globals__, lines, seen)


def _follow_names(names: list[str], scope: Mapping[str, Any], lines: list[str], seen: dict[int, Any]) -> None:
    for name in names:
        value = scope.get(name)
        if isinstance(value, ModuleType):
            if not _is_known_name(value.__name__) and id(value) not in seen:
                seen[id(value)] = value
                _follow_names(names, vars(value), lines, seen)
                del seen[id(value)]  # another function may use other attributes of it
        elif name in scope:
            lines.append(name)
            _follow(value, lines, seen)


def _ordered(things: Any) -> list[Any]:
    if isinstance(things, dict):
        return [part for pair in sorted(things.items(), key=lambda pair: str(pair[0])) for part in pair]
    return sorted(things, key=repr) if isinstance(things, (set, frozenset)) else list(things)


def _is_filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _is_known(thing: Any) -> bool:
    """Whether the version of this code is recorded: Python's, torch's, NumPy's or slopes' own."""
    return _is_known_name(getattr(thing, "__module__", None) or "builtins")


def _is_known_name(module: str) -> bool:
    top = module.partition(".")[0]
    if top == "slopes":
        return not module.startswith("slopes.loading.")
    return top in ("torch", "numpy") or (top in sys.stdlib_module_names and top != "__main__")


def _is_installed(thing: Any) -> bool:
    """Whether a package is installed: its code counts, but not all that it names."""
    file = getattr(sys.modules.get(thing.__module__), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file


def _names(compiled: CodeType) -> set[str]:
    inner = [const for const in compiled.co_consts if isinstance(const, CodeType)]
    return set(compiled.co_names).union(*map(_names, inner))


def _compiled(compiled: CodeType) -> str:
    consts = [_compiled(c) if isinstance(c, CodeType) else _constant(c) for c in compiled.co_consts]
    parts = (compiled.co_code.hex(), compiled.co_names, compiled.co_varnames, compiled.co_freevars, consts)
    return repr((*parts, compiled.co_flags, compiled.co_exceptiontable.hex()))


def _constant(value: Any) -> str:
    if isinstance(value, frozenset):  # the order of a frozenset differs between processes
        return repr(sorted(map(repr, value)))
    return repr(tuple(map(_constant, value))) if isinstance(value, tuple) else repr(value)
