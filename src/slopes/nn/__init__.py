"""`import slopes.nn as nn` in place of `torch.nn` changes nothing but accuracy and speed.

PyTorch's activation and loss modules are here as subclasses of its own, with their constructor, state and conventions
(divisors, broadcasting, NaN as the mean of nothing, 100 for a certain error of BCELoss), and with a `forward` that a
card computes. What a card cannot take, PyTorch's own `forward` gets: sparse, nested, complex and integer tensors,
tensors of several types or shapes, parameters outside the card's domain, and whatever PyTorch warns of or refuses.
Every other name is PyTorch's: among them MultiheadAttention and the losses that have no card (CTC, those fused with a
linear layer). Cards that PyTorch lacks are modules of its style, such as ``nn.LogCoshLoss()``, and `module` makes one
of any card. `LinearLoss` is a linear layer and its loss in one.

A card itself is no module: in `torch.nn.Sequential` it ends in PyTorch's "is not a Module subclass", where none of our
code runs that could say so; write ``nn.Sequential(layer, slopes.nn.module(slopes.gelu))``.

A module made by `torch.nn` is no instance of these subclasses. `torch.jit.script` refuses them: `torch.compile`,
`torch.export`, `torch.onnx.export` and `torch.jit.trace` take them.
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
from slopes.nn.linear import LinearLoss as LinearLoss  # noqa: E402
from slopes.nn.replaced import REPLACED  # noqa: E402

globals().update(REPLACED)
__all__ = sorted(
    {*(name for name in dir(torch.nn) if not name.startswith("_")), *LACKED, "CardModule", "LinearLoss", "module"}
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
