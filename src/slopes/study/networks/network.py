"""A network: how it is made anew for a seed, and which of its modules are the activations in question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Network:
    """A model that can be made for any seed, with any activation in its slots."""

    name: str
    source: Any  #: a factory without arguments, or a module of which each seed gets a copy with new initial weights
    replace: tuple[type[nn.Module], ...]  #: the classes of the activations that are replaced
    digest: str  #: of its code, settings and any weights that no seed draws anew
    output: Any = None  #: which of several outputs is the prediction: a place, a key or a function
    notes: tuple[str, ...] = ()  #: what a reader of the results should know of it

    def build(self, seed: int) -> nn.Module:
        """The model with its own activations; its initial weights depend on the seed alone."""
        raise NotImplementedError

    def slotted(self, seed: int, make: Callable[[], nn.Module]) -> nn.Module:
        """The same model, initial weights included, in which each activation to be replaced is what `make` gives."""
        raise NotImplementedError

    def predict(self, returned: Any) -> Tensor:
        """The prediction in what the model returned."""
        raise NotImplementedError
