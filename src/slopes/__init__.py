"""Activation and loss functions for deep learning: compute, audit, compare and show them.

Every name below is loaded when first used; importing slopes itself loads nothing but this file.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "slopes": ("ops", "catalogue", "domains"),
    "slopes.card": ("activation", "loss", "Activation", "Loss"),
    "slopes.facts": ("Paper",),
    "slopes.oracle": ("exact",),
    "slopes.checks": ("audit",),
    "slopes.study": ("compare",),
    "slopes.plot": ("show",),
    "slopes.activations.rectifiers": ("linear", "identity", "relu", "leaky_relu", "elu"),
    "slopes.activations.sigmoids": ("sigmoid", "tanh", "softplus", "log_sigmoid"),
    "slopes.activations.smooth": ("gelu", "gelu_tanh", "silu", "swish"),
    "slopes.activations.simplex": ("softmax", "log_softmax"),
    "slopes.losses.regression": ("mse", "mae", "huber", "log_cosh"),
    "slopes.losses.classification": ("cross_entropy", "categorical_cross_entropy", "binary_cross_entropy"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
__all__ = [*_HOME_OF, "__version__"]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'slopes' has no attribute {name!r}")
    value = import_module(f"slopes.{name}") if home == "slopes" else getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
