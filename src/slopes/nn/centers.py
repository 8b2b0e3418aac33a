"""The center loss with the centers that it learns."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from slopes.catalogue import CARDS
from slopes.domains import shown
from slopes.kinds import OPTIONS
from slopes.kinds.spaces import refuse
from slopes.nn.replaced import refuse_script
from slopes.readings import torch as r


class CenterLoss(torch.nn.Module):
    """Half the squared distance of features from the center of their class: see `slopes.center`.

    ``CenterLoss(10, 64)(features, labels)`` takes features (..., 64) and labels (...,) from 0 to 9. The parameter
    `centers` has a row for each class, at first drawn from the normal distribution; an optimizer trains it with the
    model. Labels of −100 do not count by default; the mean over nothing is 0. Raises TypeError or ValueError for sizes,
    shapes and labels that do not fit.
    """

    def __init__(
        self, num_classes: int, num_features: int, *, ignore_index: int = -100, reduction: str = "mean",
        device: Any = None, dtype: torch.dtype | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        for name, size in (("num_classes", num_classes), ("num_features", num_features)):
            if type(size) is not int or size < 1:
                raise ValueError(f"CenterLoss: {name} must be an integer >= 1, got {shown(size)}")
        if type(ignore_index) is not int:
            raise TypeError(f"CenterLoss: ignore_index must be an integer, got {shown(ignore_index)}")
        OPTIONS["reduction"].check("CenterLoss", "reduction", reduction)
        self.ignore_index, self.reduction = ignore_index, reduction
        self.centers = torch.nn.Parameter(torch.empty(num_classes, num_features, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the centers anew."""
        torch.nn.init.normal_(self.centers)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of features (..., num_features) and integer labels (...,)."""
        classes, length = self.centers.shape
        features, labels = r.enter(features, "CenterLoss: features"), r.enter(labels, "CenterLoss: labels", features)
        if not features.ndim or features.shape[-1] != length or labels.shape != features.shape[:-1]:
            raise ValueError(
                f"CenterLoss: features {tuple(features.shape)} and labels {tuple(labels.shape)} must have the shapes "
                f"(..., {length}) and (...,)"
            )
        if not r.is_integer(labels):
            raise TypeError(f"CenterLoss: labels must be integers, got dtype {labels.dtype}")
        counts = labels != self.ignore_index
        wrong = counts & ((labels < 0) | (labels >= classes))
        refuse(r, "CenterLoss", "label", labels, wrong, f"must lie in [0, {classes - 1}]")
        r.assert_on_gpu(~wrong, f"CenterLoss: a label does not lie in [0, {classes - 1}]")
        centers = self.centers[torch.where(counts & ~wrong, labels, 0)]
        loss: Tensor = CARDS["center"](features, centers, mask=counts, reduction=self.reduction)
        return loss

    __prepare_scriptable__ = refuse_script

    def extra_repr(self) -> str:
        """Sizes, and options other than the defaults."""
        classes, length = self.centers.shape
        options = (("ignore_index", -100), ("reduction", "mean"))
        shown = [f"{name}={value!r}" for name, default in options if (value := getattr(self, name)) != default]
        return ", ".join([f"{classes}, {length}", *shown])
