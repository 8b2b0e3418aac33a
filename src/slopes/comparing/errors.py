"""Errors of a study's environment, its files or its cluster, and of its limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slopes.comparing.job import Cell


class StudyError(Exception):
    """A study cannot start or continue; recorded runs are kept, and the message gives a remedy."""


class TooSlow(Exception):
    """A step of some cells hangs, or their training takes too long."""

    def __init__(self, cells: Sequence[Cell], reason: str) -> None:
        super().__init__(reason)
        self.cells = tuple(cells)


def reason_of(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
