"""Resolution of the user's `model` argument to a network that fits the task."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from dataclasses import replace as changed
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from slopes import loading
from slopes.comparing import identity
from slopes.comparing.networks.builtin import BUILTIN, START, dtype_name
from slopes.comparing.networks.drawing import drawn_anew, is_lazy
from slopes.comparing.networks.network import Network, seeded
from slopes.comparing.tasks.kinds import TaskKind
from slopes.hints import did_you_mean
from slopes.models.finding import count_activations, list_calls, list_counts
from slopes.models.inventory import ELEMENTWISE
from slopes.models.replacing import replaced

if TYPE_CHECKING:
    from slopes.comparing.tasks import Task

OWN = "pass a torch.nn.Module, what makes one, or its place, as in 'file.py:Model'"


def resolve(model: Any, task: Task, replace: Any = None, output: Any = None) -> Network:
    """Try a model on samples of the task, and return its network.

    `model` is a built-in network, as in "mlp(hidden=256, depth=2)"; a module, which each seed copies with reset
    parameters; a factory without arguments; or either of these in a file, as in "file.py:Model". `replace` is by
    default the model's only class of activations. Raises TypeError or ValueError if the model cannot be trained.
    """
    classes = _classes(replace)
    if output is not None and not callable(output) and (isinstance(output, bool) or not isinstance(output, (int, str))):
        raise TypeError(f"compare: output must be a place, a key or a function, got {output!r}.")
    name, source, notes = _meant(model, task)
    network = Network(name, source, classes, "", output)
    again = source if isinstance(source, nn.Module) else _made(name, source)
    trial = _copied(name, source) if again is source else again
    _check_tensors(name, again)
    if is_lazy(again):
        network = changed(network, example=task.inputs[:2])
        _run(name, trial, task)  # raises the reason if the model fails
        again = _built(network, 0)
    first = _built(network, 0)
    if not isinstance(source, nn.Module):
        _check_factory(name, network, again, first)
    predicted, last = _probe(network, first, task)
    _check_training(network, first, task)
    if not classes:
        network = changed(network, replace=(_only_class(name, first),))
    notes += _replacement(network, first, predicted, task)
    notes += _on_the_end(network, predicted, last, task)
    first = _built(network, 0)  # running may have changed buffers
    kept = _kept(network, first)
    if isinstance(source, nn.Module):
        notes += _on_copies(source, network.example)
    else:
        notes += _on_same_weights(first, kept)
    digest = identity.of_network(network, kept, task.inputs[:8])
    return changed(network, notes=tuple(notes), digest=digest)


# ------------------------------------------------------------------------------------- name and source


def _meant(model: Any, task: Task) -> tuple[str, Any, list[str]]:
    """(name, factory or module, notes on it)."""
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
    try:
        inspect.signature(model).bind()
    except TypeError as error:
        raise TypeError(
            f"compare: a model is made without arguments, and {name} is {error}; bind it, as in "
            f"functools.partial({name}, …)."
        ) from None
    except ValueError:
        pass  # some callables have no signature; a call will show
    return name, model, []


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
        _, source, notes = _meant(partial(thing, **given) if given else thing, task)
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


def _classes(given: Any) -> tuple[type[nn.Module], ...]:
    if given is None:
        return ()
    classes = given if isinstance(given, tuple) else (given,)
    if not classes or not all(isinstance(kind, type) and issubclass(kind, nn.Module) for kind in classes):
        raise TypeError(
            f"compare: replace must be a class of modules, such as torch.nn.ReLU, or a tuple of them, got {given!r}."
        )
    return classes


# ------------------------------------------------------------------------------------------ trying it


def _copied(name: str, model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except Exception as error:
        raise ValueError(
            f"compare: {name} cannot be copied ({loading.describe(error)}); pass a function that makes it."
        ) from error


def _built(network: Network, seed: int) -> nn.Module:
    try:
        return network.build(seed)
    except Exception as error:
        what = "resetting its parameters" if isinstance(network.source, nn.Module) else "making it"
        raise ValueError(f"compare: {network.name}: {what} fails: {loading.describe(error)}.") from error


def _made(name: str, factory: Callable[[], Any]) -> nn.Module:
    try:
        with seeded(0):
            model = factory()
    except Exception as error:
        raise ValueError(f"compare: {name}: making it fails: {loading.describe(error)}.") from error
    if not isinstance(model, nn.Module):
        raise TypeError(f"compare: {name} must make a torch.nn.Module, and gives {_what(model)}.")
    _check_kind(name, model)
    return model


def _check_tensors(name: str, model: nn.Module) -> None:
    """Refuse tensors that do not match the data: float32, on the processor."""
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError(f"compare: {name} has no weight to train.")
    for place, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.device.type != "cpu":
            raise ValueError(
                f"compare: {name} has {place} on {tensor.device}, and the runs are made on the processor; "
                "make it there, without .to(device)."
            )
        if tensor.is_complex():
            raise ValueError(f"compare: {name} has {place} in complex numbers, and the runs are in real ones.")
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise ValueError(
                f"compare: {name} has {place} in {dtype_name(tensor)}, and the data are in float32; take its .float()."
            )


def _check_factory(name: str, network: Network, again: nn.Module, first: nn.Module) -> None:
    """Refuse a factory whose weights the seed does not determine."""
    if {id(p) for p in again.parameters()} & {id(p) for p in first.parameters()}:
        raise ValueError(
            f"compare: {name} gives the same weights each time it is called, which runs would share; "
            "make new ones in it, or pass the module itself."
        )
    if not _same(_tensors(again), _tensors(first)):
        raise ValueError(
            f"compare: {name} gives other weights each time, though torch's, NumPy's and Python's generators start "
            "alike; draw from these, without a seed of your own."
        )
    shapes, others = ({place: tuple(t.shape) for place, t in _tensors(m).items()} for m in (first, _built(network, 1)))
    for place in (*shapes, *others):
        if shapes.get(place) != others.get(place):
            one, other = shapes.get(place, "none"), others.get(place, "none")
            raise ValueError(
                f"compare: {name} makes models of differing shapes: {place} has {one} for seed 0 and {other} for "
                "seed 1; make one shape."
            )


def _probe(network: Network, model: nn.Module, task: Task) -> tuple[Tensor, nn.Module | None]:
    """(the prediction for two samples, the childless module that returned it, if any)."""
    ends: list[tuple[nn.Module, Any]] = []
    handles = [
        module.register_forward_hook(lambda module, _, given: ends.append((module, given)))
        for module in model.modules()
        if not list(module.children())
    ]
    returned = _run(network.name, model, task)
    for handle in handles:
        handle.remove()
    prediction = _picked(network, returned)
    wanted, why = _wanted(task)
    shape = tuple(prediction.shape)
    if shape != wanted:
        hint = "; add .unsqueeze(-1)" if (*shape, 1) == wanted else ""
        raise ValueError(
            f"compare: the task {task.name} {why}: the model must give {_batch(wanted)}, and gives "
            f"{_batch(shape)}{hint}."
        )
    if not prediction.is_floating_point():
        raise TypeError(f"compare: {network.name} must give real numbers, and gives {dtype_name(prediction)}.")
    if not prediction.isfinite().all():
        raise ValueError(
            f"compare: {network.name} gives {'NaN' if prediction.isnan().any() else 'infinity'} before any training; "
            "look at its initial weights and at the data's scale."
        )
    if not prediction.requires_grad:
        raise ValueError(f"compare: {network.name} cuts off the gradient: its prediction depends on no weight.")
    return prediction.detach(), next((module for module, given in reversed(ends) if given is prediction), None)


def _check_training(network: Network, model: nn.Module, task: Task) -> None:
    """Refuse outputs of another shape in training."""
    prediction = _picked(network, _run(network.name, model, task, training=True))
    wanted, _ = _wanted(task)
    if tuple(prediction.shape[1:]) != wanted[1:]:
        raise ValueError(
            f"compare: {network.name} gives {_batch(wanted)} in evaluation and {_batch((2, *prediction.shape[1:]))} in "
            "training; give the same in both, or pass a function as output= that picks it."
        )


def _run(name: str, model: nn.Module, task: Task, training: bool = False) -> Any:
    inputs = task.inputs[: 8 if training else 2]  # batch normalisation needs several samples
    try:
        with seeded(0), torch.enable_grad():
            return model.train(training)(inputs)
    except Exception as error:
        raise ValueError(
            f"compare: {name} fails on the inputs of the task {task.name}, {_batch((2, *inputs.shape[1:]))} "
            f"{dtype_name(inputs)}{', in training' * training}: "
            f"{loading.describe(error)}."
        ) from error


def _picked(network: Network, returned: Any) -> Tensor:
    if network.output is None and not isinstance(returned, Tensor):
        raise TypeError(
            f"compare: {network.name} gives {_what(returned)}; say which is the prediction by output=, a place, a key "
            "or a function."
        )
    try:
        prediction = network.predict(returned)
    except Exception as error:
        raise ValueError(
            f"compare: output={network.output!r} picks nothing from what {network.name} gives, {_what(returned)}: "
            f"{loading.describe(error)}."
        ) from error
    if not isinstance(prediction, Tensor):
        raise TypeError(f"compare: output={network.output!r} must pick a tensor, and picks {_what(prediction)}.")
    return prediction


def _wanted(task: Task) -> tuple[tuple[int, ...], str]:
    """Shape of predictions for two samples, and the reason."""
    if task.kind.has_pixels:
        return (2, 1, *task.targets.shape[1:]), "wants a logit for each pixel"
    words = {
        TaskKind.CLASSES: f"has {task.outputs} classes",
        TaskKind.YES_OR_NO: "is a yes or no, of which one logit is wanted",
        TaskKind.NUMBERS: f"has {task.outputs} column{'s' * (task.outputs > 1)} of targets",
        TaskKind.COUNTS: "is of counts, of which one number is wanted",
    }
    return (2, task.outputs), words[task.kind]


# -------------------------------------------------------------------------------------- its activations


def _only_class(name: str, model: nn.Module) -> type[nn.Module]:
    counted = count_activations(model)
    if len(counted) == 1:
        return next(iter(counted))
    if counted:
        most = counted.most_common(1)[0][0]
        raise ValueError(
            f"compare: {name} has {list_counts(counted)}; say which are replaced, as in replace={_path(most)}."
        )
    called = list_calls(model, ELEMENTWISE)
    if called:
        raise ValueError(
            f"compare: {name} has no activation as a module, and calls functions, which cannot be replaced: {called}; "
            "make modules of them, as in self.act = torch.nn.ReLU()."
        )
    kinds = dict.fromkeys(type(module).__name__ for module in model.modules() if not list(module.children()))
    fixed = "".join(f"; those within {kind} are fixed" for kind in _recurrent(model))
    raise ValueError(
        f"compare: {name} has no activation of torch.nn; its modules are {', '.join(kinds)}{fixed}; if one of these is "
        "an activation, pass its class by replace=."
    )


def _recurrent(model: nn.Module) -> list[str]:
    return sorted({type(module).__name__ for module in model.modules() if isinstance(module, nn.RNNBase)})


def _path(kind: type) -> str:
    return f"torch.nn.{kind.__name__}" if kind.__module__.startswith("torch.nn.") else kind.__qualname__


class _Other(nn.Module):
    """Stand-in unlike every activation."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.5 - x


