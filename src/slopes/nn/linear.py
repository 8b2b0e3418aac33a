"""The last linear layer and its loss as one module."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from slopes.card import Loss
from slopes.catalogue import CARDS
from slopes.fused import linear_loss
from slopes.nn.replaced import refuse_script


class LinearLoss(torch.nn.Module):
    """A linear layer and its loss, computed for a chunk of rows at a time: see `slopes.linear_loss`.

    ``LinearLoss(256, 32000)(features, labels)`` is the mean cross-entropy of ``nn.Linear(256, 32000, bias=False)``.
    ``head.weight = embedding.weight`` shares the weight with an embedding. `logits` returns the layer's output, as for
    generating text. Labels of −100 do not count by default; the mean over nothing is 0. Other
    keywords are the loss's own.
    """

    def __init__(
        self, in_features: int, out_features: int, *, loss: Loss | None = None, bias: bool = False,
        chunk: int | None = None, softcap: float | None = None, z_loss: float = 0.0, reduction: str = "mean",
        device: Any = None, dtype: torch.dtype | None = None, **parameters: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.loss: Any = CARDS["cross_entropy"] if loss is None else loss
        options = getattr(getattr(self.loss, "kind", None), "options", ())
        if "ignore_index" in options:
            parameters.setdefault("ignore_index", -100)
        self.chunk, self.softcap, self.z_loss, self.reduction = chunk, softcap, z_loss, reduction
        class_weight = parameters.pop("class_weight", None)
        self.parameters_of_loss = parameters
        self.register_buffer("class_weight", class_weight)
        self.weight = torch.nn.Parameter(torch.empty(out_features, in_features, device=device, dtype=dtype))
        self.bias = torch.nn.Parameter(torch.empty(out_features, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()
        self._refuse_wrong_options("ignore_index" in options)

    reset_parameters: Any = torch.nn.Linear.reset_parameters

    def _refuse_wrong_options(self, takes_labels: bool) -> None:
        """Compute the loss of no rows."""
        features = self.weight.new_empty(0, self.in_features)
        target = features.new_empty(0, self.out_features)
        with torch.no_grad():
            self(features, target.argmax(-1) if takes_labels else target)

    def forward(self, features: Tensor, target: Tensor, *, mask: Any = None, row_weight: Any = None) -> Tensor:
        """Return the loss of features (..., in_features) and labels (...,), or rows of target."""
        options = dict(self.parameters_of_loss)
        if self.class_weight is not None:
            options["class_weight"] = self.class_weight
        if target.ndim == features.ndim:
            options.pop("ignore_index", None)  # goes with labels
        loss: Tensor = linear_loss(
            features, self.weight, target, loss=self.loss, bias=self.bias, chunk=self.chunk, softcap=self.softcap,
            z_loss=self.z_loss, reduction=self.reduction, mask=mask, row_weight=row_weight, **options,
        )  # fmt: skip
        return loss

    def logits(self, features: Tensor) -> Tensor:
        """Return the layer's output, capped if the loss caps it."""
        logits = torch.nn.functional.linear(features, self.weight, self.bias)
        capped: Tensor = logits if self.softcap is None else CARDS["softcap"](logits, cap=self.softcap)
        return capped

    __prepare_scriptable__ = refuse_script

    def extra_repr(self) -> str:
        """Sizes, loss, and options other than the defaults."""
        shown = [f"{self.in_features}, {self.out_features}, loss={self.loss!r}, bias={self.bias is not None}"]
        for name, default in (("chunk", None), ("softcap", None), ("z_loss", 0.0), ("reduction", "mean")):
            if (value := getattr(self, name)) != default:
                shown.append(f"{name}={value!r}")
        return ", ".join(shown + [f"{name}={value!r}" for name, value in self.parameters_of_loss.items()])
