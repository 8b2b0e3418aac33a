"""The data that networks are trained on: built-in tasks, and the user's own."""

from slopes.study.tasks.task import Parts, Task

__all__ = ["Parts", "Task"]
