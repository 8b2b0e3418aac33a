"""Training in this process, one chunk after another."""

from __future__ import annotations

from slopes.comparing.executing.attempt import Cells, attempt
from slopes.comparing.executing.place import Place
from slopes.comparing.job import Job


class Here(Place):
    width = 1

    def __init__(self, job: Job, threads: int | None) -> None:
        import torch

        super().__init__()
        self._job = job
        self._before = torch.get_num_threads()
        if threads is not None:
            torch.set_num_threads(threads)

    def submit(self, cells: Cells) -> None:
        self._ends.put((cells, attempt(self._job, cells)))

    def close(self) -> None:
        import torch

        torch.set_num_threads(self._before)