def _replacement(network: Network, model: nn.Module, predicted: Tensor, task: Task) -> list[str]:
    """Check that replacing changes the model's outputs; return notes on activations out of reach."""
    names = " or ".join(kind.__name__ for kind in network.replace)
    called = list_calls(model, network.replace)
    reached, count = replaced(network.build(0), network.replace, _Other)
    if not count:
        counted = count_activations(model)
        offer = f"it has {list_counts(counted)}" if counted else "it has no activation of torch.nn"
        if called:
            offer = f"it calls functions, which cannot be replaced: {called}; make modules of them"
        raise ValueError(f"compare: {network.name} has no {names} as a module; {offer}.")
    try:
        other = _picked(network, _run(network.name, reached, task)).detach()
    except ValueError as error:
        raise ValueError(f"compare: with {names} replaced, {str(error).removeprefix('compare: ')}") from error
    if other.shape == predicted.shape and torch.equal(other, predicted):
        missed = f"; it calls functions, which cannot be replaced: {called}" if called else ""
        raise ValueError(
            f"compare: replacing {names} changes nothing that {network.name} gives: they are not on the way to its "
            f"prediction{missed}."
        )
    notes = [f"Calls of functions that are not replaced: {called}."] if called else []
    return notes + [f"The activations within {kind} are fixed, and not replaced." for kind in _recurrent(model)]


