"""Cards: bodies in primitives of `slopes.ops`, made callable for arrays and tensors by `activation` and `loss`."""

from slopes.card.activations import WATCHERS, Activation, Gate, Map, activation
from slopes.card.base import Card, refused_script
from slopes.card.losses import Loss, MixedSum, Sum, loss

__all__ = [
    "WATCHERS", "Activation", "Card", "Gate", "Loss", "Map", "MixedSum", "Sum", "activation", "loss", "refused_script",
]  # fmt: skip
