"""Data to train networks on: built-in tasks, and the user's own."""

from slopes.comparing.task_kinds import TaskKind
from slopes.comparing.tasks.builtin import BUILTIN
from slopes.comparing.tasks.own import resolve
from slopes.comparing.tasks.task import Parts, Task

__all__ = ["BUILTIN", "Parts", "Task", "TaskKind", "resolve"]