# -------------------------------------------------------------------------------------------- notes


def _on_the_end(network: Network, predicted: Tensor, last: nn.Module | None, task: Task) -> list[str]:
    """Notes on a last module that is replaced or squashes, as losses are fed logits."""
    if last is not None and isinstance(last, network.replace):
        return [
            f"The last module, {type(last).__name__}, gives the prediction and is replaced with the others; "
            "a network should end with a linear layer."
        ]
    ending = type(last).__name__ if isinstance(last, (nn.Sigmoid, nn.Softmax, nn.LogSoftmax)) else ""
    if not ending and task.kind.has_classes and (predicted >= 0).all():
        sums = predicted.sum(1)
        ending = "a softmax" * bool(torch.allclose(sums, torch.ones_like(sums), atol=1e-4))
    if not ending or task.kind.has_numbers:
        return []
    return [
        f"The model ends with {ending}, and losses are fed what it gives as logits: take it off, or what is compared "
        "is training on squashed numbers."
    ]


def _on_copies(module: nn.Module, example: Tensor | None) -> list[str]:
    notes = [
        "Each seed draws new initial weights by the reset_parameters of the model's modules, so weights that it came "
        "with are not kept; for those, or for an initialisation of your own, pass a function that makes the model."
    ]
    with seeded(0):
        _, kept = drawn_anew(module, example)
    if kept:
        notes.append(
            f"{_some(kept)} kept the same values for all seeds, being frozen or out of reach of any reset_parameters; "
            "a function that makes the model would draw them."
        )
    return notes


