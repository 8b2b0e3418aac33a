"""Base class of backends for training chunks."""

from __future__ import annotations

import math
import queue
import time

from slopes.comparing.executing.attempt import Cells, ChunkResult


class Place:
    """Backend that takes chunks and returns each with its result, in order of completion."""

    width: float = math.inf  #: chunks taken at once
    shared = False  #: whether a crash may be blamed on another chunk
    replaceable = False  #: whether this process may train a job that does not load there

    def __init__(self) -> None:
        self._ends: queue.SimpleQueue[tuple[Cells, ChunkResult]] = queue.SimpleQueue()

    def submit(self, cells: Cells) -> None:
        raise NotImplementedError

    def ended(self, until: float = math.inf) -> tuple[Cells, ChunkResult] | None:
        """Wait for a chunk to end; None if none does until that time of `time.monotonic`."""
        while True:
            try:
                return self._ends.get(timeout=min(max(until - time.monotonic(), 0), 1))
            except queue.Empty:
                self.check()
                if time.monotonic() >= until:
                    return None

    def check(self) -> None:
        """Raise StudyError if a submitted chunk will never end."""

    def close(self) -> None:
        """End everything that was started."""
