"""Diagnose a copy of a model on given batches."""

from __future__ import annotations

import copy
import inspect
import math
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slopes.card import Loss
from slopes.diagnosing.diagnosis import Diagnosis
from slopes.diagnosing.look import Look
from slopes.diagnosing.norms import are_finite, gradients_of
from slopes.diagnosing.origin import Origin
from slopes.diagnosing.repeating import Passed, find_origin
from slopes.domains import shown

STEPS = 10  #: of the optimizer, on one batch, to see whether its loss falls


def diagnose(model: Any, data: Any, loss: Any, *, optimizer: Any = None, samples: int = 1000) -> Diagnosis:
    """Look at the activations and gradients of a model over at least `samples` inputs.

    `data` is a batch (inputs, target), or an iterable of batches such as a DataLoader; inputs in a tuple or dict are
    separate arguments of the model. `loss(output, target)` is one number. With an optimizer, one step shows how far it
    moves the weights.

    Activations are modules of `torch.nn` and `slopes.nn`, and functions of torch and cards that a forward calls.

    A copy of the model runs, in the model's mode (for training call ``model.train()`` before); model, optimizer and
    random states stay as they are. Raises TypeError for an invalid model, batch or loss, ValueError without samples or
    without a gradient of the loss.
    """
    _check(model, loss, optimizer, samples)
    model, optimizer = copy.deepcopy((model, optimizer))  # together, so that they share their weights
    look, origin = Look(model, begun=_has_begun(model, optimizer)), None
    loss = _watched(loss, look)
    with _randomness_kept(data), torch.enable_grad():
        for inputs, target in _batches(data):
            inputs, target = _on_device(model, inputs), _on_device(model, target)
            state = torch.get_rng_state()
            with look.recording():
                value = _backward(model, inputs, target, loss)
            if not (math.isfinite(value) and are_finite(gradients_of(model.parameters()))):
                origin = _origin(model, inputs, target, loss, state)
            if optimizer is None or look.samples < samples or origin is not None:
                look.weigh()
            if look.samples >= samples or origin is not None:
                break
        if not look.samples:
            raise ValueError("diagnose: data has no sample")
        if optimizer is not None and origin is None:
            before = look.snapshot()
            optimizer.step()
            look.weigh(before, stepped=not _is_warming_up(optimizer))
            if not look.begun:
                look.losses = [value, *_later_losses(model, inputs, target, loss, optimizer, state)]
    return look.diagnosis(samples, origin=origin)


def _origin(model: nn.Module, inputs: Any, target: Any, loss: Any, state: Tensor) -> Origin | None:
    """Repeat a batch with the same random numbers, to find where inf or NaN begins."""

    def forward(_: Any) -> Passed:
        torch.set_rng_state(state)
        return Passed([_one_number(loss(_called(model, inputs), target))], [None])

    return find_origin(model, {"the model's input": inputs, "the target": target}, forward)


def _backward(model: nn.Module, inputs: Any, target: Any, loss: Any) -> float:
    """Compute the gradient of the loss; return the loss."""
    model.zero_grad()
    output = _called(model, inputs)
    try:
        value = _one_number(loss(output, target))
    except IndexError as error:
        hint = "labels go from 0 to the number of outputs less one: subtract 1 if they count from 1"
        raise ValueError(f"diagnose: the loss raises IndexError: {error} ({hint})") from error
    torch.autograd.backward(value)
    return float(value.detach())


def _watched(loss: Any, look: Look) -> Any:
    """Loss, or a function that shows the arguments of a card to the look, as PyTorch's functions do by themselves."""
    name = loss.name.partition("(")[0] if isinstance(loss, Loss) and not loss.bound.get("from_probabilities") else ""
    function = getattr(nn.functional, {"binary_cross_entropy": f"{name}_with_logits"}.get(name, name), None)
    if function is None:
        return loss

    def watched(output: Any, target: Any) -> Any:
        look.mistakes.judge(function, output, target)
        return loss(output, target)

    return watched


def _later_losses(
    model: nn.Module, inputs: Any, target: Any, loss: Any, optimizer: Any, state: Tensor
) -> Iterator[float]:
    """Yield the losses of one batch while the optimizer lowers them, all with the same random numbers."""
    for _ in range(STEPS):
        torch.set_rng_state(state)
        yield _backward(model, inputs, target, loss)
        optimizer.step()


