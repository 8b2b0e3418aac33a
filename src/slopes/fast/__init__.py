"""Fast paths of ordinary arrays and tensors through a card.

They return None for all that the general path, through a reading, must compute.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

_MODULES: dict[type, ModuleType] = {}


def find(x: Any, name: str) -> Callable[..., Any] | None:
    """Fast path `name` for arrays like x, if any."""
    return getattr(_MODULES.get(type(x)) or _resolve(x), name, None)


def loss_by_kernel(batch: Any) -> Any:
    return _MODULES[type(batch.original)].loss_by_kernel(batch)


def loss_and_slope_by_kernel(batch: Any) -> Any:
    return _MODULES[type(batch.original)].loss_and_slope_by_kernel(batch)


def _resolve(x: Any) -> ModuleType | None:
    """Module for a new type, whose library is not imported."""
    torch = sys.modules.get("torch")
    module: ModuleType
    if type(x) is np.ndarray:
        from slopes.fast import arrays

        module = arrays
    elif torch is not None and isinstance(x, torch.Tensor):
        from slopes.fast import tensors  # torch.compile can trace an import statement

        module = tensors
        if torch.compiler.is_compiling():
            return module
    else:
        return None
    _MODULES[type(x)] = module
    return module
