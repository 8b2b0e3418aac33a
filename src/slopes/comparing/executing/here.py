"""Training in this process, one chunk after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from slopes.comparing.executing.attempt import Cells, attempt
from slopes.comparing.executing.place import Place
from slopes.comparing.job import Job


class Here(Place):
    width = 1

    def __init__(self, job: Job, count: int | None) -> None:
        super().__init__()
        self._job = job
        self._threads = threads(count)
        self._threads.__enter__()

    def submit(self, cells: Cells) -> None:
        self._ends.put((cells, attempt(self._job, cells)))

    def close(self) -> None:
        self._threads.__exit__(None, None, None)


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Give torch so many threads; None leaves them as they are."""
    import torch

    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
