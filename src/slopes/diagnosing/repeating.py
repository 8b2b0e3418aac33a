"""Repeat a forward and a backward pass, to find where inf or NaN began in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from slopes.diagnosing.norms import are_finite
from slopes.diagnosing.origin import Origin
from slopes.diagnosing.tracing import Trace

_LOAD = "load weights from before, and look at the step that wrote these: its gradients, its learning rate"
_CLEAN = "clean the data: fill such entries (torch.nan_to_num), or leave them out by a mask"
_LOSS = "slopes.diagnose(model, batch, loss) with this batch names the operation: a division, logarithm or root of 0?"


class Passed(NamedTuple):
    """Results of a forward pass, and the gradients that a backward pass starts with: None for a loss's own."""

    results: Sequence[Tensor]
    gradients: Sequence[Tensor | None]


def find_origin(model: nn.Module, given: Mapping[str, Any], forward: Callable[[Trace | None], Passed]) -> Origin | None:
    """Return where inf or NaN begins, or None if all is finite.

    `forward` repeats the forward pass, under a trace or else without autocast. `given` are its inputs and targets by
    their names. Weights, buffers and random states stay as they are.
    """
    trace = Trace(model)
    with _buffers_kept(model), torch.random.fork_rng(), torch.enable_grad():
        for module in spoilt_statistics(model).values():  # by the pass that is to be repeated, perhaps
            module.reset_running_stats()
        _give(trace, model, given)
        origin = trace.origin(_ends(model, trace, forward))
        if origin is not None and _has_half(origin) and not _is_broken_in_float32(model, forward):
            note = "without autocast, in float32, all is finite: the half type is the cause"
            origin = replace(origin, notes=(*origin.notes, note))
    return origin


def _give(trace: Trace, model: nn.Module, given: Mapping[str, Any]) -> None:
    """Name the tensors that come from outside."""
    for name, weight in model.named_parameters():
        trace.give(f"the weight {name}", weight, _LOAD)
    for name, buffer in model.named_buffers():
        trace.give(f"the buffer {name}", buffer, _LOAD, may_be_infinite=True)
    for name, thing in given.items():
        for tensor in tensors_in(thing):
            trace.give(name, tensor, _CLEAN, may_be_infinite=True)


def _ends(model: nn.Module, trace: Trace | None, forward: Callable[[Trace | None], Passed]) -> list[Tensor]:
    """Results of the forward pass if one is not finite, else the gradients of the weights."""

    def run(step: Callable[[], Any]) -> Any:
        return step() if trace is None else trace.run(step)

    passed = run(lambda: forward(trace))
    if not are_finite(passed.results):
        return list(passed.results)
    weights = [p for p in model.parameters() if p.requires_grad]
    ends = [(y, pull) for y, pull in zip(*passed, strict=True) if y.requires_grad]
    if not weights or not ends:
        return []
    results, pulls = zip(*ends, strict=True)
    if trace is not None:
        for pull in pulls:
            if pull is not None:
                trace.give("the gradient of the loss by the model's output", pull, _LOSS)
    gradients = run(lambda: torch.autograd.grad(results, weights, pulls, allow_unused=True))
    return [gradient for gradient in gradients if gradient is not None]


def _is_broken_in_float32(model: nn.Module, forward: Callable[[Trace | None], Passed]) -> bool:
    with torch.autocast(device_of(model), enabled=False):
        return not are_finite(_ends(model, None, forward))


def _has_half(origin: Origin) -> bool:
    ranges = [*origin.inputs, *([] if origin.output is None else [origin.output])]
    return any(each.dtype in ("float16", "bfloat16") for each in ranges)


def spoilt_statistics(model: nn.Module) -> dict[str, _NormBase]:
    """Normalisations by name that train, and so write their running statistics alone, which are not finite."""
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, _NormBase) and module.training and module.track_running_stats:
            statistics = [x for x in (module.running_mean, module.running_var) if x is not None]
            if not are_finite(statistics):
                found[name] = module
    return found


@contextmanager
def _buffers_kept(model: nn.Module) -> Iterator[None]:
    """Undo changes of running statistics."""
    kept = {buffer: buffer.clone() for buffer in model.buffers()}
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, values in kept.items():
                buffer.copy_(values)


def device_of(model: nn.Module) -> str:
    return next((p.device.type for p in model.parameters()), "cpu")


def tensors_in(thing: Any, depth: int = 4) -> Iterator[Tensor]:
    """Yield the tensors within tuples, lists, dicts and objects with attributes."""
    if isinstance(thing, Tensor):
        yield thing
    elif isinstance(thing, (tuple, list)):
        for each in thing:
            yield from tensors_in(each, depth)
    elif isinstance(thing, Mapping):
        yield from tensors_in(list(thing.values()), depth)
    elif depth and hasattr(thing, "__dict__") and not callable(thing):
        yield from tensors_in(list(vars(thing).values()), depth - 1)
