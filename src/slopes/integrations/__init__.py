"""Losses, activations and watchers in Keras and in the training loops of Lightning and Hugging Face.

A module imports its framework when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slopes.integrations import keras as keras
    from slopes.integrations import lightning as lightning
    from slopes.integrations import transformers as transformers

__all__ = ["keras", "lightning", "transformers"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
