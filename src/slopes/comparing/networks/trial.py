"""Trial of a network on samples of its task; errors say what stands in the way of a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace as changed
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from slopes import loading
from slopes.comparing.networks.builtin import dtype_name
from slopes.comparing.networks.network import Network, seeded
from slopes.comparing.networks.words import batch_shape, described
from slopes.comparing.task_kinds import TaskKind
from slopes.comparing.tasks.inputs import Inputs, call_model, describe_inputs, list_tensors

if TYPE_CHECKING:
    from slopes.comparing.tasks import Task


def built(network: Network, seed: int) -> nn.Module:
    try:
        return network.build(seed)
    except Exception as error:
        attempt = "resetting its parameters" if isinstance(network.source, nn.Module) else "making it"
        raise ValueError(f"compare: {network.name}: {attempt} fails: {loading.describe(error)}.") from error


def check_tensors(name: str, model: nn.Module) -> None:
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


def check_factory(name: str, network: Network, again: nn.Module, first: nn.Module) -> None:
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
    shapes, others = ({place: tuple(t.shape) for place, t in _tensors(m).items()} for m in (first, built(network, 1)))
    for place in (*shapes, *others):
        if shapes.get(place) != others.get(place):
            one, other = shapes.get(place, "none"), others.get(place, "none")
            raise ValueError(
                f"compare: {name} makes models of differing shapes: {place} has {one} for seed 0 and {other} for "
                "seed 1; make one shape."
            )


def probe(network: Network, model: nn.Module, task: Task) -> tuple[Tensor, nn.Module | None]:
    """(the prediction for two samples, the childless module that returned it, if any)."""
    ends: list[tuple[nn.Module, Any]] = []
    handles = [
        module.register_forward_hook(lambda module, _, given: ends.append((module, given)))
        for module in model.modules()
        if not list(module.children())
    ]
    returned = run(network.name, model, task)
    for handle in handles:
        handle.remove()
    prediction = picked(network, returned)
    wanted, why = _wanted(network, task)
    shape = tuple(prediction.shape)
    if shape != wanted:
        hint = "; add .unsqueeze(-1)" if (*shape, 1) == wanted else ""
        raise ValueError(
            f"compare: the task {task.name} {why}: the model must give {batch_shape(wanted)}, and gives "
            f"{batch_shape(shape)}{hint}."
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


def check_training(network: Network, model: nn.Module, task: Task) -> None:
    """Refuse outputs of another shape in training."""
    prediction = picked(network, run(network.name, model, task, training=True))
    wanted, _ = _wanted(network, task)
    if tuple(prediction.shape[1:]) != wanted[1:]:
        shape = batch_shape((2, *prediction.shape[1:]))
        raise ValueError(
            f"compare: {network.name} gives {batch_shape(wanted)} in evaluation and {shape} in training; give the same "
            "in both, or pass a function as output= that picks it."
        )


def run(name: str, model: nn.Module, task: Task, training: bool = False) -> Any:
    inputs = task.first(8 if training else 2)  # batch normalisation needs several samples
    try:
        with seeded(0), torch.enable_grad():
            return call_model(model.train(training), inputs)
    except Exception as error:
        raise ValueError(
            f"compare: {name} fails on the inputs of the task {task.name}, {describe_inputs(inputs, _batch)}"
            f"{', in training' * training}: "
            f"{loading.describe(error)}{_on_masks(inputs)}."
        ) from error


def _on_masks(inputs: Inputs) -> str:
    """Hint at the mask that follows padded sequences."""
    if any(each.dtype == torch.bool for each in list_tensors(inputs)):
        return (
            "; the mask tells which entries of a sequence count, as in forward(self, x, mask); for a model without one "
            "make one array of the sequences"
        )
    return ""


def _batch(inputs: Tensor) -> str:
    return f"{batch_shape((2, *inputs.shape[1:]))} {dtype_name(inputs)}"


def picked(network: Network, returned: Any) -> Tensor:
    if network.output is None and not isinstance(returned, Tensor):
        raise TypeError(
            f"compare: {network.name} gives {described(returned)}; say which is the prediction by output=, a place, a "
            "key or a function."
        )
    try:
        prediction = network.predict(returned)
    except Exception as error:
        raise ValueError(
            f"compare: output={network.output!r} picks nothing from the outputs of {network.name}, "
            f"{described(returned)}: {loading.describe(error)}."
        ) from error
    if not isinstance(prediction, Tensor):
        raise TypeError(f"compare: output={network.output!r} must pick a tensor, and picks {described(prediction)}.")
    return prediction


def find_classes(network: Network, model: nn.Module, task: Task) -> tuple[Network, list[str]]:
    """(the network with the axis and number of its classes, notes), if a task has classes at each token or pixel.

    There may be more classes than the targets show.
    """
    if not task.kind.has_classes or not task.kind.has_positions:
        return network, []
    shape = tuple(picked(network, run(network.name, model, task)).shape)
    places, least = tuple(task.targets.shape[1:]), task.outputs
    is_first = len(shape) > 2 and (shape[0], *shape[2:]) == (2, *places) and shape[1] >= least
    is_last = shape[:-1] == (2, *places) and shape[-1] >= least
    if not is_first and not is_last:
        ways = [f"(batch, {', '.join(map(str, each))})" for each in ((least, *places), (*places, least))]
        raise ValueError(
            f"compare: the task {task.name} has labels up to {least - 1} at each {_place(task)}: the model must give "
            f"{' or '.join(ways)}, or more classes, and gives {batch_shape(shape)}; labels below 0 are left out."
        )
    axis = -1 if is_last and not (is_first and task.kind.has_pixels) else 1
    order = "(batch, class, …)" if axis == 1 else "(batch, …, class)"
    notes = [f"The logits {batch_shape(shape)} are read as {order}."] if is_first and is_last else []
    return changed(network, class_axis=axis, classes=shape[axis]), notes


def _place(task: Task) -> str:
    return "pixel" if task.kind.has_pixels else "token"


def _wanted(network: Network, task: Task) -> tuple[tuple[int, ...], str]:
    """Shape of predictions for two samples, and the reason."""
    places = tuple(task.targets.shape[1:])
    if task.kind.has_classes and task.kind.has_positions:
        return (2, *places, network.classes), f"has classes at each {_place(task)}"
    if task.kind.has_pixels:
        return (2, 1, *places), "wants a logit for each pixel"
    words = {
        TaskKind.LABELS: f"has {task.outputs} labels, with a logit for each",
        TaskKind.CLASSES: f"has {task.outputs} classes",
        TaskKind.YES_OR_NO: "is a yes or no, for one logit",
        TaskKind.NUMBERS: f"has {task.outputs} column{'s' * (task.outputs > 1)} of targets",
        TaskKind.COUNTS: "is of counts, for one number",
    }
    return (2, task.outputs), words[task.kind]


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach() for name, tensor in (*model.named_parameters(), *model.named_buffers())}


def _same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(_equal(tensor, other[name]) for name, tensor in one.items())


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one.nan_to_num(), other.nan_to_num())


def kept_weights(network: Network, first: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers that no seed draws anew."""
    second = _tensors(built(network, 1))
    return {name: tensor for name, tensor in _tensors(first).items() if _equal(tensor, second[name])}
