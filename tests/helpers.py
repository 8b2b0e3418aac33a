"""What several test modules share: how long to wait, and ways to call a card."""

from collections.abc import Iterable
from importlib import metadata
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from slopes import kernels
from slopes.card import Card, Loss, Map

#: seconds after which a test that hangs fails; on a machine that others use, seconds may take minutes
PATIENCE = 1800


def mark_exhaustive(values: Iterable[Any], start: int = 0, every: int = 6) -> list[Any]:
    """Return parameters for a test that takes long; one in `every` is kept, from `start` on, the others are exhaustive."""
    return [
        pytest.param(value, marks=[pytest.mark.exhaustive] if (place - start) % every else [])
        for place, value in enumerate(values)
    ]


#: older ones compile cards with graph breaks: they trace neither a constant (a subclass of float) nor some transforms
whole_graph = pytest.mark.skipif(
    find_spec("torch") is not None and tuple(map(int, metadata.version("torch").split(".")[:2])) < (2, 13),
    reason="PyTorch before 2.13 cannot trace all cards whole",
)


def require_kernels() -> None:
    """Skip a test, or the module that calls this, where there are no kernels: without Numba, or with it switched off."""
    if not kernels.is_available():
        pytest.skip("needs kernels", allow_module_level=True)


def every_exponent(special: Iterable[float], dtype: str = "float32", each: int = 256, near: int = 40_001) -> np.ndarray:
    """Return numbers of both signs with every exponent of float32, `each` of one, `near` from −20 to 20, and special ones."""
    rng = np.random.default_rng(0)
    bits = (np.arange(255, dtype=np.uint32)[:, None] << 23) | rng.integers(0, 2**23, (255, each), dtype=np.uint32)
    sizes = bits.ravel().view(np.float32)
    with np.errstate(over="ignore"):
        return np.concatenate([sizes, -sizes, np.linspace(-20, 20, near), np.array(special)]).astype(dtype)


def unreduced(card: Card):
    """The card as a function that gives one value per element or row."""
    return (lambda *arguments: card(*arguments, reduction="none")) if isinstance(card, Loss) else card


def is_map(card: Card) -> bool:
    """Whether the card mixes the entries of a row."""
    return isinstance(card, Map)