def _has_begun(model: nn.Module, optimizer: Any) -> bool:
    """Whether an optimizer or a normalisation remembers steps."""
    counts = [buffer for name, buffer in model.named_buffers() if name.endswith("num_batches_tracked")]
    return bool(optimizer is not None and optimizer.state) or any(bool(count > 0) for count in counts)


def _is_warming_up(optimizer: Any) -> bool:
    """Whether a schedule holds a learning rate below its first."""
    return any(group["lr"] < group.get("initial_lr", 0) for group in optimizer.param_groups)


def _check(model: Any, loss: Any, optimizer: Any, samples: Any) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"diagnose: model must be a torch.nn.Module, got {type(model).__name__}")
    if not callable(loss) or isinstance(loss, type):
        made = "an instance of the class" if isinstance(loss, type) else f"got {shown(loss)}"
        raise TypeError(f"diagnose: loss must be a function of (output, target), as torch.nn.MSELoss() is: {made}")
    if optimizer is not None and not isinstance(optimizer, torch.optim.Optimizer):
        got = shown(optimizer)
        raise TypeError(f"diagnose: optimizer must be one of torch.optim, of the model's weights, got {got}")
    if optimizer is not None and _needs_closure(optimizer):
        raise TypeError(
            f"diagnose: {type(optimizer).__name__} steps with a closure, so that no single step can be measured: leave "
            "the optimizer out"
        )
    if optimizer is not None and not _share_weights(model, optimizer):
        raise ValueError("diagnose: optimizer holds no weight of this model; make it of model.parameters()")
    if type(samples) is not int or samples < 1:
        raise ValueError(f"diagnose: samples must be an integer >= 1, got {samples!r}")


def _needs_closure(optimizer: torch.optim.Optimizer) -> bool:
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is closure.empty


def _share_weights(model: nn.Module, optimizer: Any) -> bool:
    held = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    return any(id(weight) in held for weight in model.parameters())


def _one_number(value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise TypeError(f"diagnose: loss must return a tensor, got {type(value).__name__}")
    if value.numel() != 1:
        raise TypeError(f"diagnose: loss must return one number, got shape {tuple(value.shape)}: reduce it by its mean")
    if not value.requires_grad:
        raise ValueError("diagnose: the loss has no gradient: no weight wants one, or it was detached on the way")
    return value


def _called(model: nn.Module, inputs: Any) -> Any:
    if isinstance(inputs, Mapping):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, (tuple, list)) else model(inputs)


def _batches(data: Any) -> Iterator[tuple[Any, Any]]:
    if _is_pair(data) and any(isinstance(part, (Tensor, Mapping)) for part in data):
        data = [data]
    if not isinstance(data, Iterable) or isinstance(data, (Tensor, Mapping, str)):
        got = type(data).__name__
        raise TypeError(f"diagnose: data must be a batch (inputs, target) or an iterable of batches, got {got}")
    for batch in data:
        if not _is_pair(batch):
            got = f"{len(batch)} things" if isinstance(batch, (tuple, list)) else type(batch).__name__
            raise TypeError(
                f"diagnose: a batch must be (inputs, target), tensors, got {got}; several inputs go in a tuple: "
                "((x, y), target)"
            )
        yield batch[0], batch[1]


def _is_pair(thing: Any) -> bool:
    return isinstance(thing, (tuple, list)) and len(thing) == 2


def _on_device(model: nn.Module, thing: Any) -> Any:
    weight = next(model.parameters(), None)
    if isinstance(thing, Tensor):
        return thing if weight is None else thing.to(weight.device)
    if type(thing) in (tuple, list):
        return type(thing)(_on_device(model, each) for each in thing)
    if isinstance(thing, Mapping):
        return {name: _on_device(model, each) for name, each in thing.items()}
    return thing


@contextmanager
def _randomness_kept(data: Any) -> Iterator[None]:
    """Restore the states of torch, NumPy, Python and the loader's generator."""
    generator = getattr(data, "generator", None)
    own, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002
    loaders = None if generator is None else generator.get_state()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(own)
        np.random.set_state(numpys)  # noqa: NPY002
        if generator is not None:
            generator.set_state(loaders)
