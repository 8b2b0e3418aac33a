"""The networks that are trained: built-in ones, and the user's own."""

from slopes.study.networks.network import Network

__all__ = ["Network"]
