"""Drawing the initial weights of a module anew, for a seed of its own."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

RESETS = ("reset_parameters", "_reset_parameters")  #: the second is what torch's attention has


def is_lazy(model: nn.Module) -> bool:
    """Whether some of its parameters have no shape before the first forward."""
    return any(nn.parameter.is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers()))


def drawn_anew(model: nn.Module, example: Tensor | None) -> tuple[nn.Module, list[str]]:
    """Return a copy whose modules have reset their parameters, and the names of those that keep their values.

    Kept is what no `reset_parameters` reaches, and what is frozen. Lazy modules are run on the example first.
    """
    model = copy.deepcopy(model)
    if example is not None and is_lazy(model):
        with torch.no_grad():
            model.eval()(example)
    given = {name: tensor.detach().clone() for name, tensor in (*model.named_parameters(), *model.named_buffers())}
    kept = []
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(math.nan)  # which shows what the resets reach
        for module in reversed(list(model.modules())):  # a module may set what its children have drawn
            reset = next((getattr(module, name) for name in RESETS if callable(getattr(module, name, None))), None)
            if reset is not None:
                reset()
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad or parameter.isnan().any():
                parameter.copy_(given[name])
                kept.append(name)
        for name, buffer in model.named_buffers():
            if buffer.isnan().any():  # one that is kept of a parameter, as by a spectral norm
                buffer.copy_(given[name])
    return model, kept
