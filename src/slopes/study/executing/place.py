"""A place where chunks are trained."""

from __future__ import annotations

import math
import queue

from slopes.study.executing.attempt import Cells, Verdict


class Place:
    """Takes chunks and tells what became of each, in the order in which they end."""

    width: float = math.inf  #: how many chunks it takes at once
    shared = False  #: whether a chunk may be blamed for what another one did to the process
    replaceable = False  #: whether this process may train what does not load there

    def __init__(self) -> None:
        self._ends: queue.SimpleQueue[tuple[Cells, Verdict]] = queue.SimpleQueue()

    def submit(self, cells: Cells) -> None:
        """Take a chunk."""
        raise NotImplementedError

    def ended(self) -> tuple[Cells, Verdict]:
        """Wait for the next chunk to end."""
        while True:
            try:
                return self._ends.get(timeout=1)
            except queue.Empty:
                self.check()

    def check(self) -> None:
        """Raise StudyError if what was submitted will never end."""

    def close(self) -> None:
        """End all that was started."""
