"""A network: how it is made anew for a seed, and which of its modules are the activations in question."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slopes.models.replacing import replaced
from slopes.study.networks.drawing import drawn_anew, is_lazy


@dataclass(frozen=True, eq=False)
class Network:
    """A model that can be made for any seed, with any activation in its slots.

    It pickles if its source does: functions and classes by reference, a module by value.
    """

    name: str
    source: Any  #: a factory without arguments, or a module of which each seed gets a copy with new initial weights
    replace: tuple[type[nn.Module], ...]  #: the classes of the activations that are replaced
    digest: str  #: of its code, settings and any weights that no seed draws anew
    output: Any = None  #: which of several outputs is the prediction: a place, a key or a function
    notes: tuple[str, ...] = ()  #: what a reader of the results should know of it
    example: Tensor | None = None  #: inputs that tell lazy modules their shapes

    def build(self, seed: int) -> nn.Module:
        """The model with its own activations, in training mode; its initial weights depend on the seed alone."""
        with seeded(seed):
            model: nn.Module = self._made().train()
            return model

    def slotted(self, seed: int, make: Callable[[], nn.Module]) -> nn.Module:
        """The same model, initial weights included, in which each activation to be replaced is what `make` gives.

        A module that stands in several places stays one. What `make` draws at random depends on the seed alone, too.
        """
        with seeded(seed):
            model: nn.Module = replaced(self._made(), self.replace, make)[0].train()
            return model

    def predict(self, returned: Any) -> Tensor:
        """The prediction in what the model returned."""
        picked: Any = returned
        if callable(self.output):
            picked = self.output(returned)
        elif isinstance(self.output, str) and not isinstance(returned, Mapping):
            picked = getattr(returned, self.output)
        elif self.output is not None:
            picked = returned[self.output]
        prediction: Tensor = picked
        return prediction

    def _made(self) -> nn.Module:
        if not isinstance(self.source, nn.Module):
            model: nn.Module = self.source()
            if self.example is not None and is_lazy(model):
                with torch.no_grad():
                    model.eval()(self.example)
            return model
        return drawn_anew(self.source, self.example)[0]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Start the generators of torch, NumPy and Python from a seed, and put back the caller's state at the end.

    Even numbers seed weights; the odd ones draw the order of the batches.
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
