"""Data to train networks on: built-in tasks, and the user's own."""

from slopes.comparing.tasks.builtin import BUILTIN
from slopes.comparing.tasks.own import resolve
from slopes.comparing.tasks.task import KINDS, Parts, Task

__all__ = ["BUILTIN", "KINDS", "Parts", "Task", "resolve"]
