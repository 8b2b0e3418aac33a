"""Data to train networks on: built-in tasks, and the user's own."""

from slopes.study.tasks.builtin import BUILTIN
from slopes.study.tasks.own import resolve
from slopes.study.tasks.task import KINDS, Parts, Task

__all__ = ["BUILTIN", "KINDS", "Parts", "Task", "resolve"]
