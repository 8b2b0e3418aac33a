"""Training by a `concurrent.futures.Executor` of the user."""

from __future__ import annotations

import threading
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future

from slopes.comparing.errors import StudyError
from slopes.comparing.executing.attempt import Cells, ChunkResult, attempt, refusal
from slopes.comparing.executing.parcel import Parcel, forget, open_parcel, pack
from slopes.comparing.executing.place import Place
from slopes.comparing.job import Job

#: A process trains one chunk at a time, as it has one state of torch's random numbers and threads.
_one = threading.Lock()


def work(parcel: Parcel, cells: Cells) -> ChunkResult:
    """Train a chunk on one thread, for executors and Dask."""
    with _one:
        try:
            import torch

            job = open_parcel(parcel)
        except (Exception, SystemExit) as error:
            return refusal(error)
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return attempt(job, cells)
        finally:
            torch.set_num_threads(before)


class Executors(Place):
    """Adapter to an executor, which stays open."""

    def __init__(self, job: Job, executor: Executor) -> None:
        super().__init__()
        self._executor = executor
        self._parcel = pack(job)
        self._futures: dict[Future[ChunkResult], Cells] = {}
        self._broken: BaseException | None = None

    def submit(self, cells: Cells) -> None:
        try:
            future = self._executor.submit(work, self._parcel, cells)
        except (BrokenExecutor, RuntimeError) as error:  # RuntimeError: it was shut down
            raise self._explained(error) from error
        self._futures[future] = cells
        future.add_done_callback(self._end)

    def _end(self, future: Future[ChunkResult]) -> None:
        cells = self._futures.pop(future, ())
        try:
            self._ends.put((cells, future.result()))
        except (BrokenExecutor, CancelledError) as error:
            self._broken = error
        except BaseException as error:
            self._ends.put((cells, refusal(error)))

    def check(self) -> None:
        """Raise StudyError if the executor has broken; `ended` returns earlier chunks first."""
        if self._broken is not None:
            raise self._explained(self._broken) from self._broken

    def _explained(self, error: BaseException) -> StudyError:
        return StudyError(
            f"executor: it broke or was shut down ({type(error).__name__}: {error}); earlier runs are recorded: "
            "start again with a new one, or without, where a run that kills its process is found and put aside."
        )

    def close(self) -> None:
        for future in list(self._futures):
            future.cancel()
        forget(self._parcel)
