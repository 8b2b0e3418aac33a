"""`import slopes.nn as nn` in place of `torch.nn` changes nothing but accuracy and speed.

PyTorch's activation and loss modules are here as subclasses with its constructors, states and conventions (divisors,
broadcasting, NaN as the mean of nothing, at most 100 for an error of BCELoss); cards compute their `forward`. PyTorch's
own runs for sparse, nested, complex and integer tensors, tensors of several types or shapes, parameters outside the
card's domain, and everything that PyTorch warns of or refuses. All other names are PyTorch's, among them
MultiheadAttention and losses without a card (CTC, those fused with a linear layer). Cards that PyTorch lacks are
modules in its style, such as ``nn.LogCoshLoss()``; `module` makes one of any card, as `torch.nn.Sequential` needs:
``nn.Sequential(layer, slopes.nn.module(slopes.gelu))``. `LinearLoss` is a linear layer and its loss in one, and
`CenterLoss` holds the centers of its classes.

A module made by `torch.nn` is no instance of these subclasses. `torch.compile`, `torch.export`, `torch.onnx.export` and
`torch.jit.trace` take them, `torch.jit.script` does not.
"""

from __future__ import annotations

import sys
from typing import Any

from slopes.extras import require

require("slopes.nn", "torch")

import torch  # noqa: E402

from slopes.nn.cards import LACKED, make  # noqa: E402
from slopes.nn.cards import CardModule as CardModule  # noqa: E402
from slopes.nn.cards import module as module  # noqa: E402
from slopes.nn.centers import CenterLoss as CenterLoss  # noqa: E402
from slopes.nn.linear import LinearLoss as LinearLoss  # noqa: E402
from slopes.nn.replaced import REPLACED  # noqa: E402

globals().update(REPLACED)
__all__ = sorted(
    {
        *(name for name in dir(torch.nn) if not name.startswith("_")),
        *LACKED,
        "CardModule",
        "CenterLoss",
        "LinearLoss",
        "module",
    }
)
for _name in ("functional", "init", "modules", "parallel", "parameter", "utils"):  # for ``import slopes.nn.utils``
    sys.modules[f"{__name__}.{_name}"] = getattr(torch.nn, _name)


def __getattr__(name: str) -> Any:
    if name in LACKED:
        globals()[name] = made = make(name)
        return made
    try:
        return getattr(torch.nn, name)
    except AttributeError:
        message = f"module {__name__!r} has no attribute {name!r}, and neither has torch.nn"
        raise AttributeError(message, name=name, obj=sys.modules[__name__]) from None


def __dir__() -> list[str]:
    return __all__
