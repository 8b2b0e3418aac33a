"""Networks to train: the built-in ones, and the user's own."""

from slopes.study.networks.network import Network
from slopes.study.networks.resolving import resolve

__all__ = ["Network", "resolve"]
