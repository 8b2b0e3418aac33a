"""What each kind of loss is fed by a network that gives one logit per class."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor


class Feed(NamedTuple):
    """How logits and labels become the arguments of a loss."""

    note: str  #: what to add to the loss's name; empty where it is fed what it is made for
    fed: str  #: the arguments in words
    head: str  #: what turns logits into predictions: "logits", "softmax" or "sigmoid"
    one_hot: bool  #: whether targets are rows instead of labels

    def __call__(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return (prediction, target)."""
        from slopes import sigmoid, softmax

        heads: dict[str, Any] = {"logits": lambda z: z, "softmax": softmax, "sigmoid": sigmoid}
        prediction = heads[self.head](logits)
        if not self.one_hot:
            return prediction, labels
        return prediction, (labels.unsqueeze(-1) == torch.arange(logits.shape[-1])).to(logits.dtype)


def feed(loss: Any) -> Feed:
    """Return how a loss is fed; TypeError if its kind is none that classes can be made to fit."""
    kind = loss.kind.name
    probabilities = loss.kind.space_of(loss.settings) == "probabilities"
    if kind == "classification" and not probabilities:
        return Feed("", "logits and labels", "logits", False)
    if kind == "classification":
        return Feed("on softmax probabilities", "softmax probabilities and labels", "softmax", False)
    if kind == "regression":
        return Feed("on softmax probabilities", "softmax probabilities and one-hot rows", "softmax", True)
    if kind == "binary" and not probabilities:
        return Feed("one-vs-rest on logits", "a logit and a yes or no for each class", "logits", True)
    if kind == "binary":
        return Feed(
            "one-vs-rest on sigmoid probabilities",
            "a sigmoid probability and a yes or no for each class",
            "sigmoid",
            True,
        )
    raise TypeError(f"compare: {loss.name} is a {kind} loss, which classes cannot be fed to; take another loss.")


def probabilities(logits: Tensor, head: Feed) -> Tensor:
    """The class probabilities that a network trained under this feed gives, in float64."""
    if head.one_hot and head.head != "softmax":
        yes = torch.sigmoid(logits.double())
        return yes / yes.sum(-1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    return torch.softmax(logits.double(), -1)
