"""A card under audit."""

from __future__ import annotations

from typing import Any

import numpy as np

from slopes.card import Card
from slopes.truth.errors import ULPS
from slopes.truth.samples import Samples


class Subject(Samples):
    """Card under audit, with its sample points, their exact results, and the entries that were reported."""

    def __init__(self, card: Card, seed: int = 0, quick: bool = False) -> None:
        super().__init__(card, seed)
        self.quick, self.name = quick, repr(card)
        self.faulty: dict[tuple[str, str], Any] = {}  #: masks of reported entries

    @property
    def is_ours(self) -> bool:
        """Whether the card belongs to slopes."""
        return self.card.__module__.startswith(("slopes.activations.", "slopes.losses."))

    @property
    def ulps(self) -> float:
        """Allowed error in units in the last place."""
        return max(self.card.claims.ulps or 0.0, ULPS)

    def report(self, result: str, dtype: Any, entries: Any) -> None:
        """Mark the entries (a mask) as reported, so that later checks skip them."""
        if entries.any():
            self.faulty[result, np.dtype(dtype).name] = self.reported(result, dtype, entries.shape) | entries

    def reported(self, result: str, dtype: Any, shape: tuple[int, ...]) -> Any:
        """Return a mask of the reported entries."""
        return self.faulty.get((result, np.dtype(dtype).name), np.zeros(shape, dtype=bool))

    def show(self, index: tuple[int, ...], dtype: Any) -> str:
        """Return the arguments at an entry of the result as source code."""
        shown = []
        for argument in self.inputs(dtype):
            entry = argument[index[0]][None] if self.card.rowwise else argument[index]
            shown.append(source(entry, dtype if np.asarray(argument).dtype.kind == "f" else None))
        return ", ".join(shown)


def source(x: Any, dtype: Any = None) -> str:
    """Return a number or array as source code for the same bits."""
    listed, name = repr(np.asarray(x).tolist()), np.dtype(dtype or np.float64).name
    if np.ndim(x) == 0:
        return listed if dtype in (None, np.float64) else f"np.{name}({listed})"
    return f"np.array({listed})" if dtype in (None, np.float64) else f"np.array({listed}, np.{name})"
