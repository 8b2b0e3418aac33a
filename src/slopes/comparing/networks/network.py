"""A network for any seed, with any activation in its slots."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slopes.comparing.networks.drawing import drawn_anew, is_lazy
from slopes.comparing.tasks.inputs import Inputs, call_model
from slopes.models.calls import CallSite, replace_calls
from slopes.models.replacing import replaced


@dataclass(frozen=True, eq=False)
class Network:
    """Model that pickles if its source does: functions and classes by reference, a module by value."""

    name: str
    source: Any  #: factory, or module that each seed copies with new initial weights
    replace: tuple[type[nn.Module], ...]  #: classes of the activations to replace
    digest: str  #: of code, settings and weights that no seed draws anew
    output: Any = None  #: prediction among several outputs: an index, a key or a function
    notes: tuple[str, ...] = ()  #: facts for readers of the results
    example: Inputs | None = None  #: inputs that give lazy modules their shapes
    takes: str = ""  #: the factory's argument that makes an activation module
    calls: tuple[CallSite, ...] = ()  #: calls of functions to replace
    class_axis: int = -1  #: of the logits of classes at each token or pixel
    classes: int = 0  #: how many these are

    def build(self, seed: int) -> nn.Module:
        """Model with its own activations, in training mode; initial weights depend on the seed alone."""
        with seeded(seed):
            model: nn.Module = self._made().train()
            return model

    def slotted(self, seed: int, make: Callable[[], nn.Module]) -> nn.Module:
        """Same model and initial weights, with a result of `make` for each activation.

        A module that occurs several times stays one. Draws of `make` depend on the seed, too.
        """
        with seeded(seed):
            if self.takes:
                return self._made(make).train()
            model: nn.Module = replaced(self._made(), self.replace, make)[0].train()
            replace_calls(model, self.calls, make)
            return model

    def predict(self, returned: Any) -> Tensor:
        """Prediction among the model's outputs, with the classes last."""
        picked: Any = returned
        if callable(self.output):
            picked = self.output(returned)
        elif isinstance(self.output, str) and not isinstance(returned, Mapping):
            picked = getattr(returned, self.output)
        elif self.output is not None:
            picked = returned[self.output]
        prediction: Tensor = picked
        return prediction if self.class_axis == -1 else prediction.movedim(self.class_axis, -1)

    def _made(self, make: Callable[[], nn.Module] = nn.ReLU) -> nn.Module:
        if not isinstance(self.source, nn.Module):
            model: nn.Module = self.source(**{self.takes: make} if self.takes else {})
            if self.example is not None and is_lazy(model):
                with torch.no_grad():
                    call_model(model.eval(), self.example)
            return model
        return drawn_anew(self.source, self.example)[0]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch, NumPy and Python, and restore their states at the end.

    Weights have even seeds; odd seeds draw the order of the batches.
    """
    theirs, pythons = np.random.get_state(), random.getstate()  # noqa: NPY002 - models may draw from it
    with torch.random.fork_rng(devices=[]):  # networks are made on the processor
        try:
            torch.default_generator.manual_seed(2 * seed)
            np.random.seed(2 * seed % 2**32)  # noqa: NPY002
            random.seed(2 * seed)
            yield
        finally:
            np.random.set_state(theirs)  # noqa: NPY002
            random.setstate(pythons)
