"""New initial weights for a module."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

from slopes.comparing.tasks.inputs import Inputs, call_model

RESETS = ("reset_parameters", "_reset_parameters")  #: torch's attention has the second name


def is_lazy(model: nn.Module) -> bool:
    """Whether some parameters have no shape before the first forward."""
    return any(nn.parameter.is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers()))


def drawn_anew(model: nn.Module, example: Inputs | None) -> tuple[nn.Module, list[str]]:
    """(a copy with reset parameters, names of the parameters that keep their values).

    A parameter keeps them if no `reset_parameters` reaches it, or if it is frozen.
    """
    model = copy.deepcopy(model)
    if example is not None and is_lazy(model):
        with torch.no_grad():
            call_model(model.eval(), example)
    given = {name: tensor.detach().clone() for name, tensor in (*model.named_parameters(), *model.named_buffers())}
    kept = []
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(math.nan)  # marks parameters that no reset reaches
        for module in reversed(list(model.modules())):  # a module may overwrite its children's weights
            reset = next((getattr(module, name) for name in RESETS if callable(getattr(module, name, None))), None)
            if reset is not None:
                reset()
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad or parameter.isnan().any():
                parameter.copy_(given[name])
                kept.append(name)
        for name, buffer in model.named_buffers():
            if buffer.isnan().any():  # it derives from a kept parameter, as in a spectral norm
                buffer.copy_(given[name])
    return model, kept