def _on_same_weights(model: nn.Module, kept: Mapping[str, Tensor]) -> list[str]:
    """Notes on weights that a factory makes alike for all seeds, constants apart."""
    varied = [name for name, weight in model.named_parameters() if weight.min() < weight.max()]
    same = [name for name in varied if name in kept]
    if same and same == varied:
        return ["All initial weights are the same for all seeds, which differ in the order of the data alone."]
    return [f"{_some(same)} started with the same values for all seeds."] if same else []


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


# -------------------------------------------------------------------------------------------- tensors


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach() for name, tensor in (*model.named_parameters(), *model.named_buffers())}


def _same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(_equal(tensor, other[name]) for name, tensor in one.items())


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one.nan_to_num(), other.nan_to_num())


def _kept(network: Network, first: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers that no seed draws anew."""
    second = _tensors(_built(network, 1))
    return {name: tensor for name, tensor in _tensors(first).items() if _equal(tensor, second[name])}


# ---------------------------------------------------------------------------------------------- words


def _what(thing: Any) -> str:
    if isinstance(thing, Tensor):
        return f"a tensor of {tuple(thing.shape)}"
    if isinstance(thing, Mapping):
        inside = ", ".join(f"{key!r}: {_shape(value)}" for key, value in thing.items())
        return f"a {type(thing).__name__} of {{{inside}}}"
    if is_dataclass(thing) and not isinstance(thing, type):
        inside = ", ".join(f"{field.name}={_shape(getattr(thing, field.name))}" for field in fields(thing))
        return f"{type(thing).__name__}({inside})"
    if isinstance(thing, (tuple, list)):
        return f"a {type(thing).__name__} of ({', '.join(map(_shape, thing))})"
    return "None" if thing is None else f"a value of type {type(thing).__name__}"


def _shape(value: Any) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__


def _batch(shape: Any) -> str:
    """Format a shape whose first axis, of size 2 here, is the batch."""
    first = "batch" if shape and shape[0] == 2 else str(shape[0]) if shape else ""
    rest = "".join(f", {size}" for size in shape[1:])
    return f"({first}{rest or ',' * bool(shape)})"
