"""Networks to train: the built-in ones, and the user's own."""

from slopes.comparing.networks.network import Network
from slopes.comparing.networks.resolving import resolve

__all__ = ["Network", "resolve"]
